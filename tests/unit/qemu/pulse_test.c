/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qemu_private.h"

/** @file Pulses against a QEMU that is the test's own, in virtual time. */

#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static struct {
	uint64_t now_ns;
	bool running;
	uint64_t latency_ns; /**< of each command */
	uint64_t answer_ns; /**< when the command on its way is done */
	char command[16];
	bool refuses, dead;
	uint64_t ran_ns; /**< in all */
	unsigned int conts;
} vm;

static struct migc_qemu q;

static void pass(uint64_t ns)
{
	vm.ran_ns += vm.running ? ns : 0;
	vm.now_ns += ns;
}

static void run_command(void)
{
	bool stop = strcmp(vm.command, "stop") == 0;

	q.qmp.begun_id = 0;
	q.qmp.begun_rc = vm.refuses ? -EREMOTEIO : 0;
	vm.conts += !stop;
	if (vm.refuses || vm.running != stop)
		return;
	vm.running = !stop;
	if (stop) {
		q.qmp.stops++;
		q.qmp.stop_ns = vm.now_ns;
	} else {
		q.qmp.resumes++;
		q.qmp.resume_ns = vm.now_ns;
	}
}

int qmp_begin(struct qmp *qmp, const char *command, struct migc_error *err)
{
	(void)err;
	assert_int_equal(qmp->begun_id, 0);
	qmp->begun_id = 1;
	vm.answer_ns = vm.now_ns + vm.latency_ns;
	snprintf(vm.command, sizeof(vm.command), "%s", command);
	return 0;
}

int qmp_poll(struct qmp *qmp, struct migc_error *err)
{
	if (vm.dead)
		return migc_error_set(err, -ESRCH, "gone");
	if (qmp->begun_id && vm.now_ns >= vm.answer_ns)
		run_command();
	return 0;
}

int qmp_finish(struct qmp *qmp, struct migc_error *err)
{
	while (qmp->begun_id) {
		int rc = qmp_poll(qmp, err);

		if (rc != 0)
			return rc;
		pass(MS / 10);
	}
	return qmp->begun_rc;
}

void qmp_idle(const struct qmp *qmp)
{
	(void)qmp;
	pass(MS);
}

uint64_t qmp_now_ns(void)
{
	return vm.now_ns;
}

int qemu_run_state(struct migc_qemu *qemu, char *status, size_t capacity, struct migc_error *err)
{
	(void)qemu;
	(void)err;
	snprintf(status, capacity, "%s", vm.running ? "running" : "paused");
	return 0;
}

/* ---- the test's hands ---- */

static void begin(void)
{
	static struct qemu_changes changes;

	memset(&vm, 0, sizeof(vm));
	memset(&q, 0, sizeof(q));
	memset(&changes, 0, sizeof(changes));
	q.changes = &changes;
	vm.now_ns = SECOND;
	vm.running = true;
	vm.latency_ns = 2 * MS;
}

static void stop_by_hand(void)
{
	vm.running = false;
	q.qmp.stops++;
	q.qmp.stop_ns = vm.now_ns;
}

static void cont_by_hand(void)
{
	vm.running = true;
	q.qmp.resumes++;
	q.qmp.resume_ns = vm.now_ns;
}

/** Polled each 2 ms, as the main lcore does. */
static void run_for(uint64_t ns)
{
	uint64_t end = vm.now_ns + ns;
	struct migc_error err = {0};

	while (vm.now_ns < end) {
		assert_int_equal(qemu_pulse_poll(&q, vm.now_ns, &err), 0);
		/* whoever outlives us knows */
		assert_true(vm.running || q.changes->held || q.pulse.phase == PULSE_FOREIGN ||
			    q.pulse.phase == PULSE_RUNS);
		pass(2 * MS);
	}
}

static void run_until_it(bool runs)
{
	struct migc_error err = {0};

	while (vm.running != runs) {
		assert_int_equal(qemu_pulse_poll(&q, vm.now_ns, &err), 0);
		pass(MS);
	}
}

static void start(unsigned int percent)
{
	struct migc_error err = {0};

	assert_int_equal(qemu_pulse_start(&q, percent, &err), 0);
}

/* ---- tests ---- */

static void the_guest_runs_what_is_left_to_it(void **state)
{
	static const unsigned int percent[] = {20, 30, 50, 70, 90, 99};
	static const uint64_t latency_ms[] = {0, 1, 9};

	(void)state;
	for (unsigned int i = 0; i < sizeof(percent) / sizeof(percent[0]); i++) {
		for (unsigned int k = 0; k < 3; k++) {
			uint64_t least, most;

			begin();
			vm.latency_ns = latency_ms[k] * MS;
			start(percent[i]);
			run_for(60 * SECOND);
			least = (100 - percent[i]) * 600 * MS;
			/* while cont is on its way it stands, while stop is it runs: a slice at
			 * least */
			most = least + least / 20 + q.pulse.pulses * (latency_ms[k] + 4) * MS;
			assert_true(vm.ran_ns >= least * 9 / 10);
			assert_true(vm.ran_ns <= most);
			assert_true(q.pulse.pulses >= 50);
		}
	}
}

static void another_percentage_holds_from_the_next_pulse_on(void **state)
{
	uint64_t ran;

	(void)state;
	begin();
	start(20);
	run_for(SECOND);
	start(90);
	run_for(SECOND);
	ran = vm.ran_ns;
	run_for(10 * SECOND);
	assert_in_range(vm.ran_ns - ran, 800 * MS, 2000 * MS);
}

