/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "guestmem_private.h"

#define MIB(bytes) ((unsigned long long)((bytes) >> 20))
/** What is needed, rounded up: never "needs 8 and has 8". */
#define MIB_UP(bytes) MIB((bytes) + (1u << 20) - 1)

/** A line "Name:  N kB" or "Name:  N" of /proc/meminfo. */
static uint64_t meminfo(const char *name)
{
	unsigned long long value = 0;
	FILE *f = fopen("/proc/meminfo", "re");
	size_t length = strlen(name);
	char line[128];

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, length) == 0 && line[length] == ':')
			sscanf(line + length + 1, "%llu", &value);
	}
	if (f)
		fclose(f);
	return value;
}

/** Huge pages of that size that are free. */
static uint64_t free_huge_bytes(uint32_t page_bytes)
{
	unsigned long long count = 0;
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages",
		 page_bytes / 1024);
	f = fopen(path, "re");
	if (f && fscanf(f, "%llu", &count) != 1)
		count = 0;
	if (f)
		fclose(f);
	return count * page_bytes;
}

/** A memfd lives in a mount of the kernel's own that says nothing of limits. */
static bool no_limit(const struct statvfs *fs)
{
	return fs->f_blocks == 0;
}

int migc_guestmem_check_budget(const struct migc_guestmem *gm, uint64_t data_pages,
			       uint64_t own_bytes, struct migc_error *err)
{
	uint64_t need = data_pages * MIGC_PAGE_BYTES;
	uint64_t free_bytes = 0, memory = own_bytes, room;
	bool limited = true, in_memory = false;
	dev_t seen[MIGC_REGIONS_MAX];

	/* how the data spreads over the regions is not known before it comes: count all file
	 * systems together, each once */
	for (unsigned int i = 0; i < gm->count; i++) {
		const struct migc_region *region = &gm->region[i];
		struct statvfs fs;
		struct statfs type;
		struct stat st;
		bool again = false;

		if (fstatvfs(region->fd, &fs) != 0 || fstatfs(region->fd, &type) != 0 ||
		    fstat(region->fd, &st) != 0)
			return migc_error_set(err, -errno,
					      "region %s: its file system does not answer",
					      region->name);
		for (unsigned int k = 0; k < i; k++)
			again |= seen[k] == st.st_dev;
		seen[i] = st.st_dev;
		in_memory |= type.f_type == TMPFS_MAGIC;
		if (again)
			continue;
		room = no_limit(&fs) ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
		/* a mount may allow more than there is in the pool, which is of one page size */
		if (type.f_type == HUGETLBFS_MAGIC &&
		    free_huge_bytes(region->backing_page_bytes) < room)
			room = free_huge_bytes(region->backing_page_bytes);
		if (room == UINT64_MAX)
			limited = false;
		else
			free_bytes += room;
	}
	if (limited && gm->count && free_bytes < need)
		return migc_error_set(
			err, -ENOSPC,
			"the guest's memory needs %llu MiB more and the file system behind "
			"region %s has %llu MiB: free some, or enlarge it",
			MIB_UP(need), gm->region[0].name, MIB(free_bytes));
	if (in_memory)
		memory += need;
	if (meminfo("MemAvailable") * 1024 < memory)
		return migc_error_set(
			err, -ENOMEM,
			"the guest's memory and ours need %llu MiB and the host has %llu MiB "
			"available",
			MIB_UP(memory), MIB(meminfo("MemAvailable") * 1024));
	return 0;
}
