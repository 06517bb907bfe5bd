/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "migc_bitmap.h"
#include "migc_page.h"
#include "migc_random.h"

#define PAGES_MAX 2000u

static void spans_take_every_bit_once_and_leave_none(void **state)
{
	struct migc_random random;

	(void)state;
	migc_random_seed(&random, 5);
	for (unsigned int run = 0; run < 300; run++) {
		uint64_t words[(PAGES_MAX + 63) / 64] = {0};
		uint8_t wanted[PAGES_MAX] = {0}, taken[PAGES_MAX] = {0};
		uint64_t pages = 1 + migc_random_next(&random) % PAGES_MAX;
		uint64_t cursor = 0, last_end = 0;
		struct migc_span span;

		for (uint64_t i = 0; i < pages; i++) {
			if (migc_random_next(&random) % 300 < run) {
				migc_bitmap_set(words, i);
				wanted[i] = 1;
			}
		}
		while (migc_span_take(words, pages, &cursor, &span)) {
			bool any = false;

			assert_int_equal(span.first_page % MIGC_SPAN_PAGES, 0);
			assert_true(span.first_page >= last_end);
			last_end = span.first_page + MIGC_SPAN_PAGES;
			assert_int_equal(cursor, last_end);
			for (uint64_t i = 0; i < MIGC_SPAN_PAGES; i++) {
				if (!migc_bitmap_test(span.mask, i))
					continue;
				any = true;
				assert_true(span.first_page + i < pages);
				taken[span.first_page + i]++;
			}
			assert_true(any);
		}
		assert_memory_equal(taken, wanted, sizeof(wanted));
		assert_int_equal(migc_bitmap_count(words, pages), 0);
	}
}

static void words_behind_the_bitmap_are_not_touched(void **state)
{
	uint64_t words[MIGC_SPAN_WORDS + 1];
	uint64_t cursor = 0;
	struct migc_span span;

	(void)state;
	memset(words, 0xff, sizeof(words));
	/* 70 pages: two words, of which six bits of the second count. */
	words[1] = 0x3f;
	assert_int_equal(migc_span_take(words, 70, &cursor, &span), 1);
	assert_true(span.mask[0] == UINT64_MAX);
	assert_true(span.mask[1] == 0x3f);
	assert_true(span.mask[2] == 0 && span.mask[3] == 0);
	assert_true(words[0] == 0 && words[1] == 0);
	assert_true(words[2] == UINT64_MAX && words[4] == UINT64_MAX);
	assert_int_equal(migc_span_take(words, 70, &cursor, &span), 0);
}

static void nothing_at_or_after_the_cursor_gives_no_span(void **state)
{
	uint64_t words[8] = {1};
	uint64_t cursor = MIGC_SPAN_PAGES;
	struct migc_span span;

	(void)state;
	assert_int_equal(migc_span_take(words, 512, &cursor, &span), 0);
	assert_int_equal(words[0], 1);
	cursor = 0;
	assert_int_equal(migc_span_take(words, 512, &cursor, &span), 1);
	assert_int_equal(span.first_page, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_take_every_bit_once_and_leave_none),
		cmocka_unit_test(words_behind_the_bitmap_are_not_touched),
		cmocka_unit_test(nothing_at_or_after_the_cursor_gives_no_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
