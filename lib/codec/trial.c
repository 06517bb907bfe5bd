/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_comp.h>
#include <rte_cycles.h>

#include "codec_private.h"

/*
 * A lost device that still has ops is back when it gives them back. One that has none (it had
 * vanished before it took any, or has come back without a use for it since) is asked now and then
 * with an op that is nobody's: real blocks go elsewhere meanwhile, and do not wait for the answer.
 */

/** A stored block of so many bytes, which any device decompresses. */
#define STORED_BYTES 64u

static const uint8_t stored_header[] = {0x01, STORED_BYTES, 0, (uint8_t)~STORED_BYTES, 0xff};

static struct rte_comp_op *make_op(struct migc_codec *codec, const struct codec_lane *lane,
				   unsigned int index)
{
	struct rte_comp_op *op = rte_comp_op_alloc(codec->ops);
	uint32_t length = codec->decompress ? sizeof(stored_header) + STORED_BYTES
					    : MIGC_PAGE_BYTES;
	uint8_t *source;

	if (op == NULL)
		return NULL;
	*codec_op(op) = (struct codec_op){.lane = index};
	op->m_src = chain_segments(codec, 1);
	op->m_dst = chain_segments(codec, 1);
	if (op->m_src == NULL || op->m_dst == NULL) {
		submit_free_op(codec, op);
		return NULL;
	}
	source = rte_pktmbuf_mtod(op->m_src, uint8_t *);
	memset(source, 0, length);
	if (codec->decompress)
		memcpy(source, stored_header, sizeof(stored_header));
	op->src.length = length;
	submit_arm_op(op, lane);
	return op;
}

void trial_turn(struct migc_codec *codec, unsigned int index)
{
	struct codec_lane *lane = &codec->lane[index];
	struct rte_comp_op *op;

	if (!lane->device->plan.hardware || lane->unusable || lane->in_flight ||
	    lane->revivals >= CODEC_REVIVALS_MAX ||
	    rte_rdtsc() - lane->progress_tsc < codec->trial_cycles)
		return;
	lane->progress_tsc = rte_rdtsc();
	op = make_op(codec, lane, index);
	if (op == NULL)
		return;
	if (rte_compressdev_enqueue_burst(lane->device->id, lane->queue_pair, &op, 1) == 1)
		lane->in_flight++;
	else
		submit_free_op(codec, op);
}
