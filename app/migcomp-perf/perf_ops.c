/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_compressdev.h>
#include <rte_cycles.h>

#include "perf_compressdev.h"

/** A device that gives nothing back for so long, with ops in flight, is dead. */
#define DEAD_SECONDS 5u

/** A pass under way. */
struct under_way {
	struct perf_worker *w;
	struct perf_ops *o;
	struct rte_mbuf *const *source, *const *destination;
	enum perf_direction direction;
	uint32_t next; /**< first chain without an op yet */
	uint32_t held; /**< ops filled in and not taken by the device */
	uint32_t in_flight;
	uint32_t finished;
	uint64_t progress_tsc;
};

static int failure(struct perf_worker *w, int code, const char *what, uint32_t index, int status)
{
	return migc_error_set(&w->err, code, "operation %u %s (status %d)", index, what, status);
}

static struct perf_op_tag *tag_of(struct rte_comp_op *op)
{
	return (struct perf_op_tag *)(op + 1);
}

/** All that a driver may look at: compress_isal hangs on what an earlier use left. */
static void prepare(const struct under_way *u, struct rte_comp_op *op, uint32_t index)
{
	struct rte_mbuf *to = u->destination[index];
	uint32_t seg = u->direction == PERF_COMPRESS ? u->o->buffers.packed_seg
						     : u->o->buffers.plain_seg;

	if (u->direction == PERF_COMPRESS) {
		to->pkt_len = seg * to->nb_segs;
		for (struct rte_mbuf *m = to; m; m = m->next)
			m->data_len = (uint16_t)seg;
	}
	op->op_type = RTE_COMP_OP_STATELESS;
	op->private_xform = u->o->xform;
	op->m_src = u->source[index];
	op->m_dst = to;
	op->src.offset = 0;
	op->src.length = op->m_src->pkt_len;
	op->dst.offset = 0;
	op->flush_flag = RTE_COMP_FLUSH_FINAL;
	op->input_chksum = 0;
	op->output_chksum = 0;
	op->consumed = 0;
	op->produced = 0;
	op->debug_status = 0;
	op->status = RTE_COMP_OP_STATUS_NOT_PROCESSED;
	tag_of(op)->index = index;
	tag_of(op)->begin_tsc = 0;
}

/** Fill ops in until a burst is held, the pool is empty, or the input is used up. */
static void hold(struct under_way *u)
{
	struct perf_ops *o = u->o;
	uint32_t left = o->buffers.count - u->next;
	uint32_t most = o->in_flight_max - u->in_flight;
	uint32_t wanted = RTE_MIN((uint32_t)o->burst, most);

	if (u->held >= wanted)
		return;
	wanted = RTE_MIN(wanted - u->held, left);
	if (wanted > 1 &&
	    rte_mempool_get_bulk(o->pool, (void **)(o->held + u->held), wanted) == 0) {
		for (uint32_t i = 0; i < wanted; i++)
			prepare(u, o->held[u->held++], u->next++);
		return;
	}
	while (wanted-- && rte_mempool_get(o->pool, (void **)(o->held + u->held)) == 0)
		prepare(u, o->held[u->held++], u->next++);
}

/** @return 0; -errno with a message: the op did not do what it should. */
static int finish(struct under_way *u, struct rte_comp_op *op)
{
	struct perf_buffers *b = &u->o->buffers;
	uint32_t i = tag_of(op)->index;

	if (op->status != RTE_COMP_OP_STATUS_SUCCESS)
		return failure(u->w, -EIO, "failed", i, op->status);
	if (u->direction == PERF_COMPRESS) {
		if (op->consumed != b->plain_bytes[i])
			return failure(u->w, -EIO, "took only a part of its input", i, op->status);
		b->packed_bytes[i] = op->produced;
	} else if (b->plain_bytes[i] && op->produced != b->plain_bytes[i]) {
		return failure(u->w, -EBADMSG, "gave another length than was compressed", i,
			       op->status);
	}
	return 0;
}

static int finish_all(struct under_way *u, uint32_t count, enum perf_pass pass, uint64_t now)
{
	struct perf_result *r = &u->w->result[u->direction];
	int rc = 0;

	for (uint32_t i = 0; i < count; i++) {
		int one = finish(u, u->o->done[i]);

		rc = rc ? rc : one;
		if (pass == PERF_PASS_LATENCY)
			perf_histogram_add(&r->latency, now - tag_of(u->o->done[i])->begin_tsc);
	}
	rte_mempool_put_bulk(u->o->pool, (void **)u->o->done, count);
	u->finished += count;
	return rc;
}