static void the_end_lets_it_run_whenever_it_comes(void **state)
{
	struct migc_error err = {0};

	(void)state;
	for (uint64_t at = 0; at < 500 * MS; at += 3 * MS) {
		begin();
		vm.latency_ns = 7 * MS;
		start(50);
		run_for(at);
		assert_int_equal(qemu_pulse_end(&q, &err), 0);
		assert_true(vm.running);
		assert_false(q.changes->held);
		run_for(SECOND);
		assert_true(vm.running);
	}
}

static void who_stopped_it_meanwhile_continues_it(void **state)
{
	struct migc_error err = {0};
	bool held;

	(void)state;
	begin();
	start(20);
	run_until_it(false);
	run_until_it(true);
	stop_by_hand();
	vm.conts = 0;
	run_for(2 * SECOND);
	assert_false(vm.running);
	assert_int_equal(qemu_pulse_hold(&q, &held, &err), 0);
	assert_false(held);
	assert_int_equal(qemu_pulse_end(&q, &err), 0);
	assert_false(vm.running);
	assert_int_equal(vm.conts, 0);
}

/** Our stop is on its way when somebody else's comes first. */
static void a_stop_that_came_too_late_is_not_ours(void **state)
{
	struct migc_error err = {0};

	(void)state;
	begin();
	vm.latency_ns = 20 * MS;
	start(20);
	assert_int_equal(qemu_pulse_poll(&q, vm.now_ns, &err), 0);
	assert_int_equal(q.pulse.phase, PULSE_STOPPING);
	/* its event came before we said stop: the counters know of it, the guest stands */
	vm.running = false;
	run_for(SECOND);
	assert_false(vm.running);
	assert_false(q.changes->held);
	assert_int_equal(vm.conts, 0);
}

static void after_somebody_elses_cont_it_goes_on(void **state)
{
	uint64_t ran;

	(void)state;
	begin();
	start(50);
	run_until_it(false);
	run_until_it(true);
	stop_by_hand();
	run_for(SECOND);
	cont_by_hand();
	ran = vm.ran_ns;
	run_for(10 * SECOND);
	assert_in_range(vm.ran_ns - ran, 4 * SECOND, 6 * SECOND);
	/* and in a pulse it only ends that */
	run_until_it(false);
	cont_by_hand();
	run_for(10 * MS);
	assert_true(vm.running);
	assert_false(q.changes->held);
}

static void a_guest_that_stands_already_is_left_alone(void **state)
{
	(void)state;
	begin();
	vm.running = false;
	start(20);
	run_for(2 * SECOND);
	assert_false(vm.running);
	assert_int_equal(vm.conts, 0);
	assert_false(q.changes->held);
}

static void held_for_the_switchover_it_ran_just_before(void **state)
{
	struct migc_error err = {0};

	(void)state;
	for (uint64_t at = 0; at < 2500 * MS; at += 17 * MS) {
		bool held;

		begin();
		start(99);
		run_for(at);
		assert_int_equal(qemu_pulse_hold(&q, &held, &err), 0);
		assert_true(held);
		assert_false(vm.running);
		assert_true(vm.now_ns - q.qmp.stop_ns < 20 * MS);
		assert_int_equal(q.pulse.phase, PULSE_OFF);
		assert_true(q.changes->held);
	}
}

static void without_pulses_nothing_is_held(void **state)
{
	struct migc_error err = {0};
	bool held = true;

	(void)state;
	begin();
	assert_int_equal(qemu_pulse_hold(&q, &held, &err), 0);
	assert_false(held);
	assert_true(vm.running);
}

static void refusals_are_borne_and_told(void **state)
{
	struct migc_error err = {0};
	int rc = 0;

	(void)state;
	begin();
	start(20);
	vm.refuses = true;
	run_for(3 * SECOND);
	assert_true(vm.running);
	assert_false(q.changes->held);
	vm.refuses = false;
	run_until_it(false);
	vm.refuses = true;
	for (unsigned int i = 0; i < 1000 && rc == 0; i++) {
		rc = qemu_pulse_poll(&q, vm.now_ns, &err);
		pass(MS);
	}
	assert_int_equal(rc, -EIO);
	assert_true(q.changes->held);
	vm.refuses = false;
	memset(&err, 0, sizeof(err));
	assert_int_equal(qemu_pulse_end(&q, &err), 0);
	assert_true(vm.running);
	start(20);
	vm.dead = true;
	assert_int_equal(qemu_pulse_poll(&q, vm.now_ns, &err), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_guest_runs_what_is_left_to_it),
		cmocka_unit_test(another_percentage_holds_from_the_next_pulse_on),
		cmocka_unit_test(the_end_lets_it_run_whenever_it_comes),
		cmocka_unit_test(who_stopped_it_meanwhile_continues_it),
		cmocka_unit_test(a_stop_that_came_too_late_is_not_ours),
		cmocka_unit_test(after_somebody_elses_cont_it_goes_on),
		cmocka_unit_test(a_guest_that_stands_already_is_left_alone),
		cmocka_unit_test(held_for_the_switchover_it_ran_just_before),
		cmocka_unit_test(without_pulses_nothing_is_held),
		cmocka_unit_test(refusals_are_borne_and_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
