/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "control_words.h"

static struct control_words words;
static struct migc_error err;

static int parse(const char *line)
{
	static char copy[256];
	char *argv[16], *save = NULL;
	int argc = 0;

	json_decref(words.arguments);
	memset(&err, 0, sizeof(err));
	strcpy(copy, line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	return control_words_parse(argc, argv, &words, &err);
}

static json_int_t setting(const char *name)
{
	return json_integer_value(json_object_get(words.arguments, name));
}

static void settings_are_words_of_the_command_line_and_become_qemus_units(void **state)
{
	(void)state;
	assert_int_equal(parse("set max-bandwidth=100m downtime-limit=500 timeout=none "
			       "timeout-action=suspend pause-before-switchover=on throttle=off"),
			 0);
	assert_int_equal(setting("max-bandwidth"), 12500000);
	assert_int_equal(setting("downtime-limit"), 500);
	assert_true(json_is_integer(json_object_get(words.arguments, "timeout")));
	assert_int_equal(setting("timeout"), 0);
	assert_true(json_is_true(json_object_get(words.arguments, "pause-before-switchover")));
	assert_string_equal(json_string_value(json_object_get(words.arguments, "throttle")), "off");
	assert_int_equal(parse("set max-bandwidth=none"), 0);
	assert_int_equal(setting("max-bandwidth"), 0);
}

static void options_may_stand_anywhere(void **state)
{
	(void)state;
	assert_int_equal(parse("set timeout=9 --control /x --guest vm1"), 0);
	assert_string_equal(words.control, "/x");
	assert_string_equal(words.guest, "vm1");
	assert_int_equal(setting("timeout"), 9);
	assert_int_equal(parse("status --json"), 0);
	assert_true(words.json);
	assert_int_equal(parse("continue"), 0);
}

static void what_makes_no_sense_is_refused(void **state)
{
	static const char *const bad[] = {
		"set",
		"set downtime-limit",
		"set downtime-limit=",
		"set downtime-limit=-1",
		"set downtime-limit=soon",
		"set max-bandwidth=7",
		"set max-bandwidth=5q",
		"set pause-before-switchover=1",
		"set codec=raw",
		"set downtime=1",
		"set timeout=1 timeout=2",
		"status all",
		"status --control",
		"cancel --json",
		"cancel now",
		"continue --verbose",
		"cancel --guest vm\xff",
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		print_message("%s\n", bad[i]);
		assert_int_equal(parse(bad[i]), -EINVAL);
		assert_true(err.text[0] != '\0');
		assert_null(words.arguments);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(settings_are_words_of_the_command_line_and_become_qemus_units),
		cmocka_unit_test(options_may_stand_anywhere),
		cmocka_unit_test(what_makes_no_sense_is_refused),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	json_decref(words.arguments);
	return failed;
}
