/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "migc_ladder.h"

#define BIT(codec) (1u << (codec))
#define ALL \
	(BIT(MIGC_CODEC_RAW) | BIT(MIGC_CODEC_LZ4) | BIT(MIGC_CODEC_DEFLATE) | BIT(MIGC_CODEC_ZSTD))
#define IN_BYTES 65536u
#define MS UINT64_C(1000000)
/** Position of the densest rung of ALL. */
#define TOP 4000

/* Time passes in one state, in pieces of a millisecond. */
static void pass(struct migc_ladder *l, unsigned int ms, enum migc_ladder_state state)
{
	if (l->last_ns == 0)
		migc_ladder_turn(l, 1, MIGC_LADDER_WORKING);
	while (ms-- > 0)
		migc_ladder_turn(l, l->last_ns + MS, state);
}

/** Starved, as nobody leaves it any CPU. */
static void starve(struct migc_ladder *l, unsigned int ms)
{
	migc_ladder_set_spare(l, 0);
	pass(l, ms, MIGC_LADDER_STARVED);
	migc_ladder_set_spare(l, 1000);
}

static uint32_t block(struct migc_ladder *l, uint32_t known, uint32_t out_bytes)
{
	uint32_t kind = migc_ladder_choose(l, known);

	migc_ladder_block(l, kind, IN_BYTES, out_bytes, known);
	return kind;
}

static unsigned int count(struct migc_ladder *l, unsigned int blocks, uint32_t known,
			  uint32_t out_bytes, uint32_t kind)
{
	unsigned int n = 0;

	while (blocks-- > 0)
		n += block(l, known, out_bytes) == kind;
	return n;
}

static void starts_raw(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	assert_int_equal(migc_ladder_position(&l), 0);
	assert_int_equal(count(&l, 100, 0, 1000, MIGC_CODEC_RAW), 100);
}

static void any_set_of_codecs_works_and_no_other_is_chosen(void **state)
{
	(void)state;
	for (uint32_t codecs = 0; codecs <= ALL; codecs++) {
		for (unsigned int device = 0; device < 2; device++) {
			struct migc_ladder l;

			migc_ladder_init(&l, codecs, device, 0);
			for (unsigned int i = 0; i < 400; i++) {
				enum migc_codec_id codec = migc_ladder_codec(
					block(&l, i & 1 ? MIGC_LADDER_DEVICE_ROOM : 0, 20000));

				assert_true((codecs | BIT(MIGC_CODEC_RAW)) & BIT(codec));
				if (device && codec == MIGC_CODEC_DEFLATE)
					assert_true(i & 1);
				pass(&l, 1, MIGC_LADDER_HELD);
			}
			starve(&l, 1000);
			assert_int_equal(migc_ladder_position(&l), 0);
		}
	}
}

static void held_up_goes_to_the_densest_and_starved_to_raw(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	pass(&l, 400, MIGC_LADDER_HELD);
	assert_int_equal(migc_ladder_position(&l), TOP);
	assert_int_equal(count(&l, 100, 0, 20000, MIGC_CODEC_ZSTD), 100);
	starve(&l, 500);
	assert_int_equal(migc_ladder_position(&l), 0);
	assert_int_equal(count(&l, 100, 0, 0, MIGC_CODEC_RAW), 100);
}

static void work_and_want_of_pages_move_nothing(void **state)
{
	struct migc_ladder l;
	uint32_t before;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	pass(&l, 100, MIGC_LADDER_HELD);
	before = migc_ladder_position(&l);
	assert_int_not_equal(before, 0);
	pass(&l, 5000, MIGC_LADDER_IDLE);
	pass(&l, 5000, MIGC_LADDER_WORKING);
	assert_int_equal(migc_ladder_position(&l), before);
}

static void the_mix_is_even(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, BIT(MIGC_CODEC_ZSTD), false, 0);
	for (unsigned int share = 1; share < 16; share++) {
		/* of each 16 in a row, `share` are dense, give or take one */
		l.law[0].position = (int64_t)share << 28;
		for (unsigned int i = 0; i < 64; i++) {
			unsigned int dense = count(&l, 16, 0, 20000, MIGC_CODEC_ZSTD);

			assert_in_range(dense, share - 1, share + 1);
		}
		assert_in_range(count(&l, 1600, 0, 20000, MIGC_CODEC_ZSTD), 100 * share - 1,
				100 * share + 1);
	}
}

