/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

#include "migc_page.h"

#define SPANS_MAX 5000u

static void each_span_comes_once(void **state)
{
	static uint8_t seen[SPANS_MAX];

	(void)state;
	for (uint64_t spans = 0; spans < SPANS_MAX; spans += 1 + spans / 50) {
		for (int spread = 0; spread < 2; spread++) {
			struct migc_span_order order;
			uint64_t span, count = 0;

			memset(seen, 0, sizeof(seen));
			migc_span_order_begin(&order, spans, spread);
			while (migc_span_order_next(&order, &span)) {
				assert_true(span < spans);
				assert_int_equal(seen[span], 0);
				seen[span] = 1;
				if (!spread)
					assert_int_equal(span, count);
				count++;
			}
			assert_int_equal(count, spans);
			assert_false(migc_span_order_next(&order, &span));
		}
	}
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Wherever one looks: of 32 that follow each other, no two neighbours are far apart. */
static void any_few_are_spread_over_all(void **state)
{
	enum { FEW = 32 };
	static uint64_t all[SPANS_MAX];

	(void)state;
	for (uint64_t spans = 1000; spans < SPANS_MAX; spans += 37) {
		struct migc_span_order order;
		uint64_t span, n = 0;

		migc_span_order_begin(&order, spans, true);
		while (migc_span_order_next(&order, &span))
			all[n++] = span;
		for (uint64_t from = 0; from + FEW <= n; from++) {
			uint64_t few[FEW], last = 0;

			memcpy(few, all + from, sizeof(few));
			qsort(few, FEW, sizeof(few[0]), compare);
			for (unsigned int i = 0; i < FEW; i++) {
				assert_true(few[i] - last <= spans * 3 / FEW);
				last = few[i];
			}
			assert_true(spans - last <= spans * 3 / FEW);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_span_comes_once),
		cmocka_unit_test(any_few_are_spread_over_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
