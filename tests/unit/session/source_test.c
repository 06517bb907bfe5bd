/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "source_way.h"

static void a_live_migration_goes_through_all_states(void **state)
{
	(void)state;
	migc_source_free(at(WAY - 1));
}

static void plain_memory_is_one_final_round_and_no_device_state(void **state)
{
	struct migc_source *s = rig_new_source(false, false, false);

	(void)state;
	for (unsigned int i = 1; i <= 3; i++)
		step(s, i);
	event(s, MIGC_EV_PREPARED);
	assert_true(rig_did(&last, MIGC_ACTION_STOP_GUEST));
	event(s, MIGC_EV_GUEST_STOPPED);
	assert_true(last.action[0].final);
	round_sent(s);
	message(s, MIGC_MSG_ROUND_DONE, 1);
	event(s, MIGC_EV_PUNCHED);
	assert_true(rig_sent(&last, MIGC_MSG_DEVICE_END));
	assert_string_equal(migc_source_state(s), "READY");
	migc_source_free(s);
}

static void too_much_dirty_makes_another_round(void **state)
{
	struct migc_source *s = at(6);

	(void)state;
	scanned(s, 100000);
	assert_true(rig_did(&last, MIGC_ACTION_ROUND));
	assert_int_equal(last.action[0].round, 2);
	assert_true(migc_source_expected_downtime_ms(s) > 300);
	round_sent(s);
	message(s, MIGC_MSG_ROUND_DONE, 2);
	migc_source_set_downtime_limit(s, UINT32_MAX);
	scanned(s, 100000);
	assert_true(rig_did(&last, MIGC_ACTION_STOP_GUEST));
	migc_source_free(s);
}

/** A round of 1024 pages in that time, and a scan after it. */
static void pass_round(struct migc_source *s, uint32_t round, uint64_t ns, uint64_t dirty)
{
	event_of(s, (struct migc_event){
			    .type = MIGC_EV_ROUND_SENT, .blocks = 64, .pages = 1024, .ns = ns});
	message(s, MIGC_MSG_ROUND_DONE, round);
	scanned(s, dirty);
}

/* 400 pages are within 300 ms as in a tenth of a second, and not as in a whole one. */
static void pages_are_expected_to_go_as_in_the_slower_of_the_last_two_rounds(void **state)
{
	struct migc_source *s = at(6);

	(void)state;
	scanned(s, 400);
	pass_round(s, 2, SECOND / 10, 400);
	assert_true(rig_did(&last, MIGC_ACTION_ROUND));
	pass_round(s, 3, SECOND, 400);
	assert_true(rig_did(&last, MIGC_ACTION_ROUND));
	pass_round(s, 4, SECOND / 10, 400);
	assert_true(rig_did(&last, MIGC_ACTION_ROUND));
	pass_round(s, 5, SECOND / 9, 400);
	assert_true(rig_did(&last, MIGC_ACTION_STOP_GUEST));
	migc_source_free(s);
}

static void without_a_pause_device_state_follows_the_comparison_at_once(void **state)
{
	struct migc_source *s = at(11);

	(void)state;
	migc_source_set_pause(s, false);
	message(s, MIGC_MSG_DIGESTS, 0);
	event(s, MIGC_EV_HASHED);
	assert_true(rig_did(&last, MIGC_ACTION_SAVE_DEVICES));
	assert_string_equal(migc_source_state(s), "SAVE");
	migc_source_free(s);
}

static void a_pause_is_left_by_continue_whatever_the_setting_is_by_then(void **state)
{
	struct migc_source *s = at(12);

	(void)state;
	migc_source_set_pause(s, false);
	now_ns += 100000 * SECOND;
	event(s, MIGC_EV_TICK);
	now_ns -= 100000 * SECOND;
	assert_int_equal(last.count, 0);
	assert_true(migc_source_paused(s));
	event(s, MIGC_EV_CONTINUE);
	assert_true(rig_did(&last, MIGC_ACTION_SAVE_DEVICES));
	migc_source_free(s);
}

static unsigned int marked;

static void mark(void *ctx, const struct migc_page_list *pages)
{
	(void)ctx;
	marked += pages->count;
}

