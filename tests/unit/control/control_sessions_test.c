/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migc_control.h"

#define SECOND UINT64_C(1000000000)

struct rig {
	struct migc_control *control;
	struct migc_control_session *a, *b;
	struct migc_control_view view;
	struct migc_error err;
	uint64_t ticket;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	*state = r;
	assert_int_equal(migc_control_create(&r->control, &r->err), 0);
	assert_int_equal(migc_control_add(r->control, "a", true, &r->a), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	migc_control_remove(r->a);
	migc_control_remove(r->b);
	migc_control_free(r->control);
	free(r);
	return 0;
}

static int post(struct rig *r, const char *guest)
{
	const struct migc_order order = {.type = MIGC_ORDER_CANCEL};

	memset(&r->err, 0, sizeof(r->err));
	return migc_control_post(r->control, guest, &order, &r->ticket, &r->err);
}

static void what_is_published_is_seen_and_the_rate_is_of_the_last_second(void **state)
{
	struct migc_report *report = calloc(1, sizeof(*report));
	struct migc_settings settings = {.downtime_limit_ms = 42};
	struct rig *r = *state;

	assert_true(migc_control_next(r->control, 0, &r->view));
	assert_string_equal(r->view.guest, "a");
	assert_string_equal(r->view.report.status, "setup");
	assert_false(migc_control_next(r->control, r->view.id, &r->view));
	report->network.wire_bytes = 1000000;
	migc_control_publish(r->a, report, &settings, SECOND);
	report->network.wire_bytes = 3000000;
	migc_control_publish(r->a, report, &settings, 3 * SECOND);
	assert_true(migc_control_next(r->control, 0, &r->view));
	assert_int_equal(r->view.wire_bits_per_s, 8000000);
	assert_int_equal(r->view.settings.downtime_limit_ms, 42);
	/* too soon to be measured again */
	report->network.wire_bytes = 90000000;
	migc_control_publish(r->a, report, &settings, 3 * SECOND + SECOND / 2);
	assert_true(migc_control_next(r->control, 0, &r->view));
	assert_int_equal(r->view.wire_bits_per_s, 8000000);
	assert_int_equal(r->view.report.network.wire_bytes, 90000000);
	free(report);
}

static void an_order_is_taken_once_and_answered(void **state)
{
	const struct migc_error no = {-EINVAL, "no"};
	struct rig *r = *state;
	struct migc_order order;

	assert_false(migc_control_take(r->a, &order));
	assert_int_equal(post(r, ""), 0);
	assert_false(migc_control_answered(r->control, r->ticket, &r->err));
	assert_true(migc_control_take(r->a, &order));
	assert_int_equal(order.type, MIGC_ORDER_CANCEL);
	assert_false(migc_control_take(r->a, &order));
	assert_false(migc_control_answered(r->control, r->ticket, &r->err));
	/* one at a time */
	uint64_t first = r->ticket;
	assert_int_equal(post(r, "a"), -EBUSY);
	migc_control_answer(r->a, &no);
	assert_true(migc_control_answered(r->control, first, &r->err));
	assert_string_equal(r->err.text, "no");
	assert_int_equal(post(r, "a"), 0);
}

static void an_answer_nobody_waits_for_makes_room_for_the_next_order(void **state)
{
	const struct migc_error done = {0};
	struct rig *r = *state;
	struct migc_order order;

	assert_int_equal(post(r, "a"), 0);
	migc_control_forget(r->control, r->ticket);
	assert_true(migc_control_take(r->a, &order));
	migc_control_answer(r->a, &done);
	assert_int_equal(post(r, "a"), 0);
	assert_true(migc_control_take(r->a, &order));
	migc_control_answer(r->a, &done);
	migc_control_forget(r->control, r->ticket);
	assert_int_equal(post(r, "a"), 0);
}

static void guests_are_told_apart_by_name(void **state)
{
	struct migc_control_session *again;
	struct rig *r = *state;
	struct migc_order order;

	assert_int_equal(migc_control_add(r->control, "a", true, &again), -EEXIST);
	assert_int_equal(migc_control_add(r->control, "b \n", false, &r->b), 0);
	assert_int_equal(post(r, ""), -EEXIST);
	assert_int_equal(post(r, "c"), -ENOENT);
	assert_int_equal(post(r, "b__"), 0);
	assert_false(migc_control_take(r->a, &order));
	assert_true(migc_control_take(r->b, &order));
	assert_true(migc_control_next(r->control, 0, &r->view));
	assert_string_equal(r->view.guest, "a");
	assert_true(migc_control_next(r->control, r->view.id, &r->view));
	assert_string_equal(r->view.guest, "b__");
	assert_false(r->view.source);
}

static void an_order_to_a_migration_that_ends_is_refused(void **state)
{
	struct rig *r = *state;

	assert_int_equal(post(r, "a"), 0);
	migc_control_remove(r->a);
	r->a = NULL;
	assert_true(migc_control_answered(r->control, r->ticket, &r->err));
	assert_int_equal(r->err.code, -ESRCH);
	assert_int_equal(post(r, ""), -ENOENT);
	assert_false(migc_control_next(r->control, 0, &r->view));
}

static void there_is_room_for_so_many_and_no_more(void **state)
{
	struct migc_control_session *all[MIGC_CONTROL_SESSIONS_MAX];
	struct rig *r = *state;
	char name[8];

	for (unsigned int i = 1; i < MIGC_CONTROL_SESSIONS_MAX; i++) {
		snprintf(name, sizeof(name), "g%u", i);
		assert_int_equal(migc_control_add(r->control, name, true, &all[i]), 0);
	}
	assert_int_equal(migc_control_add(r->control, "more", true, &all[0]), -ENOSPC);
	for (unsigned int i = 1; i < MIGC_CONTROL_SESSIONS_MAX; i++)
		migc_control_remove(all[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			what_is_published_is_seen_and_the_rate_is_of_the_last_second, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(an_order_is_taken_once_and_answered, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			an_answer_nobody_waits_for_makes_room_for_the_next_order, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(guests_are_told_apart_by_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_order_to_a_migration_that_ends_is_refused,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_is_room_for_so_many_and_no_more, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
