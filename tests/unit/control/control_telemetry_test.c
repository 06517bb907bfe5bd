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

#include <rte_telemetry.h>

#include "migc_control_telemetry.h"

/** @file What telemetry asks, answered into data of its own, which refuses what it cannot show. */

#define COMMANDS 4u
/** Of one answer: its own and one for each array. */
#define DATA_MAX 16u

static struct {
	char name[32];
	telemetry_cb answer;
} commands[COMMANDS];
static unsigned int registered;

static struct rte_tel_data *data[DATA_MAX];
static unsigned int allocated;

int __wrap_rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help);

int __wrap_rte_telemetry_register_cmd(const char *cmd, telemetry_cb fn, const char *help)
{
	(void)help;
	assert_true(registered < COMMANDS);
	snprintf(commands[registered].name, sizeof(commands[0].name), "%s", cmd);
	commands[registered++].answer = fn;
	return 0;
}

struct rte_tel_data *__real_rte_tel_data_alloc(void);
struct rte_tel_data *__wrap_rte_tel_data_alloc(void);

/** Telemetry frees what an answer holds when it has sent it; here nobody sends. */
struct rte_tel_data *__wrap_rte_tel_data_alloc(void)
{
	assert_true(allocated < DATA_MAX);
	data[allocated] = __real_rte_tel_data_alloc();
	assert_non_null(data[allocated]);
	return data[allocated++];
}

/** @return what the command returns to telemetry. */
static int ask(const char *name, const char *guest)
{
	struct rte_tel_data *answer = rte_tel_data_alloc();
	int rc = -ENOSYS;

	for (unsigned int i = 0; i < registered; i++) {
		if (strcmp(commands[i].name, name) == 0)
			rc = commands[i].answer(name, guest, answer);
	}
	while (allocated)
		rte_tel_data_free(data[--allocated]);
	return rc;
}

/** All that a report can have, and devices that are called as PCI's are. */
static void fill(struct migc_report *report)
{
	report->source = true;
	strcpy(report->status, "active");
	strcpy(report->state, "ROUND");
	report->has_expected_downtime = true;
	report->round_count = MIGC_REPORT_ROUNDS_MAX;
	for (unsigned int i = 0; i < MIGC_REPORT_ROUNDS_MAX; i++) {
		report->round[i].pages = UINT64_MAX;
		report->round[i].has_expected_downtime = true;
	}
	report->compression.devices = MIGC_REPORT_DEVICES_MAX;
	for (unsigned int i = 0; i < MIGC_REPORT_DEVICES_MAX; i++) {
		struct migc_report_device *d = &report->compression.device[i];

		snprintf(d->name, sizeof(d->name), "0000:%02x:00.0_qat_comp", i);
		strcpy(d->driver, "compress_qat");
	}
}

static void every_command_answers_of_a_full_report(void **state)
{
	struct migc_report *report = calloc(1, sizeof(*report));
	const struct migc_settings settings = {.downtime_limit_ms = 300};
	struct migc_control_session *session;
	struct migc_control *control;
	struct migc_error err = {0};

	(void)state;
	fill(report);
	assert_int_equal(migc_control_create(&control, &err), 0);
	assert_int_equal(migc_control_telemetry_start(control, &err), 0);
	assert_int_equal(registered, COMMANDS);
	assert_int_equal(ask("/migcomp/status", "vm"), -ENOENT);
	assert_int_equal(migc_control_add(control, "vm", true, &session), 0);
	migc_control_publish(session, report, &settings, 1);
	assert_int_equal(ask("/migcomp/list", NULL), 0);
	assert_int_equal(ask("/migcomp/status", NULL), 0);
	assert_int_equal(ask("/migcomp/stats", "vm"), 0);
	assert_int_equal(ask("/migcomp/config", ""), 0);
	assert_int_equal(ask("/migcomp/stats", "other"), -ENOENT);
	/* what has ended is asked of no more, though the commands stay */
	migc_control_remove(session);
	assert_int_equal(ask("/migcomp/stats", "vm"), -ENOENT);
	migc_control_telemetry_stop();
	migc_control_free(control);
	assert_int_equal(ask("/migcomp/status", NULL), -ENOENT);
	assert_int_equal(ask("/migcomp/list", NULL), 0);
	free(report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_answers_of_a_full_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
