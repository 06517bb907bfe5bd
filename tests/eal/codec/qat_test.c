/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "qat_rig.h"

/** @file Each generation of devices like QAT, without faults, below the real engine. */

#define GENERATIONS 5u

static struct rig_packed packed;

static int reset(void **state)
{
	(void)state;
	rig_reset();
	return qatlike_configure(NULL);
}

static void configure(const char *format, unsigned int generation)
{
	char text[128];

	snprintf(text, sizeof(text), format, generation);
	assert_int_equal(qatlike_configure(text), 0);
}

static void no_faults(const struct rig_engine *e)
{
	struct migc_codec_stats stats = rig_stats(e);

	assert_int_equal(stats.errors + stats.fallback_blocks + stats.short_consumed +
				 stats.short_produced,
			 0);
}

/** What the driver would do in the data path, or that a queue pair has two owners. */
static void nothing_that_qat_minds(void)
{
	struct qatlike_stats stats = qatlike_stats();

	assert_int_equal(stats.reallocations + stats.split + stats.fixed_silently, 0);
	assert_int_equal(stats.foreign + stats.held + stats.full + stats.refused, 0);
	assert_int_equal(stats.busy_closes, 0);
}

/** All contents, all sizes. */
static void round_trips(const char *from, const char *to, unsigned int most)
{
	struct migc_codec_devices_config in = qat_config(true), out = qat_config(false);
	struct rig_engine compressor, decompressor;

	in.compressdev = from;
	out.compressdev = to;
	in.no_fallback = true;
	out.no_fallback = true;
	rig_open(&compressor, &in);
	rig_open(&decompressor, &out);
	for (unsigned int count = 1; count <= most; count++) {
		for (unsigned int content = RIG_TEXT; content <= RIG_ZERO; content++) {
			struct rig_pages pages, copy;

			rig_pages_create(&pages, count);
			rig_pages_create(&copy, count);
			rig_fill(&pages, (enum rig_content)content, count);
			rig_fill(&copy, RIG_RANDOM, 1);
			rig_compress(&compressor, &pages, &packed);
			assert_int_equal(packed.status, 0);
			assert_true(qat_zlib_is(&pages, packed.data, packed.bytes));
			assert_int_equal(
				rig_decompress(&decompressor, &copy, packed.data, packed.bytes), 0);
			for (unsigned int i = 0; i < count; i++)
				assert_memory_equal(copy.page[i], pages.page[i], MIGC_PAGE_BYTES);
			rig_pages_free(&pages);
			rig_pages_free(&copy);
		}
	}
	no_faults(&compressor);
	no_faults(&decompressor);
	nothing_that_qat_minds();
	rig_close(&compressor);
	rig_close(&decompressor);
}

static void what_qat_makes_isal_takes(void **state)
{
	(void)state;
	for (unsigned int generation = 1; generation <= GENERATIONS; generation++) {
		configure("gen=%u", generation);
		round_trips("compress_qat", "compress_isal1", 12);
	}
}

static void what_qat_makes_zlib_takes(void **state)
{
	(void)state;
	for (unsigned int generation = 1; generation <= GENERATIONS; generation++) {
		configure("gen=%u", generation);
		round_trips("compress_qat", "compress_zlib1", 12);
	}
}

static void what_isal_makes_qat_takes(void **state)
{
	(void)state;
	for (unsigned int generation = 1; generation <= GENERATIONS; generation++) {
		configure("gen=%u", generation);
		round_trips("compress_isal0", "compress_qat", 16);
	}
}

static void what_zlib_makes_qat_takes(void **state)
{
	(void)state;
	for (unsigned int generation = 1; generation <= GENERATIONS; generation++) {
		configure("gen=%u", generation);
		round_trips("compress_zlib0", "compress_qat", 15);
	}
}

static void what_qat_makes_qat_takes(void **state)
{
	(void)state;
	for (unsigned int generation = 1; generation <= GENERATIONS; generation++) {
		/* a function of generation 3 has one queue pair: the other end has its own */
		configure("gen=%u,devices=2", generation);
		round_trips("0000:6b:00.0_qat_comp", "0000:6b:00.1_qat_comp", 12);
	}
}

