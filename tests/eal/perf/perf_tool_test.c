/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "tool_run.h"

/** @file The tool as its users run it: without root, on compress_isal and compress_zlib. */

#define PAGES 70u
#define INPUT_BYTES (PAGES * 4096u + 1000u)
#define WORDS_MAX 64
#define JSON "JSON" /* stands for the file's path */

static const char *tool, *flip_preload;
static char directory[] = "/tmp/perf-tool-XXXXXX";
static char input[64], json[64];
static struct tool_run run;

/** Run with EAL's words up to "--", ours behind; ends with NULL. */
static int tool_with(int signal, unsigned int after_ms, const char *first, va_list more)
{
	static const char *const eal[] = {
		"--no-huge",      "-m",         "512", "--no-pci", "--iova-mode=va",
		"--no-telemetry", "--no-shconf"};
	const char *argv[WORDS_MAX];
	int argc = 0;

	unlink(json);
	argv[argc++] = tool;
	for (size_t i = 0; i < sizeof(eal) / sizeof(eal[0]); i++)
		argv[argc++] = eal[i];
	for (const char *word = first; word; word = va_arg(more, const char *))
		argv[argc++] = strcmp(word, JSON) == 0 ? json : word;
	argv[argc] = NULL;
	memset(&run, 0, sizeof(run));
	assert_int_equal(
		tool_run((char *const *)(uintptr_t)argv, directory, signal, after_ms, &run), 0);
	return run.status;
}

static int run_tool(const char *first, ...)
{
	va_list more;
	int status;

	va_start(more, first);
	status = tool_with(0, 0, first, more);
	va_end(more);
	return status;
}

static int run_and_signal(int signal, unsigned int after_ms, const char *first, ...)
{
	va_list more;
	int status;

	va_start(more, first);
	status = tool_with(signal, after_ms, first, more);
	va_end(more);
	return status;
}

#define DONE(call)                                                                 \
	do {                                                                       \
		if ((call) != 0)                                                   \
			fail_msg("status %d: %s%s", run.status, run.out, run.err); \
	} while (0)

static json_t *results(void)
{
	json_error_t error;
	json_t *root = json_load_file(json, 0, &error);

	if (root == NULL)
		fail_msg("%s: %s", json, error.text);
	assert_true(json_is_null(json_object_get(root, "error")));
	return root;
}

/** The value at a path of names and array places, such as "results", "0", "level". */
static json_t *at(json_t *value, const char *first, ...)
{
	va_list more;

	va_start(more, first);
	for (const char *key = first; key; key = va_arg(more, const char *)) {
		json_t *next = json_is_array(value)
				       ? json_array_get(value, (size_t)strtoul(key, NULL, 10))
				       : json_object_get(value, key);

		if (next == NULL)
			fail_msg("no %s in the JSON", key);
		value = next;
	}
	va_end(more);
	return value;
}

static double real_at(json_t *root, const char *direction, const char *key)
{
	return json_number_value(at(root, "results", "0", "lcores", "0", direction, key, NULL));
}

/** Columns of the first row behind a header, as a script reads them. */
static void row(const char *header, unsigned int *lcore, unsigned int *level, unsigned long *size,
		double *ratio, double rest[2])
{
	const char *line = strstr(run.out, header);

	if (line == NULL)
		fail_msg("no such header: %s", run.out);
	line = strchr(line, '\n');
	assert_non_null(line);
	assert_true(sscanf(line, " %u %u %lu %lf %lf %lf", lcore, level, size, ratio, &rest[0],
			   &rest[1]) >= 4);
}

