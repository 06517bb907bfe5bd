/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "perf_histogram.h"

static int make(void **state)
{
	*state = calloc(1, sizeof(struct perf_histogram));
	return *state == NULL;
}

static int drop(void **state)
{
	free(*state);
	return 0;
}

static void without_values_all_is_zero(void **state)
{
	const struct perf_histogram *h = *state;

	assert_int_equal(perf_histogram_percentile(h, 500), 0);
	assert_int_equal(perf_histogram_percentile(h, 1000), 0);
}

static void percentiles_are_known_to_a_sixty_fourth(void **state)
{
	struct perf_histogram *h = *state;

	for (uint64_t i = 1; i <= 100000; i++)
		perf_histogram_add(h, i * 7);
	for (unsigned int p = 1; p <= 1000; p++) {
		uint64_t exact = UINT64_C(700) * p, found = perf_histogram_percentile(h, p);

		assert_true(found >= exact);
		assert_true(found <= exact + exact / 64);
	}
	assert_int_equal(h->max, 700000);
	assert_int_equal(perf_histogram_percentile(h, 1000), 700000);
}

static void small_values_are_exact(void **state)
{
	struct perf_histogram *h = *state;

	for (uint64_t i = 0; i < 64; i++)
		perf_histogram_add(h, i);
	assert_int_equal(perf_histogram_percentile(h, 500), 31);
	assert_int_equal(perf_histogram_percentile(h, 1000), 63);
}

static void one_slow_one_in_a_thousand_is_the_maximum_only(void **state)
{
	struct perf_histogram *h = *state;

	for (unsigned int i = 0; i < 999; i++)
		perf_histogram_add(h, 10);
	perf_histogram_add(h, UINT64_MAX);
	assert_int_equal(perf_histogram_percentile(h, 999), 10);
	assert_int_equal(perf_histogram_percentile(h, 1000), UINT64_MAX);
}

static void merged_counts_are_those_of_both(void **state)
{
	struct perf_histogram *h = *state, *other = calloc(1, sizeof(*other));

	assert_non_null(other);
	perf_histogram_add(h, 10);
	perf_histogram_add(other, 20);
	perf_histogram_add(other, 30);
	perf_histogram_merge(h, other);
	assert_int_equal(h->count, 3);
	assert_int_equal(h->sum, 60);
	assert_int_equal(h->max, 30);
	assert_int_equal(perf_histogram_percentile(h, 500), 20);
	free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(without_values_all_is_zero, make, drop),
		cmocka_unit_test_setup_teardown(percentiles_are_known_to_a_sixty_fourth, make,
						drop),
		cmocka_unit_test_setup_teardown(small_values_are_exact, make, drop),
		cmocka_unit_test_setup_teardown(one_slow_one_in_a_thousand_is_the_maximum_only,
						make, drop),
		cmocka_unit_test_setup_teardown(merged_counts_are_those_of_both, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
