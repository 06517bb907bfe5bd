/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MEMORY_FILE_H
#define MEMORY_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/** @file Input as a file that a parser opens by name, without touching a disk. */

#define MEMORY_FILE_PATH_BYTES 32u

/** @param path out @return its descriptor: close it. */
static inline int memory_file_make(const uint8_t *data, size_t size, char *path)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || fchmod(fd, 0600) != 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, MEMORY_FILE_PATH_BYTES, "/proc/self/fd/%d", fd);
	return fd;
}

#endif