/** Give the device what is held. @return 0; -EIO: it will never take the first of them. */
static int give(struct under_way *u, enum perf_pass pass)
{
	struct perf_ops *o = u->o;
	struct perf_result *r = &u->w->result[u->direction];
	uint64_t begin = 0;
	uint16_t taken;

	if (u->held == 0)
		return 0;
	if (pass == PERF_PASS_LATENCY) {
		begin = rte_rdtsc_precise();
		for (uint32_t i = 0; i < u->held; i++) {
			if (tag_of(o->held[i])->begin_tsc == 0)
				tag_of(o->held[i])->begin_tsc = begin;
		}
	} else if (pass == PERF_PASS_CYCLES) {
		begin = rte_rdtsc_precise();
	}
	taken = rte_compressdev_enqueue_burst(o->device, o->queue_pair, o->held, (uint16_t)u->held);
	if (pass == PERF_PASS_CYCLES) {
		r->enqueue_cycles += rte_rdtsc_precise() - begin;
		r->enqueue_retries += taken < u->held;
	}
	u->held -= taken;
	u->in_flight += taken;
	if (u->held == 0)
		return 0;
	memmove(o->held, o->held + taken, u->held * sizeof(o->held[0]));
	/* anything but NOT_PROCESSED means: never give me that one again */
	if (o->held[0]->status != RTE_COMP_OP_STATUS_NOT_PROCESSED)
		return failure(u->w, -EIO, "was refused by the device", tag_of(o->held[0])->index,
			       o->held[0]->status);
	return 0;
}

static int take(struct under_way *u, enum perf_pass pass)
{
	struct perf_ops *o = u->o;
	struct perf_result *r = &u->w->result[u->direction];
	uint64_t begin = 0, now = 0;
	uint16_t count;

	if (pass == PERF_PASS_CYCLES)
		begin = rte_rdtsc_precise();
	count = rte_compressdev_dequeue_burst(o->device, o->queue_pair, o->done, o->burst);
	if (pass == PERF_PASS_LATENCY || pass == PERF_PASS_CYCLES)
		now = rte_rdtsc_precise();
	if (pass == PERF_PASS_CYCLES) {
		r->dequeue_cycles += now - begin;
		r->dequeue_retries += count < u->in_flight;
	}
	u->in_flight -= count;
	if (count) {
		u->progress_tsc = rte_rdtsc();
		return finish_all(u, count, pass, now);
	}
	if (u->in_flight && rte_rdtsc() - u->progress_tsc > rte_get_tsc_hz() * DEAD_SECONDS)
		return failure(u->w, -EIO, "and those behind it do not come back", u->finished, -1);
	return 0;
}

/** Get back what can be had, after a failure: ops hold our memory. */
static void drain(struct under_way *u)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() * DEAD_SECONDS;
	struct perf_ops *o = u->o;

	if (u->held)
		rte_mempool_put_bulk(o->pool, (void **)o->held, u->held);
	while (u->in_flight && rte_rdtsc() < until) {
		uint16_t count =
			rte_compressdev_dequeue_burst(o->device, o->queue_pair, o->done, o->burst);

		if (count)
			rte_mempool_put_bulk(o->pool, (void **)o->done, count);
		u->in_flight -= count;
	}
	o->lost = u->in_flight != 0;
}

static struct under_way begin(struct perf_worker *w, enum perf_direction direction)
{
	struct perf_ops *o = w->path;
	struct under_way u = {
		.w = w,
		.o = o,
		.source = direction == PERF_COMPRESS ? o->buffers.plain : o->buffers.packed,
		.destination = direction == PERF_COMPRESS ? o->buffers.packed : o->buffers.plain,
		.direction = direction,
		.progress_tsc = rte_rdtsc(),
	};

	return u;
}

/** Inlined once for each kind of pass, so that a plain one has none of the others' branches. */
static inline __attribute__((always_inline)) int run_pass(struct under_way *u,
							  const enum perf_pass pass)
{
	uint32_t delay_us = u->w->run->options->cc_delay_us;
	int rc = 0;

	while (rc == 0 && u->finished < u->o->buffers.count) {
		if (*u->w->run->stop)
			return migc_error_set(&u->w->err, -ECANCELED, "interrupted");
		hold(u);
		rc = give(u, pass);
		if (pass == PERF_PASS_CYCLES && delay_us)
			rte_delay_us_block(delay_us);
		if (rc == 0)
			rc = take(u, pass);
	}
	return rc;
}

/** What one pass is about, for the tables. */
static void note(struct under_way *u)
{
	const struct perf_buffers *b = &u->o->buffers;
	struct perf_result *r = &u->w->result[u->direction];

	r->ops = b->count;
	r->bytes = u->w->run->input.bytes;
	if (u->direction != PERF_COMPRESS)
		return;
	u->w->packed_bytes = 0;
	for (uint32_t i = 0; i < b->count; i++)
		u->w->packed_bytes += b->packed_bytes[i];
}

int perf_ops_pass(struct perf_worker *w, enum perf_direction direction, enum perf_pass pass)
{
	struct under_way u = begin(w, direction);
	int rc;

	switch (pass) {
	case PERF_PASS_LATENCY:
		rc = run_pass(&u, PERF_PASS_LATENCY);
		break;
	case PERF_PASS_CYCLES:
		rc = run_pass(&u, PERF_PASS_CYCLES);
		break;
	default:
		rc = run_pass(&u, PERF_PASS_PLAIN);
		break;
	}
	if (rc != 0)
		drain(&u);
	else if (pass == PERF_PASS_CHECK)
		note(&u);
	return rc;
}

int perf_ops_setup_pass(struct perf_worker *w, enum perf_direction direction)
{
	struct under_way u = begin(w, direction);

	while (u.next < u.o->buffers.count) {
		if (*w->run->stop)
			return migc_error_set(&w->err, -ECANCELED, "interrupted");
		hold(&u);
		rte_mempool_put_bulk(u.o->pool, (void **)u.o->held, u.held);
		u.held = 0;
	}
	return 0;
}