static void failed_blocks_of_the_final_round_are_sent_once_more_and_no_more(void **state)
{
	struct migc_source *s = at(9);

	(void)state;
	marked = 0;
	migc_source_on_failed(s, mark, NULL);
	message(s, MIGC_MSG_BLOCK_FAILED, 2);
	assert_int_equal(marked, 2);
	message(s, MIGC_MSG_ROUND_DONE, 2);
	assert_true(rig_did(&last, MIGC_ACTION_ROUND));
	assert_true(last.action[0].final);
	assert_int_equal(last.action[0].round, 3);
	round_sent(s);
	message(s, MIGC_MSG_BLOCK_FAILED, 3);
	message(s, MIGC_MSG_ROUND_DONE, 3);
	assert_true(rig_did(&last, MIGC_ACTION_RESUME_GUEST));
	migc_source_free(s);
}

static void different_digests_fail_with_the_regions_name(void **state)
{
	struct migc_msg msg = {.type = MIGC_MSG_DIGESTS};
	struct migc_source *s = at(11);

	(void)state;
	msg.digests.region_count = 1;
	msg.digests.digest[0][3] = 1;
	event_of(s, (struct migc_event){.type = MIGC_EV_MSG, .msg = &msg});
	event(s, MIGC_EV_HASHED);
	assert_true(rig_did(&last, MIGC_ACTION_RESUME_GUEST));
	assert_non_null(strstr(migc_source_error(s)->text, "ram"));
	migc_source_free(s);
}

static void an_ack_of_what_was_not_offered_is_refused(void **state)
{
	static const struct migc_msg_hello_ack bad[] = {
		{.version = 2, .block_pages = 16, .deflate_pages = 16, .codecs = 3, .workers = 1},
		{.version = 1, .block_pages = 17, .deflate_pages = 17, .codecs = 3, .workers = 1},
		{.version = 1, .block_pages = 0, .deflate_pages = 0, .codecs = 3, .workers = 1},
		{.version = 1, .block_pages = 16, .deflate_pages = 16, .codecs = 2, .workers = 1},
		{.version = 1, .block_pages = 16, .deflate_pages = 16, .codecs = 3, .workers = 0},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct migc_source *s = at(1);
		struct migc_msg msg = {.type = MIGC_MSG_HELLO_ACK};

		msg.hello_ack = bad[i];
		event_of(s, (struct migc_event){.type = MIGC_EV_MSG, .msg = &msg});
		assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_FAILED);
		migc_source_free(s);
	}
}

static void of_codecs_and_workers_the_common_part_is_used(void **state)
{
	struct migc_msg msg = {.type = MIGC_MSG_HELLO_ACK};
	struct migc_source *s = at(1);

	(void)state;
	msg.hello_ack = (struct migc_msg_hello_ack){
		.version = 1, .block_pages = 16, .deflate_pages = 16, .codecs = 0xd, .workers = 9};
	event_of(s, (struct migc_event){.type = MIGC_EV_MSG, .msg = &msg});
	assert_true(rig_did(&last, MIGC_ACTION_ATTACH));
	assert_int_equal(migc_source_ack(s)->codecs, 1);
	assert_int_equal(migc_source_ack(s)->workers, 2);
	migc_source_free(s);
}

static void failed_pages_that_do_not_exist_are_refused(void **state)
{
	static const struct migc_page_list bad[] = {
		{.region = 1, .count = 1},
		{.region = 0, .count = 0},
		{.region = 0, .count = MIGC_BLOCK_PAGES_MAX + 1},
		{.region = 0, .count = 1, .page = {1024}},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct migc_source *s = at(5);
		struct migc_msg msg = {.type = MIGC_MSG_BLOCK_FAILED};

		msg.block_failed.round = 1;
		msg.block_failed.pages = bad[i];
		marked = 0;
		migc_source_on_failed(s, mark, NULL);
		event_of(s, (struct migc_event){.type = MIGC_EV_MSG, .msg = &msg});
		assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_FAILED);
		assert_int_equal(marked, 0);
		migc_source_free(s);
	}
}

