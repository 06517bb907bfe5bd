/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

int control_directory(char *out, size_t capacity, struct migc_error *err)
{
	const char *base = geteuid() == 0 ? "/run" : getenv("XDG_RUNTIME_DIR");
	int length;

	if (base == NULL || base[0] != '/')
		return migc_error_set(err, -EACCES,
				      "this user has no directory for control sockets "
				      "(XDG_RUNTIME_DIR is not set): give --control PATH");
	length = snprintf(out, capacity, "%s/dpdk-migcomp", base);
	if (length < 0 || (size_t)length >= capacity)
		return migc_error_set(err, -ENAMETOOLONG, "XDG_RUNTIME_DIR is too long");
	return 0;
}

int control_address(const char *path, struct sockaddr_un *out, struct migc_error *err)
{
	memset(out, 0, sizeof(*out));
	out->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(out->sun_path))
		return migc_error_set(err, -ENAMETOOLONG,
				      "%.200s is too long for a socket's path: %zu bytes at most",
				      path, sizeof(out->sun_path) - 1);
	memcpy(out->sun_path, path, strlen(path));
	return 0;
}

bool control_stale(const char *path)
{
	struct sockaddr_un address;
	bool refused = false;
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode) ||
	    control_address(path, &address, NULL) != 0)
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	refused = connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
		  errno == ECONNREFUSED;
	close(fd);
	return refused;
}

static bool is_socket_name(const char *name)
{
	const char *dot = strrchr(name, '.');

	return name[0] != '.' && dot && strcmp(dot, ".sock") == 0;
}

void control_clean(const char *directory)
{
	DIR *d = opendir(directory);
	const struct dirent *entry;
	char path[512];

	while (d && (entry = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
		if (is_socket_name(entry->d_name) && control_stale(path))
			unlink(path);
	}
	if (d)
		closedir(d);
}

int control_lock_directory(const char *directory, bool make, struct migc_error *err)
{
	struct stat st;
	int fd;

	if (make && mkdir(directory, 0700) != 0 && errno != EEXIST)
		return migc_error_set(err, -errno, "cannot make %s: %s", directory,
				      strerror(errno));
	fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return migc_error_set(err, -errno, "cannot open %s: %s", directory,
				      strerror(errno));
	/* whoever can write there can put a socket of theirs in our place */
	if (fstat(fd, &st) != 0 || st.st_uid != geteuid() || (st.st_mode & 077)) {
		close(fd);
		return migc_error_set(err, -EACCES,
				      "%s must belong to this user and be closed to all others "
				      "(mode 0700)",
				      directory);
	}
	flock(fd, LOCK_EX);
	return fd;
}
