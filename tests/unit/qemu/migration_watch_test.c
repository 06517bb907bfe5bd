/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "qemu_private.h"

/** @file When QEMU is asked how its migration is, in virtual time. */

#define MS UINT64_C(1000000)

static struct migc_qemu q;
static uint64_t now_ns;
static unsigned int coming; /* MIGRATION events that are read next */
static bool closed;

uint64_t qmp_now_ns(void)
{
	return now_ns;
}

int qmp_poll(struct qmp *qmp, struct migc_error *err)
{
	qmp->migrations += coming;
	coming = 0;
	return closed ? migc_error_set(err, -ESRCH, "closed") : 0;
}

static int set_up(void **state)
{
	(void)state;
	q = (struct migc_qemu){.qmp.migrations = 3};
	now_ns = 1000 * MS;
	coming = 0;
	closed = false;
	qemu_migration_watch(&q);
	return 0;
}

static void an_event_is_asked_about_once(void **state)
{
	(void)state;
	assert_false(qemu_migration_moved(&q));
	for (unsigned int events = 1; events < 3; events++) {
		coming = events;
		assert_true(qemu_migration_moved(&q));
		assert_false(qemu_migration_moved(&q));
	}
}

static void an_event_that_was_read_with_an_answer_counts(void **state)
{
	(void)state;
	q.qmp.migrations++;
	assert_true(qemu_migration_moved(&q));
	assert_false(qemu_migration_moved(&q));
}

static void events_of_before_are_none(void **state)
{
	(void)state;
	q.qmp.migrations++;
	qemu_migration_watch(&q);
	assert_false(qemu_migration_moved(&q));
}

static void without_events_it_is_asked_each_20_ms(void **state)
{
	unsigned int asked = 0;

	(void)state;
	for (unsigned int ms = 0; ms < 1000; ms++) {
		now_ns += MS;
		asked += qemu_migration_moved(&q);
	}
	assert_int_equal(asked, 50);
}

static void a_socket_that_has_closed_is_asked_at_once(void **state)
{
	(void)state;
	closed = true;
	assert_true(qemu_migration_moved(&q));
	assert_true(qemu_migration_moved(&q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_event_is_asked_about_once, set_up),
		cmocka_unit_test_setup(an_event_that_was_read_with_an_answer_counts, set_up),
		cmocka_unit_test_setup(events_of_before_are_none, set_up),
		cmocka_unit_test_setup(without_events_it_is_asked_each_20_ms, set_up),
		cmocka_unit_test_setup(a_socket_that_has_closed_is_asked_at_once, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
