/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <rte_cycles.h>

#include "qat_rig.h"

/** @file Each fault of devices like QAT: 10,000 blocks, of which none may be lost or be wrong. */

#define BLOCKS 10000u
/** All that can be with a device when it falls silent, in its ring and before it. */
#define WITH_DEVICE 128u

static bool is_to_be_lost;
/** Lost devices are tried each millisecond. */
static bool try_often;

/** What the main lcore said. */
static char said[1024];

static void hear(void *ctx, enum migc_log_level level, const char *text)
{
	size_t used = strlen(said);

	(void)ctx;
	(void)level;
	snprintf(said + used, sizeof(said) - used, "%s\n", text);
}

static const struct migc_log log_sink = {.write = hear, .level = MIGC_LOG_WARNING};

static int reset(void **state)
{
	(void)state;
	/* what a silent device still has comes back, and is freed */
	qatlike_faults("");
	rig_reset();
	said[0] = '\0';
	try_often = false;
	return qatlike_configure(NULL);
}

static unsigned int count_said(const char *words)
{
	unsigned int count = 0;

	for (const char *at = said; (at = strstr(at, words)) != NULL; at++)
		count++;
	return count;
}

static struct migc_codec_devices_config faulty(const char *specification, bool compress)
{
	struct migc_codec_devices_config config = qat_config(compress);

	assert_int_equal(qatlike_configure(specification), 0);
	is_to_be_lost = strstr(specification, "silent") || strstr(specification, "vanish");
	config.log = &log_sink;
	return config;
}

static struct soak_result soak_config(struct rig_engine *e,
				      const struct migc_codec_devices_config *config,
				      void (*at_half)(void *ctx))
{
	struct soak soak = {.blocks = BLOCKS, .seed = 7, .at_half = at_half, .ctx = e};
	struct soak_result result;

	rig_open(e, config);
	/* given up as soon as it was asked often enough: here devices answer by being asked */
	if (is_to_be_lost)
		e->codec->dead_cycles = rte_get_tsc_hz() / 50;
	if (try_often)
		e->codec->trial_cycles = rte_get_tsc_hz() / 1000;
	result = config->request.compress ? qat_soak(e, &soak) : qat_soak_decompress(e, &soak);
	migc_codec_devices_tell(e->devices);
	migc_codec_devices_tell(e->devices);
	assert_int_equal(result.compressed + result.raw + result.failed, BLOCKS);
	return result;
}

static struct soak_result soak_compress(struct rig_engine *e, const char *specification)
{
	struct migc_codec_devices_config config = faulty(specification, true);

	return soak_config(e, &config, NULL);
}

static struct soak_result soak_decompress(struct rig_engine *e, const char *specification)
{
	struct migc_codec_devices_config config = faulty(specification, false);

	return soak_config(e, &config, NULL);
}

/** Of five contents one is noise. */
static void most_are_compressed(struct soak_result result)
{
	assert_int_equal(result.failed, 0);
	assert_in_range(result.raw, BLOCKS / 10, BLOCKS / 3);
}

static void bursts_that_are_taken_in_part_are_given_again(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=2,short=0.5"));
	assert_true(qatlike_stats().shorts > 100);
	assert_true(rig_stats(&e).enqueue_full >= qatlike_stats().shorts);
	assert_int_equal(rig_stats(&e).fallback_blocks, 0);
	assert_int_equal(rig_stats(&e).errors, 0);
	rig_close(&e);
}

static void ops_that_are_refused_for_ever_go_to_the_next_device(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=4,refuse=0.02"));
	assert_true(qatlike_stats().refused > BLOCKS / 100);
	assert_int_equal(rig_stats(&e).fallback_blocks, qatlike_stats().refused);
	assert_int_equal(rig_stats(&e).devices_lost, 0);
	rig_close(&e);
}

static void ops_that_fail_go_to_the_next_device(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=1,error=0.05"));
	assert_true(qatlike_stats().errors > BLOCKS / 50);
	assert_int_equal(rig_stats(&e).fallback_blocks, qatlike_stats().errors);
	assert_int_equal(rig_stats(&e).errors, qatlike_stats().errors);
	rig_close(&e);
}

