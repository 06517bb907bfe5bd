/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_FOOT_H
#define MIGC_FOOT_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Which rung is the cheap end of the ladder? (doc/design/auto-codec.md)
 *
 * The law of migc_ladder.h takes it for granted that a denser rung costs more CPU. Where the way to
 * the peer is dear, at either end and in the kernel, LZ4 saves more of it than it costs. What it
 * costs is not known to a worker: so a foot and its neighbour are tried, in turns, and the one
 * under which more of the guest went is kept, until the next trial.
 *
 * One instance a migration. No clock: time comes in. No float.
 */

/** Of windows, one of each foot, in a trial. */
#define MIGC_FOOT_PAIRS_MAX 6u

enum migc_foot_phase {
	MIGC_FOOT_REST,
	MIGC_FOOT_SETTLE, /**< a foot has changed: what was on its way goes first */
	MIGC_FOOT_MEASURE,
};

/** Fields are the foot's own. */
struct migc_foot {
	uint32_t kept, other, now; /**< rungs: the other of the trial, and the one of this window */
	bool up; /**< the other of the next trial is above the kept one */
	enum migc_foot_phase phase;
	uint64_t phase_ns; /**< when it began; 0: not yet */
	uint64_t rest_ns; /**< until the next trial */
	uint32_t turn; /**< of the trial: windows before this one */
	bool at_rest; /**< the position was at the kept foot when it began */
	uint64_t sent_bytes, acked_bytes; /**< when it began */
	uint64_t last[2]; /**< bytes a second in this pair: of the kept one, of the other */
	int64_t score[MIGC_FOOT_PAIRS_MAX]; /**< how far the other was ahead in each pair */
	uint64_t trials, changes; /**< since the start */
};

void migc_foot_init(struct migc_foot *f);

/**
 * What the foot is to be now. To be asked each millisecond or two.
 *
 * @param rungs        of the ladder, 1..
 * @param sent_bytes   of the guest's memory, put into the transport so far, all workers together
 * @param acked_bytes  of them acknowledged: what is counted
 * @param per_mille    mean of migc_ladder_position() of the workers with this foot
 * @param fed          there are pages to send, and not the last ones: trials take their time
 * @return below `rungs`, for migc_ladder_set_foot() of each worker
 */
uint32_t migc_foot_turn(struct migc_foot *f, uint32_t rungs, uint64_t now_ns, uint64_t sent_bytes,
			uint64_t acked_bytes, uint32_t per_mille, bool fed);

#endif
