/* SPDX-License-Identifier: BSD-3-Clause */
#include "scan_clock.h"

/**
 * In the long run scans are so far apart: after each the guest has a fault for each page that it
 * writes (facts: half its speed, at most, with 0.1 s, a tenth with 0.5). So much sooner they may be
 * in between, for a few short rounds are how a migration ends.
 */
#define PACE_NS UINT64_C(200000000)
#define BURST_NS UINT64_C(1000000000)

/** The rate of dirtying is told of no less time. */
#define RATE_OVER_NS UINT64_C(200000000)

void scan_clock_armed(struct scan_clock *c, uint64_t now_ns)
{
	c->scan_ns = now_ns;
	c->rate_ns = now_ns;
	c->rate_pages = 0;
}

void scan_clock_scanned(struct scan_clock *c, uint64_t now_ns, uint64_t pages)
{
	uint64_t spent = now_ns - c->rate_ns;

	c->scan_ns = now_ns;
	/* over less than a pulse of a guest that stands part of its time, it would say anything */
	c->rate_pages += pages;
	if (spent >= RATE_OVER_NS) {
		c->dirty_rate = c->rate_pages * UINT64_C(1000000000) / spent;
		c->rate_ns = now_ns;
		c->rate_pages = 0;
	}
}

void scan_clock_rest(struct scan_clock *c, uint64_t settle_ns)
{
	uint64_t burst_ns = c->scan_ns + BURST_NS;

	if (c->paced_ns < c->scan_ns)
		c->paced_ns = c->scan_ns;
	c->paced_ns += PACE_NS;
	/* where pages rest anyway, two scans a round are no reason to rest longer */
	if (c->paced_ns > burst_ns + PACE_NS)
		c->paced_ns = burst_ns + PACE_NS;
	c->rest_ns = settle_ns;
	if (c->paced_ns > burst_ns + settle_ns)
		c->rest_ns = c->paced_ns - burst_ns;
}
