/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>
#include <unistd.h>

#include "qemu_pair.h"

static const char *const words[] = {FILE_MEMORY, NULL};

static struct vm source;

static int end(void **state)
{
	(void)state;
	vm_end(&source);
	return 0;
}

static void pass(unsigned int ms)
{
	const struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&time, NULL);
}

static struct migc_qemu_throttle poll_throttle(unsigned int ms)
{
	struct migc_qemu_throttle stats;
	struct migc_error err = {0};
	struct timespec now;

	for (unsigned int i = 0; i < ms / 2; i++) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (migc_qemu_throttle_poll(source.qemu,
					    (uint64_t)now.tv_sec * UINT64_C(1000000000) +
						    (uint64_t)now.tv_nsec,
					    &err) != 0)
			fail_msg("%s", err.text);
		pass(2);
	}
	migc_qemu_throttle_stats(source.qemu, &stats);
	return stats;
}

static void slowed_down_it_stands_and_runs_and_is_let_go(void **state)
{
	struct migc_qemu_throttle stats;
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, words, false);
	assert_int_equal(migc_qemu_throttle(source.qemu, 50, MIB(100), &err), 0);
	stats = poll_throttle(1500);
	assert_int_equal(stats.method, MIGC_QEMU_THROTTLE_PULSES);
	assert_true(stats.pulses >= 2);
	assert_true(stats.stood_ms > 0);
	migc_qemu_restore(source.qemu);
	assert_true(vm_runs(&source));
	/* for good */
	poll_throttle(500);
	assert_true(vm_runs(&source));
	assert_int_equal(poll_throttle(2).percent, 50);
}

static void not_slowed_down_any_more_it_runs_and_says_so(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, words, false);
	assert_int_equal(migc_qemu_throttle(source.qemu, 50, MIB(100), &err), 0);
	assert_int_equal(poll_throttle(700).percent, 50);
	assert_int_equal(migc_qemu_throttle(source.qemu, 0, 0, &err), 0);
	assert_true(vm_runs(&source));
	assert_int_equal(poll_throttle(500).percent, 0);
	assert_true(vm_runs(&source));
}

/** In the switchover it stands since our stop, and failing lets it run. */
static void slowed_down_its_switchover_can_be_given_up(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, words, false);
	vm_discover(&source);
	assert_int_equal(migc_qemu_throttle(source.qemu, 90, MIB(100), &err), 0);
	poll_throttle(700);
	vm_reach_pre_switchover(&source);
	assert_false(vm_runs(&source));
	if (migc_qemu_resume(source.qemu, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(vm_runs(&source));
}

static void a_dirty_limit_is_set_where_there_can_be_one_and_cancelled(void **state)
{
	static const char *const with_ring[] = {
		"-accel", "kvm,dirty-ring-size=4096", "-cpu", "qemu64", FILE_MEMORY, NULL};
	struct migc_qemu_throttle stats;
	struct migc_error err = {0};

	(void)state;
	if (access("/dev/kvm", R_OK | W_OK) != 0) {
		print_message("SKIPPED: no KVM\n");
		skip();
	}
	vm_begin(&source, with_ring, false);
	assert_int_equal(migc_qemu_throttle(source.qemu, 60, MIB(100), &err), 0);
	migc_qemu_throttle_stats(source.qemu, &stats);
	if (stats.method != MIGC_QEMU_THROTTLE_DIRTY_LIMIT) {
		print_message("SKIPPED: this KVM has no dirty ring\n");
		skip();
	}
	assert_true(vm_says(&source, "query-vcpu-dirty-limit", "{}", "\"limit-rate\": 40"));
	assert_int_equal(migc_qemu_throttle(source.qemu, 99, MIB(100), &err), 0);
	assert_true(vm_says(&source, "query-vcpu-dirty-limit", "{}", "\"limit-rate\": 1,"));
	migc_qemu_throttle_stats(source.qemu, &stats);
	assert_int_equal(stats.pulses, 0);
	migc_qemu_restore(source.qemu);
	assert_false(vm_says(&source, "query-vcpu-dirty-limit", "{}", "limit-rate"));
}

#define TEST(name) cmocka_unit_test_teardown(name, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(slowed_down_it_stands_and_runs_and_is_let_go),
		TEST(not_slowed_down_any_more_it_runs_and_says_so),
		TEST(slowed_down_its_switchover_can_be_given_up),
		TEST(a_dirty_limit_is_set_where_there_can_be_one_and_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
