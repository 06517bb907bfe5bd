/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "migc_foot.h"

#define NS_PER_MS UINT64_C(1000000)

#define RUNGS 4u

/* A migration whose speed depends on the foot, in steps of a millisecond. */
struct run {
	struct migc_foot foot;
	uint64_t now_ns, bytes; /* acknowledged */
	uint64_t kb_per_ms[RUNGS]; /* by foot */
	uint64_t queue[RUNGS]; /* bytes sent and not acknowledged, by foot */
	int64_t fills_kb_per_ms[RUNGS]; /* by how much the queue grows, by foot */
	uint64_t grown;
	uint32_t position[RUNGS];
	uint32_t last;
	uint64_t ms[RUNGS]; /* spent with each foot */
	bool fed;
};

static void begin(struct run *r, uint64_t raw, uint64_t lz4)
{
	*r = (struct run){.now_ns = 5,
			  .kb_per_ms = {raw, lz4, raw / 2, raw / 3},
			  .position = {300, 1000, 2000, 3000},
			  .fed = true};
	migc_foot_init(&r->foot);
}

static void pass(struct run *r, unsigned int ms)
{
	for (unsigned int i = 0; i < ms; i++) {
		r->last = migc_foot_turn(&r->foot, RUNGS, r->now_ns,
					 r->bytes + r->queue[r->last] + r->grown, r->bytes,
					 r->position[r->last], r->fed);
		assert_in_range(r->last, 0, RUNGS - 1);
		r->bytes += r->kb_per_ms[r->last] * 1000;
		r->grown += (uint64_t)(r->fills_kb_per_ms[r->last] * 1000);
		r->ms[r->last]++;
		r->now_ns += NS_PER_MS;
	}
}

static void begins_with_raw_and_keeps_it_where_it_is_faster(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 400);
	pass(&r, 140);
	assert_int_equal(r.ms[1], 0);
	pass(&r, 1660);
	assert_int_equal(r.foot.changes, 0);
	assert_int_equal(r.last, 0);
	/* two looks at it in 1.8 s, of one window each as it is far behind */
	assert_int_equal(r.foot.trials, 2);
	assert_in_range(r.ms[1], 70, 80);
}

static void what_is_a_little_slower_is_let_go_of_after_two_pairs(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 750);
	while (r.foot.trials == 0)
		pass(&r, 1);
	assert_int_equal(r.foot.turn, 4);
	assert_int_equal(r.foot.kept, 0);
}

/** Windows of a trial until the other, much faster, is taken. */
static uint32_t windows_until_taken(uint32_t position)
{
	struct run r;

	begin(&r, 1000, 1500);
	r.position[0] = position;
	while (r.foot.changes == 0)
		pass(&r, 1);
	assert_int_equal(r.foot.kept, 1);
	return r.foot.turn;
}

/* There the law has found no CPU to spare: nothing but the trial speaks for the other. */
static void where_the_position_rests_on_the_foot_it_is_left_late(void **state)
{
	(void)state;
	assert_int_equal(windows_until_taken(300), 4);
	assert_int_equal(windows_until_taken(60), 4);
	assert_int_equal(windows_until_taken(50), 8);
	assert_int_equal(windows_until_taken(0), 8);
}

/* In two of three pairs the other was lucky. */
static void at_rest_two_easy_windows_change_nothing(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 2000);
	r.position[0] = 0;
	while (r.foot.turn < 4)
		pass(&r, 1);
	r.kb_per_ms[1] = 900;
	while (r.foot.trials == 0)
		pass(&r, 1);
	assert_int_equal(r.foot.changes, 0);
}

static void takes_the_rung_above_where_more_goes(void **state)
{
	static const uint64_t lz4[] = {1040, 1120, 1200, 2000, UINT64_C(1) << 28};

	(void)state;
	for (size_t i = 0; i < sizeof(lz4) / sizeof(lz4[0]); i++) {
		struct run r;

		begin(&r, 1000, lz4[i]);
		pass(&r, 800);
		assert_int_equal(r.foot.kept, 1);
		assert_int_equal(r.foot.changes, 1);
	}
}

/* The densest is best: the first step needs two pairs, the others, at rest on their feet, four. */
static void climbs_as_far_as_it_pays_and_comes_down_again(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 100, 200);
	r.kb_per_ms[2] = 400;
	r.kb_per_ms[3] = 800;
	pass(&r, 1300);
	assert_int_equal(r.foot.kept, 3);
	assert_int_equal(r.ms[3] > 100, true);
	/* there is none above: the one below is tried, and is worse */
	pass(&r, 3000);
	assert_int_equal(r.foot.kept, 3);
	assert_int_equal(r.foot.changes, 3);
	r.kb_per_ms[0] = 6400;
	r.kb_per_ms[1] = 3200;
	r.kb_per_ms[2] = 1600;
	pass(&r, 5000);
	assert_int_equal(r.foot.kept, 0);
	assert_int_equal(r.foot.changes, 6);
}

