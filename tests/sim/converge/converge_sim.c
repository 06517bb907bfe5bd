/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "migc_session.h"

/**
 * @file
 * Whole migrations of guests that write at a rate, in virtual time: rounds as lib/engine paces them
 * (pages rest for 200 ms before they are sent, or not at all), the decision when to stop, the
 * throttle.
 */

#define PAGE_BYTES 4096.0
#define LIMIT_MS 300u
#define FIXED_MS 60u
#define ROUNDS_MAX 200u

/** s that pages rest after a scan. */
static const double rests[] = {0.2, 0};
#define RESTS (sizeof(rests) / sizeof(rests[0]))

struct guest {
	double mbytes; /**< of memory */
	double set_mbytes; /**< that it writes to */
	double rate; /**< MB/s while it runs */
	double sends; /**< MB/s that the link and the codec make of its pages */
	double rest_s;
};

struct outcome {
	bool done;
	unsigned int percent, rounds;
	double seconds, downtime_ms;
};

/** Pages written in so much time: more often than once is once. */
static double written(const struct guest *g, unsigned int percent, double seconds)
{
	double mbytes = g->rate * seconds * (100 - percent) / 100;

	return (mbytes < g->set_mbytes ? mbytes : g->set_mbytes) * 1e6 / PAGE_BYTES;
}

static struct outcome migrate(const struct guest *g)
{
	struct outcome out = {0};
	struct migc_throttle throttle = {0};
	double due = g->mbytes * 1e6 / PAGE_BYTES;

	for (out.rounds = 1; out.rounds < ROUNDS_MAX; out.rounds++) {
		double sending_s = due * PAGE_BYTES / 1e6 / g->sends;
		double round_s = sending_s + (out.rounds > 1 ? g->rest_s : 0);
		double dirty = written(g, throttle.percent, round_s);
		struct migc_converge_input in = {
			.dirty_pages = (uint64_t)dirty,
			.last_pages = (uint64_t)due,
			.last_ns = (uint64_t)(sending_s * 1e9),
			.downtime_limit_ms = LIMIT_MS,
			.fixed_cost_ms = FIXED_MS,
			.rounds = out.rounds,
		};

		out.seconds += round_s;
		if (migc_converge_downtime_ms(&in) <= LIMIT_MS) {
			out.done = true;
			out.downtime_ms = FIXED_MS + dirty * PAGE_BYTES / 1e3 / g->sends;
			break;
		}
		migc_throttle_round(&throttle, (uint64_t)due, (uint64_t)dirty);
		due = dirty;
	}
	out.percent = throttle.percent;
	return out;
}

static void slow_writers_are_left_alone(void **state)
{
	static const double slow[RESTS] = {0.5, 0.8};

	(void)state;
	for (unsigned int i = 0; i < RESTS; i++) {
		for (double share = 0.05; share < slow[i]; share += 0.05) {
			struct guest g = {4000, 2000, 240 * share, 240, rests[i]};
			struct outcome out = migrate(&g);

			assert_true(out.done);
			assert_int_equal(out.percent, 0);
		}
	}
}

static void see_caught(double share, double set_mbytes)
{
	for (unsigned int i = 0; i < RESTS; i++) {
		struct guest g = {4000, set_mbytes, 240 * share, 240, rests[i]};
		struct outcome out = migrate(&g);

		assert_true(out.done);
		assert_true(out.downtime_ms <= LIMIT_MS + 1);
	}
}

static void any_writer_is_caught(void **state)
{
	(void)state;
	for (double share = 0.5; share < 20; share *= 1.3) {
		for (double set = 64; set <= 4000; set *= 4)
			see_caught(share, set);
	}
}

static void no_more_than_it_takes(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RESTS; i++) {
		/* twice as fast as can be sent: less than half of it would converge */
		struct guest g = {4000, 2000, 480, 240, rests[i]};
		struct outcome out = migrate(&g);

		assert_true(out.done);
		assert_in_range(out.percent, 50, 90);
		/* what fits in the downtime anyway is not a reason */
		g.set_mbytes = 50;
		out = migrate(&g);
		assert_true(out.done);
		assert_int_equal(out.percent, 0);
	}
}

/** Where even 1 % is too much rounds go on, at 99 %: --timeout ends it. */
static void a_hopeless_guest_stays_at_99(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < RESTS; i++) {
		struct guest g = {4000, 2000, 100000, 240, rests[i]};
		struct outcome out = migrate(&g);

		assert_false(out.done);
		assert_int_equal(out.percent, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slow_writers_are_left_alone),
		cmocka_unit_test(any_writer_is_caught),
		cmocka_unit_test(no_more_than_it_takes),
		cmocka_unit_test(a_hopeless_guest_stays_at_99),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