static void many_blocks_are_in_flight_and_come_back_whole(void **state)
{
	(void)state;
	for (unsigned int generation = 1; generation <= GENERATIONS; generation++) {
		struct soak soak = {.blocks = 2000, .seed = generation};
		struct migc_codec_devices_config in = qat_config(true), out = qat_config(false);
		struct rig_engine e;
		struct soak_result result;

		configure("gen=%u,late=30", generation);
		rig_open(&e, &in);
		assert_string_equal(migc_codec_device_driver(e.devices, 0), "compress_qat");
		result = qat_soak(&e, &soak);
		assert_int_equal(result.failed, 0);
		/* of the contents, one is noise */
		assert_in_range(result.raw, soak.blocks / 10, soak.blocks / 3);
		assert_int_equal(result.raw, rig_stats(&e).did_not_shrink);
		no_faults(&e);
		nothing_that_qat_minds();
		assert_int_equal(qatlike_stats().ops, soak.blocks);
		rig_close(&e);
		rig_open(&e, &out);
		result = qat_soak_decompress(&e, &soak);
		assert_int_equal(result.failed, 0);
		no_faults(&e);
		nothing_that_qat_minds();
		rig_close(&e);
	}
}

static void a_block_of_16_pages_that_was_asked_for_is_split_by_the_driver(void **state)
{
	struct migc_codec_devices_config in = qat_config(true);
	struct rig_pages pages;
	struct rig_engine e;

	(void)state;
	configure("gen=%u", 4);
	in.request.block_pages = 16;
	rig_open(&e, &in);
	assert_int_equal(migc_codec_block_pages(e.devices, MIGC_CODEC_DEFLATE), 16);
	rig_pages_create(&pages, 16);
	rig_fill(&pages, RIG_TEXT, 1);
	rig_compress(&e, &pages, &packed);
	assert_int_equal(packed.status, 0);
	assert_true(qat_zlib_is(&pages, packed.data, packed.bytes));
	assert_int_equal(qatlike_stats().split, 1);
	assert_int_equal(qatlike_stats().reallocations, 0);
	rig_pages_free(&pages);
	rig_close(&e);
}

static void a_checksum_does_not_make_the_coding_fixed(void **state)
{
	struct migc_codec_devices_config in = qat_config(true);
	struct rig_pages pages;
	struct rig_engine e;

	(void)state;
	configure("gen=%u", 2);
	in.request.checksum = true;
	in.request.block_pages = 16;
	in.no_fallback = true;
	in.compressdev = "compress_qat";
	rig_open(&e, &in);
	assert_int_equal(migc_codec_block_pages(e.devices, MIGC_CODEC_DEFLATE), 12);
	rig_pages_create(&pages, 12);
	rig_fill(&pages, RIG_TEXT, 1);
	rig_compress(&e, &pages, &packed);
	assert_int_equal(packed.status, 0);
	nothing_that_qat_minds();
	rig_pages_free(&pages);
	rig_close(&e);
}

/** Engines of some workers, that all compress a block. */
static void work(struct migc_codec_devices *devices, unsigned int workers, unsigned int *on_qat)
{
	struct migc_codec *codec[8];
	struct migc_error err = {0};
	struct rig_pages pages;

	rig_pages_create(&pages, 8);
	rig_fill(&pages, RIG_TEXT, 1);
	*on_qat = 0;
	for (unsigned int w = 0; w < workers; w++) {
		struct rig_engine e = {.devices = devices};
		uint64_t before = qatlike_stats().ops;

		assert_int_equal(
			migc_codec_create(devices, w, false, SOCKET_ID_ANY, &codec[w], &err), 0);
		e.codec = codec[w];
		rig_compress(&e, &pages, &packed);
		assert_int_equal(packed.status, 0);
		assert_true(qat_zlib_is(&pages, packed.data, packed.bytes));
		*on_qat += qatlike_stats().ops != before;
	}
	for (unsigned int w = 0; w < workers; w++)
		migc_codec_free(codec[w]);
	rig_pages_free(&pages);
}

static void workers_beyond_the_queue_pairs_use_software(void **state)
{
	static const unsigned int pairs[] = {2, 2, 1, 4, 4};
	struct migc_codec_devices_config config = qat_config(true);
	struct migc_codec_devices *devices;
	struct migc_error err = {0};
	unsigned int on_qat;

	(void)state;
	for (unsigned int generation = 1; generation <= GENERATIONS; generation++) {
		for (unsigned int count = 1; count <= 2; count++) {
			unsigned int most = pairs[generation - 1] * count;

			configure(count == 1 ? "gen=%u" : "gen=%u,devices=2", generation);
			config.workers = 5;
			assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
			work(devices, 5, &on_qat);
			assert_int_equal(on_qat, most < 5 ? most : 5);
			migc_codec_devices_close(devices);
			nothing_that_qat_minds();
		}
	}
}

