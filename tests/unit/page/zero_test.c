/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "migc_page.h"

static const char *const variants[] = {"scalar", "avx2", "avx512"};

/* Pages before and behind are full: a test that looks past its page is found out. */
static _Alignas(4096) uint8_t memory[3 * MIGC_PAGE_BYTES];
static uint8_t *const page = memory + MIGC_PAGE_BYTES;

static int set_up(void **state)
{
	(void)state;
	memset(memory, 0xff, sizeof(memory));
	memset(page, 0, MIGC_PAGE_BYTES);
	return 0;
}

static void check_every_offset(migc_page_is_zero_fn is_zero, const char *name)
{
	assert_true(is_zero(page));
	for (size_t at = 0; at < MIGC_PAGE_BYTES; at++) {
		for (unsigned int bit = 0; bit < 8; bit += 7) {
			page[at] = (uint8_t)(1u << bit);
			assert_false(migc_page_is_zero_scalar(page));
			if (is_zero(page))
				fail_msg("%s: byte %zu bit %u not seen", name, at, bit);
			page[at] = 0;
		}
	}
	assert_true(is_zero(page));
	memset(page, 0x80, MIGC_PAGE_BYTES);
	assert_false(is_zero(page));
	memset(page, 0, MIGC_PAGE_BYTES);
}

static void every_variant_sees_a_byte_at_every_offset(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		migc_page_is_zero_fn is_zero = migc_page_zero_test_by_name(variants[i]);

		if (is_zero)
			check_every_offset(is_zero, variants[i]);
		else
			print_message("this CPU does not run %s\n", variants[i]);
	}
}

static void the_chosen_test_is_the_fastest_this_cpu_runs(void **state)
{
	migc_page_is_zero_fn fastest = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(variants) / sizeof(variants[0]); i++) {
		migc_page_is_zero_fn is_zero = migc_page_zero_test_by_name(variants[i]);

		if (is_zero)
			fastest = is_zero;
	}
	assert_true(migc_page_zero_test() == fastest);
	check_every_offset(migc_page_zero_test(), "chosen");
}

static void scalar_is_always_there_and_unknown_names_are_not(void **state)
{
	(void)state;
	assert_true(migc_page_zero_test_by_name("scalar") == migc_page_is_zero_scalar);
	assert_true(migc_page_zero_test_by_name("sse9") == NULL);
	assert_true(migc_page_zero_test_by_name("") == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(every_variant_sees_a_byte_at_every_offset, set_up),
		cmocka_unit_test_setup(the_chosen_test_is_the_fastest_this_cpu_runs, set_up),
		cmocka_unit_test(scalar_is_always_there_and_unknown_names_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
