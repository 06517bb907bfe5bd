/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_LADDER_HISTORY_H
#define MIGC_LADDER_HISTORY_H

#include "migc_ladder.h"

/** One, of a share of the wire. */
#define SHARE_ONE (1u << 16)

/** @file What does not shrink is tried more and more rarely, and never not at all. */

/** Blocks in a row that did not shrink before the first is skipped. */
#define MIGC_LADDER_FAILED_MAX 8u
/** Of the blocks since the last that shrank, so many are the next interval: 1/8. */
#define MIGC_LADDER_SKIP_SHIFT 3
/** Longest interval, of codecs and of blocks that look incompressible. */
#define MIGC_LADDER_CODEC_INTERVAL_MAX 64u
#define MIGC_LADDER_LOOKS_INTERVAL_MAX 256u
/** Looks are believed from the start, as if so many blocks had failed. */
#define MIGC_LADDER_LOOKS_FAILED 128u

static inline void migc_ladder_trust_looks(struct migc_ladder_history *h)
{
	h->failed = MIGC_LADDER_LOOKS_FAILED;
	h->skip = MIGC_LADDER_LOOKS_FAILED >> MIGC_LADDER_SKIP_SHIFT;
}

/** @return whether this block is to be tried. */
static inline bool migc_ladder_history_try(struct migc_ladder_history *h)
{
	if (h->skip == 0)
		return true;
	h->skip--;
	h->failed++;
	return false;
}

static inline void migc_ladder_history_note(struct migc_ladder_history *h, bool shrank,
					    uint32_t interval_max)
{
	if (shrank) {
		h->failed = h->skip = 0;
		return;
	}
	/* blocks that were begun before the one that failed first do not count each */
	if (h->skip != 0)
		return;
	if (h->failed < UINT32_MAX)
		h->failed++;
	if (h->failed < MIGC_LADDER_FAILED_MAX)
		return;
	h->skip = h->failed >> MIGC_LADDER_SKIP_SHIFT;
	if (h->skip > interval_max)
		h->skip = interval_max;
}

#endif
