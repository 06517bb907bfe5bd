/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "guestmem_private.h"

/** One line of /proc/PID/maps. */
struct mapping {
	uint64_t first, end, offset;
	dev_t device;
	ino_t inode;
	bool shared;
};

static bool parse_mapping(const char *line, struct mapping *m)
{
	unsigned int major_number, minor_number;
	unsigned long inode;
	char permissions[5];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %lu", &m->first, &m->end,
		   permissions, &m->offset, &major_number, &minor_number, &inode) != 7)
		return false;
	m->device = makedev(major_number, minor_number);
	m->inode = inode;
	m->shared = permissions[3] == 's';
	return true;
}

/** The mapping that holds an address; one that goes on in the next lines counts as one. */
static int find_mapping(pid_t pid, uint64_t addr, uint64_t length, struct mapping *out)
{
	char path[64], line[512];
	struct mapping m;
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (!parse_mapping(line, &m))
			continue;
		if (!found && m.first <= addr && addr < m.end) {
			*out = m;
			found = true;
		} else if (found && m.first == out->end && m.inode == out->inode &&
			   m.device == out->device && m.shared == out->shared &&
			   m.offset == out->offset + (out->end - out->first)) {
			out->end = m.end;
		}
	}
	fclose(f);
	if (!found)
		return -ENOENT;
	return out->end - addr >= length ? 0 : -ERANGE;
}

/**
 * maps shows the file system's own device number, which st_dev is for tmpfs, memfd and hugetlbfs;
 * overlay and btrfs differ there.
 */
static bool same_file(const struct stat *st, const struct mapping *m, bool any_device)
{
	return S_ISREG(st->st_mode) && st->st_ino == m->inode &&
	       (any_device || st->st_dev == m->device);
}

/** Open the file behind a mapping through one of the process's own descriptors. */
static int open_by_descriptor(pid_t pid, const struct mapping *m, int flags, bool any_device)
{
	char path[320];
	struct dirent *entry;
	int fd = -ENOENT;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)pid, entry->d_name);
		/* never open what is not the file: some devices do things on open */
		if (entry->d_name[0] == '.' || stat(path, &st) != 0 ||
		    !same_file(&st, m, any_device))
			continue;
		fd = open(path, flags);
		if (fd >= 0 && fstat(fd, &st) == 0 && same_file(&st, m, any_device))
			break;
		if (fd >= 0)
			close(fd);
		fd = -ENOENT;
	}
	closedir(dir);
	return fd;
}

static int open_mapping(pid_t pid, const struct mapping *m, bool writable)
{
	int flags = (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC;
	int fd = open_by_descriptor(pid, m, flags, false);
	char path[96];
	int rc;

	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid, m->first,
		 m->end);
	fd = open(path, flags);
	if (fd >= 0)
		return fd;
	rc = -errno;
	/* last, since files of two file systems may have the same inode number */
	fd = open_by_descriptor(pid, m, flags, true);
	return fd >= 0 ? fd : rc;
}

int migc_guestmem_add_process(struct migc_guestmem *gm, const char *name, pid_t pid,
			      uint64_t qemu_addr, uint64_t length, bool writable,
			      struct migc_error *err)
{
	struct migc_region *region = guestmem_new_region(gm, name, err);
	struct mapping m = {0};
	int rc;

	if (region == NULL)
		return err ? err->code : -EINVAL;
	rc = find_mapping(pid, qemu_addr, length, &m);
	if (rc != 0)
		return migc_error_set(
			err, rc, "RAM %s is not to be found in process %d: %s", name, (int)pid,
			rc == -ENOENT || rc == -ERANGE ? "nothing of that size is mapped there"
						       : strerror(-rc));
	if (!m.shared)
		return migc_error_set(
			err, -EINVAL,
			"RAM %s is private to QEMU: start QEMU with -object "
			"memory-backend-file,id=%s,size=...,mem-path=/dev/shm/...,share=on",
			name, name);
	region->fd = open_mapping(pid, &m, writable);
	if (region->fd < 0)
		return migc_error_set(
			err, region->fd,
			"RAM %s of process %d cannot be opened: %s (run as root or as QEMU's "
			"user)",
			name, (int)pid, strerror(-region->fd));
	region->writable = writable;
	region->backing_page_bytes = guestmem_backing_page(region->fd);
	region->file_offset_bytes = m.offset + (qemu_addr - m.first);
	region->size_bytes = length;
	region->pid = pid;
	region->qemu_addr = qemu_addr;
	return guestmem_map(gm, region, err);
}
