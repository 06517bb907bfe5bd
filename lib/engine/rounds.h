/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ROUNDS_H
#define ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_dirty.h"
#include "migc_guestmem.h"
#include "migc_wire.h"
#include "worker.h"

/**
 * @file
 * What is dirty, what is being sent, and when it may be read. Main lcore of the source.
 *
 * Two sets of pages: `due` (of the round that is being sent) and `fresh` (reported by a scan since
 * that round began). A page is read no sooner than migc_dirty_settle_ns() after the scan that
 * reported it, so that I/O that was in flight at the scan has landed. To lose no time by that,
 * the scan for the next round is made while the last pages of this one are being sent; pages that
 * it reports and that are still due are left for the next round. Where nothing is in flight,
 * nothing rests, and the scan is made when the round has arrived.
 */

/** A scan is believed for so long, if it found enough, and none is made ahead sooner after it. */
#define ROUNDS_SCAN_INTERVAL_NS UINT64_C(500000000)

struct rounds;

struct rounds_record {
	uint64_t pages, guest_bytes;
	uint64_t wire_bytes; /**< at its end, since the start */
	uint64_t begin_ns, end_ns;
	/* of the scan after it */
	uint64_t dirty_rate; /**< pages a second */
	uint32_t expected_downtime_ms; /**< UINT32_MAX: not known */
	uint32_t throttle_percent; /**< during it */
};

/** @param dirty armed already; NULL: no page changes once the first round has begun. */
int rounds_create(const struct migc_guestmem *gm, struct migc_dirty *dirty, struct worker *workers,
		  unsigned int worker_count, void (*idle)(void *ctx), void *idle_ctx,
		  struct rounds **out, struct migc_error *err);
void rounds_free(struct rounds *r);
/**
 * Rounds have deltas from now on, but the first and those that are raw: in them, a page always goes
 * by the same worker (doc/design/delta.md). Before the first round.
 * @return 0, -ENOMEM
 */
int rounds_use_deltas(struct rounds *r);
/**
 * All data of the guest is due: the first round. Call after the tracker was armed; without a
 * tracker it is done by the first rounds_begin(), for which the guest must be stopped.
 */
int rounds_all(struct rounds *r, struct migc_error *err);
/**
 * A session was lost and another takes over, with these workers: all data of the guest is due
 * again, less what rounds_have() takes out of it, and rounds count from 1. After the tracker was
 * armed anew.
 */
int rounds_restart(struct rounds *r, struct worker *workers, unsigned int worker_count,
		   struct migc_error *err);
/** Has I/O landed that was in flight when the tracker was armed, so that pages may be compared? */
bool rounds_settled(const struct rounds *r, uint64_t now_ns);
/** Between rounds_restart() and the first round: is the page due? */
bool rounds_is_due(const struct rounds *r, unsigned int region, uint64_t page);
/** ... then: the destination holds what the page held after the tracker was armed. It is not due.
 */
void rounds_have(struct rounds *r, unsigned int region, uint64_t page);
/**
 * Begin a round: what is fresh becomes due. Final: after one more scan, with the guest stopped.
 * @param raw compress nothing (blocks that failed are tried again)
 */
int rounds_begin(struct rounds *r, uint32_t round, bool final, bool raw, struct migc_error *err);
/**
 * Hand out what may be handed out now; scan ahead when the end of the round is near.
 * @return 1 when all of the round is in the transport, 0 when not, -errno.
 */
int rounds_feed(struct rounds *r, uint64_t now_ns, struct migc_error *err);
/** A round was closed by the destination. */
void rounds_close(struct rounds *r, uint64_t now_ns, uint64_t wire_bytes);
/** What the scan after the round just closed led to. */
void rounds_note(struct rounds *r, uint32_t expected_downtime_ms, uint32_t throttle_percent);
/**
 * Find out how many pages are dirty. A scan of a moment ago is believed when it says that there
 * are more than `enough`; else the end is near and it is made sure of by another.
 */
int rounds_scan(struct rounds *r, uint64_t now_ns, uint64_t enough, uint64_t *pages,
		struct migc_error *err);
/** These pages were not applied: they are dirty, and next go whole. */
void rounds_mark(struct rounds *r, const struct migc_page_list *pages);
/** Blocks in the transport since the start; exact once rounds_feed() said 1. */
uint64_t rounds_blocks(const struct rounds *r);
/** Pages of the round. */
uint64_t rounds_pages(const struct rounds *r);
/** How long the round has been sending, the wait for its pages to settle not counted. */
uint64_t rounds_sending_ns(const struct rounds *r, uint64_t now_ns);
/** Pages of the round not handed out yet. */
uint64_t rounds_left(const struct rounds *r);
/** Rounds closed so far. */
unsigned int rounds_closed(const struct rounds *r);
/** Pages a second that the guest dirtied between the last two scans; 0: not known. */
uint64_t rounds_dirty_rate(const struct rounds *r);
/** Records of the last rounds. @return how many, at most ROUNDS_RECORDS. */
#define ROUNDS_RECORDS 64u
unsigned int rounds_records(const struct rounds *r, const struct rounds_record **out);
/**
 * The next ranges that are holes now: at the start all holes of the guest, at the end those pages
 * that were data once. Fills a PUNCH message.
 * @return 1: filled, call again; 0: no more; -errno.
 */
int rounds_next_holes(struct rounds *r, bool at_start, struct migc_msg_punch *out);

#endif