static const enum migc_event_type failures[] = {MIGC_EV_DISCONNECTED, MIGC_EV_FAILED,
						MIGC_EV_CANCEL, MIGC_EV_TIMEOUT};

/** After STOP_GUEST was asked for (place 7 on). */
static bool guest_is_stopped(unsigned int place)
{
	return place >= 7;
}

static void check_failed(struct migc_source *s, unsigned int place, bool disconnected, bool told)
{
	if (strcmp(way[place], "COMMIT") == 0) {
		if (last.count == 0) {
			/* COMMITTED may still come, for a second */
			now_ns += SECOND;
			event(s, MIGC_EV_TICK);
			now_ns -= SECOND;
		}
		assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_UNCONFIRMED);
		assert_false(rig_did(&last, MIGC_ACTION_RESUME_GUEST));
		return;
	}
	/* whoever is connected is told, but for who told us */
	assert_int_equal(rig_sent(&last, MIGC_MSG_ERROR), place > 0 && !disconnected && !told);
	assert_int_equal(rig_did(&last, MIGC_ACTION_RESUME_GUEST), guest_is_stopped(place));
	if (guest_is_stopped(place)) {
		assert_string_equal(migc_source_state(s), "RESUME");
		event(s, MIGC_EV_RESUMED);
	}
	assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_FAILED);
	assert_true(rig_did(&last, MIGC_ACTION_CLEAN_UP));
	assert_string_equal(migc_source_state(s), "END");
	event(s, MIGC_EV_FAILED);
	assert_int_equal(last.count, 0);
}

static void every_failure_in_every_state_ends_with_the_guest_running_or_status_3(void **state)
{
	(void)state;
	for (unsigned int place = 0; place < WAY - 1; place++) {
		for (unsigned int i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
			struct migc_source *s = at(place);

			event(s, failures[i]);
			check_failed(s, place, failures[i] == MIGC_EV_DISCONNECTED, false);
			migc_source_free(s);
		}
	}
}

static void an_error_of_the_peer_fails_every_state(void **state)
{
	(void)state;
	for (unsigned int place = 1; place < WAY - 1; place++) {
		struct migc_source *s = at(place);

		message(s, MIGC_MSG_ERROR, MIGC_REASON_FAILED);
		check_failed(s, place, false, true);
		assert_non_null(strstr(migc_source_error(s)->text, "because"));
		migc_source_free(s);
	}
}

static void messages_without_a_place_fail_every_state(void **state)
{
	static const enum migc_msg_type all[] = {
		MIGC_MSG_HELLO,     MIGC_MSG_HELLO_ACK,    MIGC_MSG_ATTACH,     MIGC_MSG_ATTACH_ACK,
		MIGC_MSG_ROUND_END, MIGC_MSG_ROUND_DONE,   MIGC_MSG_PUNCH,      MIGC_MSG_VERIFY,
		MIGC_MSG_DIGESTS,   MIGC_MSG_DEVICE_STATE, MIGC_MSG_DEVICE_END, MIGC_MSG_READY,
		MIGC_MSG_COMMIT,    MIGC_MSG_COMMITTED,
	};
	static const struct {
		const char *state;
		enum migc_msg_type type;
	} fits[] = {{"HELLO", MIGC_MSG_HELLO_ACK},
		    {"APPLY", MIGC_MSG_ROUND_DONE},
		    {"VERIFY", MIGC_MSG_DIGESTS},
		    {"READY", MIGC_MSG_READY},
		    {"COMMIT", MIGC_MSG_COMMITTED}};

	(void)state;
	for (unsigned int place = 1; place < WAY - 1; place++) {
		for (unsigned int i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			struct migc_source *s = at(place);
			bool has_place = false;

			for (unsigned int k = 0; k < sizeof(fits) / sizeof(fits[0]); k++)
				has_place |= strcmp(fits[k].state, way[place]) == 0 &&
					     fits[k].type == all[i];
			if (!has_place) {
				message(s, all[i], 99);
				check_failed(s, place, false, false);
			}
			migc_source_free(s);
		}
	}
}

