/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_histogram.h"

#define CUT_BITS 6u

/* Values under 64 have buckets of their own; above, the six bits behind the first one decide. */
static unsigned int bucket_of(uint64_t value)
{
	unsigned int shift;

	if (value < PERF_HISTOGRAM_CUTS)
		return (unsigned int)value;
	shift = 63u - (unsigned int)__builtin_clzll(value) - CUT_BITS;
	return (shift + 1) * PERF_HISTOGRAM_CUTS +
	       (unsigned int)(value >> shift & (PERF_HISTOGRAM_CUTS - 1));
}

static uint64_t bucket_end(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < PERF_HISTOGRAM_CUTS)
		return bucket;
	shift = bucket / PERF_HISTOGRAM_CUTS - 1;
	return ((uint64_t)(PERF_HISTOGRAM_CUTS + bucket % PERF_HISTOGRAM_CUTS) << shift) +
	       ((UINT64_C(1) << shift) - 1);
}

void perf_histogram_add(struct perf_histogram *h, uint64_t value)
{
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	h->bucket[bucket_of(value)]++;
}

void perf_histogram_merge(struct perf_histogram *to, const struct perf_histogram *from)
{
	to->count += from->count;
	to->sum += from->sum;
	if (from->max > to->max)
		to->max = from->max;
	for (unsigned int i = 0; i < PERF_HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}

uint64_t perf_histogram_percentile(const struct perf_histogram *h, unsigned int per_mille)
{
	uint64_t rank = (h->count * per_mille + 999) / 1000, seen = 0;

	if (h->count == 0)
		return 0;
	for (unsigned int i = 0; i < PERF_HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (h->bucket[i] && seen >= rank)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}
