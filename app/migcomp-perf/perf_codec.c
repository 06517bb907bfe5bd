/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#define SCRUB 0xa5

enum migc_codec_id perf_codec_id(enum perf_codec codec)
{
	switch (codec) {
	case PERF_CODEC_RAW:
		return MIGC_CODEC_RAW;
	case PERF_CODEC_LZ4:
		return MIGC_CODEC_LZ4;
	case PERF_CODEC_ZSTD:
		return MIGC_CODEC_ZSTD;
	default:
		return MIGC_CODEC_DEFLATE;
	}
}

enum migc_huffman perf_codec_huffman(enum perf_huffman huffman)
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

static int path_compare(struct perf_worker *w)
{
	const struct perf_codec_own *o = w->path;

	if (memcmp(o->out, o->shared->pages, w->run->input.padded_bytes) == 0)
		return 0;
	return migc_error_set(&w->err, -EBADMSG,
			      "what was decompressed is not what was compressed");
}

static int open_devices(struct perf_run *run, bool compress, struct migc_error *err)
{
	const struct perf_options *o = run->options;
	struct perf_codec_shared *s = run->own;
	struct migc_codec_devices_config config = {
		.codecs = 1u << perf_codec_id(o->codec),
		.request =
			{
				.compress = compress,
				.level = (int)run->level,
				.huffman = perf_codec_huffman(o->huffman),
				.block_pages = o->segs_max,
			},
		.zstd_level = (int)run->level,
		.workers = run->worker_count,
		.compressdev = o->driver_name,
		.no_fallback = true, /* what is named is what is measured */
	};
	int rc = migc_codec_devices_open(&config, &s->devices, err);

	if (rc == 0 && s->block_pages == 0) {
		s->block_pages = migc_codec_block_pages(s->devices, perf_codec_id(o->codec));
		s->blocks = (uint32_t)((run->input.padded_bytes / MIGC_PAGE_BYTES + s->block_pages -
					1) /
				       s->block_pages);
	}
	return rc;
}

static void close_devices(struct perf_codec_shared *s)
{
	if (s->devices)
		migc_codec_devices_close(s->devices);
	s->devices = NULL;
}

static int make_worker(struct perf_worker *w, struct migc_error *err)
{
	struct perf_codec_shared *s = w->run->own;
	struct perf_codec_own *o = calloc(1, sizeof(*o));
	size_t bytes = w->run->input.padded_bytes;

	if (o == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a worker");
	w->path = o;
	o->shared = s;
	o->packed = malloc(bytes);
	o->packed_bytes = calloc(s->blocks, sizeof(o->packed_bytes[0]));
	o->job = calloc(PERF_CODEC_JOBS_MAX, sizeof(o->job[0]));
	o->begin_tsc = calloc(PERF_CODEC_JOBS_MAX, sizeof(o->begin_tsc[0]));
	o->idle = calloc(PERF_CODEC_JOBS_MAX, sizeof(o->idle[0]));
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
	struct perf_codec_own *o = w->path;

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
	struct perf_codec_shared *s = calloc(1, sizeof(*s));
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
	struct perf_codec_shared *s = run->own;

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
	struct perf_codec_shared *s = run->own;
	int rc = open_devices(run, !decompress, err);

	for (unsigned int i = 0; rc == 0 && i < run->worker_count; i++) {
		struct perf_worker *w = &run->workers[i];
		struct perf_codec_own *o = w->path;

		/* what is found there afterwards was decompressed */
		if (decompress)
			memset(o->out, SCRUB, run->input.padded_bytes);
		for (o->idle_count = 0; o->idle_count < PERF_CODEC_JOBS_MAX; o->idle_count++)
			o->idle[o->idle_count] = &o->job[o->idle_count];
		rc = migc_codec_create(s->devices, i, decompress, w->socket, &o->codec, err);
	}
	return rc;
}

static void path_end(struct perf_run *run)
{
	for (unsigned int i = 0; i < run->worker_count; i++) {
		struct perf_codec_own *o = run->workers[i].path;

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
	.pass = perf_codec_pass,
	.compare = path_compare,
};
