/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_DIRTY_H
#define MIGC_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_guestmem.h"
#include "migc_log.h"

/**
 * @file
 * Which pages did the guest write? Trackers behind one ops table. Main lcore, except
 * migc_dirty_sent() and migc_dirty_needs_copy(), which workers call.
 *
 * Contract: scan() clears and re-arms a page's dirty bit before it returns; bytes read after that
 * are either current or the page is reported again by a later scan. With one exception, measured:
 * I/O that was submitted before the scan may land after it (O_DIRECT, io_uring) without being
 * seen. Hence the caller reads a page of scan k no sooner than migc_dirty_settle_ns() after scan
 * k, unless the guest is stopped (QEMU drains I/O when it stops).
 */

enum migc_dirty_kind {
	MIGC_DIRTY_AUTO, /**< pagemap where the kernel has it, else hash */
	MIGC_DIRTY_PAGEMAP,
	MIGC_DIRTY_HASH,
	MIGC_DIRTY_NONE, /**< the guest is stopped: nothing changes */
};

/** What the kernel offers; probed once. */
struct migc_dirty_features {
	bool userfaultfd, wp_async, wp_hugetlbfs_shmem, wp_unpopulated, pagemap_scan, ptrace;
	char missing[160]; /**< what pagemap lacks here, for messages; "" when nothing */
};
void migc_dirty_probe(struct migc_dirty_features *out);

struct migc_dirty;

struct migc_dirty_stats {
	uint64_t scans, scan_ns, scan_ns_max;
	uint64_t reported_pages; /**< by the kernel or the hash */
	uint64_t narrowed_pages; /**< of reported huge pages: found unchanged by hash */
	uint64_t inject_ns; /**< how long QEMU was stopped for the attach */
};

/**
 * Make a tracker for all regions of the guest memory. Nothing is armed yet.
 * @return 0; -EOPNOTSUPP (pagemap asked for and not there: the message says which kernel feature),
 *   -EBUSY (another tracker holds this QEMU), -EPERM, -ESRCH, -ENOMEM.
 */
int migc_dirty_create(enum migc_dirty_kind kind, struct migc_guestmem *gm,
		      const struct migc_log *log, struct migc_dirty **out, struct migc_error *err);
/** "pagemap", "hash" or "none". */
const char *migc_dirty_name(const struct migc_dirty *d);
/**
 * Start to track: every page counts as clean from now on. Again: start anew, and what was told by
 * migc_dirty_sent() is forgotten. @return 0, -errno with a message.
 */
int migc_dirty_arm(struct migc_dirty *d, struct migc_error *err);
/**
 * Pages written since the last scan (or arm): their bits are set in `words` (others are left),
 * cleared in the kernel and armed again. Holes are never reported as long as they are holes.
 * @param idle called now and then during a long scan (hash), may be NULL
 * @return 0, -errno (-ESRCH: the process is gone).
 */
int migc_dirty_scan(struct migc_dirty *d, unsigned int region, uint64_t *words,
		    void (*idle)(void *ctx), void *ctx, struct migc_error *err);
/**
 * How long the pages of the scan (or arming) that was just made must rest before they are read:
 * 0 where the tracker finds late writes, or where nothing that QEMU has open now can write late,
 * else 200 ms, and the first time the log says why. Looks at all of QEMU's descriptors: some
 * system calls each.
 */
uint64_t migc_dirty_settle_ns(struct migc_dirty *d);
/**
 * Must a worker copy a page of this region before it is compressed, and tell migc_dirty_sent()
 * the copy? (hash, and pagemap on huge pages: the hash of exactly what was sent is what the next
 * scan compares with.) Constant after create. Any thread.
 */
bool migc_dirty_needs_copy(const struct migc_dirty *d, unsigned int region);
/**
 * These bytes were sent for that page (NULL: it was sent as zero). Only for regions that need a
 * copy. Any worker; a page is on its way once, so no two threads at one page. No lock, no syscall.
 */
void migc_dirty_sent(struct migc_dirty *d, unsigned int region, uint64_t page, const void *bytes);
/** Stop tracking and leave no trace in QEMU. Also called by free. Safe when QEMU has gone. */
void migc_dirty_disarm(struct migc_dirty *d);
void migc_dirty_free(struct migc_dirty *d);
void migc_dirty_stats(const struct migc_dirty *d, struct migc_dirty_stats *out);

#endif
