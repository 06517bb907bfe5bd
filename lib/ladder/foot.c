/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_foot.h"

#include <string.h>

/* Trials: their constants have their reasons in doc/design/auto-codec.md. */

#define NS_PER_MS UINT64_C(1000000)
/** Of data before the first trial: slow start is over, and so is the way up on a slow link. */
#define FIRST_REST_NS (185 * NS_PER_MS)
#define REST_MIN_NS (500 * NS_PER_MS)
/** After a clear answer, and the longest. */
#define REST_CLEAR_NS (2000 * NS_PER_MS)
#define REST_MAX_NS (4000 * NS_PER_MS)
#define SETTLE_NS (10 * NS_PER_MS)
#define MEASURE_NS (30 * NS_PER_MS)
/** One of each. */
#define PAIRS_MAX 6u
/** The other must be so much ahead at the end, per mille: a draw changes nothing. */
#define AHEAD_MIN 30
/** After a change: perhaps it is the next one still. */
#define REST_CHANGED_NS (20 * NS_PER_MS)
/** A position so near a rung, per mille, rests on it. */
#define NEAR 50u

/** After so many pairs a difference of so much is an answer, per mille. */
static const int64_t clear_after[PAIRS_MAX] = {500, 300, 150, 100, 100, 0};

void migc_foot_init(struct migc_foot *f)
{
	memset(f, 0, sizeof(*f));
	f->rest_ns = FIRST_REST_NS;
	f->up = true;
}

static void begin(struct migc_foot *f, enum migc_foot_phase phase, uint64_t now_ns,
		  uint64_t guest_bytes)
{
	f->phase = phase;
	f->phase_ns = now_ns;
	f->phase_bytes = guest_bytes;
}

/** Kept, other, other, kept, kept...: what drifts evenly counts for both. */
static unsigned int on_trial(const struct migc_foot *f)
{
	return (f->turn + 1) >> 1 & 1;
}

static void begin_turn(struct migc_foot *f, uint64_t now_ns, uint64_t guest_bytes)
{
	f->now = on_trial(f) ? f->other : f->kept;
	begin(f, MIGC_FOOT_SETTLE, now_ns, guest_bytes);
}

static void rest(struct migc_foot *f, uint64_t now_ns, uint64_t guest_bytes)
{
	f->now = f->kept;
	begin(f, MIGC_FOOT_REST, now_ns, guest_bytes);
}

static uint64_t longer(uint64_t rest_ns, bool clear)
{
	uint64_t least = clear ? REST_CLEAR_NS : REST_MIN_NS;

	rest_ns = rest_ns < REST_MIN_NS ? least : rest_ns * 2;
	return rest_ns < least ? least : rest_ns > REST_MAX_NS ? REST_MAX_NS : rest_ns;
}

/** After a whole pair. @return whether the trial is over. */
static bool judge(struct migc_foot *f)
{
	unsigned int pairs = f->turn / 2;
	int64_t kept = (int64_t)f->rate[0], other = (int64_t)f->rate[1];
	int64_t ahead = kept ? (other - kept) * 1000 / kept : other ? 1000 : 0;
	/* not by one window of data that are easy, but in the first pair */
	bool mostly = 3 * f->won >= 2 * pairs;
	bool clear = ahead < -clear_after[pairs - 1] || (mostly && ahead > clear_after[pairs - 1]);

	if (!clear && pairs < PAIRS_MAX)
		return false;
	f->trials++;
	if (mostly && ahead > AHEAD_MIN) {
		f->kept = f->other;
		f->changes++;
		f->rest_ns = REST_CHANGED_NS;
	} else {
		f->up = !f->up;
		f->rest_ns = longer(f->rest_ns, clear && pairs < PAIRS_MAX);
	}
	return true;
}

static void end_measure(struct migc_foot *f, uint64_t now_ns, uint64_t guest_bytes)
{
	uint64_t us = (now_ns - f->phase_ns) / 1000;
	unsigned int which = on_trial(f);

	f->last[which] = (guest_bytes - f->phase_bytes) * 1000000 / us;
	f->rate[which] += f->last[which];
	f->turn++;
	f->won += f->turn % 2 == 0 && f->last[1] > f->last[0];
	if (f->turn % 2 == 0 && judge(f))
		rest(f, now_ns, guest_bytes);
	else
		begin_turn(f, now_ns, guest_bytes);
}

/**
 * Down to the rung below; up to the first one on which the position does not rest already.
 * @return whether there is another foot, and it would make a difference.
 */
static bool find_other(struct migc_foot *f, uint32_t rungs, uint32_t per_mille)
{
	uint32_t on = per_mille < NEAR ? 0 : (per_mille - NEAR) / 1000;

	if (f->kept == 0)
		f->up = true;
	else if (f->kept + 1 >= rungs)
		f->up = false;
	if (!f->up) {
		f->other = f->kept - 1;
		return per_mille <= f->kept * 1000 + NEAR;
	}
	f->other = (on > f->kept ? on : f->kept) + 1;
	return f->other < rungs && per_mille + NEAR < f->other * 1000;
}

uint32_t migc_foot_turn(struct migc_foot *f, uint32_t rungs, uint64_t now_ns, uint64_t guest_bytes,
			uint32_t per_mille, bool fed)
{
	uint64_t since_ns = now_ns - f->phase_ns;

	/* nothing is learned without pages; a trial that is cut short begins anew */
	if (!fed || f->phase_ns == 0) {
		rest(f, now_ns, guest_bytes);
		return f->now;
	}
	switch (f->phase) {
	case MIGC_FOOT_REST:
		if (since_ns < f->rest_ns || !find_other(f, rungs, per_mille))
			break;
		f->turn = 0;
		f->rate[0] = f->rate[1] = 0;
		f->won = 0;
		begin_turn(f, now_ns, guest_bytes);
		break;
	case MIGC_FOOT_SETTLE:
		if (since_ns >= SETTLE_NS)
			begin(f, MIGC_FOOT_MEASURE, now_ns, guest_bytes);
		break;
	case MIGC_FOOT_MEASURE:
		if (since_ns >= MEASURE_NS)
			end_measure(f, now_ns, guest_bytes);
		break;
	}
	return f->now;
}
