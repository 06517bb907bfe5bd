/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_malloc.h>

#include "migc_codec.h"
#include "perf_run.h"

/** Most jobs that an engine takes at a time (it says how many itself). */
#define JOBS_MAX 256u
#define POLL_MAX 32u
#define SCRUB 0xa5

/** What all workers share. */
struct shared {
	struct migc_codec_devices *devices;
	uint8_t *pages; /**< the input, whole pages; read only */
	unsigned int block_pages;
	uint32_t blocks;
};

/** A worker's own of this path. */
struct own {
	struct shared *shared;
	struct migc_codec *codec;
	uint8_t *out; /**< pages that are decompressed to */
	uint8_t *packed; /**< block i at its place in the pages: it is never larger */
	uint32_t *packed_bytes; /**< 0: did not shrink */
	struct migc_codec_job *job;
	uint64_t *begin_tsc; /**< by job */
	struct migc_codec_job **idle;
	unsigned int idle_count;
};

/* ---- one pass ---- */

struct under_way {
	struct perf_worker *w;
	struct own *o;
	enum perf_direction direction;
	enum perf_pass pass;
	uint32_t next, finished;
	unsigned int in_flight_max;
};

static uint32_t pages_of(const struct shared *s, const struct perf_run *run, uint32_t block)
{
	uint64_t all = run->input.padded_bytes / MIGC_PAGE_BYTES;
	uint64_t left = all - (uint64_t)block * s->block_pages;

	return (uint32_t)RTE_MIN(left, s->block_pages);
}

static size_t place_of(const struct shared *s, uint32_t block)
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
	struct rte_mbuf *m = migc_codec_buffer(u->o->codec);

	if (m == NULL)
		return false;
	job->data_bytes = u->o->packed_bytes[block];
	memcpy(rte_pktmbuf_mtod(m, void *), u->o->packed + place_of(u->o->shared, block),
	       job->data_bytes);
	m->data_len = (uint16_t)job->data_bytes;
	m->pkt_len = job->data_bytes;
	job->data = m;
	return true;
}

static enum migc_codec_id codec_id(enum perf_codec codec)
{
	switch (codec) {
	case PERF_CODEC_LZ4:
		return MIGC_CODEC_LZ4;
	case PERF_CODEC_ZSTD:
		return MIGC_CODEC_ZSTD;
	default:
		return MIGC_CODEC_DEFLATE;
	}
}

