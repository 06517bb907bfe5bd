/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "late_writes.h"

#define ANY_MINOR UINT_MAX

/** Read through the page cache, which copies. FUSE with direct_io pins; others were not tried. */
static const unsigned long cached_filesystems[] = {
	EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC, TMPFS_MAGIC, HUGETLBFS_MAGIC,
};

static const struct {
	unsigned int major, minor;
} copying_devices[] = {
	{1, 3}, /* /dev/null */
	{1, 5}, /* zero */
	{1, 8}, /* random */
	{1, 9}, /* urandom */
	{10, 200}, /* net/tun */
	{10, 232}, /* kvm */
	{4, ANY_MINOR}, /* terminals */
	{5, ANY_MINOR}, {136, ANY_MINOR}, /* pts */
};

/** How the links of those begin that have no name in a file system. */
static const char *const copying_objects[] = {
	"socket:[",
	"pipe:[",
	"anon_inode:[eventfd]",
	"anon_inode:[eventpoll]",
	"anon_inode:[timerfd]",
	"anon_inode:[signalfd]",
	"anon_inode:kvm-vm",
	"anon_inode:kvm-vcpu",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool copying_object(const char *link)
{
	for (unsigned int i = 0; i < COUNT(copying_objects); i++) {
		if (strncmp(link, copying_objects[i], strlen(copying_objects[i])) == 0)
			return true;
	}
	return false;
}

static bool copying_device(dev_t device)
{
	for (unsigned int i = 0; i < COUNT(copying_devices); i++) {
		if (copying_devices[i].major == major(device) &&
		    (copying_devices[i].minor == ANY_MINOR ||
		     copying_devices[i].minor == minor(device)))
			return true;
	}
	return false;
}

static bool cached(const char *path)
{
	struct statfs fs;

	if (statfs(path, &fs) != 0)
		return false;
	for (unsigned int i = 0; i < COUNT(cached_filesystems); i++) {
		if ((unsigned long)fs.f_type == cached_filesystems[i])
			return true;
	}
	return false;
}

/** The flags that a descriptor was opened with. @return whether they could be read. */
static bool flags_of(pid_t pid, const char *fd, unsigned long *flags)
{
	char path[64];
	FILE *file;
	bool found;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%.12s", (int)pid, fd);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	found = fscanf(file, "pos: %*d flags: %lo", flags) == 1;
	fclose(file);
	return found;
}

/** @return whether reads of that regular file are copies; `note` says what else they are. */
static bool copying_file(pid_t pid, const char *fd, const char *path, const char **note)
{
	unsigned long flags;

	if (!flags_of(pid, fd, &flags))
		return false;
	/* what cannot be read into memory writes none of it */
	if ((flags & O_ACCMODE) == O_WRONLY)
		return true;
	if (flags & O_DIRECT)
		*note = " (O_DIRECT)";
	return !(flags & O_DIRECT) && cached(path);
}

/** @return whether it only copies, or has gone meanwhile; `what` is it. */
static bool copies(pid_t pid, const char *fd, char *what, size_t size)
{
	char path[64], link[PATH_MAX];
	const char *note = "";
	struct stat st;
	bool harmless;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/fd/%.12s", (int)pid, fd);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return errno == ENOENT;
	link[length] = '\0';
	if (link[0] != '/')
		harmless = copying_object(link);
	else if (stat(path, &st) != 0)
		harmless = errno == ENOENT;
	else if (S_ISREG(st.st_mode))
		harmless = copying_file(pid, fd, path, &note);
	else if (S_ISCHR(st.st_mode))
		harmless = copying_device(st.st_rdev);
	else
		harmless = S_ISDIR(st.st_mode) || S_ISFIFO(st.st_mode);
	if (!harmless)
		snprintf(what, size, "%s%s", link, note);
	return harmless;
}

bool late_writes_possible(pid_t pid, char *what, size_t size)
{
	char path[64];
	struct dirent *entry;
	bool all_copy = true;
	DIR *dir;

	what[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	dir = opendir(path);
	if (dir == NULL) {
		snprintf(what, size, "%s: %s", path, strerror(errno));
		return true;
	}
	/* one that is opened meanwhile had nothing in flight at the scan before */
	while (all_copy && (entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] != '.')
			all_copy = copies(pid, entry->d_name, what, size);
	}
	closedir(dir);
	return !all_copy;
}
