/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "migc_codec.h"
#include "qat_limits.h"

#define WINDOW_BITS 15
#define LINEAR_PAGES_MAX (MIGC_CODEC_SEGMENT_BYTES_MAX / MIGC_PAGE_BYTES)
/** Pages of a chain: rte_mbuf's own limit is far away; what ISA-L was tested with is this. */
#define CHAIN_PAGES_MAX 32u

/*
 * A software device does its work in the enqueue call. Few ops at a time: a worker that compresses
 * for milliseconds answers no packets meanwhile.
 */
#define SOFTWARE_IN_FLIGHT 2u
#define SOFTWARE_BURST 2u
#define SOFTWARE_DESCRIPTORS 64u

static int check_huffman(const struct migc_codec_caps *caps, enum migc_huffman huffman,
			 enum rte_comp_huffman *out, struct migc_error *err)
{
	uint64_t flag = 0;

	switch (huffman) {
	case MIGC_HUFFMAN_DYNAMIC:
		*out = RTE_COMP_HUFFMAN_DYNAMIC;
		flag = RTE_COMP_FF_HUFFMAN_DYNAMIC;
		break;
	case MIGC_HUFFMAN_FIXED:
		*out = RTE_COMP_HUFFMAN_FIXED;
		flag = RTE_COMP_FF_HUFFMAN_FIXED;
		break;
	case MIGC_HUFFMAN_DEFAULT:
		*out = RTE_COMP_HUFFMAN_DEFAULT;
		break;
	}
	if (flag && !(caps->comp_feature_flags & flag))
		return migc_error_set(err, -ENOTSUP, "%s has no %s Huffman coding", caps->driver,
				      huffman == MIGC_HUFFMAN_FIXED ? "fixed" : "dynamic");
	return 0;
}

static int plan_compress(const struct migc_codec_caps *caps,
			 const struct migc_codec_request *request, struct migc_codec_plan *plan,
			 struct migc_error *err)
{
	struct rte_comp_compress_xform *x = &plan->xform.compress;

	if (request->level < 1 || request->level > RTE_COMP_LEVEL_MAX)
		return migc_error_set(err, -ENOTSUP, "--level %d: deflate has 1 to %d",
				      request->level, RTE_COMP_LEVEL_MAX);
	plan->xform.type = RTE_COMP_COMPRESS;
	x->algo = RTE_COMP_ALGO_DEFLATE;
	x->level = request->level;
	x->window_size = WINDOW_BITS;
	x->chksum = request->checksum ? RTE_COMP_CHECKSUM_CRC32 : RTE_COMP_CHECKSUM_NONE;
	x->hash_algo = RTE_COMP_HASH_ALGO_NONE;
	if (request->checksum && !(caps->comp_feature_flags & RTE_COMP_FF_CRC32_CHECKSUM))
		return migc_error_set(err, -ENOTSUP, "%s makes no CRC32", caps->driver);
	return check_huffman(caps, request->huffman, &x->deflate.huffman, err);
}

static void plan_chains(const struct migc_codec_caps *caps, struct migc_codec_plan *plan)
{
	uint64_t flags = caps->comp_feature_flags;
	bool both = flags & RTE_COMP_FF_OOP_SGL_IN_SGL_OUT;

	plan->source_chain = both || (flags & RTE_COMP_FF_OOP_SGL_IN_LB_OUT);
	plan->destination_chain = plan->source_chain ? both
						     : (flags & RTE_COMP_FF_OOP_LB_IN_SGL_OUT) != 0;
}

int migc_codec_plan(const struct migc_codec_caps *caps, const struct migc_codec_request *request,
		    struct migc_codec_plan *plan, struct migc_error *err)
{
	unsigned int most = CHAIN_PAGES_MAX;
	int rc = 0;

	memset(plan, 0, sizeof(*plan));
	if (!caps->deflate)
		return migc_error_set(err, -ENOTSUP, "%s has no DEFLATE", caps->driver);
	/* a peer may decompress anywhere: the window every device takes, and what zlib -15 is */
	if (WINDOW_BITS < caps->window_min || WINDOW_BITS > caps->window_max)
		return migc_error_set(err, -ENOTSUP, "%s has no window of 32 KiB", caps->driver);
	if (request->compress) {
		rc = plan_compress(caps, request, plan, err);
	} else {
		plan->xform.type = RTE_COMP_DECOMPRESS;
		plan->xform.decompress.algo = RTE_COMP_ALGO_DEFLATE;
		plan->xform.decompress.chksum = RTE_COMP_CHECKSUM_NONE;
		plan->xform.decompress.window_size = WINDOW_BITS;
		plan->xform.decompress.hash_algo = RTE_COMP_HASH_ALGO_NONE;
	}
	if (rc != 0)
		return rc;
	plan_chains(caps, plan);
	if (!(request->compress ? plan->source_chain : plan->destination_chain))
		most = LINEAR_PAGES_MAX;
	plan->segment_bytes = plan->destination_chain ? MIGC_PAGE_BYTES
						      : MIGC_CODEC_SEGMENT_BYTES_MAX;
	plan->shareable_xform = caps->comp_feature_flags & RTE_COMP_FF_SHAREABLE_PRIV_XFORM;
	/* an xform that cannot be shared serves one op at a time */
	plan->in_flight = plan->shareable_xform ? SOFTWARE_IN_FLIGHT : 1;
	plan->burst_max = SOFTWARE_BURST;
	plan->descriptors = SOFTWARE_DESCRIPTORS;
	plan->hardware = caps->dev_feature_flags & RTE_COMPDEV_FF_HW_ACCELERATED;
	if (strcmp(caps->driver, "compress_isal") == 0) {
		/* it copies 32 KiB of history whenever a segment is full */
		if (request->compress)
			plan->segment_bytes = MIGC_CODEC_SEGMENT_BYTES_MAX;
		plan->scratch_segment = !request->compress;
		plan->source_tail = !request->compress;
	}
	if (caps->qat_generation)
		rc = qat_limits_apply(caps, request, plan, &most, err);
	if (rc != 0)
		return rc;
	plan->block_pages = request->block_pages ? request->block_pages
						 : MIGC_CODEC_BLOCK_PAGES_DEFAULT;
	if (plan->block_pages > most)
		plan->block_pages = most;
	return 0;
}
