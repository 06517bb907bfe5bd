/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_INPUT_H
#define PERF_INPUT_H

#include <stdint.h>

#include "migc_error.h"
#include "perf_options.h"

/** @file What is compressed: a file, repeated as often as asked, some of its pages replaced. */

struct perf_input {
	uint8_t *data; /**< page aligned; zeros behind `bytes` up to `padded_bytes` */
	uint64_t bytes;
	uint64_t padded_bytes; /**< whole pages */
	uint64_t zero_pages, same_pages, random_pages; /**< that were put in */
};

/**
 * Read and prepare.
 * @return 0; -errno with a message that names the file.
 */
int perf_input_load(const struct perf_options *o, struct perf_input *out, struct migc_error *err);
void perf_input_free(struct perf_input *input);
/**
 * Replace exactly the asked shares of the whole pages, chosen and filled by `seed`: zero pages,
 * pages that repeat one word of 8 bytes, pages of random bytes.
 */
void perf_input_mix(struct perf_input *input, const struct perf_mix *mix, uint64_t seed);

#endif
