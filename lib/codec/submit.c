/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_comp.h>

#include "codec_private.h"

unsigned int submit_next_lane(const struct migc_codec *codec, unsigned int from)
{
	while (from < codec->lanes && codec->lane[from].dead)
		from++;
	return from;
}

/** The job's pages copied into one linear buffer, for devices that take no chains. */
static struct rte_mbuf *bounce_pages(struct migc_codec *codec, const struct migc_codec_job *job)
{
	struct rte_mbuf *m = chain_bounces(codec, (uint32_t)job->pages * MIGC_PAGE_BYTES);

	if (m == NULL)
		return NULL;
	for (unsigned int i = 0; i < job->pages; i++)
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, i * MIGC_PAGE_BYTES), job->page[i],
		       MIGC_PAGE_BYTES);
	codec->stats.bounce_bytes += m->pkt_len;
	return m;
}

/** May this device have the job's pages where they are? */
static bool must_copy(const struct migc_codec *codec, const struct migc_codec_job *job,
		      const struct migc_codec_plan *plan)
{
	return plan->hardware && (codec->devices->physical || !reach_all(codec->devices, job));
}

static struct rte_mbuf *compress_from(struct migc_codec *codec, const struct migc_codec_job *job,
				      const struct migc_codec_plan *plan)
{
	if (!plan->source_chain)
		return bounce_pages(codec, job);
	return must_copy(codec, job, plan) ? chain_copies(codec, job)
					   : chain_pages(codec, job, false);
}

/** Where a device makes a block that does not stay there. */
static struct rte_mbuf *made_in(struct migc_codec *codec, const struct migc_codec_plan *plan,
				uint32_t length)
{
	return chain_bounces(codec, plan->destination_chain
					    ? length
					    : RTE_MIN(length, MIGC_CODEC_SEGMENT_BYTES_MAX));
}

static void prepare_compress(struct migc_codec *codec, struct migc_codec_job *job,
			     const struct migc_codec_plan *plan, struct rte_comp_op *op)
{
	uint32_t length = (uint32_t)job->pages * MIGC_PAGE_BYTES;

	op->m_src = compress_from(codec, job, plan);
	/* as large as the source: what does not fit did not shrink, and goes raw */
	op->m_dst = plan->segment_bytes == MIGC_PAGE_BYTES ? chain_segments(codec, job->pages)
							   : made_in(codec, plan, length);
	op->src.length = length;
}

/** The compressed block in segments, for a device that is told where their pages are. */
static struct rte_mbuf *packed_copy(struct migc_codec *codec, const struct migc_codec_job *job)
{
	struct rte_mbuf *head =
		chain_segments(codec, (job->data_bytes + MIGC_PAGE_BYTES - 1) / MIGC_PAGE_BYTES);

	if (head == NULL)
		return NULL;
	chain_fill(head, job->packed, job->data_bytes);
	chain_trim(head, job->data_bytes);
	codec->stats.bounce_bytes += job->data_bytes;
	return head;
}

static struct rte_mbuf *decompress_to(struct migc_codec *codec, const struct migc_codec_job *job,
				      const struct migc_codec_plan *plan, struct rte_comp_op *op)
{
	if (!plan->destination_chain)
		return chain_bounces(codec, (uint32_t)job->pages * MIGC_PAGE_BYTES);
	codec_op(op)->copied = must_copy(codec, job, plan);
	return codec_op(op)->copied ? chain_segments(codec, job->pages)
				    : chain_pages(codec, job, plan->scratch_segment);
}

static void prepare_decompress(struct migc_codec *codec, struct migc_codec_job *job,
			       const struct migc_codec_plan *plan, struct rte_comp_op *op)
{
	if (plan->hardware && plan->source_chain && codec->devices->physical)
		op->m_src = packed_copy(codec, job);
	else
		op->m_src = chain_packed(codec, job, plan->source_chain);
	op->m_dst = decompress_to(codec, job, plan, op);
	op->src.length = job->data_bytes;
	if (plan->source_tail && op->m_src)
		tail_attach(codec, op);
}

void submit_free_op(struct migc_codec *codec, struct rte_comp_op *op)
{
	if (codec->decompress && op->m_src)
		tail_detach(codec, op);
	rte_pktmbuf_free(op->m_src);
	rte_pktmbuf_free(op->m_dst);
	if (codec_op(op)->packed)
		rte_mempool_put(codec->buffers, codec_op(op)->packed);
	codec_op(op)->job = NULL;
	rte_comp_op_free(op);
}

void submit_arm_op(struct rte_comp_op *op, const struct codec_lane *lane)
{
	op->op_type = RTE_COMP_OP_STATELESS;
	op->private_xform = lane->xform;
	op->flush_flag = RTE_COMP_FLUSH_FINAL;
	op->src.offset = 0;
	op->dst.offset = 0;
	op->input_chksum = 0;
	/* a stale count makes compress_isal spin */
	op->consumed = 0;
	op->produced = 0;
	op->debug_status = 0;
	op->status = RTE_COMP_OP_STATUS_NOT_PROCESSED;
}

int submit_to_lane(struct migc_codec *codec, struct migc_codec_job *job, unsigned int index)
{
	struct codec_lane *lane = &codec->lane[index];
	const struct migc_codec_plan *plan = &lane->device->plan;
	struct rte_comp_op *op;

	if (lane->pending_count == CODEC_JOBS_MAX)
		return -ENOBUFS;
	op = rte_comp_op_alloc(codec->ops);
	if (op == NULL)
		return -ENOBUFS;
	op->m_src = NULL;
	op->m_dst = NULL;
	codec_op(op)->packed = NULL;
	codec_op(op)->copied = false;
	if (codec->decompress)
		prepare_decompress(codec, job, plan, op);
	else
		prepare_compress(codec, job, plan, op);
	if (op->m_src == NULL || op->m_dst == NULL) {
		submit_free_op(codec, op);
		return -ENOBUFS;
	}
	submit_arm_op(op, lane);
	codec_op(op)->job = job;
	codec_op(op)->lane = index;
	lane->pending[lane->pending_count++] = op;
	return 0;
}
