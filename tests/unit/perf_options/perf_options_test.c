/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "perf_options.h"

#define WORDS_MAX 32
#define NEEDED "--driver-name", "compress_isal", "--input-file", "f"

static struct perf_options o;
static struct migc_error err;

/** Words end with NULL. */
static int parse(const char *first, ...)
{
	static char copies[WORDS_MAX][128];
	char *argv[WORDS_MAX + 1];
	int argc = 0;
	va_list words;

	argv[argc++] = (char *)(uintptr_t) "dpdk-test-migcomp-perf";
	va_start(words, first);
	for (const char *word = first; word; word = va_arg(words, const char *)) {
		strncpy(copies[argc], word, sizeof(copies[argc]) - 1);
		argv[argc] = copies[argc];
		argc++;
	}
	va_end(words);
	argv[argc] = NULL;
	memset(&err, 0, sizeof(err));
	return perf_options_parse(argc, argv, &o, &err);
}

static void refused(int rc, const char *word)
{
	assert_int_equal(rc, -EINVAL);
	if (strstr(err.text, word) == NULL)
		fail_msg("'%s' does not speak of '%s'", err.text, word);
}

static void defaults_are_those_of_dpdk_test_compress_perf(void **state)
{
	(void)state;
	assert_int_equal(parse(NEEDED, NULL), 0);
	assert_int_equal(o.ptest, PERF_THROUGHPUT);
	assert_int_equal(o.extended_bytes, 0);
	assert_int_equal(o.seg_bytes, 2048);
	assert_int_equal(o.burst, 32);
	assert_int_equal(o.pool, 8192);
	assert_int_equal(o.segs_max, 16);
	assert_int_equal(o.num_iter, 10000);
	assert_int_equal(o.operation, PERF_OPERATION_BOTH);
	assert_int_equal(o.huffman, PERF_HUFFMAN_DYNAMIC);
	assert_int_equal(o.level_count, 9);
	assert_int_equal(o.level[0], 1);
	assert_int_equal(o.level[8], 9);
	assert_int_equal(o.window, 0);
	assert_false(o.external_mbufs);
	assert_int_equal(o.cc_delay_us, 500);
	assert_int_equal(o.codec, PERF_CODEC_NONE);
	assert_null(o.json);
}

static void every_word_of_dpdk_test_compress_perf_is_taken(void **state)
{
	(void)state;
	assert_int_equal(parse("--ptest", "pmd-cyclecount", "--driver-name", "compress_qat",
			       "--input-file", "/a", "--extended-input-sz", "1048576", "--seg-sz",
			       "8192", "--burst-sz", "16", "--pool-sz", "1024",
			       "--max-num-sgl-segs", "4", "--num-iter=7", "--operation", "comp",
			       "--huffman-enc", "fixed", "--compress-level", "3", "--window-sz",
			       "15", "--external-mbufs", NULL),
			 0);
	assert_int_equal(o.ptest, PERF_CYCLECOUNT);
	assert_string_equal(o.driver_name, "compress_qat");
	assert_string_equal(o.input_file, "/a");
	assert_int_equal(o.extended_bytes, 1048576);
	assert_int_equal(o.seg_bytes, 8192);
	assert_int_equal(o.burst, 16);
	assert_int_equal(o.pool, 1024);
	assert_int_equal(o.segs_max, 4);
	assert_int_equal(o.num_iter, 7);
	assert_int_equal(o.operation, PERF_OPERATION_COMP);
	assert_int_equal(o.huffman, PERF_HUFFMAN_FIXED);
	assert_int_equal(o.level_count, 1);
	assert_int_equal(o.level[0], 3);
	assert_int_equal(o.window, 15);
	assert_true(o.external_mbufs);
	/* the original takes it with any test */
	assert_int_equal(parse(NEEDED, "--cc-delay-us", "0", NULL), 0);
	assert_int_equal(o.cc_delay_us, 0);
}

static void levels_are_one_a_list_or_a_range(void **state)
{
	(void)state;
	assert_int_equal(parse(NEEDED, "--compress-level", "1:3:9", NULL), 0);
	assert_int_equal(o.level_count, 3);
	assert_int_equal(o.level[2], 7);
	assert_int_equal(parse(NEEDED, "--compress-level", "9,1,3", NULL), 0);
	assert_int_equal(o.level_count, 3);
	assert_int_equal(o.level[0], 9);
	assert_int_equal(o.level[1], 1);
	assert_int_equal(parse(NEEDED, "--compress-level", "0", NULL), 0);
	assert_int_equal(o.level[0], 0);
	refused(parse(NEEDED, "--compress-level", "1:0:3", NULL), "--compress-level");
	refused(parse(NEEDED, "--compress-level", "3:1:1", NULL), "--compress-level");
	refused(parse(NEEDED, "--compress-level", "1:1", NULL), "--compress-level");
	refused(parse(NEEDED, "--compress-level", "1,", NULL), "--compress-level");
	refused(parse(NEEDED, "--compress-level", "10", NULL), "--compress-level");
	refused(parse(NEEDED, "--compress-level", "-1", NULL), "--compress-level");
}

