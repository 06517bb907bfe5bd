/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_HISTOGRAM_H
#define PERF_HISTOGRAM_H

#include <stdint.h>

/**
 * @file
 * Latencies, counted without memory to grow: buckets of a power of two, each cut in 64, so that a
 * value is known to 1/64. The largest value is exact.
 */

#define PERF_HISTOGRAM_CUTS 64u
#define PERF_HISTOGRAM_BUCKETS ((64u - 6u + 1u) * PERF_HISTOGRAM_CUTS)

struct perf_histogram {
	uint64_t count;
	uint64_t max;
	uint64_t sum;
	uint64_t bucket[PERF_HISTOGRAM_BUCKETS];
};

void perf_histogram_add(struct perf_histogram *h, uint64_t value);
/** Add all of `from` to `to`. */
void perf_histogram_merge(struct perf_histogram *to, const struct perf_histogram *from);
/**
 * The value that `per_mille` in 1000 of the values do not exceed.
 * @return the upper end of its bucket, never more than the largest value; 0 without any value.
 */
uint64_t perf_histogram_percentile(const struct perf_histogram *h, unsigned int per_mille);

#endif
