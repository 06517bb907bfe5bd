/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_CODEC_H
#define PERF_CODEC_H

#include "migc_codec.h"
#include "perf_run.h"

/** @file The path of --codec: pages in blocks, through an engine of lib/codec a worker. */

/** Most jobs that an engine takes at a time (it says how many itself). */
#define PERF_CODEC_JOBS_MAX 256u

/** What all workers share. */
struct perf_codec_shared {
	struct migc_codec_devices *devices;
	uint8_t *pages; /**< the input, whole pages; read only */
	unsigned int block_pages;
	uint32_t blocks;
};

/** A worker's own of this path. */
struct perf_codec_own {
	struct perf_codec_shared *shared;
	struct migc_codec *codec;
	uint8_t *out; /**< pages that are decompressed to */
	uint8_t *packed; /**< block i at its place in the pages: it is never larger */
	uint32_t *packed_bytes; /**< 0: did not shrink */
	struct migc_codec_job *job;
	uint64_t *begin_tsc; /**< by job */
	struct migc_codec_job **idle;
	unsigned int idle_count;
};

int perf_codec_pass(struct perf_worker *w, enum perf_direction direction, enum perf_pass pass);

/** Words of the options as lib/codec has them. */
enum migc_codec_id perf_codec_id(enum perf_codec codec);
enum migc_huffman perf_codec_huffman(enum perf_huffman huffman);

#endif
