/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "migc_bitmap.h"
#include "migc_random.h"

/* The oracle: one byte a page. */
#define PAGES 200u
static const uint64_t sizes[] = {1, 63, 64, 65, 127, 128, PAGES};

static void assert_same(const uint64_t *words, const uint8_t *oracle, uint64_t pages)
{
	uint64_t count = 0;

	for (uint64_t i = 0; i < pages; i++) {
		assert_int_equal(migc_bitmap_test(words, i), oracle[i]);
		count += oracle[i];
	}
	assert_int_equal(migc_bitmap_count(words, pages), count);
}

static void alloc_gives_zeroed_words_even_for_no_pages(void **state)
{
	uint64_t *words = migc_bitmap_alloc(0);

	(void)state;
	assert_non_null(words);
	assert_int_equal(words[0], 0);
	free(words);
	words = migc_bitmap_alloc(129);
	assert_non_null(words);
	assert_int_equal(words[0] | words[1] | words[2], 0);
	free(words);
}

static void ranges_change_exactly_their_bits(void **state)
{
	(void)state;
	for (uint64_t first = 0; first < PAGES; first++) {
		for (uint64_t count = 0; first + count <= PAGES; count++) {
			uint64_t words[4] = {0};
			uint8_t oracle[PAGES] = {0};

			migc_bitmap_set_range(words, first, count);
			memset(oracle + first, 1, count);
			assert_same(words, oracle, PAGES);
			assert_int_equal(words[3] >> (PAGES % 64), 0);

			memset(words, 0xff, sizeof(words));
			memset(oracle, 1, sizeof(oracle));
			migc_bitmap_clear_range(words, first, count);
			memset(oracle + first, 0, count);
			for (uint64_t i = 0; i < PAGES; i++)
				assert_int_equal(migc_bitmap_test(words, i), oracle[i]);
			assert_int_equal(words[3] >> (PAGES % 64), UINT64_MAX >> (PAGES % 64));
		}
	}
}

static void or_and_andnot_are_set_union_and_difference(void **state)
{
	struct migc_random random;

	(void)state;
	migc_random_seed(&random, 1);
	for (unsigned int run = 0; run < 100; run++) {
		uint64_t a[4] = {0}, b[4] = {0}, either[4], only_a[4];

		for (uint64_t i = 0; i < PAGES; i++) {
			if (migc_random_next(&random) & 1)
				migc_bitmap_set(a, i);
			if (migc_random_next(&random) & 1)
				migc_bitmap_set(b, i);
		}
		memcpy(either, a, sizeof(a));
		memcpy(only_a, a, sizeof(a));
		migc_bitmap_or(either, b, PAGES);
		migc_bitmap_andnot(only_a, b, PAGES);
		for (uint64_t i = 0; i < PAGES; i++) {
			bool in_a = migc_bitmap_test(a, i), in_b = migc_bitmap_test(b, i);

			assert_int_equal(migc_bitmap_test(either, i), in_a || in_b);
			assert_int_equal(migc_bitmap_test(only_a, i), in_a && !in_b);
		}
		migc_bitmap_zero(either, PAGES);
		assert_int_equal(migc_bitmap_count(either, PAGES), 0);
	}
}

static void next_finds_the_first_at_or_after(void **state)
{
	struct migc_random random;

	(void)state;
	migc_random_seed(&random, 2);
	for (unsigned int run = 0; run < 300; run++) {
		uint64_t pages = sizes[run % (sizeof(sizes) / sizeof(sizes[0]))];
		uint64_t words[4] = {0};

		/* From nearly empty to nearly full. */
		for (uint64_t i = 0; i < pages; i++) {
			if (migc_random_next(&random) % 300 < run)
				migc_bitmap_set(words, i);
		}
		for (uint64_t from = 0; from <= pages + 1; from++) {
			uint64_t set = from, clear = from;

			while (set < pages && !migc_bitmap_test(words, set))
				set++;
			while (clear < pages && migc_bitmap_test(words, clear))
				clear++;
			assert_int_equal(migc_bitmap_next(words, pages, from),
					 set < pages ? set : MIGC_BITMAP_NONE);
			assert_int_equal(migc_bitmap_next_clear(words, pages, from),
					 clear < pages ? clear : pages);
		}
	}
}

static void set_and_clear_touch_one_bit(void **state)
{
	uint64_t words[2] = {0};

	(void)state;
	migc_bitmap_set(words, 64);
	assert_int_equal(words[0], 0);
	assert_int_equal(words[1], 1);
	words[0] = words[1] = UINT64_MAX;
	migc_bitmap_clear(words, 63);
	assert_int_equal(words[0], UINT64_MAX >> 1);
	assert_int_equal(words[1], UINT64_MAX);
	assert_int_equal(migc_bitmap_words(64), 1);
	assert_int_equal(migc_bitmap_words(65), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alloc_gives_zeroed_words_even_for_no_pages),
		cmocka_unit_test(ranges_change_exactly_their_bits),
		cmocka_unit_test(or_and_andnot_are_set_union_and_difference),
		cmocka_unit_test(next_finds_the_first_at_or_after),
		cmocka_unit_test(set_and_clear_touch_one_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
