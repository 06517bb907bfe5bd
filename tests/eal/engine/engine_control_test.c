/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "../../unit/session/source_way.h"
#include "engine.h"

/** @file Orders and timeouts as they meet the session in each state. Nothing of EAL is used. */

static uint64_t limited_to; /**< by engine_limit_bandwidth() */

void engine_limit_bandwidth(struct engine *e, uint64_t bits_per_s)
{
	(void)e;
	limited_to = bits_per_s;
}

struct rig {
	struct engine e;
	struct migc_engine_config config;
	struct migc_report report;
	volatile sig_atomic_t cancel;
	struct migc_control *control;
	struct migc_control_session *session;
	struct event_queue events;
	struct migc_error refusal;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct migc_error err = {0};

	assert_int_equal(migc_control_create(&r->control, &err), 0);
	assert_int_equal(migc_control_add(r->control, "vm", true, &r->session), 0);
	r->config.cancel = &r->cancel;
	r->config.control = r->session;
	r->e.config = &r->config;
	r->e.report = &r->report;
	r->e.settings.downtime_limit_ms = 300;
	r->e.begin_ns = 1;
	*state = r;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	migc_control_remove(r->session);
	migc_control_free(r->control);
	free(r);
	return 0;
}

/** @return the event that a turn made, or MIGC_EV_TICK: none. */
static enum migc_event_type turn(struct rig *r, struct migc_source *s, uint64_t at_ns)
{
	struct migc_event e;

	engine_control_source(&r->e, s, &r->events, at_ns);
	return event_queue_take(&r->events, &e) ? e.type : MIGC_EV_TICK;
}

static enum migc_event_type order(struct rig *r, struct migc_source *s,
				  const struct migc_order *order)
{
	enum migc_event_type event;
	struct migc_error err = {0};
	uint64_t ticket;

	assert_int_equal(migc_control_post(r->control, "", order, &ticket, &err), 0);
	event = turn(r, s, SECOND);
	memset(&r->refusal, 0, sizeof(r->refusal));
	assert_true(migc_control_answered(r->control, ticket, &r->refusal));
	return event;
}

static void cancel_is_taken_in_every_state_before_commit(void **state)
{
	const struct migc_order cancel = {.type = MIGC_ORDER_CANCEL};
	struct rig *r = *state;

	for (unsigned int place = 0; place < WAY; place++) {
		struct migc_source *s = at(place);
		bool late = strcmp(way[place], "COMMIT") == 0 || strcmp(way[place], "END") == 0;

		r->e.cancelled = false;
		assert_int_equal(order(r, s, &cancel), late ? MIGC_EV_TICK : MIGC_EV_CANCEL);
		assert_int_equal(r->refusal.code, late ? -EBUSY : 0);
		assert_int_equal(r->e.cancelled, !late);
		/* once is enough */
		assert_int_equal(order(r, s, &cancel), MIGC_EV_TICK);
		migc_source_free(s);
	}
}

static void continue_is_taken_in_pause_only(void **state)
{
	const struct migc_order go_on = {.type = MIGC_ORDER_CONTINUE};
	struct rig *r = *state;

	for (unsigned int place = 0; place < WAY - 1; place++) {
		struct migc_source *s = at(place);
		bool paused = strcmp(way[place], "PAUSE") == 0;

		assert_int_equal(order(r, s, &go_on), paused ? MIGC_EV_CONTINUE : MIGC_EV_TICK);
		assert_int_equal(r->refusal.code, paused ? 0 : -EINVAL);
		assert_true(paused || strstr(r->refusal.text, way[place]) != NULL);
		migc_source_free(s);
	}
}

static void what_is_set_is_in_force_and_shown_when_it_is_answered(void **state)
{
	const struct migc_order change = {
		.type = MIGC_ORDER_SET,
		.change = {.given = (1u << MIGC_SETTINGS) - 1,
			   .to = {.downtime_limit_ms = 2000000,
				  .max_bandwidth_bits = 12345,
				  .timeout_s = 7}},
	};
	struct migc_control_view *view = calloc(1, sizeof(*view));
	struct migc_source *s = at(6);
	struct rig *r = *state;

	assert_int_equal(order(r, s, &change), MIGC_EV_TICK);
	assert_int_equal(r->refusal.code, 0);
	assert_int_equal(limited_to, 12345);
	assert_true(migc_control_next(r->control, 0, view));
	assert_int_equal(view->settings.timeout_s, 7);
	/* too much for 300 ms */
	scanned(s, 100000);
	assert_true(rig_did(&last, MIGC_ACTION_STOP_GUEST));
	migc_source_free(s);
	free(view);
}

