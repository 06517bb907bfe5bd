/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "migc_words.h"

enum { SIZE, LARGEST, QUIET, WORDS };

static const struct option table[WORDS + 1] = {
	MIGC_WORD_NEEDS(SIZE, "size"),
	MIGC_WORD_NEEDS(LARGEST, "size-max"),
	MIGC_WORD_ALONE(QUIET, "quiet"),
};

static struct {
	char all[128];
	unsigned int count;
	bool refuses; /**< the second one */
} taken;

static struct migc_error err;

static int take(void *ctx, unsigned int word, const char *value)
{
	assert_ptr_equal(ctx, &taken);
	if (taken.count++ && taken.refuses)
		return migc_error_set(&err, -EINVAL, "not this one");
	snprintf(taken.all + strlen(taken.all), sizeof(taken.all) - strlen(taken.all), "%s=%s;",
		 table[word].name, value ? value : "");
	return 0;
}

static int parse(const char *line)
{
	static char copy[256];
	char *argv[16] = {"program"}, *save = NULL;
	int argc = 1;

	memset(&err, 0, sizeof(err));
	taken.all[0] = '\0';
	taken.count = 0;
	strcpy(copy, line);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	argv[argc] = NULL;
	return migc_words_parse(argc, argv, table, take, &taken, &err);
}

static void words_come_in_their_order_with_their_values(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(taken.count, 0);
	assert_int_equal(parse("--quiet --size 1 --size-max=2 --size --quiet"), 0);
	assert_string_equal(taken.all, "quiet=;size=1;size-max=2;size=--quiet;");
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *line, *text;
	} wrong[] = {
		{"--size", "--size needs a value"},
		{"--size=", "--size has an empty value"},
		{"--quiet=1", "--quiet takes no value"},
		{"--qui", "'--qui' is not an option: do you mean --quiet?"},
		{"--size-m 3", "'--size-m' is not an option: do you mean --size-max?"},
		{"--size-m=3", "'--size-m=3' is not an option: do you mean --size-max?"},
		{"--loud", "'--loud' is not an option here"},
		{"-q", "'-q' is not an option here"},
		{"--quiet 1", "'1' is left over"},
		{"-- --quiet", "'--quiet' is left over"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i].line), -EINVAL);
		if (strncmp(err.text, wrong[i].text, strlen(wrong[i].text)) != 0)
			fail_msg("%s: %s", wrong[i].line, err.text);
	}
}

static void nothing_is_taken_after_one_that_was_refused(void **state)
{
	(void)state;
	taken.refuses = true;
	assert_int_equal(parse("--size 1 --size 2 --size 3"), -EINVAL);
	taken.refuses = false;
	assert_int_equal(taken.count, 2);
	assert_string_equal(err.text, "not this one");
}

static void a_number_keeps_to_its_range(void **state)
{
	uint64_t n = 7;

	(void)state;
	memset(&err, 0, sizeof(err));
	assert_int_equal(migc_words_number(&table[SIZE], "12", 1, 12, &n, &err), 0);
	assert_int_equal(n, 12);
	assert_int_equal(migc_words_number(&table[SIZE], "13", 1, 12, &n, &err), -EINVAL);
	assert_int_equal(n, 12);
	assert_string_equal(err.text, "--size: '13' is not a number from 1 to 12");
}

static void a_choice_is_a_place_in_its_list(void **state)
{
	static const char *const list[] = {"", "some", "all", NULL};
	int i = 0;

	(void)state;
	memset(&err, 0, sizeof(err));
	assert_int_equal(migc_words_choice(&table[SIZE], "all", list, &i, &err), 0);
	assert_int_equal(i, 2);
	assert_int_equal(migc_words_choice(&table[SIZE], "", list, &i, &err), -EINVAL);
	assert_int_equal(i, 2);
	assert_string_equal(err.text, "--size: '' is not one of some, all");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_come_in_their_order_with_their_values),
		cmocka_unit_test(what_is_wrong_is_said),
		cmocka_unit_test(nothing_is_taken_after_one_that_was_refused),
		cmocka_unit_test(a_number_keeps_to_its_range),
		cmocka_unit_test(a_choice_is_a_place_in_its_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