static void out_of_space_is_sent_raw(void **state)
{
	static const char *const specifications[] = {"gen=3,oos-recoverable=0.2",
						     "gen=5,oos-terminated=0.2"};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct soak_result result;
		struct rig_engine e;

		result = soak_compress(&e, specifications[i]);
		assert_int_equal(result.failed, 0);
		/* a fifth is noise, and of the rest one more */
		assert_in_range(result.raw, BLOCKS * 3 / 10, BLOCKS * 5 / 10);
		assert_int_equal(result.raw, rig_stats(&e).did_not_shrink);
		assert_int_equal(result.raw, qatlike_stats().out_of_space);
		assert_int_equal(rig_stats(&e).fallback_blocks + rig_stats(&e).errors, 0);
		rig_close(&e);
	}
}

static void stored_blocks_of_compress_and_verify_are_deflate_like_any(void **state)
{
	struct soak_result result;
	struct rig_engine e;

	(void)state;
	result = soak_compress(&e, "gen=4,stored=0.3");
	assert_int_equal(result.failed, 0);
	assert_true(qatlike_stats().stored > BLOCKS / 5);
	/* one page in a stored block does not shrink; twelve, of which four are stored, do */
	assert_in_range(result.raw, BLOCKS / 5, BLOCKS * 6 / 10);
	assert_int_equal(rig_stats(&e).errors, 0);
	rig_close(&e);
}

static void firmware_without_compress_and_verify_is_given_up_at_once(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=2,no-cnv=0"));
	/* its driver takes and gives nothing more, and nobody waits for that */
	assert_int_equal(rig_stats(&e).devices_lost, 1);
	assert_int_equal(rig_stats(&e).devices_back, 0);
	assert_int_equal(count_said("cannot compress and verify"), 1);
	assert_int_equal(count_said("stopped answering"), 0);
	assert_in_range(qatlike_stats().ops, 1, WITH_DEVICE);
	assert_int_equal(rig_stats(&e).fallback_blocks, BLOCKS);
}

static void firmware_that_loses_compress_and_verify_is_given_up_for_good(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=2,no-cnv=500"));
	assert_int_equal(rig_stats(&e).devices_lost, 1);
	/* what it still had comes back, with the same error: no reason to try again */
	assert_int_equal(rig_stats(&e).devices_back, 0);
	assert_in_range(qatlike_stats().ops, 500, 500 + WITH_DEVICE);
	assert_int_equal(count_said("cannot compress and verify"), 1);
	rig_close(&e);
}

static void blocks_of_a_device_that_falls_silent_are_compressed_elsewhere(void **state)
{
	for (unsigned int generation = 1; generation <= 5; generation++) {
		char specification[64];
		struct rig_engine e;

		snprintf(specification, sizeof(specification), "gen=%u,silent=3000", generation);
		most_are_compressed(soak_compress(&e, specification));
		assert_int_equal(rig_stats(&e).devices_lost, 1);
		/* exactly those that it did not give back, and all after them */
		assert_int_equal(rig_stats(&e).fallback_blocks, BLOCKS - qatlike_stats().ops);
		assert_in_range(qatlike_stats().ops, 3000, 3000 + WITH_DEVICE);
		assert_int_equal(count_said("stopped answering"), 1);
		assert_int_equal(count_said("\n"), 1);
		reset(state);
	}
}

static void a_device_that_vanishes_is_noticed_though_it_takes_nothing(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=4,vanish=3000"));
	assert_int_equal(rig_stats(&e).devices_lost, 1);
	assert_int_equal(rig_stats(&e).fallback_blocks, BLOCKS - qatlike_stats().ops);
	assert_int_equal(count_said("stopped answering"), 1);
}

static void a_device_that_was_never_there_is_noticed(void **state)
{
	struct rig_engine e;

	(void)state;
	/* nothing is in flight when it refuses all that it is given */
	most_are_compressed(soak_compress(&e, "gen=4,vanish=0"));
	assert_int_equal(qatlike_stats().ops, 0);
	assert_int_equal(rig_stats(&e).devices_lost, 1);
	assert_int_equal(rig_stats(&e).fallback_blocks, BLOCKS);
	rig_close(&e);
}

static void come_back(void *ctx)
{
	(void)ctx;
	assert_int_equal(qatlike_faults(""), 0);
}

