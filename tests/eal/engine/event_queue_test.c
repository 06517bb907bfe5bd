/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "event_queue.h"

static struct event_queue queue;

static void events_come_out_in_order(void **state)
{
	struct migc_event event;

	(void)state;
	memset(&queue, 0, sizeof(queue));
	for (unsigned int round = 0; round < 100; round++) {
		event_queue_add(&queue, MIGC_EV_TICK)->pages = round;
		event_queue_add(&queue, MIGC_EV_CANCEL)->pages = round;
		assert_true(event_queue_take(&queue, &event));
		assert_int_equal(event.type, MIGC_EV_TICK);
		assert_int_equal(event.pages, round);
		assert_true(event_queue_take(&queue, &event));
		assert_int_equal(event.type, MIGC_EV_CANCEL);
	}
	assert_false(event_queue_take(&queue, &event));
}

static void an_event_has_its_own_copy_of_the_error(void **state)
{
	struct migc_error error = {-EPIPE, "first"};
	struct migc_event event;

	(void)state;
	memset(&queue, 0, sizeof(queue));
	event_queue_error(&queue, MIGC_EV_FAILED, &error);
	event_queue_text(&queue, MIGC_EV_DISCONNECTED, -EIO, "second");
	strcpy(error.text, "changed");
	assert_true(event_queue_take(&queue, &event));
	assert_string_equal(event.error->text, "first");
	assert_int_equal(event.error->code, -EPIPE);
	assert_true(event_queue_take(&queue, &event));
	assert_string_equal(event.error->text, "second");
	assert_int_equal(event.error->code, -EIO);
}

static void a_full_queue_keeps_what_came_first(void **state)
{
	struct migc_event event;
	unsigned int taken = 0;

	(void)state;
	memset(&queue, 0, sizeof(queue));
	event_queue_text(&queue, MIGC_EV_FAILED, -EIO, "the cause");
	for (unsigned int i = 0; i < 3 * EVENT_QUEUE_MAX; i++)
		event_queue_add(&queue, MIGC_EV_TICK);
	assert_true(event_queue_take(&queue, &event));
	assert_int_equal(event.type, MIGC_EV_FAILED);
	assert_string_equal(event.error->text, "the cause");
	while (event_queue_take(&queue, &event))
		taken++;
	assert_int_equal(taken, EVENT_QUEUE_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_out_in_order),
		cmocka_unit_test(an_event_has_its_own_copy_of_the_error),
		cmocka_unit_test(a_full_queue_keeps_what_came_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