static void a_word_said_twice_counts_as_said_last(void **state)
{
	(void)state;
	assert_int_equal(parse(NEEDED, "--burst-sz", "1", "--burst-sz", "8", "--compress-level",
			       "1,2", "--compress-level", "3", NULL),
			 0);
	assert_int_equal(o.burst, 8);
	assert_int_equal(o.level_count, 1);
	assert_int_equal(o.level[0], 3);
}

static void what_is_missing_is_named(void **state)
{
	(void)state;
	refused(parse("--driver-name", "compress_isal", NULL), "--input-file");
	refused(parse("--input-file", "f", NULL), "--driver-name");
	refused(parse("--input-file", "f", "--codec", "deflate", NULL), "--driver-name");
	refused(parse(NEEDED, "--json", NULL), "--json");
	refused(parse(NEEDED, "--json", "", NULL), "--json");
}

static void values_out_of_range_are_refused(void **state)
{
	(void)state;
	refused(parse(NEEDED, "--seg-sz", "7", NULL), "--seg-sz");
	refused(parse(NEEDED, "--seg-sz", "59461", NULL), "--seg-sz");
	refused(parse(NEEDED, "--burst-sz", "0", NULL), "--burst-sz");
	refused(parse(NEEDED, "--pool-sz", "0", NULL), "--pool-sz");
	refused(parse(NEEDED, "--max-num-sgl-segs", "0", NULL), "--max-num-sgl-segs");
	refused(parse(NEEDED, "--num-iter", "0", NULL), "--num-iter");
	refused(parse(NEEDED, "--extended-input-sz", "0", NULL), "--extended-input-sz");
	refused(parse(NEEDED, "--window-sz", "16", NULL), "--window-sz");
	refused(parse(NEEDED, "--ptest", "benchmark", NULL), "throughput, verify");
	refused(parse(NEEDED, "--operation", "both", NULL), "comp_and_decomp");
	refused(parse(NEEDED, "--huffman-enc", "", NULL), "--huffman-enc");
	refused(parse(NEEDED, "--bogus", NULL), "--bogus");
	refused(parse(NEEDED, "--burst", "1", NULL), "--burst-sz");
	refused(parse(NEEDED, "left", NULL), "left");
}

static void a_page_mix_is_exact_and_within_one(void **state)
{
	(void)state;
	assert_int_equal(parse(NEEDED, "--page-mix", "zero=0.3,same=.05,random=0.000001",
			       "--page-mix-seed", "9", NULL),
			 0);
	assert_int_equal(o.mix.zero, 300000);
	assert_int_equal(o.mix.same, 50000);
	assert_int_equal(o.mix.random, 1);
	assert_int_equal(o.mix_seed, 9);
	assert_int_equal(parse(NEEDED, "--page-mix", "random=1", NULL), 0);
	assert_int_equal(o.mix.random, PERF_MIX_WHOLE);
	refused(parse(NEEDED, "--page-mix", "zero=0.6,same=0.5", NULL), "more than 1");
	refused(parse(NEEDED, "--page-mix", "zero=1.1", NULL), "--page-mix");
	refused(parse(NEEDED, "--page-mix", "zero=-0.1", NULL), "--page-mix");
	refused(parse(NEEDED, "--page-mix", "zero=1e-1", NULL), "--page-mix");
	refused(parse(NEEDED, "--page-mix", "zero=.", NULL), "--page-mix");
	refused(parse(NEEDED, "--page-mix", "zero=", NULL), "--page-mix");
	refused(parse(NEEDED, "--page-mix", "zero", NULL), "--page-mix");
	refused(parse(NEEDED, "--page-mix", "text=0.5", NULL), "--page-mix");
	refused(parse(NEEDED, "--page-mix-seed", "3", NULL), "--page-mix");
}

static void with_codec_the_defaults_are_a_migrations(void **state)
{
	(void)state;
	assert_int_equal(parse(NEEDED, "--codec", "deflate", NULL), 0);
	assert_int_equal(o.seg_bytes, 4096);
	assert_int_equal(o.segs_max, 16);
	assert_int_equal(o.level_count, 9);
	assert_int_equal(parse("--input-file", "f", "--codec", "zstd", NULL), 0);
	assert_int_equal(o.level_count, 1);
	assert_int_equal(o.level[0], 1);
	assert_int_equal(
		parse("--input-file", "f", "--codec", "zstd", "--compress-level", "19", NULL), 0);
}