static void throughput_of(const char *vdev, const char *driver)
{
	unsigned int lcore, level;
	unsigned long size;
	double ratio, rest[2] = {0};
	json_t *root;

	DONE(run_tool("-l", "0,1", vdev, "--", "--driver-name", driver, "--input-file", input,
		      "--num-iter", "2", "--compress-level", "1:1:2", "--json", JSON, NULL));
	row("    lcore id Level   Comp size   Comp ratio [%]    Comp [Gbps]   Decomp [Gbps]\n",
	    &lcore, &level, &size, &ratio, rest);
	assert_int_equal(lcore, 1);
	assert_int_equal(level, 1);
	assert_in_range(size, INPUT_BYTES / 10, INPUT_BYTES);
	assert_true(ratio > (double)size * 100 / INPUT_BYTES - 0.01 &&
		    ratio < (double)size * 100 / INPUT_BYTES + 0.01);
	assert_true(rest[0] > 0 && rest[1] > 0);
	root = results();
	assert_int_equal(json_array_size(at(root, "results", NULL)), 2);
	assert_int_equal(
		json_integer_value(at(root, "results", "0", "lcores", "0", "comp-size", NULL)),
		size);
	assert_true(json_is_true(at(root, "results", "0", "verified", NULL)));
	assert_true(real_at(root, "compress", "gbps") > 0);
	assert_true(real_at(root, "decompress", "cpu-s-per-gib") > 0);
	json_decref(root);
}

static void throughput_has_the_originals_table_and_json(void **state)
{
	(void)state;
	throughput_of("--vdev=compress_isal", "compress_isal");
	throughput_of("--vdev=compress_zlib", "compress_zlib");
}

static void verify_of(const char *vdev, const char *driver, const char *seg_sz, const char *segs)
{
	unsigned int lcore, level;
	unsigned long size;
	double ratio, rest[2];

	DONE(run_tool("-l", "0,1", vdev, "--", "--driver-name", driver, "--input-file", input,
		      "--ptest", "verify", "--seg-sz", seg_sz, "--max-num-sgl-segs", segs,
		      "--compress-level", "1", "--page-mix", "random=0.5", NULL));
	row("    lcore id Level   Comp size   Comp ratio [%]\n", &lcore, &level, &size, &ratio,
	    rest);
	assert_in_range(size, INPUT_BYTES / 2, INPUT_BYTES + INPUT_BYTES / 16);
}

static void verify_succeeds_whatever_the_segments(void **state)
{
	static const char *const seg_szs[] = {"64", "2048", "4096", "59460"};
	static const char *const segs[] = {"1", "2", "16", "40"};

	(void)state;
	for (unsigned int i = 0; i < 16; i++)
		verify_of("--vdev=compress_isal", "compress_isal", seg_szs[i / 4], segs[i % 4]);
	verify_of("--vdev=compress_zlib", "compress_zlib", "2048", "16");
	verify_of("--vdev=compress_zlib", "compress_zlib", "59460", "1");
}

static void verify_fails_on_a_device_that_decompresses_wrongly(void **state)
{
	static const char *const codecs[] = {NULL, "--codec"};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		setenv("LD_PRELOAD", flip_preload, 1);
		/* of a build with a sanitizer, which wants to be the first */
		setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 1);
		run_tool("-l", "0,1", "--vdev=compress_isal", "--", "--driver-name",
			 "compress_isal", "--input-file", input, "--ptest", "verify",
			 "--compress-level", "1", "--json", JSON, codecs[i], "deflate", NULL);
		unsetenv("LD_PRELOAD");
		unsetenv("ASAN_OPTIONS");
		assert_int_equal(run.status, 2);
		assert_non_null(strstr(run.err, "is not what was compressed"));
		/* no row for what is wrong */
		assert_null(strstr(run.out, "lcore id"));
	}
}

static void data_in_memzones_is_verified_too(void **state)
{
	(void)state;
	DONE(run_tool("-l", "0,1", "--vdev=compress_isal", "--", "--driver-name", "compress_isal",
		      "--input-file", input, "--ptest", "verify", "--external-mbufs",
		      "--compress-level", "1", "--huffman-enc", "fixed", NULL));
}

static void a_pool_smaller_than_a_burst_still_serves_all(void **state)
{
	(void)state;
	DONE(run_tool("-l", "0,1", "--vdev=compress_isal", "--", "--driver-name", "compress_isal",
		      "--input-file", input, "--ptest", "verify", "--pool-sz", "3", "--seg-sz",
		      "512", "--compress-level", "1", NULL));
}

