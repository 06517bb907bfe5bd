/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

#include <string.h>

/* The control law: time held up or starved -> position. Each constant has its reason in
 * doc/design/auto-codec.md. */

#define FULLY_HELD_TO_TOP_NS 200000000
#define WINDOW_NS 5000000u
/** Of one window, however late its end is noticed. */
#define STEP_NS_MAX 20000000
/** A window counts for the direction when it leans by more than 1/32 of itself. */
#define LEAN_SHIFT 5
#define GEAR_SLOWEST 4u
/** Windows in one direction after which each further one doubles the speed. */
#define RUN_LONG 8u
/** A worker with a sixth of its congestion window free is as starved as one can be. */
#define FREE_FULL 6u
/** That counts 2/3 of being held up: per mille of the window over this. */
#define STARVED_FULL 1500u
/** A window takes a worker so much of the way to the mean of all. */
#define PULL 4

static const enum migc_codec_id cheap_to_dense[] = {
	MIGC_CODEC_RAW,
	MIGC_CODEC_LZ4,
	MIGC_CODEC_DEFLATE,
	MIGC_CODEC_ZSTD,
};

void migc_ladder_init(struct migc_ladder *l, uint32_t codecs, bool device, uint32_t flags)
{
	memset(l, 0, sizeof(*l));
	codecs |= 1u << MIGC_CODEC_RAW;
	l->device = device && (codecs & 1u << MIGC_CODEC_DEFLATE);
	if (l->device)
		codecs &= ~(1u << MIGC_CODEC_DEFLATE);
	for (unsigned int i = 0; i < sizeof(cheap_to_dense) / sizeof(cheap_to_dense[0]); i++) {
		if (codecs & 1u << cheap_to_dense[i])
			l->rung[l->rungs++] = cheap_to_dense[i];
	}
	l->top = (int64_t)(l->rungs - 1) << 32;
	/* only Zstandard is denser than a device's deflate */
	if (l->device && !(flags & MIGC_LADDER_KEEP_DEVICE) &&
	    l->rung[l->rungs - 1] == MIGC_CODEC_ZSTD)
		l->top += INT64_C(1) << 32;
	l->speed = l->top / FULLY_HELD_TO_TOP_NS;
	l->spare_per_mille = l->free_per_mille = 1000;
	l->mean = -1;
	migc_ladder_trust_looks(&l->looks);
}

static void change_gear(struct migc_ladder *l, int64_t net_ns, uint64_t window_ns)
{
	uint64_t size = (uint64_t)(net_ns < 0 ? -net_ns : net_ns);
	int32_t direction = net_ns < 0 ? -1 : 1;

	if (size <= window_ns >> LEAN_SHIFT)
		return;
	if (direction == l->direction) {
		l->run++;
		if (l->run > RUN_LONG && l->gear > 0)
			l->gear--;
		return;
	}
	if (l->direction != 0) {
		l->stats.turned++;
		if (l->gear < GEAR_SLOWEST)
			l->gear++;
	}
	l->direction = direction;
	l->run = 1;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static int64_t pull(const struct migc_ladder *l)
{
	return l->mean < 0 ? 0 : (l->mean - l->position) / PULL;
}

static void end_window(struct migc_ladder *l)
{
	uint64_t spare_ns = l->window_ns * l->spare_per_mille / 1000;
	uint64_t held_ns = l->held_ns < spare_ns ? l->held_ns : spare_ns;
	int64_t net_ns = clamp((int64_t)(held_ns - l->starved_ns), -STEP_NS_MAX, STEP_NS_MAX);

	change_gear(l, net_ns, l->window_ns);
	l->position =
		clamp(l->position + net_ns * l->speed / (1 << l->gear) + pull(l), l->foot, l->top);
	l->window_ns = l->held_ns = l->starved_ns = 0;
}

void migc_ladder_turn(struct migc_ladder *l, uint64_t now_ns, enum migc_ladder_state state)
{
	uint64_t since_ns = now_ns > l->last_ns ? now_ns - l->last_ns : 0;
	bool first = l->last_ns == 0;

	l->last_ns = now_ns;
	if (first || state == MIGC_LADDER_IDLE)
		return;
	l->window_ns += since_ns;
	if (state == MIGC_LADDER_HELD) {
		l->held_ns += since_ns;
		l->stats.held_ns += since_ns;
	} else if (state == MIGC_LADDER_STARVED) {
		l->starved_ns += since_ns * l->free_per_mille / STARVED_FULL;
		l->stats.starved_ns += since_ns;
	}
	if (l->window_ns >= WINDOW_NS)
		end_window(l);
}

void migc_ladder_set_spare(struct migc_ladder *l, uint32_t per_mille)
{
	l->spare_per_mille = per_mille < 1000 ? per_mille : 1000;
}

void migc_ladder_set_free_window(struct migc_ladder *l, uint32_t per_mille)
{
	l->free_per_mille = per_mille < 1000 / FREE_FULL ? per_mille * FREE_FULL : 1000;
}

void migc_ladder_set_mean(struct migc_ladder *l, uint32_t per_mille)
{
	l->mean = clamp((int64_t)(((uint64_t)per_mille << 32) / 1000), l->foot, l->top);
}

void migc_ladder_set_costs(struct migc_ladder *l, uint32_t send, uint32_t compress)
{
	uint32_t share = l->rungs > 1 ? l->wire_share[l->rung[1]] : 0;
	uint64_t saved;

	if (share == 0 || send == 0 || compress == 0)
		return;
	/* what the sender saves, and the receiver half as much again: what it saves of the way less
	 * what it decompresses */
	saved = (uint64_t)send * (SHARE_ONE - share) * 3 / 2 / SHARE_ONE;
	/* up at a tenth more and down at a quarter less: less is sent once it is up, which makes
	 * sending cheaper where the port is what held it up */
	if (saved > compress + compress / 10)
		l->foot = INT64_C(1) << 32;
	else if (saved < compress - compress / 4)
		l->foot = 0;
}

uint32_t migc_ladder_position(const struct migc_ladder *l)
{
	return (uint32_t)((uint64_t)l->position * 1000 >> 32);
}
