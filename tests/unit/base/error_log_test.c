/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "migc_error.h"
#include "migc_log.h"

struct sink {
	unsigned int lines;
	enum migc_log_level level;
	char text[2048];
};

static void sink_write(void *ctx, enum migc_log_level level, const char *text)
{
	struct sink *sink = ctx;

	sink->lines++;
	sink->level = level;
	snprintf(sink->text, sizeof(sink->text), "%s", text);
}

static void the_first_cause_wins(void **state)
{
	struct migc_error err = {0};

	(void)state;
	assert_int_equal(migc_error_set(&err, -ENOENT, "no %s", "file"), -ENOENT);
	assert_int_equal(migc_error_set(&err, -EIO, "later"), -EIO);
	assert_int_equal(err.code, -ENOENT);
	assert_string_equal(err.text, "no file");
}

static void an_error_nobody_wants_still_returns_its_code(void **state)
{
	(void)state;
	assert_int_equal(migc_error_set(NULL, -EINVAL, "x"), -EINVAL);
}

static void a_long_error_is_cut_and_terminated(void **state)
{
	struct migc_error err = {0};
	char text[1000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	migc_error_set(&err, -EINVAL, "%s", text);
	assert_int_equal(strlen(err.text), MIGC_ERROR_TEXT_BYTES - 1);
}

static void messages_up_to_the_level_reach_the_sink(void **state)
{
	struct sink sink = {0};
	struct migc_log log = {.write = sink_write, .ctx = &sink, .level = MIGC_LOG_INFO};

	(void)state;
	migc_log(&log, MIGC_LOG_INFO, "round %d", 3);
	assert_int_equal(sink.lines, 1);
	assert_int_equal(sink.level, MIGC_LOG_INFO);
	assert_string_equal(sink.text, "round 3");
	migc_log(&log, MIGC_LOG_ERROR, "bad");
	assert_int_equal(sink.lines, 2);
	migc_log(&log, MIGC_LOG_DEBUG, "not this");
	assert_int_equal(sink.lines, 2);
	assert_string_equal(sink.text, "bad");
}

static void without_a_sink_messages_are_dropped(void **state)
{
	struct migc_log log = {.write = NULL, .level = MIGC_LOG_DEBUG};

	(void)state;
	migc_log(NULL, MIGC_LOG_ERROR, "x");
	migc_log(&log, MIGC_LOG_ERROR, "x");
}

static void a_whole_error_text_fits_into_a_log_line(void **state)
{
	struct sink sink = {0};
	struct migc_log log = {.write = sink_write, .ctx = &sink, .level = MIGC_LOG_INFO};
	char text[MIGC_ERROR_TEXT_BYTES];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	migc_log(&log, MIGC_LOG_ERROR, "migration failed: %s", text);
	assert_int_equal(strlen(sink.text), strlen("migration failed: ") + sizeof(text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_cause_wins),
		cmocka_unit_test(an_error_nobody_wants_still_returns_its_code),
		cmocka_unit_test(a_long_error_is_cut_and_terminated),
		cmocka_unit_test(messages_up_to_the_level_reach_the_sink),
		cmocka_unit_test(without_a_sink_messages_are_dropped),
		cmocka_unit_test(a_whole_error_text_fits_into_a_log_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
