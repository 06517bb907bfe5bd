/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LATE_WRITES_H
#define LATE_WRITES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/**
 * @file
 * Who may write into a process's memory behind its page tables? The kernel pins the pages of an
 * O_DIRECT read when it is submitted, and the data lands when the disk has it; a device that is
 * passed through writes whenever it likes. read() of a file in the page cache, of a socket or of a
 * pipe copies as the process itself would, and a write-protected page faults.
 */

/**
 * Look at what a process has open. Only what is known to copy is let pass.
 * @param what [out] the first descriptor that is not: "/var/lib/disk.img (O_DIRECT)",
 *   "/dev/vfio/12"; "" when there is none
 * @return whether there is one, or its descriptors cannot be read.
 */
bool late_writes_possible(pid_t pid, char *what, size_t size);

#endif
