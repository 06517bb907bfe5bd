/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "migc_random.h"

static void the_same_seed_gives_the_same_numbers(void **state)
{
	struct migc_random a, b;

	(void)state;
	/* First outputs of splitmix64 for seed 0, as published with the algorithm. */
	migc_random_seed(&a, 0);
	assert_true(migc_random_next(&a) == UINT64_C(0xe220a8397b1dcdaf));
	assert_true(migc_random_next(&a) == UINT64_C(0x6e789e6aa1b965f4));
	migc_random_seed(&a, 42);
	migc_random_seed(&b, 42);
	for (unsigned int i = 0; i < 1000; i++)
		assert_true(migc_random_next(&a) == migc_random_next(&b));
}

static void chance_is_never_at_zero_and_always_at_one(void **state)
{
	struct migc_random r;
	unsigned int tenth = 0;

	(void)state;
	migc_random_seed(&r, 3);
	for (unsigned int i = 0; i < 10000; i++) {
		assert_false(migc_random_chance(&r, 0));
		assert_true(migc_random_chance(&r, 1000000000));
		tenth += migc_random_chance(&r, 100000000);
	}
	assert_in_range(tenth, 900, 1100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_numbers),
		cmocka_unit_test(chance_is_never_at_zero_and_always_at_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
