/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <errno.h>

#include "qat_limits.h"

/** A chain of more segments makes the driver reallocate in the data path. */
#define QAT_SEGMENTS_MAX 16u
/**
 * Dynamic Huffman works in buffers of 64 KiB with room for data that grows by 1.3. Beyond so many
 * source bytes the driver falls back to fixed coding without a word when a checksum is asked for,
 * and else splits the op: a descriptor and a memzone a part, and a copy.
 */
#define QAT_DYNAMIC_BYTES_MAX 50412u
#define QAT_DYNAMIC_PAGES_MAX (QAT_DYNAMIC_BYTES_MAX / MIGC_PAGE_BYTES)
/** The driver takes powers of 2 from 128 to 4096. An op that is split has two. */
#define QAT_DESCRIPTORS 256u
#define QAT_IN_FLIGHT 64u
#define QAT_BURST 32u
/**
 * With the devarg qat_comp_enq_threshold, bursts smaller than it are refused while more than so
 * many ops are in flight. We never have so many: a small burst, as the last of a round is, is
 * always taken, and nothing waits for a burst to fill up.
 */
#define QAT_THRESHOLD_IN_FLIGHT 256u

static_assert(QAT_IN_FLIGHT <= QAT_THRESHOLD_IN_FLIGHT, "small bursts are never refused");
static_assert(2 * QAT_IN_FLIGHT < QAT_DESCRIPTORS, "ops may be split, and a ring is never full");

static const struct {
	uint16_t device_id;
	uint8_t generation;
} virtual_functions[] = {
	{0x0443, 1}, /* DH895xCC */
	{0x37c9, 2}, /* C62x */
	{0x19e3, 2}, /* C3xxx */
	{0x6f55, 2}, /* D15xx */
	{0x18ef, 2}, /* 200xx */
	{0x18a1, 3}, /* C4xxx */
	{0x578b, 3}, /* 300xx */
	{0x4941, 4}, /* 4xxx */
	{0x4943, 4}, /* 401xx */
	{0x4945, 4}, /* 402xx */
	{0x0da5, 4}, /* vQAT: one of these that a hypervisor made, as a 4xxx to its driver */
	{0x4947, 5}, /* 420xx */
};

unsigned int qat_generation_of_id(uint16_t device_id)
{
	for (unsigned int i = 0; i < sizeof(virtual_functions) / sizeof(virtual_functions[0]);
	     i++) {
		if (virtual_functions[i].device_id == device_id)
			return virtual_functions[i].generation;
	}
	return 0;
}

unsigned int qat_generation_of_caps(const struct migc_codec_caps *caps)
{
	/* the driver gave up stateful decompression with generation 4 */
	if (!(caps->comp_feature_flags & RTE_COMP_FF_STATEFUL_DECOMPRESSION))
		return 4;
	return caps->max_queue_pairs == 1 ? 3 : 2;
}

/** What the hardware makes of a level: matches looked at, or its own level. */
static uint8_t search_depth(unsigned int generation, int level)
{
	if (generation >= 4)
		return level <= 5 ? 1 : level <= 8 ? 6 : 9;
	switch (level) {
	case 1:
		return 1;
	case 2:
		return 4;
	case 3:
		return 8;
	default:
		return 16;
	}
}

int qat_limits_apply(const struct migc_codec_caps *caps, const struct migc_codec_request *request,
		     struct migc_codec_plan *plan, unsigned int *most, struct migc_error *err)
{
	bool dynamic = request->compress && request->huffman != MIGC_HUFFMAN_FIXED;

	/* what other drivers mean by none is "no limit" */
	if (caps->max_queue_pairs == 0)
		return migc_error_set(err, -ENOTSUP,
				      "QAT has no queue pair for compression: cfg_services of its "
				      "physical function must have dc");
	if (*most > QAT_SEGMENTS_MAX)
		*most = QAT_SEGMENTS_MAX;
	/* more is done where it was asked for by number, and never where it would be fixed */
	if (dynamic && *most > QAT_DYNAMIC_PAGES_MAX &&
	    (request->checksum || request->block_pages == 0))
		*most = QAT_DYNAMIC_PAGES_MAX;
	if (request->compress)
		plan->search_depth = search_depth(caps->qat_generation, request->level);
	plan->splits = dynamic && request->block_pages > QAT_DYNAMIC_PAGES_MAX &&
		       *most > QAT_DYNAMIC_PAGES_MAX;
	plan->descriptors = QAT_DESCRIPTORS;
	plan->in_flight = QAT_IN_FLIGHT;
	plan->burst_max = QAT_BURST;
	return 0;
}