static void a_device_that_comes_back_is_used_again(void **state)
{
	struct migc_codec_devices_config config = faulty("gen=2,silent=2000", true);
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_config(&e, &config, come_back));
	assert_int_equal(rig_stats(&e).devices_lost, 1);
	assert_int_equal(rig_stats(&e).devices_back, 1);
	/* about 2000 before, and most of the second half */
	assert_in_range(qatlike_stats().ops, 4000, BLOCKS);
	assert_in_range(rig_stats(&e).fallback_blocks, 1, 6000);
	assert_int_equal(count_said("stopped answering"), 1);
	rig_close(&e);
}

static void a_device_that_comes_back_with_nothing_in_its_hands_is_used_again(void **state)
{
	static const bool directions[] = {true, false};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct migc_codec_devices_config config = faulty("gen=4,vanish=0", directions[i]);
		struct rig_engine e;

		try_often = true;
		assert_int_equal(soak_config(&e, &config, come_back).failed, 0);
		try_often = false;
		assert_int_equal(rig_stats(&e).devices_lost, 1);
		assert_int_equal(rig_stats(&e).devices_back, 1);
		/* half of the blocks came after it was back, one op was the trial */
		assert_in_range(qatlike_stats().ops, BLOCKS / 4, BLOCKS / 2 + WITH_DEVICE);
		assert_int_equal(rig_stats(&e).fallback_blocks, BLOCKS - qatlike_stats().ops + 1);
		assert_int_equal(count_said("stopped answering"), 1);
		rig_close(&e);
		reset(state);
	}
}

static void another_device_of_the_kind_takes_over(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=4,devices=2,silent=3000,on=0"));
	assert_string_equal(migc_codec_device_driver(e.devices, 1), "compress_qat");
	assert_int_equal(rig_stats(&e).devices_lost, 1);
	/* all but what is in the silent one's ring was done by one of the two */
	assert_in_range(qatlike_stats().ops, BLOCKS - WITH_DEVICE, BLOCKS);
	assert_int_equal(qatlike_stats().ops, BLOCKS);
	assert_int_equal(count_said("0000:6b:00.0_qat_comp stopped answering"), 1);
}

static void without_any_device_blocks_are_sent_raw(void **state)
{
	struct migc_codec_devices_config config = faulty("gen=4,silent=3000", true);
	struct soak_result result;
	struct rig_engine e;

	(void)state;
	config.hardware_only = true;
	result = soak_config(&e, &config, NULL);
	assert_int_equal(result.failed, 0);
	assert_int_equal(migc_codec_devices_count(e.devices), 1);
	assert_int_equal(result.raw, rig_stats(&e).did_not_shrink + BLOCKS - qatlike_stats().ops);
	assert_int_equal(rig_stats(&e).fallback_blocks, BLOCKS - qatlike_stats().ops);
}

static void without_fallback_a_silent_device_is_an_error(void **state)
{
	struct migc_codec_devices_config config = faulty("gen=4,silent=3000", true);
	struct soak_result result;
	struct rig_engine e;

	(void)state;
	config.compressdev = "compress_qat";
	config.no_fallback = true;
	result = soak_config(&e, &config, NULL);
	assert_int_equal(result.failed, BLOCKS - qatlike_stats().ops);
}

static void decompression_is_made_good_by_the_next_device(void **state)
{
	static const char *const specifications[] = {"gen=1,short=0.5", "gen=2,refuse=0.02",
						     "gen=3,error=0.05",
						     "gen=4,oos-terminated=0.05"};

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		struct soak_result result;
		struct rig_engine e;

		result = soak_decompress(&e, specifications[i]);
		assert_int_equal(result.failed, 0);
		assert_int_equal(rig_stats(&e).fallback_blocks,
				 qatlike_stats().refused + qatlike_stats().errors +
					 qatlike_stats().out_of_space);
		assert_int_equal(rig_stats(&e).devices_lost, 0);
		rig_close(&e);
	}
}

static void a_device_that_falls_silent_decompresses_into_copies_and_loses_nothing(void **state)
{
	struct rig_engine e;

	(void)state;
	assert_int_equal(soak_decompress(&e, "gen=4,silent=3000").failed, 0);
	assert_int_equal(rig_stats(&e).devices_lost, 1);
	assert_int_equal(rig_stats(&e).fallback_blocks, BLOCKS - qatlike_stats().ops);
}

