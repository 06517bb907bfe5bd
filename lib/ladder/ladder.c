/* SPDX-License-Identifier: BSD-3-Clause */
#include "history.h"

#include <string.h>

/* The control law: time held up or starved -> position. Each constant has its reason in
 * doc/design/auto-codec.md. */

#define FULLY_HELD_TO_TOP_NS 70000000
#define WINDOW_NS 5000000u
/** Of one window, however late its end is noticed. */
#define STEP_NS_MAX 20000000
/** A window counts for the direction when it leans by more than 1/32 of itself. */
#define LEAN_SHIFT 5
/** From the first change of direction on; before it is 0, twice as fast. */
#define GEAR_FASTEST 1u
#define GEAR_SLOWEST 5u
/** Windows in one direction after which each further one doubles the speed. */
#define RUN_LONG 8u
/** A worker with a sixth of its congestion window free is as starved as one can be. */
#define FREE_FULL 6u
/** That counts 2/3 of being held up: per mille of the window over this. */
#define STARVED_FULL 1500u
/** From so much spare on, per mille, nothing is starved for want of CPU; below in proportion. */
#define SPARE_NOT_STARVED 100u
/** And yet it counts so much: what is spare is known a little late. */
#define STARVED_LEAST 8u
/** Below so much, per mille, CPU is what is short; with none it counts an eighth of a window. */
#define SPARE_SHORT 20u
#define SHORT_SHIFT 3
/** A window takes a worker so much of the way to the mean of all. */
#define PULL 4

static const uint32_t cheap_to_dense[] = {
	MIGC_CODEC_RAW, MIGC_LADDER_LZ4_FAST, MIGC_CODEC_LZ4, MIGC_CODEC_DEFLATE, MIGC_CODEC_ZSTD,
};

void migc_ladder_init(struct migc_ladder *l, uint32_t codecs, bool device, uint32_t flags)
{
	memset(l, 0, sizeof(*l));
	codecs |= 1u << MIGC_CODEC_RAW;
	l->device = device && (codecs & 1u << MIGC_CODEC_DEFLATE);
	if (l->device)
		codecs &= ~(1u << MIGC_CODEC_DEFLATE);
	for (unsigned int i = 0; i < sizeof(cheap_to_dense) / sizeof(cheap_to_dense[0]); i++) {
		if (codecs & 1u << migc_ladder_codec(cheap_to_dense[i]))
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
	for (uint32_t foot = 1; foot < l->rungs; foot++)
		l->law[foot].position = (int64_t)foot << 32;
	migc_ladder_trust_looks(&l->looks);
}

static void change_gear(struct migc_ladder *l, int64_t net_ns, uint64_t window_ns)
{
	struct migc_ladder_law *law = &l->law[l->foot];
	uint64_t size = (uint64_t)(net_ns < 0 ? -net_ns : net_ns);
	int32_t direction = net_ns < 0 ? -1 : 1;

	if (size <= window_ns >> LEAN_SHIFT)
		return;
	if (direction == law->direction) {
		law->run++;
		if (law->run > RUN_LONG && law->gear > GEAR_FASTEST)
			law->gear--;
		return;
	}
	if (law->direction != 0) {
		l->stats.turned++;
		if (law->gear < GEAR_SLOWEST)
			law->gear++;
	}
	law->direction = direction;
	law->run = 1;
}

static int64_t clamp(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

static int64_t pull(const struct migc_ladder *l)
{
	return l->mean < 0 ? 0 : (l->mean - l->law[l->foot].position) / PULL;
}

static void begin_window(struct migc_ladder *l)
{
	l->window_ns = l->held_ns = l->starved_ns = 0;
}

/** What is missing of `enough`, as a part of `ns`. */
static uint64_t lack_ns(uint64_t ns, uint32_t spare_per_mille, uint32_t enough)
{
	return spare_per_mille < enough ? ns * (enough - spare_per_mille) / enough : 0;
}

/** Time that says go up. */
static uint64_t up_ns(const struct migc_ladder *l)
{
	uint64_t spare_ns = l->window_ns * l->spare_per_mille / 1000;

	return l->held_ns < spare_ns ? l->held_ns : spare_ns;
}

/** Time that says go down. */
static uint64_t down_ns(const struct migc_ladder *l)
{
	uint64_t starved_ns = lack_ns(l->starved_ns, l->spare_per_mille, SPARE_NOT_STARVED);
	uint64_t least_ns = l->starved_ns / STARVED_LEAST;

	return (starved_ns > least_ns ? starved_ns : least_ns) +
	       (lack_ns(l->window_ns, l->spare_per_mille, SPARE_SHORT) >> SHORT_SHIFT);
}

static void end_window(struct migc_ladder *l)
{
	struct migc_ladder_law *law = &l->law[l->foot];
	int64_t net_ns = clamp((int64_t)(up_ns(l) - down_ns(l)), -STEP_NS_MAX, STEP_NS_MAX);

	/* what cannot go further down has no direction */
	if (net_ns >= 0 || law->position > (int64_t)l->foot << 32)
		change_gear(l, net_ns, l->window_ns);
	law->position = clamp(law->position + net_ns * l->speed / (1 << law->gear) + pull(l),
			      (int64_t)l->foot << 32, l->top);
	begin_window(l);
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
	l->mean = clamp((int64_t)(((uint64_t)per_mille << 32) / 1000), (int64_t)l->foot << 32,
			l->top);
}

void migc_ladder_set_foot(struct migc_ladder *l, uint32_t rung)
{
	if (rung >= l->rungs)
		rung = l->rungs - 1;
	if (rung == l->foot)
		return;
	l->foot = rung;
	l->mean = -1;
	begin_window(l);
}

uint32_t migc_ladder_position(const struct migc_ladder *l)
{
	return (uint32_t)((uint64_t)l->law[l->foot].position * 1000 >> 32);
}
