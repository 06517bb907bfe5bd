/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "qat_limits.h"

/**
 * @file
 * Plans for each generation of QAT, from the capability sets of DPDK's driver written out. Nothing
 * here was seen on hardware.
 */

#define CHECKSUMS                                                      \
	(RTE_COMP_FF_MULTI_PKT_CHECKSUM | RTE_COMP_FF_CRC32_CHECKSUM | \
	 RTE_COMP_FF_ADLER32_CHECKSUM | RTE_COMP_FF_CRC32_ADLER32_CHECKSUM)
#define CHAINS                                                            \
	(RTE_COMP_FF_OOP_SGL_IN_SGL_OUT | RTE_COMP_FF_OOP_SGL_IN_LB_OUT | \
	 RTE_COMP_FF_OOP_LB_IN_SGL_OUT)
#define HUFFMANS (RTE_COMP_FF_HUFFMAN_FIXED | RTE_COMP_FF_HUFFMAN_DYNAMIC)
/** qat_gen4_comp_capabilities, qat_gen5_comp_capabilities */
#define GEN_4_FLAGS (CHECKSUMS | RTE_COMP_FF_SHAREABLE_PRIV_XFORM | HUFFMANS | CHAINS)
/** qat_gen1_comp_capabilities, which generations 2 and 3 have as well */
#define GEN_1_FLAGS (GEN_4_FLAGS | RTE_COMP_FF_STATEFUL_DECOMPRESSION)

#define QAT(id, gen, flags, pairs)                                                    \
	{                                                                             \
		.driver = "compress_qat", .comp_feature_flags = flags,                \
		.dev_feature_flags = RTE_COMPDEV_FF_HW_ACCELERATED, .window_min = 15, \
		.window_max = 15, .deflate = true, .max_queue_pairs = pairs,          \
		.qat_generation = gen, .pci_device_id = id                            \
	}

static const struct device {
	const char *name;
	struct migc_codec_caps caps;
	unsigned int by_caps; /**< generation told without the PCI id */
} devices[] = {
	{"DH895xCC", QAT(0x0443, 1, GEN_1_FLAGS, 2), 2},
	{"C62x", QAT(0x37c9, 2, GEN_1_FLAGS, 2), 2},
	{"C3xxx", QAT(0x19e3, 2, GEN_1_FLAGS, 2), 2},
	{"D15xx", QAT(0x6f55, 2, GEN_1_FLAGS, 2), 2},
	{"200xx", QAT(0x18ef, 2, GEN_1_FLAGS, 2), 2},
	{"C4xxx", QAT(0x18a1, 3, GEN_1_FLAGS, 1), 3},
	{"300xx", QAT(0x578b, 3, GEN_1_FLAGS, 1), 3},
	{"4xxx", QAT(0x4941, 4, GEN_4_FLAGS, 4), 4},
	{"4xxx, half of it crypto", QAT(0x4941, 4, GEN_4_FLAGS, 2), 4},
	{"401xx", QAT(0x4943, 4, GEN_4_FLAGS, 4), 4},
	{"402xx", QAT(0x4945, 4, GEN_4_FLAGS, 1), 4},
	{"vQAT", QAT(0x0da5, 4, GEN_4_FLAGS, 4), 4},
	{"420xx", QAT(0x4947, 5, GEN_4_FLAGS, 4), 4},
};
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

static const struct migc_codec_request compress = {
	.compress = true, .level = 1, .huffman = MIGC_HUFFMAN_DYNAMIC};
static const struct migc_codec_request decompress = {.compress = false};

static struct migc_codec_plan plan_of(const struct device *d,
				      const struct migc_codec_request *request)
{
	struct migc_codec_plan plan;
	struct migc_error err = {0};

	if (migc_codec_plan(&d->caps, request, &plan, &err) != 0)
		fail_msg("%s: %s", d->name, err.text);
	return plan;
}

