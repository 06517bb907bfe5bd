/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bandwidth.h"
#include "migc_random.h"

/**
 * @file
 * Workers that send frames as fast as they may, in virtual time, or no faster than they can.
 */

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)
#define FRAME_BYTES 9014u
#define WORKERS 4u

struct sim {
	struct bandwidth b;
	struct bandwidth_pace pace[WORKERS];
	unsigned int workers;
	uint64_t can_bits_per_s[WORKERS]; /**< what its core lets it send */
	struct bandwidth_pace core[WORKERS];
	uint64_t sent_bytes[WORKERS];
	uint64_t turn_ns, late_ns; /**< mean length of a turn; one in 3000 is so late */
	uint64_t now_ns, share_ns;
	struct migc_random random;
	uint64_t history[16384]; /**< sent by all, each millisecond */
	unsigned int milliseconds;
};

static struct sim begin(uint64_t bits_per_s, unsigned int workers)
{
	struct sim s = {.workers = workers, .turn_ns = 100000, .now_ns = SECOND};

	migc_random_seed(&s.random, 1);
	bandwidth_set(&s.b, bits_per_s, workers);
	s.share_ns = s.now_ns;
	return s;
}

static uint64_t sent(const struct sim *s)
{
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < s->workers; i++)
		bytes += s->sent_bytes[i];
	return bytes;
}

static void turn(struct sim *s, unsigned int i)
{
	uint64_t share = s->b.share_bits_per_s[i];

	for (unsigned int frames = 0; frames < 32; frames++) {
		if (!bandwidth_allows(&s->core[i], s->can_bits_per_s[i], s->now_ns) ||
		    !bandwidth_allows(&s->pace[i], share, s->now_ns))
			return;
		bandwidth_charge(&s->core[i], s->can_bits_per_s[i], FRAME_BYTES);
		bandwidth_charge(&s->pace[i], share, FRAME_BYTES);
		s->sent_bytes[i] += FRAME_BYTES;
	}
}

/** @param idle nobody has anything to send */
static void run(struct sim *s, uint64_t ns, bool idle)
{
	uint64_t end = s->now_ns + ns;

	while (s->now_ns < end) {
		uint64_t late = migc_random_next(&s->random) % 3000 == 0 ? s->late_ns : 0;

		s->now_ns += s->turn_ns / 2 + migc_random_next(&s->random) % s->turn_ns + late;
		for (unsigned int i = 0; i < s->workers && !idle; i++)
			turn(s, i);
		if (s->now_ns - s->share_ns >= BANDWIDTH_PERIOD_NS) {
			s->share_ns = s->now_ns;
			bandwidth_share(&s->b, s->workers, s->sent_bytes, s->now_ns);
		}
		while (s->milliseconds < (s->now_ns - SECOND) / MS) {
			assert_true(s->milliseconds < sizeof(s->history) / sizeof(s->history[0]));
			s->history[s->milliseconds++] = sent(s);
		}
	}
}

/** Bits a second from then on. */
static double rate_since(const struct sim *s, uint64_t from_ns, uint64_t from_bytes)
{
	return (double)(sent(s) - from_bytes) * 8e9 / (double)(s->now_ns - from_ns);
}

static void check_no_second_above(const struct sim *s, double bits_per_s)
{
	for (unsigned int i = 0; i + 1000 < s->milliseconds; i++)
		assert_true((double)(s->history[i + 1000] - s->history[i]) * 8 < bits_per_s * 1.05);
}

static void check_rate(struct sim *s, double bits_per_s)
{
	uint64_t from_ns, from_bytes;

	run(s, SECOND / 2, false);
	from_ns = s->now_ns;
	from_bytes = sent(s);
	run(s, 4 * SECOND, false);
	assert_true(rate_since(s, from_ns, from_bytes) > bits_per_s * 0.98);
	assert_true(rate_since(s, from_ns, from_bytes) < bits_per_s * 1.02);
	check_no_second_above(s, bits_per_s);
}

static void all_that_is_allowed_is_sent(void **state)
{
	static const uint64_t rate[] = {20000000, 200000000, 1000000000};

	(void)state;
	for (unsigned int workers = 1; workers <= WORKERS; workers++) {
		for (unsigned int i = 0; i < 3; i++) {
			struct sim s = begin(rate[i], workers);

			check_rate(&s, (double)rate[i]);
		}
	}
}

static void late_turns_are_made_up_for(void **state)
{
	struct sim s = begin(1000000000, 2);

	(void)state;
	s.late_ns = 30 * MS;
	check_rate(&s, 1e9);
}

static void what_one_cannot_use_others_may(void **state)
{
	struct sim s = begin(1000000000, 2);

	(void)state;
	s.can_bits_per_s[0] = 100000000;
	check_rate(&s, 1e9);
	assert_true(s.b.share_bits_per_s[1] > 850000000);
}

static void who_needs_more_again_gets_its_part(void **state)
{
	struct sim s = begin(1000000000, 2);
	uint64_t before;

	(void)state;
	s.can_bits_per_s[0] = 20000000;
	run(&s, 2 * SECOND, false);
	s.can_bits_per_s[0] = 0;
	run(&s, SECOND / 2, false);
	before = s.sent_bytes[0];
	run(&s, SECOND, false);
	assert_true(s.sent_bytes[0] - before > 1000000000 / 8 / 100 * 45);
	check_no_second_above(&s, 1e9);
}

static void idle_time_is_not_made_up_for(void **state)
{
	struct sim s = begin(1000000000, 3);

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		run(&s, SECOND, false);
		run(&s, SECOND / 4 * i, true);
	}
	check_no_second_above(&s, 1e9);
}

static void another_limit_holds_at_once(void **state)
{
	struct sim s = begin(1000000000, 2);
	uint64_t from;

	(void)state;
	run(&s, SECOND, false);
	bandwidth_set(&s.b, 200000000, 2);
	from = sent(&s);
	run(&s, SECOND, false);
	assert_true((double)(sent(&s) - from) * 8 < 200e6 * 1.05);
	assert_true((double)(sent(&s) - from) * 8 > 200e6 * 0.95);
	bandwidth_set(&s.b, 0, 2);
	s.can_bits_per_s[0] = s.can_bits_per_s[1] = 1000000000;
	from = sent(&s);
	run(&s, SECOND, false);
	assert_true((double)(sent(&s) - from) * 8 > 1.9e9);
}

static void a_main_lcore_that_was_away_guesses_nothing(void **state)
{
	struct sim s = begin(1000000000, 1);
	uint64_t share;

	(void)state;
	run(&s, SECOND, false);
	share = s.b.share_bits_per_s[0];
	bandwidth_share(&s.b, 1, s.sent_bytes, s.now_ns + 3600 * SECOND);
	assert_true(s.b.share_bits_per_s[0] == share);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_allowed_is_sent),
		cmocka_unit_test(late_turns_are_made_up_for),
		cmocka_unit_test(what_one_cannot_use_others_may),
		cmocka_unit_test(who_needs_more_again_gets_its_part),
		cmocka_unit_test(idle_time_is_not_made_up_for),
		cmocka_unit_test(another_limit_holds_at_once),
		cmocka_unit_test(a_main_lcore_that_was_away_guesses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
