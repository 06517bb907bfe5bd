/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_foot.h"

#include <string.h>

/* Trials: their constants have their reasons in doc/design/auto-codec.md. */

#define NS_PER_MS UINT64_C(1000000)
/** Of data before the first trial: slow start is over, and so is the way up on a slow link. */
#define FIRST_REST_NS (185 * NS_PER_MS)
#define REST_MIN_NS (500 * NS_PER_MS)
#define REST_MAX_NS (4000 * NS_PER_MS)
#define SETTLE_NS (10 * NS_PER_MS)
#define SETTLE_MAX_NS (100 * NS_PER_MS)
/** A window: so much of the guest, as data differ, for so long at the least and at the most. */
#define MEASURE_BYTES (UINT64_C(10) << 20)
#define MEASURE_MIN_NS (10 * NS_PER_MS)
#define MEASURE_MAX_NS (50 * NS_PER_MS)
/** The other must be so much ahead at the end, of both rates together: a draw changes nothing. */
#define AHEAD_MIN 15
/** After a change: perhaps it is the next one still. */
#define REST_CHANGED_NS (20 * NS_PER_MS)
/** A position so near a rung, per mille, rests on it. */
#define NEAR 50u

/** After so many pairs a middle score of more than this is an answer; none is above 1000. */
static const int64_t clear_after[MIGC_FOOT_PAIRS_MAX] = {1000, 100, 80, 60, 40, AHEAD_MIN};
/** Where the position rests on the kept foot, nothing but so many scores speaks for the other. */
#define PAIRS_AT_REST 4u
/** One pair is enough to let go of the other where it is between a third and two thirds as fast. */
#define FAR_BEHIND 200
/** If less, the machine stood still. */
#define STOOD_STILL 500

void migc_foot_init(struct migc_foot *f)
{
	memset(f, 0, sizeof(*f));
	f->rest_ns = FIRST_REST_NS;
	f->up = true;
}

static void begin(struct migc_foot *f, enum migc_foot_phase phase, uint64_t now_ns,
		  uint64_t sent_bytes, uint64_t acked_bytes)
{
	f->phase = phase;
	f->phase_ns = now_ns;
	f->sent_bytes = sent_bytes;
	f->acked_bytes = acked_bytes;
}

/** Kept, other, other, kept, kept...: what drifts evenly counts for both. */
static unsigned int on_trial(const struct migc_foot *f)
{
	return (f->turn + 1) >> 1 & 1;
}

static void begin_turn(struct migc_foot *f, uint64_t now_ns, uint64_t sent_bytes)
{
	f->now = on_trial(f) ? f->other : f->kept;
	begin(f, MIGC_FOOT_SETTLE, now_ns, sent_bytes, 0);
}

static void rest(struct migc_foot *f, uint64_t now_ns)
{
	f->now = f->kept;
	begin(f, MIGC_FOOT_REST, now_ns, 0, 0);
}

static uint64_t longer(uint64_t rest_ns)
{
	rest_ns = rest_ns < REST_MIN_NS ? REST_MIN_NS : rest_ns * 2;
	return rest_ns > REST_MAX_NS ? REST_MAX_NS : rest_ns;
}

/** By how much the other was ahead in the last pair: of both rates together, per mille. */
static int64_t score(const struct migc_foot *f)
{
	int64_t kept = (int64_t)f->last[0], other = (int64_t)f->last[1];

	return kept + other ? (other - kept) * 1000 / (kept + other) : 0;
}

static void change(struct migc_foot *f, uint32_t rungs)
{
	f->kept = f->other;
	f->changes++;
	f->rest_ns = REST_CHANGED_NS;
	/* at an end there is none further on */
	if (f->up ? f->kept + 1 >= rungs : f->kept == 0) {
		f->up = !f->up;
		f->rest_ns = REST_MIN_NS;
	}
}

/**
 * The score in the middle; of two the one nearer to a draw. A window in which the machine stood
 * still for a while, or the data were easy, says nothing by however much.
 */
static int64_t middle_score(const struct migc_foot *f, unsigned int pairs)
{
	int64_t sorted[MIGC_FOOT_PAIRS_MAX] = {0}, low, high;

	for (unsigned int i = 0; i < pairs; i++) {
		unsigned int at = i;

		for (; at > 0 && sorted[at - 1] > f->score[i]; at--)
			sorted[at] = sorted[at - 1];
		sorted[at] = f->score[i];
	}
	low = sorted[(pairs - 1) / 2];
	high = sorted[pairs / 2];
	return low > 0 ? low : high < 0 ? high : 0;
}

static bool is_ahead(const struct migc_foot *f, unsigned int pairs, int64_t middle)
{
	return middle > clear_after[pairs - 1] && (!f->at_rest || pairs >= PAIRS_AT_REST);
}