static void a_late_turn_is_one_step_of_bounded_size(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	migc_ladder_turn(&l, 1, MIGC_LADDER_WORKING);
	migc_ladder_turn(&l, 3600 * 1000 * MS, MIGC_LADDER_HELD);
	assert_in_range(migc_ladder_position(&l), 1, 1200);
	/* and a clock that goes back is no time at all */
	migc_ladder_turn(&l, 1, MIGC_LADDER_STARVED);
	assert_int_not_equal(migc_ladder_position(&l), 0);
}

static void held_up_on_a_core_without_idle_time_is_no_reason_to_go_denser(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	migc_ladder_set_spare(&l, 0);
	pass(&l, 1000, MIGC_LADDER_HELD);
	assert_int_equal(migc_ladder_position(&l), 0);
	migc_ladder_set_spare(&l, 1000);
	pass(&l, 1000, MIGC_LADDER_HELD);
	assert_int_equal(migc_ladder_position(&l), TOP);
}

static void starved_with_cpu_to_spare_is_so_by_an_eighth(void **state)
{
	struct migc_ladder full, spare, busy;

	(void)state;
	migc_ladder_init(&full, ALL, false, 0);
	pass(&full, 400, MIGC_LADDER_HELD);
	spare = busy = full;
	migc_ladder_set_spare(&spare, 100);
	pass(&spare, 5, MIGC_LADDER_STARVED);
	/* all of it, before it goes down for want of CPU as well */
	migc_ladder_set_spare(&busy, 20);
	pass(&busy, 5, MIGC_LADDER_STARVED);
	assert_in_range((TOP - migc_ladder_position(&busy)) * 100 /
				(TOP - migc_ladder_position(&spare)),
			600, 700);
}

static void without_spare_cpu_it_goes_down(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	pass(&l, 400, MIGC_LADDER_HELD);
	/* as little as a link needs to be full by */
	migc_ladder_set_spare(&l, 20);
	pass(&l, 1000, MIGC_LADDER_WORKING);
	assert_int_equal(migc_ladder_position(&l), TOP);
	migc_ladder_set_spare(&l, 0);
	pass(&l, 100, MIGC_LADDER_HELD);
	assert_in_range(migc_ladder_position(&l), 1, TOP - 200);
	pass(&l, 2000, MIGC_LADDER_HELD);
	assert_int_equal(migc_ladder_position(&l), 0);
	/* which is no direction: the way up is as fast as the first */
	pass(&l, 2000, MIGC_LADDER_HELD);
	assert_int_equal(l.stats.turned, 1);
}

static void a_full_window_is_not_starved(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	pass(&l, 400, MIGC_LADDER_HELD);
	/* not so little that it goes down for want of CPU */
	migc_ladder_set_spare(&l, 20);
	migc_ladder_set_free_window(&l, 0);
	pass(&l, 1000, MIGC_LADDER_STARVED);
	assert_int_equal(migc_ladder_position(&l), TOP);
	migc_ladder_set_free_window(&l, 500);
	pass(&l, 400, MIGC_LADDER_STARVED);
	assert_int_equal(migc_ladder_position(&l), 0);
}

static void workers_keep_together(void **state)
{
	struct migc_ladder a, b;

	(void)state;
	migc_ladder_init(&a, ALL, false, 0);
	migc_ladder_init(&b, ALL, false, 0);
	pass(&a, 50, MIGC_LADDER_HELD);
	pass(&b, 50, MIGC_LADDER_HELD);
	for (unsigned int i = 0; i < 100; i++) {
		uint32_t mean = (migc_ladder_position(&a) + migc_ladder_position(&b)) / 2;

		migc_ladder_set_mean(&a, mean);
		migc_ladder_set_mean(&b, mean);
		/* starved counts two thirds */
		pass(&a, 10, MIGC_LADDER_HELD);
		pass(&a, 5, MIGC_LADDER_WORKING);
		pass(&b, 15, MIGC_LADDER_STARVED);
	}
	assert_in_range(migc_ladder_position(&a) - migc_ladder_position(&b), 0, 800);
	assert_in_range(migc_ladder_position(&a), 1, TOP - 1);
}