static void one_rung_has_no_other(void **state)
{
	struct migc_foot f;

	(void)state;
	migc_foot_init(&f);
	for (uint64_t ms = 1; ms < 5000; ms++)
		assert_int_equal(
			migc_foot_turn(&f, 1, ms * NS_PER_MS, ms * 1000, ms * 1000, 0, true), 0);
	assert_int_equal(f.trials, 0);
}

static void a_draw_changes_nothing_and_is_tried_more_and_more_rarely(void **state)
{
	struct run r;
	uint64_t early;

	(void)state;
	begin(&r, 1000, 1020);
	pass(&r, 3000);
	assert_int_equal(r.foot.changes, 0);
	early = r.foot.trials;
	assert_in_range(early, 2, 3);
	pass(&r, 20000);
	/* 4 s of rest and 12 windows of 40 ms each */
	assert_in_range(r.foot.trials - early, 4, 5);
	assert_int_equal(r.foot.changes, 0);
}

static void goes_back_when_raw_has_become_faster(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 1500);
	pass(&r, 1000);
	assert_int_equal(r.last, 1);
	r.kb_per_ms[0] = 3000;
	pass(&r, 7000);
	assert_int_equal(r.foot.changes, 2);
	assert_int_equal(r.foot.kept, 0);
}

static void what_grows_evenly_counts_for_both(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 1000);
	for (unsigned int i = 0; i < 600; i++) {
		/* 10 % in each pair, whatever the foot */
		r.kb_per_ms[0] = r.kb_per_ms[1] = 1000 + i * 4 / 3;
		pass(&r, 1);
	}
	assert_int_equal(r.foot.changes, 0);
}

static void one_easy_window_changes_nothing(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 900);
	while (r.foot.phase != MIGC_FOOT_SETTLE || r.foot.turn != 1)
		pass(&r, 1);
	/* files of another kind come by, in the first pair */
	r.kb_per_ms[1] = 2200;
	while (r.foot.turn < 2)
		pass(&r, 1);
	r.kb_per_ms[1] = 900;
	while (r.foot.trials == 0)
		pass(&r, 1);
	assert_int_equal(r.foot.changes, 0);
	assert_int_equal(r.foot.kept, 0);
}

static void where_the_position_is_above_the_next_rung_the_one_above_it_is_tried(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 1000);
	r.position[0] = r.position[1] = 1300;
	r.kb_per_ms[2] = 1500;
	pass(&r, 500);
	assert_int_equal(r.ms[1], 0);
	assert_int_equal(r.foot.kept, 2);
}

/* Of the window with another foot: as long as it takes to acknowledge what was sent before. */
static void what_was_sent_before_is_waited_for(void **state)
{
	static const struct {
		uint64_t queue;
		unsigned int least_ms, most_ms;
	} cases[] = {{0, 10, 11}, {20000000, 50, 51}, {UINT64_C(1) << 50, 100, 101}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int ms = 0;
		struct run r;

		begin(&r, 1000, 400);
		r.queue[0] = cases[i].queue;
		while (r.foot.now == 0)
			pass(&r, 1);
		for (; r.foot.phase == MIGC_FOOT_SETTLE; ms++)
			pass(&r, 1);
		assert_in_range(ms, cases[i].least_ms, cases[i].most_ms);
	}
}

/* Once the queue is empty, or full, it goes no faster than the slower end of it. */
static void what_empties_or_fills_a_queue_is_no_speed(void **state)
{
	static const struct {
		uint64_t acked;
		int64_t fills;
		bool faster;
	} cases[] = {{1300, -600, false}, {700, 600, false}, {1300, 0, true}, {1300, 600, true}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct run r;

		begin(&r, 1000, cases[i].acked);
		r.grown = UINT64_C(1) << 40;
		r.fills_kb_per_ms[1] = cases[i].fills;
		while (r.foot.trials == 0)
			pass(&r, 1);
		assert_int_equal(r.foot.kept, cases[i].faster);
	}
}

/** The machine stands still in the first window of a trial with the foot `with`. */
static uint32_t kept_after_a_stop(uint64_t other, uint32_t with)
{
	struct run r;
	uint64_t usual;

	begin(&r, 1000, other);
	usual = r.kb_per_ms[with];
	while (r.foot.phase != MIGC_FOOT_MEASURE || r.foot.now != with)
		pass(&r, 1);
	r.kb_per_ms[with] = 10;
	while (r.foot.phase == MIGC_FOOT_MEASURE)
		pass(&r, 1);
	r.kb_per_ms[with] = usual;
	while (r.foot.trials == 0)
		pass(&r, 1);
	return r.foot.kept;
}

