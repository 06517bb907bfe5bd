/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "codec_private.h"

/** QAT: its firmware cannot compress and verify, and the driver does no more for us. */
#define QAT_NO_CNV ((uint64_t)-99)

/** A lane whose ops are to be given up. */
struct lost {
	struct migc_codec *codec;
	unsigned int lane;
};

void complete_job(struct migc_codec *codec, struct migc_codec_job *job, int status)
{
	job->status = status;
	if (codec->decompress) {
		if (job->packed)
			rte_mempool_put(codec->buffers, job->packed);
		job->packed = NULL;
	} else if (status != 0) {
		job->data = NULL;
		job->data_bytes = 0;
	}
	codec->finished[codec->finished_count++] = job;
}

void complete_elsewhere(struct migc_codec *codec, struct migc_codec_job *job, unsigned int lane)
{
	unsigned int next = submit_next_lane(codec, lane + 1);

	if (codec->devices->config.no_fallback) {
		complete_job(codec, job, codec->decompress ? -EBADMSG : -EIO);
		return;
	}
	/* once for a block, however many devices fail it */
	if (lane == 0)
		codec->stats.fallback_blocks++;
	if (next < codec->lanes && submit_to_lane(codec, job, next) == 0)
		return;
	/* compression: raw remains; decompression: the source is told, and sends it again */
	complete_job(codec, job, codec->decompress ? -EBADMSG : -ENOSPC);
}

static bool out_of_space(const struct rte_comp_op *op)
{
	return op->status == RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED ||
	       op->status == RTE_COMP_OP_STATUS_OUT_OF_SPACE_RECOVERABLE;
}

bool complete_injected(struct migc_codec *codec)
{
	uint32_t chance = codec->devices->config.inject_error_per_billion;

	if (!migc_random_chance(&codec->random, chance))
		return false;
	codec->stats.injected++;
	return true;
}

/** Take the compressed block out of the op, as a chain of segments. */
static bool take_compressed(struct migc_codec *codec, struct migc_codec_job *job,
			    const struct migc_codec_plan *plan, struct rte_comp_op *op)
{
	if (plan->segment_bytes == MIGC_PAGE_BYTES) {
		job->data = op->m_dst;
		op->m_dst = NULL;
	} else {
		/* large buffers are few: what waits for its acknowledgement moves to segments */
		job->data = chain_segments(codec,
					   (op->produced + MIGC_PAGE_BYTES - 1) / MIGC_PAGE_BYTES);
		if (job->data == NULL)
			return false;
		chain_fill(job->data, rte_pktmbuf_read(op->m_dst, 0, op->produced, codec->packed),
			   op->produced);
		codec->stats.bounce_bytes += op->produced;
	}
	chain_trim(job->data, op->produced);
	job->data_bytes = op->produced;
	return true;
}

static void compressed(struct migc_codec *codec, struct migc_codec_job *job, unsigned int lane,
		       struct rte_comp_op *op)
{
	const struct migc_codec_plan *plan = &codec->lane[lane].device->plan;
	uint32_t length = (uint32_t)job->pages * MIGC_PAGE_BYTES;

	if (out_of_space(op) ||
	    (op->status == RTE_COMP_OP_STATUS_SUCCESS && op->produced >= length)) {
		codec->stats.did_not_shrink++;
		complete_job(codec, job, -ENOSPC);
	} else if (op->status != RTE_COMP_OP_STATUS_SUCCESS || op->produced > op->m_dst->pkt_len) {
		/* or SUCCESS, and more than there was room for */
		codec->stats.errors++;
		codec->lane[lane].unusable |= op->debug_status == QAT_NO_CNV;
		complete_elsewhere(codec, job, lane);
	} else if (op->consumed != length || op->produced == 0) {
		/* SUCCESS, and yet a part of the source is missing */
		codec->stats.short_consumed++;
		complete_elsewhere(codec, job, lane);
	} else if (!take_compressed(codec, job, plan, op)) {
		complete_elsewhere(codec, job, lane);
	} else {
		codec->stats.in_bytes += length;
		codec->stats.out_bytes += op->produced;
		codec->stats.pages += job->pages;
		codec->stats.lane_blocks[codec->lane[lane].share]++;
		complete_job(codec, job, 0);
	}
}

