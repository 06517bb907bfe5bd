/* SPDX-License-Identifier: BSD-3-Clause */
#include "qat_limits.h"

/** A chain of more segments makes the driver reallocate in the data path. */
#define QAT_SEGMENTS_MAX 16u
/**
 * Dynamic Huffman works in buffers of 64 KiB with room for data that grows by 1.3: beyond so many
 * source bytes the driver falls back to fixed coding without a word, or splits the op.
 */
#define QAT_DYNAMIC_BYTES_MAX 50412u
#define QAT_DESCRIPTORS 512u
/** Small bursts are refused above this many in flight (qat_comp_enq_threshold). */
#define QAT_IN_FLIGHT 128u
#define QAT_BURST 32u

unsigned int qat_limits_apply(unsigned int generation, const struct migc_codec_request *request,
			      struct migc_codec_plan *plan, unsigned int most)
{
	(void)generation;
	if (most > QAT_SEGMENTS_MAX)
		most = QAT_SEGMENTS_MAX;
	if (request->compress && request->huffman != MIGC_HUFFMAN_FIXED &&
	    most > QAT_DYNAMIC_BYTES_MAX / MIGC_PAGE_BYTES)
		most = QAT_DYNAMIC_BYTES_MAX / MIGC_PAGE_BYTES;
	plan->descriptors = QAT_DESCRIPTORS;
	plan->in_flight = QAT_IN_FLIGHT;
	plan->burst_max = QAT_BURST;
	return most;
}
