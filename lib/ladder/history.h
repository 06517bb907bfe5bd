/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_LADDER_HISTORY_H
#define MIGC_LADDER_HISTORY_H

#include "migc_ladder.h"

/** @file What does not shrink is tried more and more rarely, and never not at all. */

/** Blocks in a row that did not shrink before the first is skipped, and the first interval. */
#define MIGC_LADDER_FAILED_MAX 4u
/** Longest interval, of codecs and of blocks that look incompressible. */
#define MIGC_LADDER_CODEC_INTERVAL_MAX 64u
#define MIGC_LADDER_LOOKS_INTERVAL_MAX 256u

/** Looks are believed from the start: the first block that is tried nevertheless is the 16th. */
static inline void migc_ladder_trust_looks(struct migc_ladder_history *h)
{
	h->failed = MIGC_LADDER_FAILED_MAX;
	h->interval = 16;
	h->skip = 15;
}

/** @return whether this block is to be tried. */
static inline bool migc_ladder_history_try(struct migc_ladder_history *h)
{
	if (h->skip == 0)
		return true;
	h->skip--;
	return false;
}

static inline void migc_ladder_history_note(struct migc_ladder_history *h, bool shrank,
					    uint32_t interval_max)
{
	if (shrank) {
		h->failed = h->interval = h->skip = 0;
		return;
	}
	if (h->failed < MIGC_LADDER_FAILED_MAX)
		h->failed++;
	/* blocks that were begun before the first of them failed do not count each */
	if (h->failed < MIGC_LADDER_FAILED_MAX || h->skip != 0)
		return;
	h->interval = h->interval == 0 ? MIGC_LADDER_FAILED_MAX : 2 * h->interval;
	if (h->interval > interval_max)
		h->interval = interval_max;
	h->skip = h->interval - 1;
}

#endif
