/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "migc_codec.h"

/** @file Capabilities written out as the devices tell them: no EAL, no device. */

#define SGL_BOTH RTE_COMP_FF_OOP_SGL_IN_SGL_OUT
#define SGL_IN RTE_COMP_FF_OOP_SGL_IN_LB_OUT
#define SGL_OUT RTE_COMP_FF_OOP_LB_IN_SGL_OUT
#define HUFFMANS (RTE_COMP_FF_HUFFMAN_DYNAMIC | RTE_COMP_FF_HUFFMAN_FIXED)
#define SHAREABLE RTE_COMP_FF_SHAREABLE_PRIV_XFORM

static const struct migc_codec_caps isal = {
	.driver = "compress_isal",
	.comp_feature_flags = SGL_BOTH | SGL_IN | SGL_OUT | HUFFMANS | SHAREABLE,
	.window_min = 15,
	.window_max = 15,
	.deflate = true,
};

static const struct migc_codec_caps zlib = {
	.driver = "compress_zlib",
	.comp_feature_flags = RTE_COMP_FF_NONCOMPRESSED_BLOCKS | HUFFMANS,
	.window_min = 8,
	.window_max = 15,
	.deflate = true,
};

static const struct migc_codec_caps qat = {
	.driver = "compress_qat",
	.comp_feature_flags = SGL_BOTH | SGL_IN | SGL_OUT | HUFFMANS | SHAREABLE,
	.window_min = 15,
	.window_max = 15,
	.deflate = true,
	.max_queue_pairs = 2,
	.qat_generation = 3,
};

static const struct migc_codec_request compress = {
	.compress = true, .level = 1, .huffman = MIGC_HUFFMAN_DYNAMIC, .block_pages = 16};
static const struct migc_codec_request decompress = {.compress = false, .block_pages = 16};

static struct migc_codec_plan plan_of(const struct migc_codec_caps *caps,
				      const struct migc_codec_request *request)
{
	struct migc_codec_plan plan;
	struct migc_error err = {0};

	assert_int_equal(migc_codec_plan(caps, request, &plan, &err), 0);
	assert_int_equal(err.code, 0);
	return plan;
}

static void refused(const struct migc_codec_caps *caps, const struct migc_codec_request *request,
		    const char *reason)
{
	struct migc_codec_plan plan;
	struct migc_error err = {0};

	assert_int_equal(migc_codec_plan(caps, request, &plan, &err), -ENOTSUP);
	assert_int_equal(err.code, -ENOTSUP);
	assert_non_null(strstr(err.text, reason));
}

static void isal_compresses_chains_of_pages(void **state)
{
	struct migc_codec_plan plan = plan_of(&isal, &compress);

	(void)state;
	assert_true(plan.source_chain);
	assert_true(plan.destination_chain);
	assert_true(plan.shareable_xform);
	assert_int_equal(plan.block_pages, 16);
	/* each segment costs it 32 KiB of copies */
	assert_int_equal(plan.segment_bytes, 65535);
	assert_int_equal(plan.xform.type, RTE_COMP_COMPRESS);
	assert_int_equal(plan.xform.compress.algo, RTE_COMP_ALGO_DEFLATE);
	assert_int_equal(plan.xform.compress.window_size, 15);
	assert_int_equal(plan.xform.compress.chksum, RTE_COMP_CHECKSUM_NONE);
	/* only decompression has the defects these avoid */
	assert_false(plan.scratch_segment);
	assert_false(plan.source_tail);
}

static void isal_decompression_has_a_scratch_segment_and_a_tail(void **state)
{
	struct migc_codec_plan plan = plan_of(&isal, &decompress);

	(void)state;
	assert_int_equal(plan.xform.type, RTE_COMP_DECOMPRESS);
	assert_int_equal(plan.xform.decompress.window_size, 15);
	assert_true(plan.destination_chain);
	assert_true(plan.scratch_segment);
	assert_true(plan.source_tail);
}

static void zlib_takes_15_pages_in_one_linear_buffer(void **state)
{
	struct migc_codec_plan in = plan_of(&zlib, &compress);
	struct migc_codec_plan out = plan_of(&zlib, &decompress);

	(void)state;
	assert_false(in.source_chain || in.destination_chain);
	assert_false(out.source_chain || out.destination_chain);
	assert_int_equal(in.block_pages, 15);
	assert_int_equal(out.block_pages, 15);
	assert_false(out.scratch_segment || out.source_tail);
}

static void an_xform_that_cannot_be_shared_serves_one_op_at_a_time(void **state)
{
	struct migc_codec_plan plan = plan_of(&zlib, &compress);

	(void)state;
	assert_false(plan.shareable_xform);
	assert_int_equal(plan.in_flight, 1);
}

static void no_device_is_asked_for_more_in_flight_than_it_has_descriptors(void **state)
{
	const struct migc_codec_caps *all[] = {&isal, &zlib, &qat};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		struct migc_codec_plan plan = plan_of(all[i], &compress);

		assert_in_range(plan.in_flight, 1, plan.descriptors - 1);
		assert_in_range(plan.burst_max, 1, plan.descriptors - 1);
	}
}

