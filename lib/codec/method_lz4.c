/* SPDX-License-Identifier: BSD-3-Clause */
#include <lz4.h>
#include <stdlib.h>

#include "method.h"

/** A compressor's state. A decompressor has none, but NULL would mean that there is no memory. */
static void *create(bool decompress, int level)
{
	(void)level;
	return malloc(decompress ? 1 : (size_t)LZ4_sizeofState());
}

static size_t compress(void *context, uint8_t *to, size_t room, const uint8_t *from, size_t length,
		       int acceleration)
{
	int made = LZ4_compress_fast_extState(context, (const char *)from, (char *)to, (int)length,
					      (int)room, acceleration);

	return made > 0 ? (size_t)made : 0;
}

static bool decompress(void *context, uint8_t *to, size_t length, const uint8_t *from,
		       size_t from_length)
{
	(void)context;
	return LZ4_decompress_safe((const char *)from, (char *)to, (int)from_length, (int)length) ==
	       (int)length;
}

const struct codec_method codec_method_lz4 = {
	.id = MIGC_CODEC_LZ4,
	.name = "lz4",
	.create = create,
	.destroy = free,
	.compress = compress,
	.decompress = decompress,
};