static bool is_behind(unsigned int pairs, int64_t middle)
{
	if (pairs == 1)
		return middle <= -FAR_BEHIND && middle >= -STOOD_STILL;
	return middle < -clear_after[pairs - 1];
}

/** After a whole pair. @return whether the trial is over. */
static bool judge(struct migc_foot *f, uint32_t rungs)
{
	unsigned int pairs = f->turn / 2;
	int64_t middle;

	f->score[pairs - 1] = score(f);
	middle = middle_score(f, pairs);
	if (!is_ahead(f, pairs, middle) && !is_behind(pairs, middle) && pairs < MIGC_FOOT_PAIRS_MAX)
		return false;
	f->trials++;
	if (is_ahead(f, pairs, middle)) {
		change(f, rungs);
	} else {
		f->up = !f->up;
		f->rest_ns = longer(f->rest_ns);
	}
	return true;
}

/**
 * What goes on and on: what is sent faster than it is acknowledged fills queues, and what is
 * acknowledged faster than it is sent empties those that the foot before has filled.
 */
static uint64_t gone(const struct migc_foot *f, uint64_t sent_bytes, uint64_t acked_bytes)
{
	uint64_t sent = sent_bytes - f->sent_bytes, acked = acked_bytes - f->acked_bytes;

	return sent < acked ? sent : acked;
}

static void end_measure(struct migc_foot *f, uint32_t rungs, uint64_t now_ns, uint64_t sent_bytes,
			uint64_t acked_bytes)
{
	uint64_t us = (now_ns - f->phase_ns) / 1000;

	f->last[on_trial(f)] = gone(f, sent_bytes, acked_bytes) * 1000000 / us;
	f->turn++;
	if (f->turn % 2 == 0 && judge(f, rungs))
		rest(f, now_ns);
	else
		begin_turn(f, now_ns, sent_bytes);
}

static bool measured(const struct migc_foot *f, uint64_t since_ns, uint64_t acked_bytes)
{
	return since_ns >= MEASURE_MAX_NS ||
	       (since_ns >= MEASURE_MIN_NS && acked_bytes - f->acked_bytes >= MEASURE_BYTES);
}

/** Is what was sent with the foot before acknowledged? It is not waited for for ever. */
static bool settled(const struct migc_foot *f, uint64_t since_ns, uint64_t acked_bytes)
{
	return since_ns >= SETTLE_MAX_NS || (since_ns >= SETTLE_NS && acked_bytes >= f->sent_bytes);
}

/**
 * Down to the rung below; up to the first one on which the position does not rest already.
 * @return whether there is another foot in f->up's direction, and it would make a difference.
 */
static bool find_other(struct migc_foot *f, uint32_t rungs, uint32_t per_mille)
{
	uint32_t on = per_mille < NEAR ? 0 : (per_mille - NEAR) / 1000;

	if (!f->up && f->kept == 0)
		return false;
	if (!f->up) {
		f->other = f->kept - 1;
		return per_mille <= f->kept * 1000 + NEAR;
	}
	f->other = (on > f->kept ? on : f->kept) + 1;
	return f->other < rungs && per_mille + NEAR < f->other * 1000;
}

/** Either way is as good as none. */
static bool find_any_other(struct migc_foot *f, uint32_t rungs, uint32_t per_mille)
{
	if (find_other(f, rungs, per_mille))
		return true;
	f->up = !f->up;
	return find_other(f, rungs, per_mille);
}

/** Has the position come to where the other foot makes no difference? */
static bool moot(const struct migc_foot *f, uint32_t per_mille)
{
	return f->up && f->now == f->kept && per_mille + NEAR >= f->other * 1000;
}

uint32_t migc_foot_turn(struct migc_foot *f, uint32_t rungs, uint64_t now_ns, uint64_t sent_bytes,
			uint64_t acked_bytes, uint32_t per_mille, bool fed)
{
	uint64_t since_ns = now_ns - f->phase_ns;

	/* nothing is learned without pages; a trial that is cut short begins anew */
	if (!fed || f->phase_ns == 0) {
		rest(f, now_ns);
		return f->now;
	}
	switch (f->phase) {
	case MIGC_FOOT_REST:
		if (since_ns < f->rest_ns || !find_any_other(f, rungs, per_mille))
			break;
		f->turn = 0;
		f->at_rest = per_mille <= f->kept * 1000 + NEAR;
		begin_turn(f, now_ns, sent_bytes);
		break;
	case MIGC_FOOT_SETTLE:
		if (settled(f, since_ns, acked_bytes))
			begin(f, MIGC_FOOT_MEASURE, now_ns, sent_bytes, acked_bytes);
		break;
	case MIGC_FOOT_MEASURE:
		if (moot(f, per_mille))
			rest(f, now_ns);
		else if (measured(f, since_ns, acked_bytes))
			end_measure(f, rungs, now_ns, sent_bytes, acked_bytes);
		break;
	}
	return f->now;
}