static void a_generation_is_told_by_the_pci_device_id(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < DEVICES; i++)
		assert_int_equal(qat_generation_of_id(devices[i].caps.pci_device_id),
				 devices[i].caps.qat_generation);
	/* physical functions, a device without compression, another maker's */
	assert_int_equal(qat_generation_of_id(0x4940), 0);
	assert_int_equal(qat_generation_of_id(0x37c8), 0);
	assert_int_equal(qat_generation_of_id(0x1454), 0);
	assert_int_equal(qat_generation_of_id(0), 0);
}

static void without_an_id_a_generation_with_the_same_limits_is_told(void **state)
{
	struct migc_codec_plan own, told;
	struct migc_codec_request request = compress;
	struct device other;

	(void)state;
	for (unsigned int i = 0; i < DEVICES; i++) {
		assert_int_equal(qat_generation_of_caps(&devices[i].caps), devices[i].by_caps);
		other = devices[i];
		other.caps.qat_generation = other.by_caps;
		for (request.level = 1; request.level <= 9; request.level++) {
			own = plan_of(&devices[i], &request);
			told = plan_of(&other, &request);
			assert_memory_equal(&own, &told, sizeof(own));
		}
	}
}

static void a_new_id_with_one_queue_pair_and_no_stateful_decompression_is_not_generation_3(
	void **state)
{
	struct migc_codec_caps caps = QAT(0x9999, 0, GEN_4_FLAGS, 1);

	(void)state;
	assert_int_equal(qat_generation_of_caps(&caps), 4);
}

/** What a request comes to, on all generations. */
struct limit {
	enum migc_huffman huffman;
	bool checksum;
	unsigned int asked, pages;
	bool splits;
};

static void blocks_have_12_or_16_pages(void **state)
{
	static const struct limit limits[] = {
		{MIGC_HUFFMAN_DYNAMIC, false, 0, 12, false},
		{MIGC_HUFFMAN_DYNAMIC, true, 0, 12, false},
		{MIGC_HUFFMAN_DEFAULT, false, 0, 12, false},
		{MIGC_HUFFMAN_FIXED, false, 0, 16, false},
		{MIGC_HUFFMAN_FIXED, true, 0, 16, false},
		{MIGC_HUFFMAN_DYNAMIC, false, 12, 12, false},
		/* asked for: a second descriptor and a copy */
		{MIGC_HUFFMAN_DYNAMIC, false, 13, 13, true},
		{MIGC_HUFFMAN_DYNAMIC, false, 16, 16, true},
		{MIGC_HUFFMAN_DEFAULT, false, 16, 16, true},
		/* would be fixed without a word */
		{MIGC_HUFFMAN_DYNAMIC, true, 16, 12, false},
		{MIGC_HUFFMAN_DEFAULT, true, 16, 12, false},
		{MIGC_HUFFMAN_FIXED, true, 16, 16, false},
		/* 17 segments make the driver reallocate */
		{MIGC_HUFFMAN_FIXED, false, 32, 16, false},
		{MIGC_HUFFMAN_DYNAMIC, false, 32, 16, true},
		{MIGC_HUFFMAN_DYNAMIC, false, 1, 1, false},
	};

	(void)state;
	for (unsigned int i = 0; i < DEVICES; i++) {
		for (unsigned int k = 0; k < sizeof(limits) / sizeof(limits[0]); k++) {
			struct migc_codec_request request = compress;
			struct migc_codec_plan plan;

			request.huffman = limits[k].huffman;
			request.checksum = limits[k].checksum;
			request.block_pages = limits[k].asked;
			plan = plan_of(&devices[i], &request);
			assert_int_equal(plan.block_pages, limits[k].pages);
			assert_int_equal(plan.splits, limits[k].splits);
			assert_int_equal(plan.xform.compress.chksum,
					 limits[k].checksum ? RTE_COMP_CHECKSUM_CRC32
							    : RTE_COMP_CHECKSUM_NONE);
		}
	}
}