static void states_that_wait_for_an_answer_give_up(void **state)
{
	static const char *const bounded[] = {"CONNECT", "HELLO", "ATTACH", "APPLY", "STOP",
					      "VERIFY",  "SAVE",  "READY",  "COMMIT"};

	(void)state;
	for (unsigned int place = 0; place < WAY - 1; place++) {
		struct migc_source *s = at(place);
		uint64_t before = now_ns;
		bool waits = false;

		for (unsigned int i = 0; i < sizeof(bounded) / sizeof(bounded[0]); i++)
			waits |= strcmp(bounded[i], way[place]) == 0;
		/* CONNECT has no event before it that sets its bound: the transport's serves */
		waits = waits && place > 0;
		now_ns += SECOND;
		event(s, MIGC_EV_TICK);
		assert_int_equal(last.count, 0);
		now_ns += 1000 * SECOND;
		event(s, MIGC_EV_TICK);
		if (waits)
			check_failed(s, place, false, false);
		else
			assert_int_equal(last.count, 0);
		now_ns = before;
		migc_source_free(s);
	}
}

static void not_run_after_commit_lets_the_source_run(void **state)
{
	struct migc_source *s = at(15);

	(void)state;
	message(s, MIGC_MSG_ERROR, MIGC_REASON_NOT_RUN);
	assert_true(rig_did(&last, MIGC_ACTION_RESUME_GUEST));
	event(s, MIGC_EV_RESUMED);
	assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_FAILED);
	migc_source_free(s);
}

static void what_fails_in_commit_does_not_hide_the_answer(void **state)
{
	struct migc_error error = {-ESRCH, "QEMU has gone"};
	struct migc_source *s = at(15);

	(void)state;
	event_of(s, (struct migc_event){.type = MIGC_EV_FAILED, .error = &error});
	message(s, MIGC_MSG_COMMITTED, 0);
	assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_DONE);
	assert_int_equal(migc_source_error(s)->code, 0);
	migc_source_free(s);
	s = at(15);
	event_of(s, (struct migc_event){.type = MIGC_EV_FAILED, .error = &error});
	message(s, MIGC_MSG_ERROR, MIGC_REASON_NOT_RUN);
	/* what failed before RESUME does not shorten it */
	now_ns += 2 * SECOND;
	event(s, MIGC_EV_TICK);
	now_ns -= 2 * SECOND;
	assert_string_equal(migc_source_state(s), "RESUME");
	migc_source_free(s);
	s = at(15);
	event_of(s, (struct migc_event){.type = MIGC_EV_FAILED, .error = &error});
	now_ns += SECOND;
	event(s, MIGC_EV_TICK);
	now_ns -= SECOND;
	assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_UNCONFIRMED);
	assert_non_null(strstr(migc_source_error(s)->text, "QEMU has gone"));
	migc_source_free(s);
}

static void a_guest_that_cannot_be_resumed_is_said_and_status_3(void **state)
{
	struct migc_error error = {-EIO, "QEMU says no"};
	struct migc_source *s = at(10);

	(void)state;
	event(s, MIGC_EV_CANCEL);
	event(s, MIGC_EV_DISCONNECTED);
	event(s, MIGC_EV_CANCEL);
	assert_int_equal(last.count, 0);
	/* it may be of something else: RESUMED may still come, for a second */
	event_of(s, (struct migc_event){.type = MIGC_EV_FAILED, .error = &error});
	assert_int_equal(last.count, 0);
	now_ns += SECOND - 1;
	event(s, MIGC_EV_TICK);
	assert_int_equal(last.count, 0);
	now_ns += 1;
	event(s, MIGC_EV_TICK);
	now_ns -= SECOND;
	assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_UNCONFIRMED);
	assert_non_null(strstr(migc_source_error(s)->text, "QEMU says no"));
	assert_non_null(strstr(migc_source_error(s)->text, "cancelled"));
	migc_source_free(s);
}

static void a_failure_of_something_else_does_not_hide_that_the_guest_was_resumed(void **state)
{
	struct migc_error error = {-EPIPE, "the ERROR could not be sent"};
	struct migc_source *s = at(10);

	(void)state;
	event(s, MIGC_EV_CANCEL);
	event_of(s, (struct migc_event){.type = MIGC_EV_FAILED, .error = &error});
	event(s, MIGC_EV_RESUMED);
	assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_FAILED);
	assert_false(migc_source_guest_stopped(s));
	migc_source_free(s);
}

