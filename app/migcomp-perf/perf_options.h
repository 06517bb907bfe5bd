/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_OPTIONS_H
#define PERF_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_error.h"

/**
 * @file
 * The words after `--` (doc/man/dpdk-test-migcomp-perf.1): those of dpdk-test-compress-perf with
 * their defaults, and ours. Free of DPDK.
 */

#define PERF_LEVELS_MAX 32u
/** As dpdk-test-compress-perf has them: a segment that may grow by a tenth fits an mbuf. */
#define PERF_SEG_MIN 8u
#define PERF_SEG_MAX 59460u
/** Pages a block with --codec, and segments then. */
#define PERF_BLOCK_PAGES_MAX 64u
#define PERF_MIX_WHOLE 1000000u

enum perf_ptest {
	PERF_THROUGHPUT,
	PERF_VERIFY,
	PERF_LATENCY,
	PERF_CYCLECOUNT,
	PERF_PIPELINE,
};

/** Bits. */
enum perf_operation {
	PERF_OPERATION_COMP = 1,
	PERF_OPERATION_DECOMP = 2,
	PERF_OPERATION_BOTH = 3,
};

enum perf_huffman {
	PERF_HUFFMAN_DEFAULT,
	PERF_HUFFMAN_FIXED,
	PERF_HUFFMAN_DYNAMIC,
};

enum perf_codec {
	PERF_CODEC_NONE, /**< no --codec: ops of our own on the compressdev, as the original does */
	PERF_CODEC_AUTO, /**< pipeline only, as RAW: the engine chooses for each block */
	PERF_CODEC_RAW,
	PERF_CODEC_DEFLATE,
	PERF_CODEC_LZ4,
	PERF_CODEC_ZSTD,
};

/** Shares of the input's pages that are replaced, in millionths. */
struct perf_mix {
	uint32_t zero, same, random;
};

/** Texts point into argv. */
struct perf_options {
	bool help; /**< -h, --help */
	bool version;
	enum perf_ptest ptest;
	const char *driver_name; /**< NULL: not needed (lz4, zstd, raw) */
	const char *input_file;
	uint32_t extended_bytes; /**< 0: as long as the file */
	uint16_t seg_bytes;
	uint16_t burst;
	uint32_t pool;
	uint16_t segs_max;
	uint32_t num_iter;
	enum perf_operation operation;
	enum perf_huffman huffman;
	uint8_t level[PERF_LEVELS_MAX];
	unsigned int level_count;
	uint8_t window; /**< 0: the driver's largest */
	bool external_mbufs;
	uint32_t cc_delay_us;

	enum perf_codec codec;
	struct perf_mix mix;
	uint64_t mix_seed;
	const char *json; /**< NULL: none; "-": standard output */
	uint16_t mtu; /**< pipeline */
	const char *receiver_eal; /**< pipeline: EAL's words of the receiving end; NULL: as ours */
};

/**
 * Parse argv[1..] (argv[0] is the program's name). A word given twice counts as it is said last.
 * @return 0; -EINVAL with one line that says what is wrong and what to do.
 */
int perf_options_parse(int argc, char **argv, struct perf_options *out, struct migc_error *err);
/** The text of --help. */
const char *perf_usage(void);
/** Words of the options, as they are given. */
const char *perf_ptest_text(enum perf_ptest ptest);
const char *perf_codec_text(enum perf_codec codec);

#endif
