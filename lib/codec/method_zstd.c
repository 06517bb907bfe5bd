/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

/* static contexts: the only ones that never take memory while they work */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "method.h"
#include "migc_page.h"

/** The largest block; parameters are chosen for it, so that no smaller one asks for others. */
#define BLOCK_BYTES ((size_t)MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)
struct zstd {
	ZSTD_CCtx *compressor;
	ZSTD_DCtx *decompressor;
	uint64_t workspace[];
};

static struct zstd *create_compressor(int level)
{
	ZSTD_compressionParameters c = ZSTD_getCParams(level, BLOCK_BYTES, 0);
	const struct {
		ZSTD_cParameter name;
		unsigned int value;
	} set[] = {
		{ZSTD_c_windowLog, c.windowLog},
		{ZSTD_c_hashLog, c.hashLog},
		{ZSTD_c_chainLog, c.chainLog},
		{ZSTD_c_searchLog, c.searchLog},
		{ZSTD_c_minMatch, c.minMatch},
		{ZSTD_c_targetLength, c.targetLength},
		{ZSTD_c_strategy, c.strategy},
		/* the block's header says the size, and the AEAD protects the bytes */
		{ZSTD_c_contentSizeFlag, 0},
		{ZSTD_c_checksumFlag, 0},
	};
	size_t bytes = ZSTD_estimateCCtxSize_usingCParams(c);
	struct zstd *z = calloc(1, sizeof(*z) + bytes);
	bool ok = z && (z->compressor = ZSTD_initStaticCCtx(z->workspace, bytes));

	for (unsigned int i = 0; ok && i < sizeof(set) / sizeof(set[0]); i++)
		ok = !ZSTD_isError(
			ZSTD_CCtx_setParameter(z->compressor, set[i].name, (int)set[i].value));
	if (ok)
		return z;
	free(z);
	return NULL;
}

static struct zstd *create_decompressor(void)
{
	size_t bytes = ZSTD_estimateDCtxSize();
	struct zstd *z = calloc(1, sizeof(*z) + bytes);

	if (z && (z->decompressor = ZSTD_initStaticDCtx(z->workspace, bytes)))
		return z;
	free(z);
	return NULL;
}

static void *create(bool decompress, int level)
{
	return decompress ? create_decompressor() : create_compressor(level);
}

static size_t compress(void *context, uint8_t *to, size_t room, const uint8_t *from, size_t length,
		       int acceleration)
{
	struct zstd *z = context;
	(void)acceleration;
	size_t made = ZSTD_compress2(z->compressor, to, room, from, length);

	return ZSTD_isError(made) ? 0 : made;
}

static bool decompress(void *context, uint8_t *to, size_t length, const uint8_t *from,
		       size_t from_length)
{
	struct zstd *z = context;

	return ZSTD_decompressDCtx(z->decompressor, to, length, from, from_length) == length;
}

const struct codec_method codec_method_zstd = {
	.id = MIGC_CODEC_ZSTD,
	.name = "zstd",
	.create = create,
	.destroy = free,
	.compress = compress,
	.decompress = decompress,
};
