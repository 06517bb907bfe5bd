/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec_rig.h"

static struct rig_packed packed;

static int reset(void **state)
{
	(void)state;
	rig_reset();
	return 0;
}

/** Every content, every number of pages both devices take: byte for byte. */
static void round_trips(const char *from, const char *to, unsigned int most)
{
	struct migc_codec_devices_config in = rig_config(from, true), out = rig_config(to, false);
	struct rig_engine compressor, decompressor;

	rig_open(&compressor, &in);
	rig_open(&decompressor, &out);
	assert_int_equal(migc_codec_devices_count(compressor.devices), 1);
	for (unsigned int count = 1; count <= most; count++) {
		for (unsigned int content = RIG_TEXT; content <= RIG_ZERO; content++) {
			struct rig_pages pages, copy;

			rig_pages_create(&pages, count);
			rig_pages_create(&copy, count);
			rig_fill(&pages, (enum rig_content)content, count);
			rig_fill(&copy, RIG_RANDOM, 1);
			rig_compress(&compressor, &pages, &packed);
			assert_int_equal(packed.status, 0);
			assert_int_equal(
				rig_decompress(&decompressor, &copy, packed.data, packed.bytes), 0);
			for (unsigned int i = 0; i < count; i++)
				assert_memory_equal(copy.page[i], pages.page[i], MIGC_PAGE_BYTES);
			rig_pages_free(&pages);
			rig_pages_free(&copy);
		}
	}
	assert_int_equal(rig_stats(&compressor).errors + rig_stats(&decompressor).errors, 0);
	assert_int_equal(rig_stats(&compressor).short_consumed, 0);
	assert_int_equal(rig_stats(&decompressor).short_produced, 0);
	assert_int_equal(rig_stats(&compressor).pages, rig_stats(&decompressor).pages);
	assert_int_equal(rig_stats(&compressor).out_bytes, rig_stats(&decompressor).in_bytes);
	rig_close(&compressor);
	rig_close(&decompressor);
}

static void what_isal_makes_isal_takes(void **state)
{
	(void)state;
	round_trips("compress_isal0", "compress_isal1", 16);
}

static void what_isal_makes_zlib_takes(void **state)
{
	(void)state;
	round_trips("compress_isal0", "compress_zlib1", 15);
}

static void what_zlib_makes_isal_takes(void **state)
{
	(void)state;
	round_trips("compress_zlib0", "compress_isal1", 15);
}

static void what_zlib_makes_zlib_takes(void **state)
{
	(void)state;
	round_trips("compress_zlib0", "compress_zlib1", 15);
}

static void every_level_and_huffman_kind_comes_back_the_same(void **state)
{
	static const char *const devices[] = {"compress_isal0", "compress_zlib0"};
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine decompressor;
	struct rig_pages pages, copy;

	(void)state;
	rig_pages_create(&pages, 15);
	rig_pages_create(&copy, 15);
	rig_open(&decompressor, &out);
	for (unsigned int i = 0; i < 2 * 9 * 3; i++) {
		struct migc_codec_devices_config in = rig_config(devices[i / 27], true);
		struct rig_engine compressor;

		in.request.level = 1 + (int)(i % 9);
		in.request.huffman = (enum migc_huffman)(i / 9 % 3);
		rig_open(&compressor, &in);
		for (unsigned int content = RIG_TEXT; content <= RIG_ZERO; content++) {
			rig_fill(&pages, (enum rig_content)content, i);
			rig_compress(&compressor, &pages, &packed);
			assert_int_equal(packed.status, 0);
			assert_int_equal(
				rig_decompress(&decompressor, &copy, packed.data, packed.bytes), 0);
			for (unsigned int k = 0; k < 15; k++)
				assert_memory_equal(copy.page[k], pages.page[k], MIGC_PAGE_BYTES);
		}
		rig_close(&compressor);
	}
	rig_close(&decompressor);
	rig_pages_free(&pages);
	rig_pages_free(&copy);
}