static void what_a_codec_does_not_have_is_refused(void **state)
{
	(void)state;
	refused(parse(NEEDED, "--codec", "deflate", "--seg-sz", "2048", NULL), "--seg-sz");
	refused(parse(NEEDED, "--codec", "deflate", "--max-num-sgl-segs", "65", NULL),
		"--max-num-sgl-segs");
	refused(parse(NEEDED, "--codec", "deflate", "--burst-sz", "1", NULL), "--burst-sz");
	refused(parse(NEEDED, "--codec", "deflate", "--window-sz", "15", NULL), "--window-sz");
	refused(parse(NEEDED, "--codec", "deflate", "--compress-level", "0", NULL),
		"--compress-level");
	refused(parse(NEEDED, "--codec", "deflate", "--ptest", "pmd-cyclecount", NULL), "--codec");
	refused(parse(NEEDED, "--codec", "deflate", "--operation", "decomp", NULL), "--codec");
	refused(parse(NEEDED, "--codec", "lz4", NULL), "--driver-name");
	refused(parse("--input-file", "f", "--codec", "lz4", "--compress-level", "1", NULL),
		"--compress-level");
	refused(parse("--input-file", "f", "--codec", "raw", NULL), "pipeline");
	refused(parse(NEEDED, "--codec", "auto", NULL), "pipeline");
	refused(parse(NEEDED, "--codec", "gzip", NULL), "deflate, lz4, zstd");
}

static void a_pipeline_is_one_level_and_has_words_of_its_own(void **state)
{
	(void)state;
	assert_int_equal(parse(NEEDED, "--ptest", "pipeline", NULL), 0);
	assert_int_equal(o.codec, PERF_CODEC_DEFLATE);
	assert_int_equal(o.level_count, 1);
	assert_int_equal(o.mtu, 9000);
	assert_int_equal(parse("--input-file", "f", "--ptest", "pipeline", "--codec", "raw",
			       "--mtu", "1500", "--receiver-eal", "--no-huge -m 256", NULL),
			 0);
	assert_int_equal(o.mtu, 1500);
	assert_int_equal(parse("--input-file", "f", "--ptest", "pipeline", "--codec", "auto", NULL),
			 0);
	assert_int_equal(parse("--input-file", "f", "--ptest", "pipeline", "--codec", "raw",
			       "--mtu", "1500", "--receiver-eal", "--no-huge -m 256", NULL),
			 0);
	assert_string_equal(o.receiver_eal, "--no-huge -m 256");
	refused(parse(NEEDED, "--ptest", "pipeline", "--compress-level", "1,2", NULL), "one level");
	refused(parse(NEEDED, "--ptest", "pipeline", "--num-iter", "2", NULL), "--num-iter");
	refused(parse(NEEDED, "--mtu", "1500", NULL), "--mtu");
	refused(parse(NEEDED, "--receiver-eal", "-l 1", NULL), "--receiver-eal");
	refused(parse(NEEDED, "--ptest", "pipeline", "--mtu", "9001", NULL), "--mtu");
}

static void latency_is_of_one_operation_unless_said(void **state)
{
	(void)state;
	assert_int_equal(parse(NEEDED, "--ptest", "latency", NULL), 0);
	assert_int_equal(o.burst, 1);
	assert_int_equal(parse(NEEDED, "--ptest", "latency", "--burst-sz", "32", NULL), 0);
	assert_int_equal(o.burst, 32);
}

static void help_needs_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(parse("-h", NULL), 0);
	assert_true(o.help);
	assert_int_equal(parse("--bogus", "--help", NULL), 0);
	assert_true(o.help);
	assert_int_equal(parse("--version", NULL), 0);
	assert_true(o.version);
	assert_non_null(strstr(perf_usage(), "--driver-name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_dpdk_test_compress_perf),
		cmocka_unit_test(every_word_of_dpdk_test_compress_perf_is_taken),
		cmocka_unit_test(levels_are_one_a_list_or_a_range),
		cmocka_unit_test(a_word_said_twice_counts_as_said_last),
		cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(values_out_of_range_are_refused),
		cmocka_unit_test(a_page_mix_is_exact_and_within_one),
		cmocka_unit_test(with_codec_the_defaults_are_a_migrations),
		cmocka_unit_test(what_a_codec_does_not_have_is_refused),
		cmocka_unit_test(a_pipeline_is_one_level_and_has_words_of_its_own),
		cmocka_unit_test(latency_is_of_one_operation_unless_said),
		cmocka_unit_test(help_needs_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