static void chains_are_used_in_the_directions_that_the_device_has(void **state)
{
	static const struct {
		uint64_t flags;
		bool source, destination;
		unsigned int compress_pages, decompress_pages;
	} cases[] = {
		{0, false, false, 15, 15},
		{SGL_IN, true, false, 32, 15},
		{SGL_OUT, false, true, 15, 32},
		{SGL_BOTH, true, true, 32, 32},
		{SGL_BOTH | SGL_IN | SGL_OUT, true, true, 32, 32},
		/* one of both, never both at once: the longer one, the source, wins */
		{SGL_IN | SGL_OUT, true, false, 32, 15},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct migc_codec_request in = compress, out = decompress;
		struct migc_codec_caps caps = isal;
		struct migc_codec_plan plan;

		caps.driver = "other";
		caps.comp_feature_flags = HUFFMANS | SHAREABLE | cases[i].flags;
		in.block_pages = MIGC_BLOCK_PAGES_MAX;
		out.block_pages = MIGC_BLOCK_PAGES_MAX;
		plan = plan_of(&caps, &in);
		assert_int_equal(plan.segment_bytes,
				 plan.destination_chain ? MIGC_PAGE_BYTES : 65535);
		assert_int_equal(plan.source_chain, cases[i].source);
		assert_int_equal(plan.destination_chain, cases[i].destination);
		assert_int_equal(plan.block_pages, cases[i].compress_pages);
		assert_int_equal(plan_of(&caps, &out).block_pages, cases[i].decompress_pages);
	}
}

static void block_pages_are_the_wish_bounded_by_the_device(void **state)
{
	struct migc_codec_request request = compress;

	(void)state;
	request.block_pages = 0;
	assert_int_equal(plan_of(&isal, &request).block_pages, 32);
	assert_int_equal(plan_of(&zlib, &request).block_pages, 15);
	request.block_pages = 1;
	assert_int_equal(plan_of(&isal, &request).block_pages, 1);
	assert_int_equal(plan_of(&qat, &request).block_pages, 1);
	request.block_pages = MIGC_BLOCK_PAGES_MAX;
	assert_int_equal(plan_of(&isal, &request).block_pages, 32);
}

static void a_window_that_is_not_32_kib_is_refused(void **state)
{
	struct migc_codec_caps caps = isal;

	(void)state;
	caps.window_min = 8;
	caps.window_max = 14;
	refused(&caps, &compress, "window");
	refused(&caps, &decompress, "window");
	caps.window_max = 15;
	plan_of(&caps, &compress);
}

static void a_device_without_deflate_is_refused(void **state)
{
	struct migc_codec_caps caps = isal;

	(void)state;
	caps.deflate = false;
	refused(&caps, &compress, "DEFLATE");
	refused(&caps, &decompress, "DEFLATE");
}

static void huffman_codings_that_the_device_lacks_are_refused(void **state)
{
	struct migc_codec_request request = compress;
	struct migc_codec_caps caps = isal;

	(void)state;
	caps.comp_feature_flags &= ~(uint64_t)RTE_COMP_FF_HUFFMAN_DYNAMIC;
	refused(&caps, &request, "dynamic");
	request.huffman = MIGC_HUFFMAN_FIXED;
	plan_of(&caps, &request);
	caps = isal;
	caps.comp_feature_flags &= ~(uint64_t)RTE_COMP_FF_HUFFMAN_FIXED;
	refused(&caps, &request, "fixed");
	request.huffman = MIGC_HUFFMAN_DEFAULT;
	assert_int_equal(plan_of(&caps, &request).xform.compress.deflate.huffman,
			 RTE_COMP_HUFFMAN_DEFAULT);
	/* what comes in says itself how it is coded */
	plan_of(&caps, &decompress);
}

static void levels_are_1_to_9(void **state)
{
	static const int wrong[] = {-2, -1, 0, 10, 12, 100};
	struct migc_codec_request request = compress;

	(void)state;
	for (int level = 1; level <= 9; level++) {
		request.level = level;
		assert_int_equal(plan_of(&isal, &request).xform.compress.level, level);
	}
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		request.level = wrong[i];
		refused(&isal, &request, "level");
	}
	/* and of no meaning for decompression */
	request.compress = false;
	plan_of(&isal, &request);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isal_compresses_chains_of_pages),
		cmocka_unit_test(isal_decompression_has_a_scratch_segment_and_a_tail),
		cmocka_unit_test(zlib_takes_15_pages_in_one_linear_buffer),
		cmocka_unit_test(an_xform_that_cannot_be_shared_serves_one_op_at_a_time),
		cmocka_unit_test(no_device_is_asked_for_more_in_flight_than_it_has_descriptors),
		cmocka_unit_test(chains_are_used_in_the_directions_that_the_device_has),
		cmocka_unit_test(block_pages_are_the_wish_bounded_by_the_device),
		cmocka_unit_test(a_window_that_is_not_32_kib_is_refused),
		cmocka_unit_test(a_device_without_deflate_is_refused),
		cmocka_unit_test(huffman_codings_that_the_device_lacks_are_refused),
		cmocka_unit_test(levels_are_1_to_9),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