static void what_does_not_shrink_is_tried_rarely_and_again_when_it_does(void **state)
{
	struct migc_ladder l;
	unsigned int tried;

	(void)state;
	migc_ladder_init(&l, BIT(MIGC_CODEC_ZSTD), false, 0);
	pass(&l, 400, MIGC_LADDER_HELD);
	/* 1/64 saved is not shrunk */
	assert_int_equal(count(&l, 8, 0, IN_BYTES - IN_BYTES / 64, MIGC_CODEC_ZSTD), 8);
	count(&l, 2000, 0, 0, MIGC_CODEC_ZSTD);
	tried = count(&l, 6500, 0, 0, MIGC_CODEC_ZSTD);
	assert_in_range(tried, 90, 110);
	assert_int_equal(l.stats.skipped, l.stats.blocks[MIGC_CODEC_RAW]);
	/* noticed within the longest interval, and all at once */
	assert_true(count(&l, 66, 0, 20000, MIGC_CODEC_ZSTD) > 0);
	assert_int_equal(count(&l, 100, 0, 20000, MIGC_CODEC_ZSTD), 100);
}

static void a_short_run_that_does_not_shrink_costs_little_of_what_follows(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, BIT(MIGC_CODEC_ZSTD), false, 0);
	pass(&l, 400, MIGC_LADDER_HELD);
	for (unsigned int run = 1; run < 400; run *= 3) {
		count(&l, run, 0, 0, MIGC_CODEC_ZSTD);
		assert_true(count(&l, run, 0, 20000, MIGC_CODEC_RAW) <= run / 4);
		count(&l, 1, 0, 20000, MIGC_CODEC_ZSTD);
	}
}

static void one_codec_that_fails_says_nothing_of_another(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, BIT(MIGC_CODEC_LZ4) | BIT(MIGC_CODEC_ZSTD), false, 0);
	l.law[0].position = INT64_C(2) << 32;
	count(&l, 100, 0, 0, MIGC_CODEC_LZ4);
	l.law[0].position = INT64_C(3) << 32;
	assert_int_equal(count(&l, 100, 0, 20000, MIGC_CODEC_ZSTD), 100);
}

static void blocks_that_look_incompressible_go_raw(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, BIT(MIGC_CODEC_ZSTD), false, 0);
	pass(&l, 400, MIGC_LADDER_HELD);
	assert_true(count(&l, 10000, MIGC_LADDER_INCOMPRESSIBLE, 0, MIGC_CODEC_ZSTD) < 100);
	/* that says nothing of those that do not look so */
	assert_int_equal(count(&l, 100, 0, 20000, MIGC_CODEC_ZSTD), 100);
}

static void looks_that_deceive_are_not_believed_for_long(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, BIT(MIGC_CODEC_ZSTD), false, 0);
	pass(&l, 400, MIGC_LADDER_HELD);
	count(&l, 300, MIGC_LADDER_INCOMPRESSIBLE, 20000, MIGC_CODEC_ZSTD);
	assert_int_equal(count(&l, 100, MIGC_LADDER_INCOMPRESSIBLE, 20000, MIGC_CODEC_ZSTD), 100);
}

static void a_device_takes_what_it_has_room_for(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, true, 0);
	assert_int_equal(count(&l, 100, MIGC_LADDER_DEVICE_ROOM, 20000, MIGC_CODEC_DEFLATE), 100);
	assert_int_equal(count(&l, 100, 0, 20000, MIGC_CODEC_RAW), 100);
	l.law[0].position = INT64_C(3) << 32;
	assert_int_equal(count(&l, 100, MIGC_LADDER_DEVICE_ROOM, 20000, MIGC_CODEC_DEFLATE), 100);
	assert_int_equal(count(&l, 100, 0, 20000, MIGC_CODEC_ZSTD), 100);
}

static void a_denser_codec_relieves_the_device_at_the_end_of_the_ladder(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, true, 0);
	count(&l, 10, MIGC_LADDER_DEVICE_ROOM, 20000, MIGC_CODEC_DEFLATE);
	pass(&l, 400, MIGC_LADDER_HELD);
	assert_int_equal(migc_ladder_position(&l), TOP);
	count(&l, 1, MIGC_LADDER_DEVICE_ROOM, 18000, MIGC_CODEC_ZSTD);
	assert_int_equal(count(&l, 100, MIGC_LADDER_DEVICE_ROOM, 18000, MIGC_CODEC_ZSTD), 100);
	/* not when it is not denser */
	count(&l, 100, MIGC_LADDER_DEVICE_ROOM, 20000, MIGC_CODEC_ZSTD);
	assert_in_range(count(&l, 320, MIGC_LADDER_DEVICE_ROOM, 20000, MIGC_CODEC_ZSTD), 1, 20);
	/* not when it was not asked for */
	migc_ladder_init(&l, ALL, true, MIGC_LADDER_KEEP_DEVICE);
	pass(&l, 400, MIGC_LADDER_HELD);
	assert_int_equal(migc_ladder_position(&l), TOP - 1000);
	assert_int_equal(count(&l, 100, MIGC_LADDER_DEVICE_ROOM, 20000, MIGC_CODEC_DEFLATE), 100);
}

