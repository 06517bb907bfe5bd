/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "source_way.h"

/** Two rounds that gain nothing. @return whether the second changed the percentage. */
static bool twice(struct migc_throttle *t)
{
	assert_false(migc_throttle_round(t, 10000, 10000));
	return migc_throttle_round(t, 10000, 10000);
}

static void begins_with_20_and_grows_by_10_to_99(void **state)
{
	static const unsigned int percent[] = {20, 30, 40, 50, 60, 70, 80, 90, 99};
	struct migc_throttle t = {0};

	(void)state;
	for (unsigned int i = 0; i < sizeof(percent) / sizeof(percent[0]); i++) {
		assert_true(twice(&t));
		assert_int_equal(t.percent, percent[i]);
	}
	assert_false(twice(&t));
	assert_int_equal(t.percent, 99);
}

static void only_two_in_a_row_count(void **state)
{
	struct migc_throttle t = {0};

	(void)state;
	for (unsigned int i = 0; i < 10; i++) {
		assert_false(migc_throttle_round(&t, 10000, 10000));
		assert_false(migc_throttle_round(&t, 10000, 8000));
	}
	assert_int_equal(t.percent, 0);
}

static void an_eighth_less_is_a_gain(void **state)
{
	struct migc_throttle t = {0};

	(void)state;
	assert_false(migc_throttle_round(&t, 8000, 6999));
	assert_false(migc_throttle_round(&t, 8000, 6999));
	assert_int_equal(t.percent, 0);
	assert_false(migc_throttle_round(&t, 8000, 7000));
	assert_true(migc_throttle_round(&t, 8000, 7000));
	assert_int_equal(t.percent, 20);
}

static void a_gain_is_not_a_reason_to_let_go(void **state)
{
	struct migc_throttle t = {0};

	(void)state;
	assert_true(twice(&t));
	assert_false(migc_throttle_round(&t, 10000, 10));
	assert_int_equal(t.percent, 20);
}

static void small_rounds_say_nothing(void **state)
{
	struct migc_throttle t = {0};

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		assert_false(migc_throttle_round(&t, 255, 255));
	assert_int_equal(t.percent, 0);
}

/** A source in SCAN, of a guest that the next rounds gain nothing on. */
static struct migc_source *in_scan(bool throttle)
{
	struct migc_source *s = rig_new_source(true, true, true);

	migc_source_set_throttle(s, throttle);
	for (unsigned int to = 1; to <= 6; to++)
		step(s, to);
	return s;
}

static void next_round(struct migc_source *s, unsigned int round)
{
	round_sent(s);
	now_ns += SECOND;
	message(s, MIGC_MSG_ROUND_DONE, round);
	assert_true(rig_did(&last, MIGC_ACTION_SCAN));
}

static void the_source_asks_for_it_and_goes_on(void **state)
{
	struct migc_source *s = in_scan(true);

	(void)state;
	scanned(s, 1024);
	assert_false(rig_did(&last, MIGC_ACTION_THROTTLE));
	next_round(s, 2);
	scanned(s, 1024);
	assert_int_equal(last.action[0].type, MIGC_ACTION_THROTTLE);
	assert_int_equal(last.action[0].percent, 20);
	assert_int_equal(last.action[1].type, MIGC_ACTION_ROUND);
	migc_source_free(s);
}

static void the_source_does_not_where_it_may_not(void **state)
{
	struct migc_source *s = in_scan(false);

	(void)state;
	for (unsigned int round = 2; round < 8; round++) {
		scanned(s, 1024);
		assert_false(rig_did(&last, MIGC_ACTION_THROTTLE));
		next_round(s, round);
	}
	migc_source_set_throttle(s, true);
	scanned(s, 1024);
	next_round(s, 8);
	scanned(s, 1024);
	assert_true(rig_did(&last, MIGC_ACTION_THROTTLE));
	migc_source_free(s);
}

static void what_is_written_until_the_stop_counts_for_the_stop_only(void **state)
{
	struct migc_source *s = in_scan(true);

	(void)state;
	for (unsigned int round = 2; round < 6; round++) {
		event_of(s, (struct migc_event){
				    .type = MIGC_EV_SCANNED, .pages = 512, .more_pages = 1024});
		assert_false(rig_did(&last, MIGC_ACTION_THROTTLE));
		assert_true(rig_did(&last, MIGC_ACTION_ROUND));
		next_round(s, round);
	}
	migc_source_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(begins_with_20_and_grows_by_10_to_99),
		cmocka_unit_test(only_two_in_a_row_count),
		cmocka_unit_test(an_eighth_less_is_a_gain),
		cmocka_unit_test(a_gain_is_not_a_reason_to_let_go),
		cmocka_unit_test(small_rounds_say_nothing),
		cmocka_unit_test(the_source_asks_for_it_and_goes_on),
		cmocka_unit_test(the_source_does_not_where_it_may_not),
		cmocka_unit_test(what_is_written_until_the_stop_counts_for_the_stop_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
