/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec_private.h"
#include "method.h"

#define FLAT_BYTES ((size_t)MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)

int inline_create(struct migc_codec *codec)
{
	const struct migc_codec_devices_config *config = &codec->devices->config;

	codec->flat = malloc(FLAT_BYTES);
	codec->packed = malloc(FLAT_BYTES);
	if (codec->flat == NULL || codec->packed == NULL)
		return -ENOMEM;
	for (unsigned int id = 0; id < MIGC_CODEC_COUNT; id++) {
		const struct codec_method *method = codec_method_find((enum migc_codec_id)id);

		if (method == NULL || !(config->codecs & 1u << id))
			continue;
		codec->method[id] = method->create(codec->decompress, config->zstd_level);
		if (codec->method[id] == NULL)
			return -ENOMEM;
	}
	return 0;
}

void inline_free(struct migc_codec *codec)
{
	for (unsigned int id = 0; id < MIGC_CODEC_COUNT; id++) {
		if (codec->method[id])
			codec_method_find((enum migc_codec_id)id)->destroy(codec->method[id]);
	}
	free(codec->flat);
	free(codec->packed);
}

/** Are the pages one piece of memory? */
static bool in_one_piece(const struct migc_codec_job *job)
{
	return chain_neighbours(job, job->pages);
}

static const uint8_t *gather(struct migc_codec *codec, const struct migc_codec_job *job)
{
	if (in_one_piece(job))
		return job->page[0];
	for (unsigned int i = 0; i < job->pages; i++)
		memcpy(codec->flat + (size_t)i * MIGC_PAGE_BYTES, job->page[i], MIGC_PAGE_BYTES);
	codec->stats.gathered_bytes += (uint64_t)job->pages * MIGC_PAGE_BYTES;
	return codec->flat;
}

static void scatter(struct migc_codec *codec, const struct migc_codec_job *job)
{
	for (unsigned int i = 0; i < job->pages; i++)
		memcpy(job->page[i], codec->flat + (size_t)i * MIGC_PAGE_BYTES, MIGC_PAGE_BYTES);
	codec->stats.gathered_bytes += (uint64_t)job->pages * MIGC_PAGE_BYTES;
}

static int compress(struct migc_codec *codec, const struct codec_method *method,
		    struct migc_codec_job *job)
{
	size_t length = (size_t)job->pages * MIGC_PAGE_BYTES;
	size_t made = method->compress(codec->method[job->codec], codec->packed, length - 1,
				       gather(codec, job), length, job->acceleration);

	if (made == 0) {
		codec->stats.did_not_shrink++;
		return -ENOSPC;
	}
	job->data = chain_segments(codec,
				   (unsigned int)((made + MIGC_PAGE_BYTES - 1) / MIGC_PAGE_BYTES));
	if (job->data == NULL) {
		codec->stats.fallback_blocks++;
		return -ENOSPC;
	}
	chain_fill(job->data, codec->packed, (uint32_t)made);
	chain_trim(job->data, (uint32_t)made);
	job->data_bytes = (uint32_t)made;
	codec->stats.in_bytes += length;
	codec->stats.out_bytes += made;
	return 0;
}

static int decompress(struct migc_codec *codec, const struct codec_method *method,
		      struct migc_codec_job *job)
{
	size_t length = (size_t)job->pages * MIGC_PAGE_BYTES;
	bool direct = in_one_piece(job);

	if (!method->decompress(codec->method[job->codec], direct ? job->page[0] : codec->flat,
				length, job->packed, job->data_bytes)) {
		codec->stats.errors++;
		return -EBADMSG;
	}
	if (!direct)
		scatter(codec, job);
	codec->stats.in_bytes += job->data_bytes;
	codec->stats.out_bytes += length;
	return 0;
}

void inline_job(struct migc_codec *codec, struct migc_codec_job *job)
{
	const struct codec_method *method = codec_method_find(job->codec);
	int status;

	codec->stats.ops++;
	if (complete_injected(codec)) {
		codec->stats.errors++;
		codec->stats.fallback_blocks += !codec->decompress;
		status = codec->decompress ? -EBADMSG : -ENOSPC;
	} else if (method == NULL || codec->method[job->codec] == NULL) {
		status = codec->decompress ? -EBADMSG : -ENOSPC;
	} else if (codec->decompress) {
		status = decompress(codec, method, job);
	} else {
		status = compress(codec, method, job);
	}
	if (status == 0)
		codec->stats.pages += job->pages;
	complete_job(codec, job, status);
}