static void random_pages_do_not_shrink_and_are_said_to_go_raw(void **state)
{
	static const char *const devices[] = {"compress_isal0", "compress_zlib0"};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct migc_codec_devices_config config = rig_config(devices[i], true);
		unsigned int most = i ? 15 : 16;
		struct rig_engine e;

		rig_open(&e, &config);
		for (unsigned int count = 1; count <= most; count++) {
			struct rig_pages pages;

			rig_pages_create(&pages, count);
			rig_fill(&pages, RIG_RANDOM, count);
			rig_compress(&e, &pages, &packed);
			assert_int_equal(packed.status, -ENOSPC);
			rig_pages_free(&pages);
		}
		assert_int_equal(rig_stats(&e).did_not_shrink, most);
		assert_int_equal(rig_stats(&e).errors, 0);
		assert_int_equal(rig_stats(&e).fallback_blocks, 0);
		rig_close(&e);
	}
}

/** Jobs of their own pages, as many as a test wants. */
struct jobs {
	unsigned int count;
	struct migc_codec_job job[CODEC_JOBS_MAX + 1];
	struct rig_pages pages;
};

static struct jobs *jobs_create(unsigned int count, unsigned int pages)
{
	struct jobs *j = calloc(1, sizeof(*j));

	j->count = count;
	rig_pages_create(&j->pages, pages);
	rig_fill(&j->pages, RIG_TEXT, count);
	for (unsigned int i = 0; i < count; i++) {
		j->job[i].codec = MIGC_CODEC_DEFLATE;
		j->job[i].pages = (uint16_t)pages;
		j->job[i].cookie = &j->job[i];
		j->job[i].status = 1;
		memcpy(j->job[i].page, j->pages.page, sizeof(j->job[i].page));
	}
	return j;
}

static void jobs_free(struct jobs *j)
{
	rig_pages_free(&j->pages);
	free(j);
}

/** All through the engine as room allows; each comes back once, with the right bytes. */
static void run_jobs(struct rig_engine *e, struct jobs *j, int expected)
{
	struct migc_codec_job *done[8];
	unsigned int submitted = 0, finished = 0, polls = 0;

	while (finished < j->count) {
		unsigned int n;

		/* a job that never comes back: not wall-clock time, but far more than it takes */
		assert_true(++polls < 1000000);
		while (submitted < j->count && migc_codec_room(e->codec))
			assert_int_equal(migc_codec_submit(e->codec, &j->job[submitted++]), 0);
		n = migc_codec_poll(e->codec, done, 8);
		for (unsigned int i = 0; i < n; i++) {
			assert_ptr_equal(done[i]->cookie, done[i]);
			done[i]->cookie = NULL;
			assert_int_equal(done[i]->status, expected);
			rig_take(done[i], &packed);
		}
		finished += n;
		assert_int_equal(migc_codec_in_flight(e->codec), submitted - finished);
	}
}

static void a_burst_larger_than_the_window_is_taken_as_room_comes(void **state)
{
	static const char *const devices[] = {"compress_isal0", "compress_zlib0"};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct migc_codec_devices_config config = rig_config(devices[i], true);
		struct jobs *j = jobs_create(200, 15);
		struct rig_engine e;
		unsigned int room;

		rig_open(&e, &config);
		room = migc_codec_room(e.codec);
		assert_in_range(room, 1, 199);
		for (unsigned int k = 0; k < room; k++) {
			assert_int_equal(migc_codec_room(e.codec), room - k);
			assert_int_equal(migc_codec_submit(e.codec, &j->job[k]), 0);
		}
		assert_int_equal(migc_codec_room(e.codec), 0);
		assert_int_equal(migc_codec_submit(e.codec, &j->job[room]), -ENOBUFS);
		assert_int_equal(migc_codec_in_flight(e.codec), room);
		for (unsigned int k = 0; k < room; k++) {
			struct migc_codec_job *done;

			rig_wait(&e, &done, 1);
			rig_take(done, &packed);
			assert_int_equal(packed.status, 0);
		}
		run_jobs(&e, j, 0);
		assert_int_equal(rig_stats(&e).fallback_blocks, 0);
		rig_close(&e);
		jobs_free(j);
	}
}

static void a_device_that_takes_a_burst_in_part_gets_the_rest_later(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_isal0", true);
	struct jobs *j = jobs_create(100, 4);
	struct rig_engine e;

	(void)state;
	rig_open(&e, &config);
	rig_faults.full_device = e.codec->lane[0].device->id;
	run_jobs(&e, j, 0);
	assert_in_range(rig_stats(&e).enqueue_full, 1, UINT32_MAX);
	assert_int_equal(rig_stats(&e).errors, 0);
	rig_close(&e);
	jobs_free(j);
}

static struct migc_codec_devices_config with_fallback(void)
{
	struct migc_codec_devices_config config = rig_config("compress_zlib0", true);

