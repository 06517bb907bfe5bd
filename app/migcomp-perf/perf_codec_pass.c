/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_cycles.h>

#include "perf_codec.h"

#define POLL_MAX 32u

/** A pass under way. */
struct under_way {
	struct perf_worker *w;
	struct perf_codec_own *o;
	enum perf_direction direction;
	enum perf_pass pass;
	uint32_t next, finished;
	unsigned int in_flight_max;
};

static uint32_t pages_of(const struct perf_codec_shared *s, const struct perf_run *run,
			 uint32_t block)
{
	uint64_t all = run->input.padded_bytes / MIGC_PAGE_BYTES;
	uint64_t left = all - (uint64_t)block * s->block_pages;

	return (uint32_t)RTE_MIN(left, s->block_pages);
}

static size_t place_of(const struct perf_codec_shared *s, uint32_t block)
{
	return (size_t)block * s->block_pages * MIGC_PAGE_BYTES;
}

static uint32_t block_of(const struct migc_codec_job *job)
{
	return (uint32_t)(uintptr_t)job->cookie;
}

static int failure(struct under_way *u, int code, uint32_t block, const char *what)
{
	return migc_error_set(&u->w->err, code, "block %u %s", block, what);
}

/**
 * A compressed block in the engine's own buffer, as it comes from the network.
 * @return false: no buffer is free, poll first.
 */
static bool give_packed(struct under_way *u, struct migc_codec_job *job, uint32_t block)
{
	job->packed = migc_codec_buffer(u->o->codec);
	if (job->packed == NULL)
		return false;
	job->data_bytes = u->o->packed_bytes[block];
	memcpy(job->packed, u->o->packed + place_of(u->o->shared, block), job->data_bytes);
	return true;
}

/** @return 1: submitted (or done at once); 0: not now; -errno. */
static int give(struct under_way *u, uint32_t block)
{
	struct perf_codec_own *o = u->o;
	uint32_t pages = pages_of(o->shared, u->w->run, block);
	uint8_t *at = (u->direction == PERF_COMPRESS ? o->shared->pages : o->out) +
		      place_of(o->shared, block);
	struct migc_codec_job *job;
	int rc;

	if (u->direction == PERF_DECOMPRESS && o->packed_bytes[block] == 0) {
		memcpy(at, o->shared->pages + place_of(o->shared, block),
		       (size_t)pages * MIGC_PAGE_BYTES);
		u->finished++;
		return 1;
	}
	if (o->idle_count == 0 || migc_codec_room(o->codec) == 0 ||
	    migc_codec_in_flight(o->codec) >= u->in_flight_max)
		return 0;
	job = o->idle[o->idle_count - 1];
	job->pages = (uint16_t)pages;
	job->codec = perf_codec_id(u->w->run->options->codec);
	job->cookie = (void *)(uintptr_t)block;
	job->data = NULL;
	job->data_bytes = 0;
	for (uint32_t i = 0; i < pages; i++)
		job->page[i] = at + (size_t)i * MIGC_PAGE_BYTES;
	if (u->direction == PERF_DECOMPRESS && !give_packed(u, job, block))
		return 0;
	o->begin_tsc[job - o->job] = rte_rdtsc();
	rc = migc_codec_submit(o->codec, job);
	if (rc != 0)
		return failure(u, rc, block, "was not taken by the codec");
	o->idle_count--;
	return 1;
}

/** Take note of a compressed block and give its mbufs back. */
static int finish_packed(struct under_way *u, struct migc_codec_job *job)
{
	uint8_t *to = u->o->packed + place_of(u->o->shared, block_of(job));

	u->o->packed_bytes[block_of(job)] = job->data_bytes;
	if (job->data_bytes == 0)
		return job->status == -ENOSPC ? 0
					      : failure(u, job->status ? job->status : -EIO,
							block_of(job), "was not compressed");
	if (u->pass == PERF_PASS_CHECK) {
		for (const struct rte_mbuf *m = job->data; m; m = m->next) {
			memcpy(to, rte_pktmbuf_mtod(m, const void *), m->data_len);
			to += m->data_len;
		}
	}
	rte_pktmbuf_free(job->data);
	return 0;
}

static int poll(struct under_way *u)
{
	struct migc_codec_job *done[POLL_MAX];
	struct perf_codec_own *o = u->o;
	unsigned int count = migc_codec_poll(o->codec, done, POLL_MAX);
	int rc = 0;

	for (unsigned int i = 0; i < count; i++) {
		int one = 0;

		if (u->pass == PERF_PASS_LATENCY)
			perf_histogram_add(&u->w->result[u->direction].latency,
					   rte_rdtsc() - o->begin_tsc[done[i] - o->job]);
		if (u->direction == PERF_COMPRESS)
			one = finish_packed(u, done[i]);
		else if (done[i]->status != 0)
			one = failure(u, done[i]->status, block_of(done[i]),
				      "was not decompressed");
		rc = rc ? rc : one;
		o->idle[o->idle_count++] = done[i];
	}
	u->finished += count;
	return rc;
}

static void note(struct under_way *u)
{
	struct perf_result *r = &u->w->result[u->direction];
	const struct perf_codec_shared *s = u->o->shared;

	r->ops = s->blocks;
	r->bytes = u->w->run->input.padded_bytes;
	if (u->direction != PERF_COMPRESS)
		return;
	u->w->packed_bytes = 0;
	u->w->raw_blocks = 0;
	for (uint32_t i = 0; i < s->blocks; i++) {
		uint32_t raw = pages_of(s, u->w->run, i) * MIGC_PAGE_BYTES;

		u->w->packed_bytes += u->o->packed_bytes[i] ? u->o->packed_bytes[i] : raw;
		u->w->raw_blocks += u->o->packed_bytes[i] == 0;
	}
}

int perf_codec_pass(struct perf_worker *w, enum perf_direction direction, enum perf_pass pass)
{
	struct perf_codec_own *o = w->path;
	struct under_way u = {
		.w = w,
		.o = o,
		.direction = direction,
		.pass = pass,
		/* one at a time, or a block's latency is also that of those before it */
		.in_flight_max = pass == PERF_PASS_LATENCY ? 1 : PERF_CODEC_JOBS_MAX,
	};
	int rc = 0;

	while (rc == 0 && u.finished < o->shared->blocks) {
		if (*w->run->stop)
			return migc_error_set(&w->err, -ECANCELED, "interrupted");
		while (rc == 0 && u.next < o->shared->blocks) {
			rc = give(&u, u.next);
			if (rc != 1)
				break;
			u.next++;
			rc = 0;
		}
		if (rc == 0)
			rc = poll(&u);
	}
	if (rc == 0 && pass == PERF_PASS_CHECK)
		note(&u);
	return rc;
}
