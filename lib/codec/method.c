/* SPDX-License-Identifier: BSD-3-Clause */
#include "method.h"

static const struct codec_method *const methods[] = {&codec_method_lz4, &codec_method_zstd};

const struct codec_method *codec_method_find(enum migc_codec_id id)
{
	for (unsigned int i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		if (methods[i]->id == id)
			return methods[i];
	}
	return NULL;
}