static void a_window_in_which_nothing_goes_says_nothing(void **state)
{
	(void)state;
	for (uint32_t with = 0; with < 2; with++) {
		assert_int_equal(kept_after_a_stop(900, with), 0);
		assert_int_equal(kept_after_a_stop(1100, with), 1);
	}
}

/* It came down, and then the position rose: there is nothing to be tried further down. */
static void a_foot_below_the_position_is_tried_upwards_again(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 100, 200);
	r.kb_per_ms[2] = 400;
	r.kb_per_ms[3] = 200;
	pass(&r, 2000);
	assert_int_equal(r.foot.kept, 2);
	r.kb_per_ms[1] = 800;
	while (r.foot.kept != 1)
		pass(&r, 1);
	assert_false(r.foot.up);
	r.position[1] = 2300;
	r.kb_per_ms[3] = 1600;
	pass(&r, 2000);
	assert_int_equal(r.foot.kept, 3);
}

static void a_trial_of_what_has_become_the_same_ends(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 1000);
	while (r.foot.phase != MIGC_FOOT_MEASURE)
		pass(&r, 1);
	assert_int_equal(r.foot.other, 1);
	r.position[0] = 1300;
	pass(&r, 1);
	assert_int_equal(r.foot.phase, MIGC_FOOT_REST);
	assert_int_equal(r.foot.trials, 0);
	/* the next one is of the rung above the position */
	while (r.foot.phase != MIGC_FOOT_MEASURE)
		pass(&r, 1);
	assert_int_equal(r.foot.other, 2);
}

static void a_rung_on_which_the_position_rests_is_not_tried(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 2000);
	r.position[0] = 2960;
	pass(&r, 5000);
	assert_int_equal(r.foot.trials, 0);
	assert_int_equal(r.ms[0], 5000);
	r.position[0] = 900;
	pass(&r, 300);
	assert_int_equal(r.last, 1);
}

static void a_trial_without_pages_is_none(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 1000, 2000);
	pass(&r, 210);
	assert_int_equal(r.foot.phase == MIGC_FOOT_REST, false);
	r.fed = false;
	pass(&r, 1);
	assert_int_equal(r.last, 0);
	pass(&r, 5000);
	assert_int_equal(r.foot.trials, 0);
	/* and the count of pages begins anew with other workers */
	r.bytes = 0;
	r.fed = true;
	pass(&r, 140);
	assert_int_equal(r.foot.trials, 0);
	pass(&r, 200);
	assert_int_equal(r.foot.changes, 1);
	assert_int_equal(r.foot.kept, 1);
}

static void nothing_goes_at_all(void **state)
{
	struct run r;

	(void)state;
	begin(&r, 0, 0);
	pass(&r, 5000);
	assert_int_equal(r.foot.changes, 0);
	assert_int_equal(r.foot.kept, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_raw_and_keeps_it_where_it_is_faster),
		cmocka_unit_test(what_is_a_little_slower_is_let_go_of_after_two_pairs),
		cmocka_unit_test(where_the_position_rests_on_the_foot_it_is_left_late),
		cmocka_unit_test(at_rest_two_easy_windows_change_nothing),
		cmocka_unit_test(takes_the_rung_above_where_more_goes),
		cmocka_unit_test(climbs_as_far_as_it_pays_and_comes_down_again),
		cmocka_unit_test(one_rung_has_no_other),
		cmocka_unit_test(a_draw_changes_nothing_and_is_tried_more_and_more_rarely),
		cmocka_unit_test(goes_back_when_raw_has_become_faster),
		cmocka_unit_test(what_grows_evenly_counts_for_both),
		cmocka_unit_test(one_easy_window_changes_nothing),
		cmocka_unit_test(
			where_the_position_is_above_the_next_rung_the_one_above_it_is_tried),
		cmocka_unit_test(what_was_sent_before_is_waited_for),
		cmocka_unit_test(what_empties_or_fills_a_queue_is_no_speed),
		cmocka_unit_test(a_window_in_which_nothing_goes_says_nothing),
		cmocka_unit_test(a_foot_below_the_position_is_tried_upwards_again),
		cmocka_unit_test(a_trial_of_what_has_become_the_same_ends),
		cmocka_unit_test(a_rung_on_which_the_position_rests_is_not_tried),
		cmocka_unit_test(a_trial_without_pages_is_none),
		cmocka_unit_test(nothing_goes_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