static void copy_out(struct migc_codec *codec, const struct migc_codec_job *job,
		     const struct rte_comp_op *op)
{
	const struct rte_mbuf *m = op->m_dst;
	uint32_t at = 0;

	/* one linear buffer, or a segment a page */
	for (unsigned int i = 0; i < job->pages; i++) {
		memcpy(job->page[i], rte_pktmbuf_mtod_offset(m, const uint8_t *, at),
		       MIGC_PAGE_BYTES);
		at += MIGC_PAGE_BYTES;
		if (at == m->data_len && m->next) {
			m = m->next;
			at = 0;
		}
	}
	codec->stats.bounce_bytes += (uint64_t)job->pages * MIGC_PAGE_BYTES;
}

static void decompressed(struct migc_codec *codec, struct migc_codec_job *job, unsigned int lane,
			 struct rte_comp_op *op)
{
	uint32_t length = (uint32_t)job->pages * MIGC_PAGE_BYTES;

	if (op->status != RTE_COMP_OP_STATUS_SUCCESS) {
		codec->stats.errors++;
		complete_elsewhere(codec, job, lane);
	} else if (op->produced != length) {
		/* what the stream holds is not what the header says: another device says no other
		 */
		codec->stats.short_produced++;
		complete_job(codec, job, -EBADMSG);
	} else {
		if (codec_op(op)->copied || !codec->lane[lane].device->plan.destination_chain)
			copy_out(codec, job, op);
		codec->stats.in_bytes += job->data_bytes;
		codec->stats.out_bytes += length;
		codec->stats.pages += job->pages;
		codec->stats.lane_blocks[codec->lane[lane].share]++;
		complete_job(codec, job, 0);
	}
}

void complete_op(struct migc_codec *codec, struct rte_comp_op *op)
{
	struct migc_codec_job *job = codec_op(op)->job;
	unsigned int lane = codec_op(op)->lane;

	codec->stats.ops++;
	if (job == NULL) {
		/* given up meanwhile */
		submit_free_op(codec, op);
		return;
	}
	if (complete_injected(codec))
		op->status = RTE_COMP_OP_STATUS_ERROR;
	if (codec->decompress)
		decompressed(codec, job, lane, op);
	else
		compressed(codec, job, lane, op);
	submit_free_op(codec, op);
}

/**
 * A decompression whose device fell silent. It may read the block, and write what comes of it, at
 * any later time. To segments of ours: then it may read what it likes, and the block is
 * decompressed elsewhere. To the guest's pages: that ends the migration.
 */
static void give_up_decompression(struct migc_codec *codec, struct migc_codec_job *job,
				  struct codec_op *op)
{
	if (op->copied) {
		complete_elsewhere(codec, job, op->lane);
		return;
	}
	op->packed = job->packed;
	job->packed = NULL;
	complete_job(codec, job,
		     codec->lane[op->lane].device->plan.destination_chain ? -EIO : -EBADMSG);
}

/** Give up an op that a lost lane still has. */
static void give_up(struct rte_mempool *pool, void *context, void *object, unsigned int i)
{
	struct lost *lost = context;
	struct codec_op *op = codec_op(object);
	struct migc_codec_job *job = op->job;

	(void)pool;
	(void)i;
	if (job == NULL || op->lane != lost->lane)
		return;
	op->job = NULL;
	lost->codec->stats.errors++;
	if (lost->codec->decompress)
		give_up_decompression(lost->codec, job, op);
	else
		complete_elsewhere(lost->codec, job, lost->lane);
}

void complete_lost(struct migc_codec *codec, unsigned int index)
{
	struct lost lost = {codec, index};
	struct codec_lane *lane = &codec->lane[index];
	struct codec_device *device = lane->device;
	unsigned int waiting = lane->pending_count;

	lane->dead = true;
	lane->refused = false;
	lane->pending_count = 0;
	codec->stats.devices_lost++;
	/* no other memory goes with these: they are read to be said (tell.c) */
	__atomic_add_fetch(lane->unusable ? &device->unusable : &device->lost, 1, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < waiting; i++) {
		lane->pending[i]->status = RTE_COMP_OP_STATUS_ERROR;
		complete_op(codec, lane->pending[i]);
	}
	/* what waited is done with; what is still of this lane is with the device */
	rte_mempool_obj_iter(codec->ops, give_up, &lost);
}

void complete_found(struct migc_codec *codec, unsigned int index)
{
	struct codec_lane *lane = &codec->lane[index];

	lane->dead = false;
	lane->revivals++;
	codec->stats.devices_back++;
	__atomic_add_fetch(&lane->device->back, 1, __ATOMIC_RELAXED);
}