/* Turned each 30 ms by a window that opens and closes, the position comes to rest. */
static void changes_of_direction_slow_it_down(void **state)
{
	struct migc_ladder l;
	uint32_t low = UINT32_MAX, high = 0;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	pass(&l, 80, MIGC_LADDER_HELD);
	for (unsigned int i = 0; i < 40; i++) {
		/* starved counts 2/3 of held up */
		pass(&l, 20, i & 1 ? MIGC_LADDER_HELD : MIGC_LADDER_STARVED);
		pass(&l, 10, i & 1 ? MIGC_LADDER_WORKING : MIGC_LADDER_STARVED);
		if (i < 10)
			continue;
		low = migc_ladder_position(&l) < low ? migc_ladder_position(&l) : low;
		high = migc_ladder_position(&l) > high ? migc_ladder_position(&l) : high;
	}
	assert_in_range(high - low, 0, 60);
}

static void each_foot_has_a_position_of_its_own(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, ALL, false, 0);
	pass(&l, 20, MIGC_LADDER_HELD);
	assert_in_range(migc_ladder_position(&l), 100, 1200);
	uint32_t raw_foot = migc_ladder_position(&l);

	migc_ladder_set_foot(&l, 1);
	assert_int_equal(migc_ladder_position(&l), 1000);
	pass(&l, 50, MIGC_LADDER_STARVED);
	assert_int_equal(migc_ladder_position(&l), 1000);
	assert_int_equal(count(&l, 100, 0, IN_BYTES / 2, MIGC_LADDER_LZ4_FAST), 100);
	pass(&l, 50, MIGC_LADDER_HELD);
	assert_in_range(migc_ladder_position(&l), 1100, TOP);
	migc_ladder_set_foot(&l, 0);
	assert_int_equal(migc_ladder_position(&l), raw_foot);
	migc_ladder_set_foot(&l, 2);
	assert_int_equal(count(&l, 100, 0, IN_BYTES / 2, MIGC_CODEC_LZ4), 100);
	/* there is no such rung: the densest */
	migc_ladder_set_foot(&l, 9);
	assert_int_equal(migc_ladder_position(&l), TOP);
	migc_ladder_init(&l, 1u << MIGC_CODEC_RAW, false, 0);
	migc_ladder_set_foot(&l, 1);
	assert_int_equal(migc_ladder_position(&l), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_raw),
		cmocka_unit_test(each_foot_has_a_position_of_its_own),
		cmocka_unit_test(any_set_of_codecs_works_and_no_other_is_chosen),
		cmocka_unit_test(held_up_goes_to_the_densest_and_starved_to_raw),
		cmocka_unit_test(work_and_want_of_pages_move_nothing),
		cmocka_unit_test(the_mix_is_even),
		cmocka_unit_test(a_late_turn_is_one_step_of_bounded_size),
		cmocka_unit_test(held_up_on_a_core_without_idle_time_is_no_reason_to_go_denser),
		cmocka_unit_test(starved_with_cpu_to_spare_is_so_by_an_eighth),
		cmocka_unit_test(without_spare_cpu_it_goes_down),
		cmocka_unit_test(a_full_window_is_not_starved),
		cmocka_unit_test(workers_keep_together),
		cmocka_unit_test(what_does_not_shrink_is_tried_rarely_and_again_when_it_does),
		cmocka_unit_test(a_short_run_that_does_not_shrink_costs_little_of_what_follows),
		cmocka_unit_test(one_codec_that_fails_says_nothing_of_another),
		cmocka_unit_test(blocks_that_look_incompressible_go_raw),
		cmocka_unit_test(looks_that_deceive_are_not_believed_for_long),
		cmocka_unit_test(a_device_takes_what_it_has_room_for),
		cmocka_unit_test(a_denser_codec_relieves_the_device_at_the_end_of_the_ladder),
		cmocka_unit_test(changes_of_direction_slow_it_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