/** It can harm nobody, and whoever shares the lcore waits with it. */
static void a_silent_device_that_has_only_copies_is_given_up_as_soon_as_when_compressing(
	void **state)
{
	struct migc_codec_devices_config config = faulty("gen=4,silent=100", false);
	struct soak soak = {.blocks = 150, .seed = 1};
	struct rig_engine e;

	(void)state;
	rig_open(&e, &config);
	assert_true(e.codec->dead_cycles < e.codec->dead_with_pages_cycles);
	/* for ever */
	e.codec->dead_with_pages_cycles = UINT64_MAX;
	e.codec->dead_cycles = rte_get_tsc_hz() / 50;
	assert_int_equal(qat_soak_decompress(&e, &soak).failed, 0);
	assert_int_equal(rig_stats(&e).devices_lost, 1);
}

static void a_silent_device_that_has_guest_pages_in_its_hands_is_an_error(void **state)
{
	struct migc_codec_devices_config config = faulty("gen=4,silent=100", false);
	struct soak soak = {.blocks = 150, .seed = 1};
	struct soak_result result;
	struct rig_engine e;
	struct migc_codec *first;
	struct migc_error err = {0};

	(void)state;
	rig_open(&e, &config);
	/* as if all of memory was mapped; engines are told before they are made */
	assert_int_equal(
		migc_codec_devices_reach(e.devices, (const uint8_t *)4096, UINT64_C(1) << 47), 0);
	assert_int_equal(migc_codec_create(e.devices, 1, true, SOCKET_ID_ANY, &first, &err), 0);
	/* the long patience is the one that counts */
	first->dead_cycles = 0;
	first->dead_with_pages_cycles = rte_get_tsc_hz() / 50;
	result = qat_soak_decompress(&(struct rig_engine){.devices = e.devices, .codec = first},
				     &soak);
	/* those that it has; those after them are done elsewhere */
	assert_in_range(result.failed, 1, WITH_DEVICE);
	assert_int_equal(result.failed + result.compressed, soak.blocks);
	/* it may write yet, and never gets the chance: what it has is nobody's any more */
	migc_codec_free(first);
	assert_in_range(qatlike_in_flight(), 1, WITH_DEVICE);
	migc_codec_free(e.codec);
	migc_codec_devices_close(e.devices);
	rig_forget(&e);
}

static void a_queue_pair_with_ops_of_an_engine_that_is_gone_is_nobodys(void **state)
{
	struct migc_codec_devices_config config = faulty("gen=4,silent=100", true);
	struct soak soak = {.blocks = 300, .seed = 1};
	struct migc_error err = {0};
	struct migc_codec_stats stats;
	struct soak_result result;
	struct rig_engine e;
	unsigned int silent;

	(void)state;
	rig_open(&e, &config);
	e.codec->dead_cycles = rte_get_tsc_hz() / 50;
	qat_soak(&e, &soak);
	silent = e.codec->lanes;
	migc_codec_free(e.codec);
	assert_in_range(qatlike_in_flight(), 1, WITH_DEVICE);
	assert_int_equal(migc_codec_create(e.devices, 0, false, SOCKET_ID_ANY, &e.codec, &err), 0);
	assert_int_equal(e.codec->lanes, silent - 1);
	result = qat_soak(&e, &soak);
	assert_int_equal(result.failed, 0);
	migc_codec_stats(e.codec, &stats);
	/* and what is done is counted as the next one's */
	assert_int_equal(migc_codec_lane_device(e.devices, 0, 0), 0);
	assert_int_equal(stats.lane_blocks[0], 0);
	assert_int_equal(stats.lane_blocks[1], result.compressed);
	migc_codec_free(e.codec);
	migc_codec_devices_close(e.devices);
	rig_forget(&e);
}

static void pages_that_a_device_cannot_get_at_are_copied(void **state)
{
	struct soak_result result;
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=4,reach=1"));
	assert_int_equal(qatlike_stats().unreachable, 0);
	assert_true(rig_stats(&e).bounce_bytes > BLOCKS * MIGC_PAGE_BYTES);
	assert_int_equal(rig_stats(&e).errors, 0);
	rig_close(&e);
	result = soak_decompress(&e, "gen=2,reach=1");
	assert_int_equal(result.failed, 0);
	assert_int_equal(qatlike_stats().unreachable, 0);
	assert_int_equal(rig_stats(&e).bounce_bytes, rig_stats(&e).out_bytes);
	rig_close(&e);
}

