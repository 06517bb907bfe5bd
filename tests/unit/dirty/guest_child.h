/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GUEST_CHILD_H
#define GUEST_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * @file
 * A process in QEMU's place: it has memory that is shared, waits in poll() and does what it is
 * told. It tells when it has done it.
 */

struct guest_child {
	pid_t pid;
	int to, from; /**< pipes: commands, answers */
	int memory_fd;
	uint64_t addr; /**< of its mapping */
	uint64_t bytes;
	unsigned int *early; /**< how often its poll() came back with nothing; shared with it */
};

enum guest_command {
	GUEST_PING,
	GUEST_WRITE, /**< a byte into a page */
	GUEST_KERNEL_WRITE, /**< let read() write a page */
	GUEST_READ, /**< look at a page */
	GUEST_WRITE_RANDOMLY, /**< so many bytes anywhere */
	GUEST_SPIN, /**< stay away from poll() until SIGUSR1; answers before */
	GUEST_EXIT,
};

/** What GUEST_KERNEL_WRITE reads, of children that are started after this; /dev/urandom at first.
 */
void guest_reads_from(const char *path, int flags);
/** @param memfd_flags of memfd_create(), e.g. MFD_HUGETLB. @return 0, -errno. */
int guest_start(struct guest_child *g, uint64_t bytes, unsigned int memfd_flags, bool use_ppoll);
/** Kill it, if it is still there, and close everything. */
void guest_stop(struct guest_child *g);
void guest_tell(const struct guest_child *g, enum guest_command command, uint64_t number, int byte);
/** @return whether it answered (else: it is gone). */
bool guest_answered(const struct guest_child *g);
/** Has it answered, without waiting? */
bool guest_answers_now(const struct guest_child *g);
/** Tell and wait. */
bool guest_do(const struct guest_child *g, enum guest_command command, uint64_t number, int byte);
/** How many of its descriptors are userfaultfds. */
unsigned int guest_userfaultfds(const struct guest_child *g);
/** Does anybody trace it? */
bool guest_is_traced(const struct guest_child *g);

#endif