static void cyclecount_counts_the_drivers_calls(void **state)
{
	static const char *const drivers[] = {"compress_isal", "compress_zlib"};
	static const char *const vdevs[] = {"--vdev=compress_isal", "--vdev=compress_zlib"};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		json_t *root;

		DONE(run_tool("-l", "0,1", vdevs[i], "--", "--driver-name", drivers[i],
			      "--input-file", input, "--ptest", "pmd-cyclecount", "--num-iter", "2",
			      "--cc-delay-us", "0", "--compress-level", "1", "--json", JSON, NULL));
		assert_non_null(strstr(run.out, "|  Retries:  [C-e]    [C-d]  [D-e]    [D-d]  |"));
		root = results();
		/* software compresses in the enqueue call */
		assert_true(real_at(root, "compress", "enqueue-cycles-per-op") >
			    real_at(root, "compress", "dequeue-cycles-per-op"));
		assert_true(real_at(root, "compress", "setup-cycles-per-op") > 0);
		json_decref(root);
	}
}

static void percentiles_rise(json_t *latency, double ops)
{
	static const char *const names[] = {"p50", "p90", "p99", "p99.9", "max"};
	double before = 0;

	for (unsigned int i = 0; i < 5; i++) {
		double value = json_number_value(at(latency, names[i], NULL));

		assert_true(value > 0 && value >= before);
		before = value;
	}
	assert_true(json_number_value(at(latency, "ops", NULL)) == ops);
}

static void latency_is_of_every_operation(void **state)
{
	static const char *const directions[] = {"compress", "decompress"};
	json_t *root;

	(void)state;
	DONE(run_tool("-l", "0,1", "--vdev=compress_isal", "--", "--driver-name", "compress_isal",
		      "--input-file", input, "--ptest", "latency", "--num-iter", "3", "--seg-sz",
		      "4096", "--compress-level", "1", "--json", JSON, NULL));
	assert_non_null(strstr(run.out, "p99.9 [us]"));
	root = results();
	for (unsigned int i = 0; i < 2; i++)
		/* 70 pages are five ops of at most 16, and what is left over is one more */
		percentiles_rise(
			at(root, "results", "0", "lcores", "0", directions[i], "latency-us", NULL),
			3 * 6);
	json_decref(root);
	DONE(run_tool("-l", "0,1", "--", "--codec", "lz4", "--input-file", input, "--ptest",
		      "latency", "--num-iter", "3", "--json", JSON, NULL));
	root = results();
	percentiles_rise(at(root, "results", "0", "total", "decomp-latency-us", NULL), 3 * 5);
	json_decref(root);
}

static void codec_of(const char *codec, const char *driver, const char *pages)
{
	json_t *root;

	DONE(run_tool("-l", "0,1", "--", "--input-file", input, "--codec", codec,
		      "--max-num-sgl-segs", pages, "--num-iter", "2", "--page-mix", "random=0.5",
		      "--json", JSON, driver ? "--compress-level" : NULL, "1", "--driver-name",
		      driver, NULL));
	root = results();
	assert_string_equal(json_string_value(at(root, "path", NULL)), "codec");
	assert_string_equal(json_string_value(at(root, "codec", NULL)), codec);
	assert_true(real_at(root, "compress", "gbps") > 0);
	assert_true(real_at(root, "decompress", "gbps") > 0);
	/* a page of random bytes alone in its block does not shrink */
	if (strcmp(pages, "1") == 0)
		assert_in_range(json_integer_value(at(root, "results", "0", "lcores", "0",
						      "raw-blocks", NULL)),
				PAGES / 2, PAGES);
	json_decref(root);
}

static void every_codec_of_a_migration_is_measured_and_verified(void **state)
{
	static const char *const pages[] = {"1", "16", "32"};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		codec_of("deflate", "compress_isal", pages[i]);
		codec_of("deflate", "compress_zlib", pages[i]);
		codec_of("lz4", NULL, pages[i]);
		codec_of("zstd", NULL, pages[i]);
	}
}

