/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DIRTY_PRIVATE_H
#define DIRTY_PRIVATE_H

#include "migc_dirty.h"
#include "sent_hash.h"

/** A way to find out. */
struct dirty_ops {
	const char *name;
	/** Take hold of the process, if there is one to take hold of. */
	int (*open)(struct migc_dirty *d, struct migc_error *err);
	int (*arm)(struct migc_dirty *d, struct migc_error *err);
	int (*scan)(struct migc_dirty *d, unsigned int region, uint64_t *words,
		    void (*idle)(void *ctx), void *ctx, struct migc_error *err);
	void (*disarm)(struct migc_dirty *d);
	bool (*needs_copy)(const struct migc_dirty *d, unsigned int region);
	/** Is a write never reported that was begun before a scan and lands after it? */
	bool misses_late_writes;
};

struct migc_dirty {
	const struct dirty_ops *ops;
	struct migc_guestmem *gm;
	const struct migc_log *log;
	struct migc_dirty_stats stats;
	struct sent_hash sent[MIGC_REGIONS_MAX]; /**< of regions that need copies */
	bool told_of_late_writes;
	/* pagemap.c */
	int userfault_fd, pagemap_fd;
	bool registered;
};

/** The process whose memory it is; 0: nobody's. */
pid_t dirty_traced_pid(const struct migc_dirty *d);

extern const struct dirty_ops dirty_pagemap_ops;
extern const struct dirty_ops dirty_hash_ops;
extern const struct dirty_ops dirty_none_ops;

/**
 * Make a userfaultfd in another process's address space and take it (injection.c).
 *
 * One system call is run by one of its threads, which is stopped inside a poll() at that moment;
 * whatever happens to us meanwhile, the thread goes on as if its poll had been interrupted.
 * @param flags   of userfaultfd(2)
 * @param stop_ns how long the thread was stopped
 * @return the descriptor (ours alone); -EPERM, -ESRCH, -ETIMEDOUT (never in a poll), -errno.
 */
int dirty_inject_userfaultfd(pid_t pid, unsigned int flags, uint64_t *stop_ns);

#endif
