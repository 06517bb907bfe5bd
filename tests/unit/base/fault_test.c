/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "migc_fault.h"

static struct migc_faults of(const char *kind, const char *value)
{
	struct migc_faults faults = {0};

	if (migc_fault_parse(kind, value, &faults) != 0)
		fail_msg("%s=%s is refused", kind, value);
	assert_int_equal(faults.count, 1);
	return faults;
}

static void what_can_strike_is_taken(void **state)
{
	struct migc_faults faults = of("cut", "STOP/ROUND:10");

	(void)state;
	assert_int_equal(faults.fault[0].kind, MIGC_FAULT_CUT);
	assert_int_equal(faults.fault[0].seconds, 10);
	assert_string_equal(faults.fault[0].where, "STOP/ROUND");
	faults = of("cut", "READY");
	assert_int_equal(faults.fault[0].seconds, 0);
	of("stop", "READY");
	of("stop", "migrate-continue");
	of("qmp-close", "READY");
	of("qmp-close", "RESUME/cont");
	of("qmp-error", "END/migrate_cancel");
}

static void what_cannot_strike_is_refused(void **state)
{
	static const struct {
		const char *kind, *value;
		int rc;
	} bad[] = {
		{"cuts", "READY", -ENOENT},
		{"", "READY", -ENOENT},
		{"cut", "", -EINVAL},
		{"cut", ":1", -EINVAL},
		{"cut", "READY:", -EINVAL},
		{"cut", "READY:0", -EINVAL},
		{"cut", "READY:1s", -EINVAL},
		{"cut", "READY:86401", -EINVAL},
		{"cut", "READY:1:1", -EINVAL},
		{"cut", "cont", -EINVAL},
		{"cut", "READY/", -EINVAL},
		{"cut", "/READY", -EINVAL},
		{"cut", "STOP//READY", -EINVAL},
		{"stop", "READY:1", -EINVAL},
		{"stop", "Ready", -EINVAL},
		{"stop", "READY ", -EINVAL},
		{"qmp-error", "READY", -EINVAL},
		{"qmp-error", "cont/READY", -EINVAL},
		{"stop", "STOP/STOP/STOP/STOP/STOP/STOP/STOP/STOP/STOP/STOP/STOP/STOP/STOP/READY",
		 -EINVAL},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct migc_faults faults = {0};
		int rc = migc_fault_parse(bad[i].kind, bad[i].value, &faults);

		if (rc != bad[i].rc || faults.count != 0)
			fail_msg("%s=%s: %d", bad[i].kind, bad[i].value, rc);
	}
}

static void there_is_room_for_a_few(void **state)
{
	struct migc_faults faults = {0};

	(void)state;
	for (unsigned int i = 0; i < MIGC_FAULTS_MAX; i++)
		assert_int_equal(migc_fault_parse("stop", "READY", &faults), 0);
	assert_int_equal(migc_fault_parse("stop", "READY", &faults), -ENOSPC);
	assert_int_equal(migc_faults_reach(&faults, "READY"), UINT32_MAX);
}

static void a_fault_strikes_once_and_in_order(void **state)
{
	struct migc_faults faults = of("stop", "STOP/ROUND");

	(void)state;
	assert_int_equal(migc_fault_parse("qmp-error", "cont", &faults), 0);
	assert_int_equal(migc_faults_reach(&faults, "ROUND"), 0);
	assert_int_equal(migc_faults_reach(&faults, "STOP"), 0);
	assert_int_equal(migc_faults_reach(&faults, "STOP"), 0);
	assert_int_equal(migc_faults_reach(&faults, "ROUNDS"), 0);
	assert_int_equal(migc_faults_reach(&faults, ""), 0);
	assert_int_equal(migc_faults_reach(&faults, "cont"), 2);
	assert_int_equal(migc_faults_reach(&faults, "ROUND"), 1);
	assert_int_equal(migc_faults_reach(&faults, "ROUND"), 0);
	assert_int_equal(migc_faults_reach(&faults, "cont"), 0);
}

static const char *state_name(unsigned int index)
{
	static const char *const names[] = {"ROUND", "STOP"};

	return index < 2 ? names[index] : NULL;
}

static void a_state_that_is_none_is_found(void **state)
{
	struct migc_faults faults = of("stop", "STOP/ROUND");

	(void)state;
	assert_int_equal(migc_fault_parse("qmp-error", "ROUND/cont", &faults), 0);
	assert_null(migc_faults_unknown(&faults, state_name));
	assert_int_equal(migc_fault_parse("cut", "ROUND/ROUN", &faults), 0);
	assert_ptr_equal(migc_faults_unknown(&faults, state_name), &faults.fault[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_strike_is_taken),
		cmocka_unit_test(what_cannot_strike_is_refused),
		cmocka_unit_test(there_is_room_for_a_few),
		cmocka_unit_test(a_fault_strikes_once_and_in_order),
		cmocka_unit_test(a_state_that_is_none_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
