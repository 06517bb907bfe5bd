/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_LADDER_H
#define MIGC_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_wire.h"

/**
 * @file
 * Which codec the next block gets (`--codec auto`). The control law and its constants are in
 * doc/design/auto-codec.md.
 *
 * The rungs of the ladder are the codecs that may be used, cheap to dense: raw, LZ4 at its fastest,
 * LZ4, deflate in software, Zstandard. A position on it is a number with a fraction: 1.25 means
 * three blocks by rung 1 and one by rung 2. Time a worker is held up by the link moves it up, time
 * the link has nothing to send moves it down.
 *
 * A compression device is no rung: what it has room for goes through it. Only behind the densest
 * rung lies one more, where that rung takes blocks from the device because it is denser still.
 *
 * One instance a worker, nothing shared, all memory inside. No clock: time comes in. No float.
 */

/** What has been since the call before. */
enum migc_ladder_state {
	/** Nothing to say: at work while the link has enough, or held up by a device. */
	MIGC_LADDER_WORKING,
	/**
	 * There are pages to send and no block could be begun because of the way to the peer:
	 * unsent or unacknowledged bytes at their maximum, no stream or buffer free until one is
	 * acknowledged. The CPU had time to spare.
	 */
	MIGC_LADDER_HELD,
	/**
	 * There are pages to send, nothing was unsent, and congestion window, flow control, rate
	 * limit and port would have let more go: the CPU was the limit.
	 */
	MIGC_LADDER_STARVED,
	/** No pages to send, or not connected: says nothing about either. */
	MIGC_LADDER_IDLE,
};

/** What is known of a block before its codec is chosen. */
#define MIGC_LADDER_DEVICE_ROOM (1u << 0) /**< the device would take it now */
#define MIGC_LADDER_INCOMPRESSIBLE (1u << 1) /**< migc_ladder_looks_incompressible() said so */

/** The device keeps its blocks, however slow the link: saves CPU, costs some time. */
#define MIGC_LADDER_KEEP_DEVICE (1u << 0)

/**
 * What a block gets: a codec's number, or LZ4 at its fastest, which is a rung of its own: four
 * fifths more go through a core than by LZ4 as it is otherwise, and shrink by a quarter less.
 */
#define MIGC_LADDER_LZ4_FAST ((uint32_t)MIGC_CODEC_COUNT)
#define MIGC_LADDER_KINDS (MIGC_CODEC_COUNT + 1u)

static inline enum migc_codec_id migc_ladder_codec(uint32_t kind)
{
	return kind == MIGC_LADDER_LZ4_FAST ? MIGC_CODEC_LZ4 : (enum migc_codec_id)kind;
}

/** Codecs that did not shrink what they were given. */
struct migc_ladder_history {
	uint32_t failed; /**< blocks in a row, tried or skipped */
	uint32_t skip; /**< blocks until the next attempt */
};

struct migc_ladder_stats {
	uint64_t blocks[MIGC_LADDER_KINDS]; /**< chosen */
	uint64_t looked_incompressible; /**< sent raw because of their looks */
	uint64_t skipped; /**< sent raw because the codec did not shrink the blocks before */
	uint64_t held_ns, starved_ns; /**< time reported as such */
	uint64_t turned; /**< changes of direction */
};

/** What the law has found with one foot: each has a state of its own. */
struct migc_ladder_law {
	int64_t position; /**< rungs, 32 fractional bits */
	uint32_t gear; /**< steps are divided by 2^gear */
	uint32_t run; /**< windows in a row in `direction` */
	int32_t direction;
};

/** Fields are the ladder's own. */
struct migc_ladder {
	uint32_t rung[MIGC_LADDER_KINDS];
	uint32_t rungs; /**< 1.. */
	bool device;
	int64_t top; /**< rungs, 32 fractional bits */
	struct migc_ladder_law law[MIGC_LADDER_KINDS]; /**< by foot */
	uint32_t foot; /**< rung that the position does not go below: which law is at work */
	int64_t speed; /**< of position, a nanosecond, at full deflection */
	uint32_t carry; /**< of error diffusion, 32 fractional bits */
	uint64_t last_ns; /**< the call before; 0: none yet */
	uint64_t window_ns, held_ns, starved_ns; /**< collected in this window */
	uint32_t spare_per_mille, free_per_mille;
	int64_t mean; /**< position of all workers; -1: not told */
	struct migc_ladder_history history[MIGC_LADDER_KINDS];
	struct migc_ladder_history looks; /**< blocks that looked incompressible and were */
	uint32_t
		wire_share[MIGC_LADDER_KINDS]; /**< bytes out a byte in, EWMA, 16 fractional bits */
	struct migc_ladder_stats stats;
};

