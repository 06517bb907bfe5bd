/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "source_way.h"

/** @file A source whose session takes over from one that was lost. */

/** HOLDINGS of the region of 1024 pages. */
static void holdings(struct migc_source *s, uint16_t region, uint32_t first, uint16_t pages)
{
	static struct migc_msg msg;

	memset(&msg, 0, sizeof(msg));
	msg.type = MIGC_MSG_HOLDINGS;
	msg.holdings.region = region;
	msg.holdings.first = first;
	msg.holdings.pages = pages;
	event_of(s, (struct migc_event){.type = MIGC_EV_MSG, .msg = &msg});
}

static void a_session_that_takes_over_compares_before_its_first_round(void **state)
{
	struct migc_source *s = at_inventory();

	(void)state;
	holdings(s, 0, 0, 64);
	assert_true(rig_did(&last, MIGC_ACTION_COMPARE));
	assert_string_equal(migc_source_state(s), "INVENTORY");
	/* a hole there, then the end of the region */
	holdings(s, 0, 512, 512);
	assert_int_equal(last.count, 2);
	assert_int_equal(last.action[0].type, MIGC_ACTION_COMPARE);
	assert_int_equal(last.action[0].msg->holdings.first, 512);
	assert_int_equal(last.action[1].type, MIGC_ACTION_ROUND);
	assert_int_equal(last.action[1].round, 1);
	migc_source_free(s);
}

static void a_receiver_that_cannot_tell_what_it_holds_gets_all(void **state)
{
	struct migc_source *s = rig_resuming_source();
	struct migc_msg old = {.type = MIGC_MSG_HELLO_ACK, .hello_ack = rig_ack};

	(void)state;
	old.hello_ack.codecs = 3;
	step(s, 1);
	event_of(s, (struct migc_event){.type = MIGC_EV_MSG, .msg = &old});
	step(s, 3);
	event(s, MIGC_EV_PREPARED);
	assert_true(rig_did(&last, MIGC_ACTION_ROUND));
	migc_source_free(s);
}

static void holdings_that_were_not_asked_for_are_refused(void **state)
{
	static const struct {
		uint16_t region, pages;
		uint32_t first;
	} wrong[] = {{1, 64, 64}, {0, 64, 63}, {0, 1024, 64}, {0, 1, 1024}, {0, 1, UINT32_MAX}};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct migc_source *s = at_inventory();

		holdings(s, 0, 0, 64);
		holdings(s, wrong[i].region, wrong[i].first, wrong[i].pages);
		assert_false(rig_did(&last, MIGC_ACTION_COMPARE));
		assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_FAILED);
		assert_int_equal(migc_source_error(s)->code, -EPROTO);
		migc_source_free(s);
	}
}

static void each_holdings_gives_an_inventory_its_time_anew(void **state)
{
	struct migc_source *s = at_inventory();

	(void)state;
	now_ns += 29 * SECOND;
	holdings(s, 0, 0, 64);
	now_ns += 29 * SECOND;
	event(s, MIGC_EV_TICK);
	assert_string_equal(migc_source_state(s), "INVENTORY");
	now_ns += 2 * SECOND;
	event(s, MIGC_EV_TICK);
	assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_FAILED);
	now_ns = SECOND;
	migc_source_free(s);
}

static void a_new_session_may_take_over_until_the_guest_is_asked_to_stop(void **state)
{
	struct migc_source *s;

	(void)state;
	for (unsigned int place = 0; place < WAY; place++) {
		s = at(place);
		/* from PREPARE to SCAN */
		assert_int_equal(migc_source_may_recover(s), place >= 3 && place <= 6);
		migc_source_free(s);
	}
	s = at_inventory();
	assert_true(migc_source_may_recover(s));
	event(s, MIGC_EV_CANCEL);
	assert_false(migc_source_may_recover(s));
	migc_source_free(s);
	/* the session after a lost one may be lost before it is made */
	s = rig_resuming_source();
	assert_true(migc_source_may_recover(s));
	migc_source_free(s);
	/* nobody would know what a guest without a tracker wrote meanwhile */
	s = rig_new_source(false, true, true);
	for (unsigned int i = 1; i <= 3; i++)
		step(s, i);
	assert_false(migc_source_may_recover(s));
	migc_source_free(s);
}

static void plain_memory_may_be_taken_over_until_commit(void **state)
{
	struct migc_source *s = rig_new_source(false, false, false);

	(void)state;
	for (unsigned int i = 1; i <= 3; i++)
		step(s, i);
	event(s, MIGC_EV_PREPARED);
	event(s, MIGC_EV_GUEST_STOPPED);
	assert_true(migc_source_may_recover(s));
	round_sent(s);
	message(s, MIGC_MSG_ROUND_DONE, 1);
	event(s, MIGC_EV_PUNCHED);
	assert_true(migc_source_may_recover(s));
	message(s, MIGC_MSG_READY, 0);
	assert_string_equal(migc_source_state(s), "COMMIT");
	assert_false(migc_source_may_recover(s));
	migc_source_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_that_takes_over_compares_before_its_first_round),
		cmocka_unit_test(a_receiver_that_cannot_tell_what_it_holds_gets_all),
		cmocka_unit_test(holdings_that_were_not_asked_for_are_refused),
		cmocka_unit_test(each_holdings_gives_an_inventory_its_time_anew),
		cmocka_unit_test(a_new_session_may_take_over_until_the_guest_is_asked_to_stop),
		cmocka_unit_test(plain_memory_may_be_taken_over_until_commit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
