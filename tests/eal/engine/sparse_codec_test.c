/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "migc_ladder.h"

/** @file The codec of blocks that are nearly all zeros, wherever the ladder stands. */

#define SOFTWARE                                                                  \
	(1u << MIGC_CODEC_RAW | 1u << MIGC_CODEC_LZ4 | 1u << MIGC_CODEC_DEFLATE | \
	 1u << MIGC_CODEC_ZSTD)
#define MS UINT64_C(1000000)

/** The link holds the worker up, or the worker the link, for so long that the end is reached. */
static void move(struct migc_ladder *l, enum migc_ladder_state state)
{
	for (unsigned int i = 1; i < 20000; i++)
		migc_ladder_turn(l, l->last_ns + MS, state);
}

static void sparse_blocks_are_compressed_when_all_others_go_raw(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, SOFTWARE, false, 0);
	assert_int_equal(migc_ladder_choose(&l, 0), MIGC_CODEC_RAW);
	assert_int_equal(migc_ladder_choose_sparse(&l, 0), MIGC_CODEC_LZ4);
}

static void a_slow_link_gets_the_densest_codec_for_sparse_blocks(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, SOFTWARE, false, 0);
	migc_ladder_turn(&l, MS, MIGC_LADDER_WORKING);
	move(&l, MIGC_LADDER_HELD);
	assert_int_equal(migc_ladder_choose_sparse(&l, 0), MIGC_CODEC_ZSTD);
	move(&l, MIGC_LADDER_STARVED);
	assert_int_equal(migc_ladder_choose_sparse(&l, 0), MIGC_CODEC_LZ4);
}

static void a_device_takes_sparse_blocks_while_it_has_room(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, SOFTWARE, true, 0);
	assert_int_equal(migc_ladder_choose_sparse(&l, MIGC_LADDER_DEVICE_ROOM),
			 MIGC_CODEC_DEFLATE);
	assert_int_equal(migc_ladder_choose_sparse(&l, 0), MIGC_CODEC_LZ4);
}

static void what_did_not_shrink_before_does_not_make_sparse_blocks_raw(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, 1u << MIGC_CODEC_RAW | 1u << MIGC_CODEC_ZSTD, false, 0);
	for (unsigned int i = 0; i < 100; i++)
		migc_ladder_block(&l, MIGC_CODEC_ZSTD, 65536, 0, 0);
	assert_int_equal(migc_ladder_choose_sparse(&l, 0), MIGC_CODEC_ZSTD);
}

static void where_there_is_only_raw_it_is_raw(void **state)
{
	struct migc_ladder l;

	(void)state;
	migc_ladder_init(&l, 1u << MIGC_CODEC_RAW, false, 0);
	assert_int_equal(migc_ladder_choose_sparse(&l, MIGC_LADDER_DEVICE_ROOM), MIGC_CODEC_RAW);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sparse_blocks_are_compressed_when_all_others_go_raw),
		cmocka_unit_test(a_slow_link_gets_the_densest_codec_for_sparse_blocks),
		cmocka_unit_test(a_device_takes_sparse_blocks_while_it_has_room),
		cmocka_unit_test(what_did_not_shrink_before_does_not_make_sparse_blocks_raw),
		cmocka_unit_test(where_there_is_only_raw_it_is_raw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