	config.no_fallback = false;
	return config;
}

static void a_device_that_refuses_an_op_is_not_asked_again_for_it(void **state)
{
	struct migc_codec_devices_config config = with_fallback();
	struct jobs *j = jobs_create(100, 4);
	struct rig_engine e;

	(void)state;
	rig_open(&e, &config);
	assert_int_equal(e.codec->lanes, 2);
	rig_faults.refusing_device = e.codec->lane[0].device->id;
	run_jobs(&e, j, 0);
	assert_int_equal(rig_stats(&e).fallback_blocks, 100);
	rig_close(&e);
	jobs_free(j);
}

static void errors_of_a_device_are_made_good_by_the_next(void **state)
{
	struct migc_codec_devices_config config = with_fallback();
	struct jobs *j = jobs_create(CODEC_JOBS_MAX, 8);
	struct migc_codec_stats stats;
	unsigned int raw = 0;
	struct rig_engine e;

	(void)state;
	config.inject_error_per_billion = 300000000;
	config.inject_seed = 42;
	rig_open(&e, &config);
	for (unsigned int i = 0; i < j->count; i++) {
		struct migc_codec_job *done;

		assert_int_equal(migc_codec_submit(e.codec, &j->job[i]), 0);
		rig_wait(&e, &done, 1);
		rig_take(done, &packed);
		raw += packed.status == -ENOSPC;
		assert_true(packed.status == 0 || packed.status == -ENOSPC);
	}
	stats = rig_stats(&e);
	assert_in_range(stats.injected, 20, 200);
	assert_int_equal(stats.errors, stats.injected);
	/* a block that both devices failed was one fallback and two errors */
	assert_int_equal(stats.fallback_blocks + raw, stats.injected);
	assert_in_range(raw, 1, 60);
	rig_close(&e);
	jobs_free(j);
}

static void a_job_that_all_devices_fail_goes_raw(void **state)
{
	struct migc_codec_devices_config config = with_fallback();
	struct jobs *j = jobs_create(100, 8);
	struct rig_engine e;

	(void)state;
	config.inject_error_per_billion = 1000000000;
	rig_open(&e, &config);
	run_jobs(&e, j, -ENOSPC);
	assert_int_equal(rig_stats(&e).fallback_blocks, 100);
	assert_int_equal(rig_stats(&e).injected, 200);
	assert_int_equal(rig_stats(&e).did_not_shrink, 0);
	rig_close(&e);
	jobs_free(j);
}

static void without_fallback_an_error_is_an_error(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_isal0", true);
	struct jobs *j = jobs_create(50, 8);
	struct rig_engine e;

	(void)state;
	config.inject_error_per_billion = 1000000000;
	rig_open(&e, &config);
	run_jobs(&e, j, -EIO);
	assert_int_equal(rig_stats(&e).errors, 50);
	rig_close(&e);
	jobs_free(j);
}

static void an_error_of_decompression_is_told_and_frees_the_block(void **state)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, decompressor;
	struct rig_pages pages;

	(void)state;
	rig_pages_create(&pages, 16);
	rig_fill(&pages, RIG_TEXT, 1);
	out.inject_error_per_billion = 1000000000;
	rig_open(&compressor, &in);
	rig_open(&decompressor, &out);
	rig_compress(&compressor, &pages, &packed);
	/* more than there are buffers: none may be lost */
	for (unsigned int i = 0; i < 2 * CODEC_BUFFERS; i++)
		assert_int_equal(rig_decompress(&decompressor, &pages, packed.data, packed.bytes),
				 -EBADMSG);
	rig_close(&compressor);
	rig_close(&decompressor);
	rig_pages_free(&pages);
}

static void a_failed_decompression_is_done_by_the_next_device(void **state)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, decompressor;
	struct rig_pages pages, copy;
	unsigned int good = 0;

	(void)state;
	rig_pages_create(&pages, 15);
	rig_pages_create(&copy, 15);
	rig_fill(&pages, RIG_BINARY, 1);
	rig_open(&compressor, &in);
	rig_compress(&compressor, &pages, &packed);
	rig_close(&compressor);
	out.compressdev = "compress_zlib1";
	out.no_fallback = false;
	out.inject_error_per_billion = 400000000;
	rig_open(&decompressor, &out);
	assert_int_equal(decompressor.codec->lanes, 2);
	for (unsigned int i = 0; i < 100; i++) {
		rig_fill(&copy, RIG_RANDOM, i);
		if (rig_decompress(&decompressor, &copy, packed.data, packed.bytes) != 0)
			continue;
		good++;
		for (unsigned int k = 0; k < 15; k++)
			assert_memory_equal(copy.page[k], pages.page[k], MIGC_PAGE_BYTES);
	}
	assert_in_range(good, 65, 99);
	assert_in_range(rig_stats(&decompressor).fallback_blocks, 20, 60);
	rig_close(&decompressor);
	rig_pages_free(&pages);
	rig_pages_free(&copy);
}