static void each_worker_has_a_row_and_there_is_a_total(void **state)
{
	json_t *root;

	(void)state;
	DONE(run_tool("--lcores", "0@0,1@0,2@0", "--", "--driver-name", "compress_isal", "--codec",
		      "deflate", "--input-file", input, "--num-iter", "2", "--compress-level", "1",
		      "--json", JSON, NULL));
	assert_non_null(strstr(run.out, "  total of 2     1"));
	root = results();
	assert_int_equal(json_array_size(at(root, "results", "0", "lcores", NULL)), 2);
	assert_int_equal(json_integer_value(at(root, "results", "0", "lcores", "1", "lcore", NULL)),
			 2);
	json_decref(root);
	DONE(run_tool("--lcores", "0@0,1@0,2@0", "--vdev=compress_isal", "--", "--driver-name",
		      "compress_isal", "--input-file", input, "--ptest", "verify",
		      "--compress-level", "1", NULL));
}

static void one_lcore_is_enough(void **state)
{
	(void)state;
	DONE(run_tool("-l", "0", "--vdev=compress_isal", "--", "--driver-name", "compress_isal",
		      "--input-file", input, "--num-iter", "1", "--compress-level", "1", NULL));
	DONE(run_tool("-l", "0", "--", "--codec", "lz4", "--input-file", input, "--ptest",
		      "pipeline", NULL));
}

static void write_stream(const char *path, size_t cut)
{
	static uint8_t plain[20000], packed[30000];
	z_stream z = {0};
	FILE *f;

	for (size_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)(i * i >> 7);
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = plain;
	z.avail_in = sizeof(plain);
	z.next_out = packed;
	z.avail_out = sizeof(packed);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(packed, 1, z.total_out - cut, f), z.total_out - cut);
	assert_int_equal(fclose(f), 0);
	deflateEnd(&z);
}

static int decompress_only(const char *path)
{
	return run_tool("-l", "0,1", "--vdev=compress_isal", "--", "--driver-name", "compress_isal",
			"--input-file", path, "--num-iter", "2", "--operation", "decomp",
			"--seg-sz", "4096", "--compress-level", "1", NULL);
}

static void a_stream_that_is_cut_short_fails_and_does_not_hang(void **state)
{
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "%s/stream", directory);
	write_stream(path, 0);
	DONE(decompress_only(path));
	write_stream(path, 100);
	assert_int_equal(decompress_only(path), 2);
	assert_non_null(strstr(run.err, "decompression"));
	unlink(path);
}

static unsigned int leftovers(void)
{
	DIR *tmp = opendir(directory);
	unsigned int count = 0;

	for (const struct dirent *e; tmp && (e = readdir(tmp));)
		count += strncmp(e->d_name, "migcomp-perf-", strlen("migcomp-perf-")) == 0;
	if (tmp)
		closedir(tmp);
	return count;
}

static void pipeline_of(const char *codec, const char *driver)
{
	json_t *root;

	DONE(run_tool("-l", "0,1", "--", "--ptest", "pipeline", "--input-file", input, "--codec",
		      codec, "--page-mix", "zero=0.5", "--json", JSON,
		      driver ? "--driver-name" : NULL, driver, NULL));
	root = results();
	assert_true(json_is_true(at(root, "results", "0", "verified", NULL)));
	assert_int_equal(json_integer_value(at(root, "results", "0", "guest-bytes", NULL)),
			 (PAGES + 1) * 4096);
	assert_int_equal(
		json_integer_value(at(root, "results", "0", "sender", "ram", "duplicate", NULL)),
		PAGES / 2);
	assert_true(json_number_value(at(root, "results", "0", "guest-gbps", NULL)) > 0);
	assert_string_equal(json_string_value(at(root, "results", "0", "receiver", "status", NULL)),
			    "active");
	json_decref(root);
	assert_int_equal(leftovers(), 0);
}

static void a_pipeline_moves_the_input_through_two_ports(void **state)
{
	(void)state;
	pipeline_of("deflate", "compress_isal");
	pipeline_of("deflate", "compress_zlib");
	pipeline_of("lz4", NULL);
	pipeline_of("zstd", NULL);
	pipeline_of("raw", NULL);
	pipeline_of("auto", NULL);
	/* all lcores that there are */
	DONE(run_tool("--", "--ptest", "pipeline", "--input-file", input, "--codec", "raw", "--mtu",
		      "1500", NULL));
	DONE(run_tool("-l", "0,1", "--", "--ptest", "pipeline", "--input-file", input, "--codec",
		      "raw", "--receiver-eal", "--no-huge -m 256 --no-pci --lcores 4@1", NULL));
}