/**
 * Start at the cheap end.
 *
 * @param codecs bit per enum migc_codec_id: what both ends can do. RAW is always among them.
 * @param device DEFLATE is done by a device: not a rung. Without DEFLATE in `codecs`: no device.
 * @param flags  MIGC_LADDER_KEEP_DEVICE or 0
 */
void migc_ladder_init(struct migc_ladder *l, uint32_t codecs, bool device, uint32_t flags);

/**
 * What the next block gets.
 *
 * @param known MIGC_LADDER_DEVICE_ROOM, MIGC_LADDER_INCOMPRESSIBLE
 * @return RAW, one of the codecs given at init, or MIGC_LADDER_LZ4_FAST if LZ4 is one of them;
 *         DEFLATE by a device only with DEVICE_ROOM.
 */
uint32_t migc_ladder_choose(struct migc_ladder *l, uint32_t known);

/**
 * The codec of a block of which nearly all bytes are zero: never RAW (but when there is no other).
 * The rung nearest to the position, so that a fast link costs little CPU time. Has no part in the
 * mix of other blocks: what becomes of it is not to be told to migc_ladder_block().
 *
 * @param known MIGC_LADDER_DEVICE_ROOM or 0
 */
enum migc_codec_id migc_ladder_choose_sparse(const struct migc_ladder *l, uint32_t known);

/**
 * What became of a block, in any order and later if it must be. Not for RAW; not for a block whose
 * device failed.
 *
 * @param kind      as migc_ladder_choose() said
 * @param out_bytes compressed; in_bytes or more, or 0: did not shrink, goes raw
 * @param known     as given to migc_ladder_choose() for it
 */
void migc_ladder_block(struct migc_ladder *l, uint32_t kind, uint32_t in_bytes, uint32_t out_bytes,
		       uint32_t known);

/**
 * Once a turn of the worker: `state` was from the call before until `now_ns`. Best in pieces of at
 * most a millisecond while there is work.
 */
void migc_ladder_turn(struct migc_ladder *l, uint64_t now_ns, enum migc_ladder_state state);

/**
 * How much of the workers' CPUs nobody used of late, as the system counts it. Time a worker is held
 * up while others work there (the peer itself, on one host) is none that a denser codec could have;
 * one that is starved while much is spare is so for an eighth; and with next to none the position
 * goes down by itself. Never told: 1000.
 */
void migc_ladder_set_spare(struct migc_ladder *l, uint32_t per_mille);

/**
 * How much of the congestion window is free after this turn's packets have left, for the time until
 * the next call. A worker that could send more but has nearly all of its window on its way is
 * hardly starved: much of that may wait in a queue of the link. Never told: 1000.
 */
void migc_ladder_set_free_window(struct migc_ladder *l, uint32_t per_mille);

/**
 * The mean of migc_ladder_position() of all workers with this foot, to be told each 10 ms or so
 * where there are several. Links are not shared evenly between connections; without this, one that
 * gets more goes cheap, fills the link with it, and the others go dense and wait. Never told: each
 * for itself.
 */
void migc_ladder_set_mean(struct migc_ladder *l, uint32_t per_mille);

/**
 * The rung below which the position does not go (migc_foot.h finds out which); the densest if there
 * is none such. The law goes on where it was with this foot, and its mean is to be told anew.
 */
void migc_ladder_set_foot(struct migc_ladder *l, uint32_t rung);

/** @return the position: 1000 a rung. With a device, 1000 * rungs: it is wholly relieved. */
uint32_t migc_ladder_position(const struct migc_ladder *l);

/**
 * Whether a block would not shrink, judged by the bytes of 16 cache lines of it. Sees that no byte
 * is more frequent than others; does not see repetition, so migc_ladder_choose() tries such blocks
 * now and then. The guest may write to the pages meanwhile.
 *
 * @param page  addresses, MIGC_PAGE_BYTES each
 * @param pages 1..MIGC_BLOCK_PAGES_MAX
 */
bool migc_ladder_looks_incompressible(const uint8_t *const *page, unsigned int pages);

#endif
