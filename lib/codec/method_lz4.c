/* SPDX-License-Identifier: BSD-3-Clause */
#include <lz4.h>
#include <stdlib.h>

#include "method.h"

struct lz4 {
	int acceleration;
	uint64_t state[]; /**< LZ4_sizeofState() bytes, of a compressor */
};

static void *create(bool decompress, int level)
{
	struct lz4 *l = malloc(sizeof(*l) + (decompress ? 0 : (size_t)LZ4_sizeofState()));

	if (l)
		l->acceleration = level;
	return l;
}

static size_t compress(void *context, uint8_t *to, size_t room, const uint8_t *from, size_t length)
{
	struct lz4 *l = context;
	int made = LZ4_compress_fast_extState(l->state, (const char *)from, (char *)to, (int)length,
					      (int)room, l->acceleration);

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