static void decompression_has_16_segments_and_nothing_behind_them(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < DEVICES; i++) {
		struct migc_codec_request request = decompress;
		struct migc_codec_plan plan;

		request.block_pages = MIGC_BLOCK_PAGES_MAX;
		plan = plan_of(&devices[i], &request);
		assert_int_equal(plan.block_pages, 16);
		/* one more would be the 17th segment, and ISA-L alone needs these */
		assert_false(plan.scratch_segment || plan.source_tail || plan.splits);
		assert_int_equal(plan.xform.decompress.window_size, 15);
	}
}

static void levels_map_to_what_the_hardware_has(void **state)
{
	static const uint8_t depth_of_1_to_3[9] = {1, 4, 8, 16, 16, 16, 16, 16, 16};
	static const uint8_t level_of_4_and_5[9] = {1, 1, 1, 1, 1, 6, 6, 6, 9};

	(void)state;
	for (unsigned int i = 0; i < DEVICES; i++) {
		const uint8_t *map = devices[i].caps.qat_generation >= 4 ? level_of_4_and_5
									 : depth_of_1_to_3;

		for (int level = 1; level <= 9; level++) {
			struct migc_codec_request request = compress;
			struct migc_codec_plan plan;

			request.level = level;
			plan = plan_of(&devices[i], &request);
			assert_int_equal(plan.search_depth, map[level - 1]);
			assert_int_equal(plan.xform.compress.level, level);
		}
	}
}

static void rings_are_what_the_driver_takes_and_are_never_filled(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < DEVICES; i++) {
		struct migc_codec_plan plan = plan_of(&devices[i], &compress);

		assert_in_range(plan.descriptors, 128, 4096);
		assert_int_equal(plan.descriptors & (plan.descriptors - 1), 0);
		/* an op that is split takes two, and one stays free */
		assert_in_range(plan.in_flight, 1, (plan.descriptors - 1) / 2);
		/* above 256, qat_comp_enq_threshold refuses the tail of a round */
		assert_in_range(plan.in_flight, 1, 256);
		assert_in_range(plan.burst_max, 1, plan.in_flight);
		assert_true(plan.hardware && plan.shareable_xform);
		assert_true(plan.source_chain && plan.destination_chain);
	}
}

static void a_function_whose_service_is_not_compression_is_refused(void **state)
{
	struct device d = {"4xxx", QAT(0x4941, 4, GEN_4_FLAGS, 0), 4};
	struct migc_codec_plan plan;
	struct migc_error err = {0};

	(void)state;
	assert_int_equal(migc_codec_plan(&d.caps, &compress, &plan, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "cfg_services"));
}

static void a_checksum_that_the_device_does_not_make_is_refused(void **state)
{
	struct device d = {"4xxx", QAT(0x4941, 4, GEN_4_FLAGS, 4), 4};
	struct migc_codec_request request = compress;
	struct migc_codec_plan plan;
	struct migc_error err = {0};

	(void)state;
	d.caps.comp_feature_flags &= ~(uint64_t)RTE_COMP_FF_CRC32_CHECKSUM;
	request.checksum = true;
	assert_int_equal(migc_codec_plan(&d.caps, &request, &plan, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "CRC32"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_generation_is_told_by_the_pci_device_id),
		cmocka_unit_test(without_an_id_a_generation_with_the_same_limits_is_told),
		cmocka_unit_test(
			a_new_id_with_one_queue_pair_and_no_stateful_decompression_is_not_generation_3),
		cmocka_unit_test(blocks_have_12_or_16_pages),
		cmocka_unit_test(decompression_has_16_segments_and_nothing_behind_them),
		cmocka_unit_test(levels_map_to_what_the_hardware_has),
		cmocka_unit_test(rings_are_what_the_driver_takes_and_are_never_filled),
		cmocka_unit_test(a_function_whose_service_is_not_compression_is_refused),
		cmocka_unit_test(a_checksum_that_the_device_does_not_make_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