/** @return 1: submitted (or done at once); 0: not now; -errno. */
static int give(struct under_way *u, uint32_t block)
{
	struct own *o = u->o;
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
	job->codec = codec_id(u->w->run->options->codec);
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
	struct own *o = u->o;
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
	const struct shared *s = u->o->shared;

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

static int path_pass(struct perf_worker *w, enum perf_direction direction, enum perf_pass pass)
{
	struct own *o = w->path;
	struct under_way u = {
		.w = w,
		.o = o,
		.direction = direction,
		.pass = pass,
		/* one at a time, or a block's latency is also that of those before it */
		.in_flight_max = pass == PERF_PASS_LATENCY ? 1 : JOBS_MAX,
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

static int path_compare(struct perf_worker *w)
{
	const struct own *o = w->path;

	if (memcmp(o->out, o->shared->pages, w->run->input.padded_bytes) == 0)
		return 0;
	return migc_error_set(&w->err, -EBADMSG,
			      "what was decompressed is not what was compressed");
}

/* ---- set up ---- */

static enum migc_huffman huffman_kind(enum perf_huffman huffman)
{
	switch (huffman) {
	case PERF_HUFFMAN_FIXED:
		return MIGC_HUFFMAN_FIXED;
	case PERF_HUFFMAN_DYNAMIC:
		return MIGC_HUFFMAN_DYNAMIC;
	default:
		return MIGC_HUFFMAN_DEFAULT;
	}
}

static int open_devices(struct perf_run *run, bool compress, struct migc_error *err)
{
	const struct perf_options *o = run->options;
	struct shared *s = run->own;
	struct migc_codec_devices_config config = {
		.codecs = 1u << codec_id(o->codec),
		.request =
			{
				.compress = compress,
				.level = (int)run->level,
				.huffman = huffman_kind(o->huffman),
				.block_pages = o->segs_max,
			},
		.zstd_level = (int)run->level,
		.workers = run->worker_count,
		.compressdev = o->driver_name,
		.no_fallback = true, /* what is named is what is measured */
	};
	int rc = migc_codec_devices_open(&config, &s->devices, err);

	if (rc == 0 && s->block_pages == 0) {
		s->block_pages = migc_codec_block_pages(s->devices);
		s->blocks = (uint32_t)((run->input.padded_bytes / MIGC_PAGE_BYTES + s->block_pages -
					1) /
				       s->block_pages);
	}
	return rc;
}

static void close_devices(struct shared *s)
{
	if (s->devices)
		migc_codec_devices_close(s->devices);
	s->devices = NULL;
}

static int make_worker(struct perf_worker *w, struct migc_error *err)
{
	struct shared *s = w->run->own;
	struct own *o = calloc(1, sizeof(*o));
	size_t bytes = w->run->input.padded_bytes;

	if (o == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a worker");
	w->path = o;
	o->shared = s;
	o->packed = malloc(bytes);
	o->packed_bytes = calloc(s->blocks, sizeof(o->packed_bytes[0]));
	o->job = calloc(JOBS_MAX, sizeof(o->job[0]));
	o->begin_tsc = calloc(JOBS_MAX, sizeof(o->begin_tsc[0]));
	o->idle = calloc(JOBS_MAX, sizeof(o->idle[0]));
	/* EAL's memory: a device in hardware can reach it */
	o->out = rte_malloc_socket("perf_out", bytes, MIGC_PAGE_BYTES, w->socket);
	if (!o->packed || !o->packed_bytes || !o->job || !o->begin_tsc || !o->idle || !o->out)
		return migc_error_set(err, -ENOMEM,
				      "no memory for the pages of lcore %u: give EAL more (-m, or "
				      "huge pages), or a smaller input",
				      w->lcore);
	if (migc_codec_devices_count(s->devices)) {
		snprintf(w->device, sizeof(w->device), "%s", migc_codec_device_name(s->devices, 0));
		w->queue_pair = (uint16_t)w->index;
	}
	w->ops = s->blocks;
	return 0;
}

static void free_worker(struct perf_worker *w)
{
	struct own *o = w->path;

	if (o == NULL)
		return;
	rte_free(o->out);
	free(o->packed);
	free(o->packed_bytes);
	free(o->job);
	free(o->begin_tsc);
	free(o->idle);
	free(o);
	w->path = NULL;
}

static int path_open(struct perf_run *run, struct migc_error *err)
{
	struct shared *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a codec");
	run->own = s;
	run->level = run->options->level[0];
	rc = open_devices(run, true, err);
	if (rc != 0)
		return rc;
	s->pages = rte_malloc("perf_pages", run->input.padded_bytes, MIGC_PAGE_BYTES);
	if (s->pages == NULL)
		return migc_error_set(
			err, -ENOMEM,
			"no memory for %llu bytes of pages: give EAL more (-m, or huge "
			"pages), or a smaller input",
			(unsigned long long)run->input.padded_bytes);
	memcpy(s->pages, run->input.data, run->input.padded_bytes);
	for (unsigned int i = 0; rc == 0 && i < run->worker_count; i++)
		rc = make_worker(&run->workers[i], err);
	close_devices(s);
	return rc;
}

static void path_close(struct perf_run *run)
{
	struct shared *s = run->own;

	for (unsigned int i = 0; i < run->worker_count; i++)
		free_worker(&run->workers[i]);
	if (s == NULL)
		return;
	close_devices(s);
	rte_free(s->pages);
	free(s);
	run->own = NULL;
}

static int path_begin(struct perf_run *run, enum perf_direction direction, struct migc_error *err)
{
	bool decompress = direction == PERF_DECOMPRESS;
	struct shared *s = run->own;
	int rc = open_devices(run, !decompress, err);

	for (unsigned int i = 0; rc == 0 && i < run->worker_count; i++) {
		struct perf_worker *w = &run->workers[i];
		struct own *o = w->path;

		/* what is found there afterwards was decompressed */
		if (decompress)
			memset(o->out, SCRUB, run->input.padded_bytes);
		for (o->idle_count = 0; o->idle_count < JOBS_MAX; o->idle_count++)
			o->idle[o->idle_count] = &o->job[o->idle_count];
		rc = migc_codec_create(s->devices, i, decompress, w->socket, &o->codec, err);
	}
	return rc;
}

static void path_end(struct perf_run *run)
{
	for (unsigned int i = 0; i < run->worker_count; i++) {
		struct own *o = run->workers[i].path;

		migc_codec_free(o->codec);
		o->codec = NULL;
	}
	close_devices(run->own);
}

const struct perf_path perf_path_codec = {
	.open = path_open,
	.close = path_close,
	.begin = path_begin,
	.end = path_end,
	.pass = path_pass,
	.compare = path_compare,
};