static void jobs_of_a_device_that_falls_silent_are_done_elsewhere(void **state)
{
	struct migc_codec_devices_config config = with_fallback();
	struct jobs *j = jobs_create(40, 8);
	struct migc_codec_job *done[40];
	struct rig_engine e;

	(void)state;
	rig_open(&e, &config);
	e.codec->dead_cycles = 1000000;
	rig_faults.silent_device = e.codec->lane[0].device->id;
	run_jobs(&e, j, 0);
	assert_true(e.codec->lane[0].dead);
	assert_int_equal(rig_stats(&e).fallback_blocks, 40);
	/* what it still gives back later has nobody waiting for it */
	rig_faults.silent_device = -1;
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(migc_codec_poll(e.codec, done, 40), 0);
	rig_close(&e);
	jobs_free(j);
}

static void blocks_that_a_silent_device_holds_are_told_to_be_lost(void **state)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, decompressor;
	struct migc_codec_job *done;
	struct rig_pages pages;

	(void)state;
	rig_pages_create(&pages, 8);
	rig_fill(&pages, RIG_TEXT, 1);
	rig_open(&compressor, &in);
	rig_compress(&compressor, &pages, &packed);
	rig_close(&compressor);
	rig_open(&decompressor, &out);
	decompressor.codec->dead_with_pages_cycles = 1000000;
	rig_faults.silent_device = decompressor.codec->lane[0].device->id;
	/* not just a block to send again: the device may yet write to the guest's pages */
	assert_int_equal(rig_decompress(&decompressor, &pages, packed.data, packed.bytes), -EIO);
	/* no device is left: at once */
	assert_int_equal(rig_decompress(&decompressor, &pages, packed.data, packed.bytes),
			 -EBADMSG);
	rig_faults.silent_device = -1;
	assert_int_equal(migc_codec_poll(decompressor.codec, &done, 1), 0);
	rig_close(&decompressor);
	rig_pages_free(&pages);
}

static void without_fallback_and_without_a_device_compression_is_an_error(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_isal0", true);
	struct rig_pages pages;
	struct rig_engine e;

	(void)state;
	rig_pages_create(&pages, 2);
	rig_open(&e, &config);
	e.codec->lane[0].dead = true;
	rig_compress(&e, &pages, &packed);
	assert_int_equal(packed.status, -EIO);
	rig_close(&e);
	rig_pages_free(&pages);
}

static void an_engine_with_ops_in_flight_can_be_freed(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_isal0", true);
	struct jobs *j = jobs_create(10, 8);
	struct migc_codec_job *done[1];
	struct rig_engine e;

	(void)state;
	rig_open(&e, &config);
	for (unsigned int i = 0; migc_codec_room(e.codec); i++)
		assert_int_equal(migc_codec_submit(e.codec, &j->job[i]), 0);
	migc_codec_poll(e.codec, done, 1);
	assert_true(migc_codec_in_flight(e.codec) > 0);
	rig_discard(&e);
	/* and the device serves the next */
	rig_open(&e, &config);
	run_jobs(&e, j, 0);
	rig_close(&e);
	jobs_free(j);
}

static void a_device_that_is_not_there_is_told_with_those_that_are(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_qat", true);
	struct migc_codec_devices *devices;
	struct migc_error err = {0};

	(void)state;
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), -ENODEV);
	assert_null(devices);
	assert_non_null(strstr(err.text, "compress_qat"));
	assert_non_null(strstr(err.text, "compress_isal0"));
	assert_non_null(strstr(err.text, "compress_zlib1"));
}

static void isal_is_chosen_when_none_is_named(void **state)
{
	struct migc_codec_devices_config config = rig_config(NULL, true);
	struct migc_codec_devices *devices;
	struct migc_error err = {0};

	(void)state;
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
	assert_string_equal(migc_codec_device_driver(devices, 0), "compress_isal");
	assert_int_equal(migc_codec_devices_count(devices), 1);
	migc_codec_devices_close(devices);
	config.no_fallback = false;
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
	assert_string_equal(migc_codec_device_driver(devices, 0), "compress_isal");
	migc_codec_devices_close(devices);
}

