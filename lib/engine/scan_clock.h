/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SCAN_CLOCK_H
#define SCAN_CLOCK_H

#include <stdint.h>

/**
 * @file
 * When the guest was scanned, how long pages rest after that, and how fast the guest writes. No
 * clock of its own: time comes in. All 0 to begin with, then scan_clock_armed().
 */
struct scan_clock {
	uint64_t scan_ns; /**< when the last scan (or arming) was made */
	uint64_t rest_ns; /**< how long after that its pages may not be read */
	uint64_t paced_ns; /**< when the next is due if all are as far apart as in the long run */
	uint64_t dirty_rate; /**< pages a second, of late */
	uint64_t rate_ns, rate_pages; /**< since when, and how many, not in dirty_rate yet */
};

/** The tracker was armed: what was written before counts as neither pages nor time. */
void scan_clock_armed(struct scan_clock *c, uint64_t now_ns);
/** A scan was made. @param pages that were not known to be dirty before */
void scan_clock_scanned(struct scan_clock *c, uint64_t now_ns, uint64_t pages);
/**
 * The guest runs on while the pages of that scan are sent. After some scans in a row they rest
 * until the pace of the long run is kept again.
 * @param settle_ns what they rest at the least
 */
void scan_clock_rest(struct scan_clock *c, uint64_t settle_ns);

#endif
