/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_answer.h"

static enum control_error_class error_class;
static struct migc_error err;

static int parse(const char *line, size_t length, struct control_request *out)
{
	memset(&err, 0, sizeof(err));
	return control_request_parse(line, length, out, &error_class, &err);
}

static int parse_text(const char *line, struct control_request *out)
{
	return parse(line, strlen(line), out);
}

/** @return how many there were, each of which gave `expected`. */
static unsigned int try_vectors(const char *folder, int expected)
{
	static char line[2 * CONTROL_LINE_BYTES];
	struct dirent **entry;
	char path[4096];
	unsigned int tried = 0;
	int entries;

	snprintf(path, sizeof(path), "%s/%s", CONTROL_VECTORS, folder);
	entries = scandir(path, &entry, NULL, alphasort);
	assert_true(entries > 0);
	for (int i = 0; i < entries; i++) {
		struct control_request request;
		FILE *file;
		size_t size;

		snprintf(path, sizeof(path), "%s/%s/%s", CONTROL_VECTORS, folder, entry[i]->d_name);
		if (entry[i]->d_name[0] != '.') {
			file = fopen(path, "rb");
			assert_non_null(file);
			size = fread(line, 1, sizeof(line), file);
			fclose(file);
			print_message("%s\n", entry[i]->d_name);
			assert_int_equal(parse(line, size, &request), expected);
			control_request_free(&request);
			tried++;
		}
		free(entry[i]);
	}
	free(entry);
	return tried;
}

static void lines_of_the_protocol_are_taken_and_all_others_refused(void **state)
{
	(void)state;
	assert_true(try_vectors("request-good", 0) > 20);
	assert_true(try_vectors("request-bad", -EINVAL) > 40);
}

static void a_line_may_be_long_and_deep_but_not_too_much(void **state)
{
	static const char head[] = "{\"execute\":\"query-status\",\"id\":";
	static char line[CONTROL_LINE_BYTES + 1];
	struct control_request r;

	(void)state;
	memset(line, ' ', sizeof(line));
	memcpy(line, head, strlen(head));
	memcpy(line + strlen(head), "1}", 2);
	assert_int_equal(parse(line, CONTROL_LINE_BYTES, &r), 0);
	control_request_free(&r);
	assert_int_equal(parse(line, CONTROL_LINE_BYTES + 1, &r), -EINVAL);
	control_request_free(&r);
	/* deeper than jansson goes */
	memset(line + strlen(head), '[', 2100);
	memset(line + strlen(head) + 2100, ']', CONTROL_LINE_BYTES - strlen(head) - 2100);
	assert_int_equal(parse(line, CONTROL_LINE_BYTES, &r), -EINVAL);
	control_request_free(&r);
}

static void parameters_have_qemus_units(void **state)
{
	struct control_request r;

	(void)state;
	assert_int_equal(parse_text("{\"execute\":\"migrate-set-parameters\",\"arguments\":"
				    "{\"max-bandwidth\":12500000,\"timeout-action\":\"suspend\","
				    "\"throttle\":\"auto\"}}",
				    &r),
			 0);
	assert_int_equal(r.order.type, MIGC_ORDER_SET);
	assert_int_equal(r.order.change.given, 1u << MIGC_SETTING_MAX_BANDWIDTH |
						       1u << MIGC_SETTING_TIMEOUT_ACTION |
						       1u << MIGC_SETTING_THROTTLE);
	assert_int_equal(r.order.change.to.max_bandwidth_bits, 100000000);
	assert_true(r.order.change.to.timeout_suspends);
	control_request_free(&r);
}

static void only_what_is_given_changes(void **state)
{
	struct migc_settings_change change = {
		.given = 1u << MIGC_SETTING_TIMEOUT | 1u << MIGC_SETTING_PAUSE,
		.to = {.timeout_s = 9, .pause_before_switchover = true}};
	struct migc_settings s = {300, 1000, 5, true, false, true};

	(void)state;
	migc_settings_change(&s, &change);
	assert_int_equal(s.downtime_limit_ms, 300);
	assert_int_equal(s.max_bandwidth_bits, 1000);
	assert_int_equal(s.timeout_s, 9);
	assert_true(s.timeout_suspends);
	assert_true(s.pause_before_switchover);
	assert_true(s.throttle);
	change.given = (1u << MIGC_SETTINGS) - 1;
	migc_settings_change(&s, &change);
	assert_int_equal(s.downtime_limit_ms, 0);
	assert_int_equal(s.max_bandwidth_bits, 0);
	assert_false(s.timeout_suspends);
	assert_false(s.throttle);
}

static void an_unknown_command_has_its_class_and_gives_the_id_back(void **state)
{
	struct control_request r;
	char *text;

	(void)state;
	assert_int_equal(parse_text("{\"execute\":\"quit\",\"id\":[1]}", &r), -EINVAL);
	assert_int_equal(error_class, CONTROL_COMMAND_NOT_FOUND);
	text = control_answer_error(error_class, err.text, r.id);
	assert_string_equal(text, "{\"error\":{\"class\":\"CommandNotFound\",\"desc\":\"The "
				  "command quit has not been found\"},\"id\":[1]}\n");
	free(text);
	control_request_free(&r);
}

static void a_view_is_answered_with_the_reports_names(void **state)
{
	struct migc_control_view *v = calloc(1, sizeof(*v));
	json_t *o;

	(void)state;
	strcpy(v->guest, "vm1");
	v->source = true;
	strcpy(v->report.status, "pre-switchover");
	strcpy(v->report.state, "PAUSE");
	v->report.ram.remaining_bytes = 4096;
	v->report.has_expected_downtime = true;
	v->report.expected_downtime_ms = 77;
	v->settings.max_bandwidth_bits = 8000;
	v->wire_bits_per_s = 1500000;
	v->report.throttle.percent = 30;
	o = control_answer_view(CONTROL_QUERY_STATUS, v);
	assert_string_equal(json_string_value(json_object_get(o, "guest")), "vm1");
	assert_string_equal(json_string_value(json_object_get(o, "status")), "pre-switchover");
	assert_int_equal(json_integer_value(json_object_get(o, "expected-downtime")), 77);
	assert_int_equal(json_integer_value(json_object_get(o, "cpu-throttle-percentage")), 30);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(o, "ram"), "remaining")), 4096);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "parameters"),
							    "max-bandwidth")),
			 1000);
	assert_true(json_real_value(json_object_get(o, "current-mbps")) > 1.4);
	json_decref(o);
	o = control_answer_view(CONTROL_QUERY_STATS, v);
	assert_non_null(json_object_get(o, "compression"));
	json_decref(o);
	v->source = false;
	o = control_answer_view(CONTROL_QUERY_CONFIG, v);
	assert_string_equal(json_string_value(json_object_get(o, "role")), "destination");
	assert_null(json_object_get(o, "downtime-limit"));
	json_decref(o);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_the_protocol_are_taken_and_all_others_refused),
		cmocka_unit_test(a_line_may_be_long_and_deep_but_not_too_much),
		cmocka_unit_test(parameters_have_qemus_units),
		cmocka_unit_test(only_what_is_given_changes),
		cmocka_unit_test(an_unknown_command_has_its_class_and_gives_the_id_back),
		cmocka_unit_test(a_view_is_answered_with_the_reports_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