static void without_fallback_a_worker_without_a_queue_pair_is_refused(void **state)
{
	struct migc_codec_devices_config config = qat_config(true);
	struct migc_codec_devices *devices;
	struct migc_codec *codec;
	struct migc_error err = {0};

	(void)state;
	configure("gen=%u", 3);
	config.compressdev = "compress_qat";
	config.no_fallback = true;
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
	assert_int_equal(migc_codec_create(devices, 1, false, SOCKET_ID_ANY, &codec, &err),
			 -ENOTSUP);
	assert_non_null(strstr(err.text, "queue pair"));
	migc_codec_devices_close(devices);
}

struct named {
	const char *names;
	unsigned int count;
	const char *first, *second;
};

static void devices_are_named_one_by_one_or_by_their_driver(void **state)
{
	static const struct named cases[] = {
		{"0000:6b:00.1_qat_comp", 1, "0000:6b:00.1_qat_comp", NULL},
		{"0000:6b:00.2_qat_comp,0000:6b:00.0_qat_comp", 2, "0000:6b:00.2_qat_comp",
		 "0000:6b:00.0_qat_comp"},
		{"compress_qat", 3, "0000:6b:00.0_qat_comp", "0000:6b:00.1_qat_comp"},
		{"0000:6b:00.1_qat_comp,compress_qat", 3, "0000:6b:00.1_qat_comp",
		 "0000:6b:00.0_qat_comp"},
		{"0000:6b:00.0_qat_comp,compress_zlib1", 2, "0000:6b:00.0_qat_comp",
		 "compress_zlib1"},
		{"compress_isal1,0000:6b:00.0_qat_comp", 2, "compress_isal1",
		 "0000:6b:00.0_qat_comp"},
	};

	(void)state;
	configure("gen=%u,devices=3", 4);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct migc_codec_devices_config config = qat_config(true);
		struct migc_codec_devices *devices;
		struct migc_error err = {0};

		config.compressdev = cases[i].names;
		config.no_fallback = true;
		config.workers = 4;
		assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
		assert_int_equal(migc_codec_devices_count(devices), cases[i].count);
		assert_string_equal(migc_codec_device_name(devices, 0), cases[i].first);
		if (cases[i].second)
			assert_string_equal(migc_codec_device_name(devices, 1), cases[i].second);
		migc_codec_devices_close(devices);
	}
}

static void a_name_that_is_not_there_is_told_with_those_that_are(void **state)
{
	struct migc_codec_devices_config config = qat_config(true);
	struct migc_codec_devices *devices;
	struct migc_error err = {0};

	(void)state;
	configure("gen=%u,devices=2", 2);
	config.compressdev = "0000:6b:00.0_qat_comp,0000:6b:00.7_qat_comp";
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), -ENODEV);
	assert_non_null(strstr(err.text, "no compression device 0000:6b:00.7_qat_comp"));
	assert_non_null(strstr(err.text, "0000:6b:00.1_qat_comp"));
}

static void a_function_without_compression_is_passed_over(void **state)
{
	struct migc_codec_devices_config config = qat_config(true);
	struct migc_codec_devices *devices;
	struct migc_error err = {0};

	(void)state;
	/* what the driver finds when cfg_services has no dc */
	configure("gen=%u,pairs=0", 4);
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
	assert_string_equal(migc_codec_device_driver(devices, 0), "compress_isal");
	migc_codec_devices_close(devices);
	config.compressdev = "compress_qat";
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), -ENOTSUP);
	assert_non_null(strstr(err.text, "cfg_services"));
}

#define TEST(f) cmocka_unit_test_teardown(f, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_qat_makes_isal_takes),
		TEST(what_qat_makes_zlib_takes),
		TEST(what_isal_makes_qat_takes),
		TEST(what_zlib_makes_qat_takes),
		TEST(what_qat_makes_qat_takes),
		TEST(many_blocks_are_in_flight_and_come_back_whole),
		TEST(a_block_of_16_pages_that_was_asked_for_is_split_by_the_driver),
		TEST(a_checksum_does_not_make_the_coding_fixed),
		TEST(workers_beyond_the_queue_pairs_use_software),
		TEST(without_fallback_a_worker_without_a_queue_pair_is_refused),
		TEST(devices_are_named_one_by_one_or_by_their_driver),
		TEST(a_name_that_is_not_there_is_told_with_those_that_are),
		TEST(a_function_without_compression_is_passed_over),
	};

	if (rig_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
