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
	struct rte_mbuf *m = rte_pktmbuf_alloc(codec->bounces);

	if (m == NULL)
		return NULL;
	m->data_off = 0;
	for (unsigned int i = 0; i < job->pages; i++)
		memcpy(rte_pktmbuf_mtod_offset(m, uint8_t *, i * MIGC_PAGE_BYTES), job->page[i],
		       MIGC_PAGE_BYTES);
	m->data_len = (uint16_t)(job->pages * MIGC_PAGE_BYTES);
	m->pkt_len = m->data_len;
	codec->stats.bounce_bytes += m->pkt_len;
	return m;
}

static struct rte_mbuf *linear(struct migc_codec *codec, uint32_t length)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(codec->bounces);

	if (m == NULL)
		return NULL;
	m->data_off = 0;
	m->data_len = (uint16_t)length;
	m->pkt_len = length;
	return m;
}

static void prepare_compress(struct migc_codec *codec, struct migc_codec_job *job,
			     const struct migc_codec_plan *plan, struct rte_comp_op *op)
{
	uint32_t length = (uint32_t)job->pages * MIGC_PAGE_BYTES;

	op->m_src = plan->source_chain ? chain_pages(codec, job, false) : bounce_pages(codec, job);
	/* as large as the source: what does not fit did not shrink, and goes raw */
	op->m_dst =
		plan->destination_chain
			? chain_segments(codec, job->pages)
			: linear(codec, length < CODEC_LINEAR_BYTES ? length : CODEC_LINEAR_BYTES);
	op->src.length = length;
}

static void prepare_decompress(struct migc_codec *codec, struct migc_codec_job *job,
			       const struct migc_codec_plan *plan, struct rte_comp_op *op)
{
	op->m_src = chain_packed(codec, job, plan->source_chain);
	op->m_dst = plan->destination_chain ? chain_pages(codec, job, plan->scratch_segment)
					    : linear(codec, (uint32_t)job->pages * MIGC_PAGE_BYTES);
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
	if (codec->decompress)
		prepare_decompress(codec, job, plan, op);
	else
		prepare_compress(codec, job, plan, op);
	if (op->m_src == NULL || op->m_dst == NULL) {
		submit_free_op(codec, op);
		return -ENOBUFS;
	}
	op->op_type = RTE_COMP_OP_STATELESS;
	op->private_xform = lane->xform;
	op->flush_flag = RTE_COMP_FLUSH_FINAL;
	op->src.offset = 0;
	op->dst.offset = 0;
	op->input_chksum = 0;
	/* a stale count makes compress_isal spin */
	op->consumed = 0;
	op->produced = 0;
	op->status = RTE_COMP_OP_STATUS_NOT_PROCESSED;
	codec_op(op)->job = job;
	codec_op(op)->lane = index;
	lane->pending[lane->pending_count++] = op;
	return 0;
}
