/* SPDX-License-Identifier: BSD-3-Clause */
/* Scans in virtual time: how long pages rest after them, how fast the guest writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scan_clock.h"

#define MS UINT64_C(1000000)
#define BEGIN (1000 * MS)
#define ROUNDS 200u

/** Rounds that take so long to send, each with so many scans. @return ms that they took in all */
static uint64_t run(struct scan_clock *c, uint64_t sending_ms, unsigned int scans,
		    uint64_t settle_ms, unsigned int rounds)
{
	uint64_t now = BEGIN;

	*c = (struct scan_clock){0};
	scan_clock_armed(c, now);
	scan_clock_rest(c, settle_ms * MS);
	for (unsigned int i = 0; i < rounds; i++) {
		assert_true(c->rest_ns >= settle_ms * MS && c->rest_ns <= 200 * MS);
		now = c->scan_ns + c->rest_ns;
		for (unsigned int k = 0; k < scans; k++) {
			now += sending_ms * MS / scans;
			scan_clock_scanned(c, now, 0);
			scan_clock_rest(c, settle_ms * MS);
		}
	}
	return (now - BEGIN) / MS;
}

static void some_scans_in_a_row_need_no_rest(void **state)
{
	struct scan_clock c;

	(void)state;
	assert_int_equal(run(&c, 5, 1, 0, 4), 20);
	assert_int_equal(c.rest_ns, 0);
	/* the fifth comes a second sooner than at the pace of the long run */
	run(&c, 5, 1, 0, 5);
	assert_int_equal(c.rest_ns, 175 * MS);
}

static void in_the_long_run_they_are_200_ms_apart(void **state)
{
	struct scan_clock c;

	(void)state;
	/* but for the second that was made up for */
	assert_in_range(run(&c, 5, 1, 0, ROUNDS), ROUNDS * 200 - 1000, ROUNDS * 200);
	assert_in_range(run(&c, 150, 1, 0, ROUNDS), ROUNDS * 200 - 1000, ROUNDS * 200);
}

static void long_rounds_are_not_held_up(void **state)
{
	struct scan_clock c;

	(void)state;
	assert_int_equal(run(&c, 200, 1, 0, ROUNDS), ROUNDS * 200);
	assert_int_equal(run(&c, 3000, 1, 0, ROUNDS), ROUNDS * 3000);
}

/** One ahead and one to decide by: as always where a disk writes late. */
static void where_pages_rest_anyway_two_scans_a_round_make_it_no_longer(void **state)
{
	struct scan_clock c;

	(void)state;
	assert_int_equal(run(&c, 20, 2, 200, ROUNDS), ROUNDS * 220);
}

static void the_rate_is_told_over_200_ms_and_not_less(void **state)
{
	struct scan_clock c = {0};

	(void)state;
	scan_clock_armed(&c, BEGIN);
	scan_clock_scanned(&c, BEGIN + 100 * MS, 1000);
	assert_int_equal(c.dirty_rate, 0);
	scan_clock_scanned(&c, BEGIN + 200 * MS, 500);
	assert_int_equal(c.dirty_rate, 7500);
	/* what was written before a new arming does not count, what is known of the rate is kept */
	scan_clock_scanned(&c, BEGIN + 300 * MS, 90000);
	scan_clock_armed(&c, BEGIN + 10000 * MS);
	assert_int_equal(c.dirty_rate, 7500);
	scan_clock_scanned(&c, BEGIN + 10500 * MS, 100);
	assert_int_equal(c.dirty_rate, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(some_scans_in_a_row_need_no_rest),
		cmocka_unit_test(in_the_long_run_they_are_200_ms_apart),
		cmocka_unit_test(long_rounds_are_not_held_up),
		cmocka_unit_test(where_pages_rest_anyway_two_scans_a_round_make_it_no_longer),
		cmocka_unit_test(the_rate_is_told_over_200_ms_and_not_less),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