static void more_workers_than_an_engine_can_have_are_refused(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_zlib0", true);
	struct migc_codec_devices *devices;
	struct migc_error err = {0};
	struct migc_codec *codec;

	(void)state;
	config.workers = 4 * CODEC_WORKERS_MAX;
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
	assert_int_equal(
		migc_codec_create(devices, CODEC_WORKERS_MAX, false, SOCKET_ID_ANY, &codec, &err),
		-ENOTSUP);
	assert_non_null(strstr(err.text, "queue pair"));
	migc_codec_devices_close(devices);
}

static void blocks_are_as_small_as_the_smallest_device_of_the_set(void **state)
{
	struct migc_codec_devices_config config = with_fallback();
	struct migc_codec_devices *devices;
	struct migc_error err = {0};

	(void)state;
	assert_int_equal(migc_codec_devices_open(&config, &devices, &err), 0);
	assert_int_equal(migc_codec_devices_count(devices), 2);
	assert_int_equal(migc_codec_block_pages(devices, MIGC_CODEC_DEFLATE), 15);
	migc_codec_devices_close(devices);
}

static void capabilities_are_read_as_the_plan_tests_have_them(void **state)
{
	struct migc_codec_caps caps;

	(void)state;
	assert_int_equal(
		migc_codec_caps_read((uint8_t)rte_compressdev_get_dev_id("compress_isal0"), &caps),
		0);
	print_message("isal: flags %" PRIx64 ", window %u..%u\n", caps.comp_feature_flags,
		      caps.window_min, caps.window_max);
	assert_true(caps.deflate);
	assert_int_equal(caps.window_max, 15);
	assert_true(caps.comp_feature_flags & RTE_COMP_FF_OOP_SGL_IN_SGL_OUT);
	assert_true(caps.comp_feature_flags & RTE_COMP_FF_SHAREABLE_PRIV_XFORM);
	assert_int_equal(
		migc_codec_caps_read((uint8_t)rte_compressdev_get_dev_id("compress_zlib0"), &caps),
		0);
	print_message("zlib: flags %" PRIx64 ", window %u..%u\n", caps.comp_feature_flags,
		      caps.window_min, caps.window_max);
	assert_true(caps.deflate);
	assert_int_equal(caps.window_max, 15);
	assert_false(caps.comp_feature_flags & RTE_COMP_FF_OOP_SGL_IN_SGL_OUT);
	assert_false(caps.comp_feature_flags & RTE_COMP_FF_SHAREABLE_PRIV_XFORM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, reset)
		TEST(capabilities_are_read_as_the_plan_tests_have_them),
		TEST(what_isal_makes_isal_takes),
		TEST(what_isal_makes_zlib_takes),
		TEST(what_zlib_makes_isal_takes),
		TEST(what_zlib_makes_zlib_takes),
		TEST(every_level_and_huffman_kind_comes_back_the_same),
		TEST(random_pages_do_not_shrink_and_are_said_to_go_raw),
		TEST(a_burst_larger_than_the_window_is_taken_as_room_comes),
		TEST(a_device_that_takes_a_burst_in_part_gets_the_rest_later),
		TEST(a_device_that_refuses_an_op_is_not_asked_again_for_it),
		TEST(errors_of_a_device_are_made_good_by_the_next),
		TEST(a_job_that_all_devices_fail_goes_raw),
		TEST(without_fallback_an_error_is_an_error),
		TEST(an_error_of_decompression_is_told_and_frees_the_block),
		TEST(a_failed_decompression_is_done_by_the_next_device),
		TEST(jobs_of_a_device_that_falls_silent_are_done_elsewhere),
		TEST(blocks_that_a_silent_device_holds_are_told_to_be_lost),
		TEST(without_fallback_and_without_a_device_compression_is_an_error),
		TEST(an_engine_with_ops_in_flight_can_be_freed),
		TEST(a_device_that_is_not_there_is_told_with_those_that_are),
		TEST(isal_is_chosen_when_none_is_named),
		TEST(more_workers_than_an_engine_can_have_are_refused),
		TEST(blocks_are_as_small_as_the_smallest_device_of_the_set),
	};

	if (rig_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