static void a_receiving_end_that_cannot_start_is_said(void **state)
{
	(void)state;
	assert_int_equal(run_tool("-l", "0,1", "--", "--ptest", "pipeline", "--input-file", input,
				  "--codec", "raw", "--receiver-eal", "--no-such-word", NULL),
			 1);
	assert_non_null(strstr(run.err, "receiving end did not start"));
	assert_int_equal(leftovers(), 0);
}

static void what_is_not_there_is_status_1(void **state)
{
	(void)state;
	assert_int_equal(run_tool("-l", "0,1", "--vdev=compress_isal", "--", "--driver-name",
				  "compress_isal", "--input-file", "/nonexistent/file", NULL),
			 1);
	assert_non_null(strstr(run.err, "/nonexistent/file"));
	assert_int_equal(run_tool("-l", "0,1", "--", "--driver-name", "compress_isal",
				  "--input-file", input, NULL),
			 1);
	assert_non_null(strstr(run.err, "--vdev compress_isal"));
	assert_int_equal(run_tool("-l", "0,1", "--vdev=compress_isal", "--", "--driver-name",
				  "compress_isal", "--input-file", input, "--compress-level", "0",
				  NULL),
			 1);
	assert_int_equal(run_tool("-l", "0,1", "--driver-name", "compress_isal", NULL), 1);
	assert_non_null(strstr(run.err, "no `--`"));
}

static void an_interrupted_run_is_status_2_and_its_json_says_so(void **state)
{
	json_t *root;

	(void)state;
	assert_int_equal(run_and_signal(SIGINT, 2000, "-l", "0,1", "--vdev=compress_isal", "--",
					"--driver-name", "compress_isal", "--input-file", input,
					"--num-iter", "4000000000", "--json", JSON, NULL),
			 2);
	assert_non_null(strstr(run.err, "interrupted"));
	root = json_load_file(json, 0, NULL);
	assert_non_null(strstr(json_string_value(at(root, "error", NULL)), "interrupted"));
	json_decref(root);
}

static int make(void **state)
{
	uint32_t random = 1;
	FILE *f;

	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	/* a pipeline's socket, to see whether it is removed */
	setenv("TMPDIR", directory, 1);
	snprintf(input, sizeof(input), "%s/input", directory);
	snprintf(json, sizeof(json), "%s/json", directory);
	f = fopen(input, "w");
	for (unsigned int i = 0; f && i < INPUT_BYTES; i++) {
		random = random * 1664525u + 1013904223u;
		fputc("etaoin shrdlu\n\0x"[random >> 28], f);
	}
	return f == NULL || fclose(f) != 0;
}

static int drop(void **state)
{
	(void)state;
	unlink(input);
	unlink(json);
	return rmdir(directory);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(throughput_has_the_originals_table_and_json),
		cmocka_unit_test(verify_succeeds_whatever_the_segments),
		cmocka_unit_test(verify_fails_on_a_device_that_decompresses_wrongly),
		cmocka_unit_test(data_in_memzones_is_verified_too),
		cmocka_unit_test(a_pool_smaller_than_a_burst_still_serves_all),
		cmocka_unit_test(cyclecount_counts_the_drivers_calls),
		cmocka_unit_test(latency_is_of_every_operation),
		cmocka_unit_test(every_codec_of_a_migration_is_measured_and_verified),
		cmocka_unit_test(each_worker_has_a_row_and_there_is_a_total),
		cmocka_unit_test(one_lcore_is_enough),
		cmocka_unit_test(a_stream_that_is_cut_short_fails_and_does_not_hang),
		cmocka_unit_test(a_pipeline_moves_the_input_through_two_ports),
		cmocka_unit_test(a_receiving_end_that_cannot_start_is_said),
		cmocka_unit_test(what_is_not_there_is_status_1),
		cmocka_unit_test(an_interrupted_run_is_status_2_and_its_json_says_so),
	};

	if (argc != 3)
		return 2;
	tool = argv[1];
	flip_preload = argv[2];
	return cmocka_run_group_tests(tests, make, drop);
}
