/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

/* Position -> the codec of each block. */

/** Less than 1/32 saved counts as not shrunk: it is not worth two codecs' time. */
#define SHRUNK_SHIFT 5
/** EWMA of a codec's wire share: 1/16 a block. */
#define SHARE_SHIFT 4
/** Of the device's blocks, tried by the densest rung when that was not denser: 1/32. */
#define RETRY_SHARE (UINT64_C(1) << 27)

/** Error diffusion. @return true in `share` (32 fractional bits) of the calls, evenly. */
static bool step_up(struct migc_ladder *l, uint64_t share)
{
	uint32_t before = l->carry;

	if (share >> 32)
		return true;
	l->carry += (uint32_t)share;
	return l->carry < before;
}

/** Does the densest rung save at least 1/64 over the device? Unknown: yes, to find out. */
static bool denser_than_device(const struct migc_ladder *l)
{
	uint32_t device = l->wire_share[MIGC_CODEC_DEFLATE];
	uint32_t densest = l->wire_share[l->rung[l->rungs - 1]];

	return device == 0 || densest == 0 || densest < device - (device >> 6);
}

static uint32_t pick(struct migc_ladder *l, bool device_room)
{
	uint64_t position = (uint64_t)l->law[l->foot].position;
	uint64_t densest = (uint64_t)(l->rungs - 1) << 32;

	if (l->device && device_room) {
		uint64_t relief = position > densest ? position - densest : 0;

		if (relief > RETRY_SHARE && !denser_than_device(l))
			relief = RETRY_SHARE;
		return step_up(l, relief) ? l->rung[l->rungs - 1] : MIGC_CODEC_DEFLATE;
	}
	if (position >= densest)
		return l->rung[l->rungs - 1];
	return l->rung[(position >> 32) + step_up(l, position & UINT32_MAX)];
}

uint32_t migc_ladder_choose(struct migc_ladder *l, uint32_t known)
{
	uint32_t kind;

	/* before the pick: what goes raw anyway has no part in the mix */
	if (known & MIGC_LADDER_INCOMPRESSIBLE && !migc_ladder_history_try(&l->looks)) {
		l->stats.looked_incompressible++;
		l->stats.blocks[MIGC_CODEC_RAW]++;
		return MIGC_CODEC_RAW;
	}
	kind = pick(l, known & MIGC_LADDER_DEVICE_ROOM);
	if (kind != MIGC_CODEC_RAW && !migc_ladder_history_try(&l->history[kind])) {
		l->stats.skipped++;
		kind = MIGC_CODEC_RAW;
	}
	l->stats.blocks[kind]++;
	return kind;
}

enum migc_codec_id migc_ladder_choose_sparse(const struct migc_ladder *l, uint32_t known)
{
	uint64_t rung = ((uint64_t)l->law[l->foot].position + (UINT64_C(1) << 31)) >> 32;

	if (l->device && known & MIGC_LADDER_DEVICE_ROOM)
		return MIGC_CODEC_DEFLATE;
	if (rung > l->rungs - 1)
		rung = l->rungs - 1;
	/* there is little to compress: LZ4 is fast as it is */
	return migc_ladder_codec(l->rung[rung == 0 && l->rungs > 1 ? 1 : rung]);
}

void migc_ladder_block(struct migc_ladder *l, uint32_t kind, uint32_t in_bytes, uint32_t out_bytes,
		       uint32_t known)
{
	bool shrank = out_bytes != 0 && out_bytes < in_bytes - (in_bytes >> SHRUNK_SHIFT);
	uint32_t share = SHARE_ONE;

	if (kind == MIGC_CODEC_RAW || kind >= MIGC_LADDER_KINDS || in_bytes == 0)
		return;
	if (known & MIGC_LADDER_INCOMPRESSIBLE) {
		migc_ladder_history_note(&l->looks, shrank, MIGC_LADDER_LOOKS_INTERVAL_MAX);
		return;
	}
	migc_ladder_history_note(&l->history[kind], shrank, MIGC_LADDER_CODEC_INTERVAL_MAX);
	if (out_bytes != 0 && out_bytes < in_bytes)
		share = (uint32_t)((uint64_t)out_bytes * SHARE_ONE / in_bytes);
	if (l->wire_share[kind] == 0)
		l->wire_share[kind] = share;
	l->wire_share[kind] += (share >> SHARE_SHIFT) - (l->wire_share[kind] >> SHARE_SHIFT);
}