static void a_timeout_counts_from_the_start_and_may_be_put_off(void **state)
{
	const struct migc_order later = {
		.type = MIGC_ORDER_SET,
		.change = {.given = 1u << MIGC_SETTING_TIMEOUT, .to = {.timeout_s = 100}},
	};
	struct migc_source *s = at(6);
	struct rig *r = *state;

	r->e.settings.timeout_s = 10;
	assert_int_equal(turn(r, s, 10 * SECOND), MIGC_EV_TICK);
	assert_int_equal(turn(r, s, 11 * SECOND), MIGC_EV_TIMEOUT);
	assert_int_equal(turn(r, s, 12 * SECOND), MIGC_EV_TICK);
	/* suspend: the limit is lifted, until there is more time */
	r->e.timed_out = false;
	r->e.settings.timeout_suspends = true;
	assert_int_equal(turn(r, s, 13 * SECOND), MIGC_EV_TICK);
	assert_true(r->e.timed_out);
	assert_int_equal(order(r, s, &later), MIGC_EV_TICK);
	scanned(s, 100000);
	assert_true(rig_did(&last, MIGC_ACTION_ROUND));
	migc_source_free(s);
}

static void a_timeout_that_suspended_cancels_when_it_is_to(void **state)
{
	const struct migc_order cancel = {
		.type = MIGC_ORDER_SET,
		.change = {.given = 1u << MIGC_SETTING_TIMEOUT_ACTION,
			   .to = {.timeout_suspends = false}},
	};
	struct migc_source *s = at(6);
	struct rig *r = *state;

	r->e.settings.timeout_s = 10;
	r->e.settings.timeout_suspends = true;
	assert_int_equal(turn(r, s, 11 * SECOND), MIGC_EV_TICK);
	assert_true(r->e.timed_out);
	assert_int_equal(order(r, s, &cancel), MIGC_EV_TICK);
	assert_int_equal(turn(r, s, 12 * SECOND), MIGC_EV_TIMEOUT);
	migc_source_free(s);
}

static void a_timeout_does_not_come_between_commit_and_its_answer(void **state)
{
	struct rig *r = *state;

	r->e.settings.timeout_s = 10;
	for (unsigned int place = 0; place < WAY - 1; place++) {
		struct migc_source *s = at(place);
		bool late = strcmp(way[place], "COMMIT") == 0;

		r->e.timed_out = false;
		assert_int_equal(turn(r, s, 12 * SECOND), late ? MIGC_EV_TICK : MIGC_EV_TIMEOUT);
		migc_source_free(s);
	}
}

static void a_signal_cancels_and_a_receiver_can_be_cancelled_and_not_set(void **state)
{
	struct migc_order given = {.type = MIGC_ORDER_SET};
	struct migc_error err = {0};
	struct rig *r = *state;
	struct migc_event e;
	uint64_t ticket;

	assert_int_equal(migc_control_post(r->control, "", &given, &ticket, &err), 0);
	engine_control_destination(&r->e, "RECEIVE", &r->events);
	assert_true(migc_control_answered(r->control, ticket, &r->refusal));
	assert_int_equal(r->refusal.code, -EINVAL);
	assert_false(event_queue_take(&r->events, &e));
	r->cancel = 1;
	engine_control_destination(&r->e, "RECEIVE", &r->events);
	assert_true(event_queue_take(&r->events, &e));
	assert_int_equal(e.type, MIGC_EV_CANCEL);
	engine_control_destination(&r->e, "RECEIVE", &r->events);
	assert_false(event_queue_take(&r->events, &e));
}

static void a_receiver_that_was_told_to_start_the_vm_is_not_cancelled(void **state)
{
	const struct migc_order cancel = {.type = MIGC_ORDER_CANCEL};
	struct migc_error err = {0};
	struct rig *r = *state;
	unsigned int refused = 0;
	const char *name;
	uint64_t ticket;

	for (unsigned int i = 0; (name = migc_destination_state_name(i)) != NULL; i++) {
		bool late = strcmp(name, "RUN") == 0 || strcmp(name, "COMMITTED") == 0 ||
			    strcmp(name, "END") == 0;
		struct migc_event e;

		r->e.cancelled = false;
		assert_int_equal(migc_control_post(r->control, "", &cancel, &ticket, &err), 0);
		engine_control_destination(&r->e, name, &r->events);
		memset(&r->refusal, 0, sizeof(r->refusal));
		assert_true(migc_control_answered(r->control, ticket, &r->refusal));
		assert_int_equal(r->refusal.code, late ? -EBUSY : 0);
		assert_int_equal(event_queue_take(&r->events, &e), !late);
		refused += late;
	}
	assert_int_equal(refused, 3);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(cancel_is_taken_in_every_state_before_commit),
		RIGGED(continue_is_taken_in_pause_only),
		RIGGED(what_is_set_is_in_force_and_shown_when_it_is_answered),
		RIGGED(a_timeout_counts_from_the_start_and_may_be_put_off),
		RIGGED(a_timeout_that_suspended_cancels_when_it_is_to),
		RIGGED(a_timeout_does_not_come_between_commit_and_its_answer),
		RIGGED(a_receiver_that_was_told_to_start_the_vm_is_not_cancelled),
		RIGGED(a_signal_cancels_and_a_receiver_can_be_cancelled_and_not_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
