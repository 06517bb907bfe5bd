/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spread.h"

/** @file Who gets which queue pair. */

/** No queue pair is anybody else's, and none is one that the device does not have. */
static void check(const struct spread_device *devices, unsigned int count, unsigned int workers,
		  const struct spread *s)
{
	bool taken[MIGC_CODEC_DEVICES_MAX][CODEC_WORKERS_MAX * CODEC_LANES_MAX] = {{false}};
	unsigned int used[MIGC_CODEC_DEVICES_MAX] = {0};

	for (unsigned int w = 0; w < workers; w++) {
		for (unsigned int i = 0; i < s->share[w].lanes; i++) {
			unsigned int d = s->share[w].device[i], q = s->share[w].queue_pair[i];

			assert_in_range(d, 0, count - 1);
			assert_false(taken[d][q]);
			taken[d][q] = true;
			used[d]++;
			if (devices[d].queue_pairs)
				assert_in_range(q, 0, devices[d].queue_pairs - 1);
			for (unsigned int k = 0; k < i; k++)
				assert_int_not_equal(s->share[w].device[k], d);
			if (i)
				assert_true(devices[s->share[w].device[i - 1]].tier <=
					    devices[d].tier);
		}
	}
	for (unsigned int d = 0; d < count; d++)
		assert_int_equal(used[d], s->used[d]);
}

static void workers_are_spread_over_devices_and_fall_back_to_another(void **state)
{
	/* generation 4, and compress_isal */
	const struct spread_device devices[] = {{-1, 4, 0}, {-1, 4, 0}, {-1, 0, 1}};
	struct spread s;

	(void)state;
	spread_queue_pairs(devices, 3, NULL, 4, &s);
	check(devices, 3, 4, &s);
	assert_int_equal(s.used[0], 4);
	assert_int_equal(s.used[1], 4);
	assert_int_equal(s.used[2], 4);
	for (unsigned int w = 0; w < 4; w++) {
		assert_int_equal(s.share[w].lanes, 3);
		assert_int_equal(s.share[w].device[0], w % 2);
		assert_int_equal(s.share[w].device[1], 1 - w % 2);
		assert_int_equal(s.share[w].device[2], 2);
	}
}

static void workers_without_a_queue_pair_use_the_next_tier(void **state)
{
	/* generation 3 */
	const struct spread_device devices[] = {{-1, 1, 0}, {-1, 0, 1}};
	struct spread s;

	(void)state;
	spread_queue_pairs(devices, 2, NULL, 3, &s);
	check(devices, 2, 3, &s);
	assert_int_equal(s.share[0].lanes, 2);
	assert_int_equal(s.share[0].device[0], 0);
	for (unsigned int w = 1; w < 3; w++) {
		assert_int_equal(s.share[w].lanes, 1);
		assert_int_equal(s.share[w].device[0], 1);
	}
}

static void a_first_queue_pair_for_all_comes_before_a_second_for_any(void **state)
{
	const struct spread_device devices[] = {{-1, 2, 0}, {-1, 2, 0}};
	struct spread s;

	(void)state;
	spread_queue_pairs(devices, 2, NULL, 3, &s);
	check(devices, 2, 3, &s);
	for (unsigned int w = 0; w < 3; w++)
		assert_in_range(s.share[w].lanes, 1, 2);
	assert_int_equal(s.used[0] + s.used[1], 4);
	spread_queue_pairs(devices, 2, NULL, 5, &s);
	check(devices, 2, 5, &s);
	assert_int_equal(s.share[4].lanes, 0);
}

static void workers_use_devices_of_their_numa_node_first(void **state)
{
	const struct spread_device devices[] = {{0, 2, 0}, {1, 2, 0}, {-1, 0, 1}};
	const int sockets[] = {1, 1, 0, 0};
	struct spread s;

	(void)state;
	spread_queue_pairs(devices, 3, sockets, 4, &s);
	check(devices, 3, 4, &s);
	for (unsigned int w = 0; w < 4; w++)
		assert_int_equal(s.share[w].device[0], sockets[w]);
}

static void a_device_elsewhere_is_better_than_none(void **state)
{
	const struct spread_device devices[] = {{0, 2, 0}, {-1, 0, 1}};
	const int sockets[] = {1, 1, 0};
	struct spread s;

	(void)state;
	spread_queue_pairs(devices, 2, sockets, 3, &s);
	check(devices, 2, 3, &s);
	/* the worker at the device is not robbed of it by those who are asked before */
	assert_int_equal(s.share[2].device[0], 0);
	assert_int_equal(s.share[0].device[0], 0);
	assert_int_equal(s.share[1].device[0], 1);
}

static void devices_are_used_by_the_share_of_their_queue_pairs(void **state)
{
	const struct spread_device devices[] = {{-1, 1, 0}, {-1, 4, 0}};
	struct spread s;

	(void)state;
	spread_queue_pairs(devices, 2, NULL, 5, &s);
	check(devices, 2, 5, &s);
	assert_int_equal(s.used[0], 1);
	assert_int_equal(s.used[1], 4);
	for (unsigned int w = 0; w < 5; w++)
		assert_int_equal(s.share[w].lanes, 1);
}

static void most_devices_and_workers_there_can_be(void **state)
{
	struct spread_device devices[MIGC_CODEC_DEVICES_MAX];
	struct spread s;

	(void)state;
	for (unsigned int d = 0; d < MIGC_CODEC_DEVICES_MAX; d++)
		devices[d] = (struct spread_device){(int)d % 2, 1 + d % 4, d / 8};
	spread_queue_pairs(devices, MIGC_CODEC_DEVICES_MAX, NULL, CODEC_WORKERS_MAX, &s);
	check(devices, MIGC_CODEC_DEVICES_MAX, CODEC_WORKERS_MAX, &s);
	/* and more workers than that get none, and harm nobody */
	spread_queue_pairs(devices, MIGC_CODEC_DEVICES_MAX, NULL, CODEC_WORKERS_MAX + 1, &s);
	check(devices, MIGC_CODEC_DEVICES_MAX, CODEC_WORKERS_MAX, &s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(workers_are_spread_over_devices_and_fall_back_to_another),
		cmocka_unit_test(workers_without_a_queue_pair_use_the_next_tier),
		cmocka_unit_test(a_first_queue_pair_for_all_comes_before_a_second_for_any),
		cmocka_unit_test(workers_use_devices_of_their_numa_node_first),
		cmocka_unit_test(a_device_elsewhere_is_better_than_none),
		cmocka_unit_test(devices_are_used_by_the_share_of_their_queue_pairs),
		cmocka_unit_test(most_devices_and_workers_there_can_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
