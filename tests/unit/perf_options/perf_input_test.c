/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "migc_page.h"
#include "perf_input.h"

static char path[] = "/tmp/perf-input-XXXXXX";
static struct migc_error err;

/** A file of `bytes` bytes 1, 2, ... 251, 1, ...: no page of it is zero or of one word. */
static int make_file(size_t bytes)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return -1;
	for (size_t i = 0; i < bytes; i++)
		fputc((int)(i % 251 + 1), f);
	return fclose(f);
}

static struct perf_input load(const struct perf_options *o)
{
	struct perf_input input;

	memset(&err, 0, sizeof(err));
	if (perf_input_load(o, &input, &err) != 0)
		fail_msg("%s", err.text);
	return input;
}

static void a_file_is_repeated_up_to_the_size_asked_for(void **state)
{
	struct perf_options o = {.input_file = path, .extended_bytes = 2600};
	struct perf_input input;

	(void)state;
	assert_int_equal(make_file(1000), 0);
	input = load(&o);
	assert_int_equal(input.bytes, 2600);
	assert_int_equal(input.padded_bytes, 4096);
	for (size_t i = 0; i < 2600; i++)
		assert_int_equal(input.data[i], i % 1000 % 251 + 1);
	assert_int_equal(input.data[2600], 0);
	perf_input_free(&input);
}

static void a_smaller_size_cuts_the_file(void **state)
{
	struct perf_options o = {.input_file = path, .extended_bytes = 10};
	struct perf_input input;

	(void)state;
	assert_int_equal(make_file(1000), 0);
	input = load(&o);
	assert_int_equal(input.bytes, 10);
	assert_int_equal(input.data[9], 10);
	assert_int_equal(input.data[10], 0);
	perf_input_free(&input);
}

static bool is_zero(const uint8_t *page)
{
	return migc_page_is_zero_scalar(page);
}

static bool is_same(const uint8_t *page)
{
	return memcmp(page, page + 8, MIGC_PAGE_BYTES - 8) == 0;
}

/** Is it what the file has there? */
static bool is_data(const uint8_t *page, size_t at)
{
	for (size_t i = 0; i < MIGC_PAGE_BYTES; i++) {
		if (page[i] != (at + i) % 251 + 1)
			return false;
	}
	return true;
}

static void a_mix_replaces_exactly_the_shares(void **state)
{
	struct perf_options o = {.input_file = path,
				 .mix = {.zero = 300000, .same = 100000, .random = 50000},
				 .mix_seed = 7};
	unsigned int zero = 0, same = 0, data = 0, first_half = 0;
	struct perf_input input;

	(void)state;
	assert_int_equal(make_file(1000 * MIGC_PAGE_BYTES + 5), 0);
	input = load(&o);
	for (size_t at = 0; at < 1000 * MIGC_PAGE_BYTES; at += MIGC_PAGE_BYTES) {
		const uint8_t *page = input.data + at;

		zero += is_zero(page);
		first_half += is_zero(page) && at < 500 * MIGC_PAGE_BYTES;
		same += is_same(page) && !is_zero(page);
		data += is_data(page, at);
	}
	assert_int_equal(zero, 300);
	assert_int_equal(same, 100);
	assert_int_equal(data, 550);
	/* spread, not at one end */
	assert_in_range(first_half, 100, 200);
	assert_int_equal(input.zero_pages, 300);
	assert_int_equal(input.same_pages, 100);
	assert_int_equal(input.random_pages, 50);
	perf_input_free(&input);
}

static void the_seed_decides_the_mix(void **state)
{
	struct perf_options o = {.input_file = path, .mix = {.random = 500000}, .mix_seed = 7};
	struct perf_input first, second, third;

	(void)state;
	assert_int_equal(make_file(64 * MIGC_PAGE_BYTES), 0);
	first = load(&o);
	second = load(&o);
	o.mix_seed = 8;
	third = load(&o);
	assert_memory_equal(first.data, second.data, first.bytes);
	assert_int_not_equal(memcmp(first.data, third.data, first.bytes), 0);
	perf_input_free(&first);
	perf_input_free(&second);
	perf_input_free(&third);
}

static void what_cannot_be_read_is_named(void **state)
{
	struct perf_options missing = {.input_file = "/nonexistent/file"};
	struct perf_options directory = {.input_file = "/tmp"}, empty = {.input_file = path};
	struct perf_input input;

	(void)state;
	memset(&err, 0, sizeof(err));
	assert_int_equal(perf_input_load(&missing, &input, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nonexistent/file"));
	memset(&err, 0, sizeof(err));
	assert_int_equal(perf_input_load(&directory, &input, &err), -EINVAL);
	assert_int_equal(make_file(0), 0);
	memset(&err, 0, sizeof(err));
	assert_int_equal(perf_input_load(&empty, &input, &err), -EINVAL);
	assert_non_null(strstr(err.text, "empty"));
}

static int make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int drop(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_repeated_up_to_the_size_asked_for),
		cmocka_unit_test(a_smaller_size_cuts_the_file),
		cmocka_unit_test(a_mix_replaces_exactly_the_shares),
		cmocka_unit_test(the_seed_decides_the_mix),
		cmocka_unit_test(what_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, make, drop);
}