static void with_physical_addresses_all_that_a_device_has_is_of_segments(void **state)
{
	struct migc_codec_devices_config config = faulty("gen=4,reach=1", false);
	struct soak soak = {.blocks = 1000, .seed = 3};
	struct rig_engine e;

	(void)state;
	rig_open(&e, &config);
	assert_int_equal(
		migc_codec_devices_reach(e.devices, (const uint8_t *)4096, UINT64_C(1) << 47), 0);
	e.devices->physical = true;
	assert_int_equal(qat_soak_decompress(&e, &soak).failed, 0);
	assert_int_equal(qatlike_stats().unreachable, 0);
	assert_int_equal(qatlike_stats().reallocations, 0);
	assert_int_equal(rig_stats(&e).bounce_bytes,
			 rig_stats(&e).out_bytes + rig_stats(&e).in_bytes);
	rig_close(&e);
}

static void a_threshold_for_bursts_holds_nothing_back(void **state)
{
	struct rig_engine e;

	(void)state;
	most_are_compressed(soak_compress(&e, "gen=4,threshold=32,late=60"));
	assert_int_equal(qatlike_stats().held, 0);
	assert_int_equal(qatlike_stats().full, 0);
	rig_close(&e);
}

static void all_small_faults_at_once_lose_nothing(void **state)
{
	static const char specification[] =
		"gen=4,devices=2,late=20,short=0.2,refuse=0.01,error=0.02,oos-recoverable=0.02,"
		"oos-terminated=0.02,stored=0.1,threshold=32,reach=1,seed=99";
	struct rig_engine e;

	(void)state;
	assert_int_equal(soak_compress(&e, specification).failed, 0);
	rig_close(&e);
	assert_int_equal(soak_decompress(&e, specification).failed, 0);
	rig_close(&e);
}

#define TEST(f) cmocka_unit_test_teardown(f, reset)

/* In two parts, which may run at the same time. */
int main(int argc, char **argv)
{
	const struct CMUnitTest compressing[] = {
		TEST(bursts_that_are_taken_in_part_are_given_again),
		TEST(ops_that_are_refused_for_ever_go_to_the_next_device),
		TEST(ops_that_fail_go_to_the_next_device),
		TEST(out_of_space_is_sent_raw),
		TEST(stored_blocks_of_compress_and_verify_are_deflate_like_any),
		TEST(firmware_without_compress_and_verify_is_given_up_at_once),
		TEST(firmware_that_loses_compress_and_verify_is_given_up_for_good),
		TEST(blocks_of_a_device_that_falls_silent_are_compressed_elsewhere),
		TEST(a_device_that_vanishes_is_noticed_though_it_takes_nothing),
		TEST(a_device_that_was_never_there_is_noticed),
		TEST(a_device_that_comes_back_is_used_again),
		TEST(a_device_that_comes_back_with_nothing_in_its_hands_is_used_again),
		TEST(another_device_of_the_kind_takes_over),
		TEST(without_any_device_blocks_are_sent_raw),
		TEST(without_fallback_a_silent_device_is_an_error),
		TEST(a_threshold_for_bursts_holds_nothing_back),
		TEST(a_queue_pair_with_ops_of_an_engine_that_is_gone_is_nobodys),
	};
	const struct CMUnitTest decompressing[] = {
		TEST(decompression_is_made_good_by_the_next_device),
		TEST(a_device_that_falls_silent_decompresses_into_copies_and_loses_nothing),
		TEST(a_silent_device_that_has_only_copies_is_given_up_as_soon_as_when_compressing),
		TEST(a_silent_device_that_has_guest_pages_in_its_hands_is_an_error),
		TEST(pages_that_a_device_cannot_get_at_are_copied),
		TEST(with_physical_addresses_all_that_a_device_has_is_of_segments),
		TEST(all_small_faults_at_once_lose_nothing),
	};

	if (rig_init() != 0)
		return 1;
	if (argc == 2 && strcmp(argv[1], "decompress") == 0)
		return cmocka_run_group_tests(decompressing, NULL, NULL);
	return cmocka_run_group_tests(compressing, NULL, NULL);
}