static void own_events_nobody_asked_for_are_ignored(void **state)
{
	static const enum migc_event_type own[] = {
		MIGC_EV_CONNECTED,     MIGC_EV_ATTACHED, MIGC_EV_PREPARED, MIGC_EV_ROUND_SENT,
		MIGC_EV_SCANNED,       MIGC_EV_PUNCHED,  MIGC_EV_HASHED,   MIGC_EV_DEVICES_SAVED,
		MIGC_EV_GUEST_STOPPED, MIGC_EV_RESUMED,  MIGC_EV_CONTINUE};
	static const char *const asked[] = {"CONNECT", "ATTACH", "PREPARE", "ROUND",
					    "SCAN",    "PUNCH",  "VERIFY",  "SAVE",
					    "STOP",    "RESUME", "PAUSE"};

	(void)state;
	for (unsigned int place = 0; place < WAY; place++) {
		for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
			struct migc_source *s = at(place);

			if (strcmp(asked[i], way[place]) != 0) {
				event(s, own[i]);
				assert_int_equal(last.count, 0);
				assert_string_equal(migc_source_state(s), way[place]);
			}
			migc_source_free(s);
		}
	}
}

static void expected_downtime_grows_with_what_is_dirty_and_never_overflows(void **state)
{
	struct migc_converge_input in = {
		.last_pages = 262144, .last_ns = SECOND, .rounds = 1, .fixed_cost_ms = 60};
	uint32_t before = 0;

	(void)state;
	for (uint64_t pages = 1; pages; pages *= 2) {
		uint32_t ms;

		in.dirty_pages = pages;
		ms = migc_converge_downtime_ms(&in);
		assert_true(ms >= before || pages > UINT32_MAX);
		before = ms;
	}
	in.dirty_pages = 262144;
	assert_int_equal(migc_converge_downtime_ms(&in), 1060);
	in.dirty_pages = 0;
	assert_int_equal(migc_converge_downtime_ms(&in), 60);
	in.dirty_pages = 1;
	in.last_pages = 0;
	assert_int_equal(migc_converge_downtime_ms(&in), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_live_migration_goes_through_all_states),
		cmocka_unit_test(plain_memory_is_one_final_round_and_no_device_state),
		cmocka_unit_test(too_much_dirty_makes_another_round),
		cmocka_unit_test(pages_are_expected_to_go_as_in_the_slower_of_the_last_two_rounds),
		cmocka_unit_test(without_a_pause_device_state_follows_the_comparison_at_once),
		cmocka_unit_test(a_pause_is_left_by_continue_whatever_the_setting_is_by_then),
		cmocka_unit_test(failed_blocks_of_the_final_round_are_sent_once_more_and_no_more),
		cmocka_unit_test(different_digests_fail_with_the_regions_name),
		cmocka_unit_test(an_ack_of_what_was_not_offered_is_refused),
		cmocka_unit_test(of_codecs_and_workers_the_common_part_is_used),
		cmocka_unit_test(failed_pages_that_do_not_exist_are_refused),
		cmocka_unit_test(
			every_failure_in_every_state_ends_with_the_guest_running_or_status_3),
		cmocka_unit_test(an_error_of_the_peer_fails_every_state),
		cmocka_unit_test(messages_without_a_place_fail_every_state),
		cmocka_unit_test(states_that_wait_for_an_answer_give_up),
		cmocka_unit_test(not_run_after_commit_lets_the_source_run),
		cmocka_unit_test(what_fails_in_commit_does_not_hide_the_answer),
		cmocka_unit_test(a_guest_that_cannot_be_resumed_is_said_and_status_3),
		cmocka_unit_test(
			a_failure_of_something_else_does_not_hide_that_the_guest_was_resumed),
		cmocka_unit_test(own_events_nobody_asked_for_are_ignored),
		cmocka_unit_test(expected_downtime_grows_with_what_is_dirty_and_never_overflows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
