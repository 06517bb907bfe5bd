/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef METHOD_H
#define METHOD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_wire.h"

/**
 * @file
 * Codecs that the lcore itself runs, at once, by a library: an ops table each. A context is made
 * before the loop and takes no memory in it.
 */

struct codec_method {
	enum migc_codec_id id;
	const char *name;
	/**
	 * @param level of compression: Zstandard's
	 * @return a context that compresses, or one that decompresses; NULL: no memory.
	 */
	void *(*create)(bool decompress, int level);
	void (*destroy)(void *context);
	/**
	 * @param acceleration LZ4's: 0 or 1, its default, or more
	 * @return bytes written, at most `room`; 0: it does not fit.
	 */
	size_t (*compress)(void *context, uint8_t *to, size_t room, const uint8_t *from,
			   size_t length, int acceleration);
	/**
	 * Input is hostile: nothing is written outside [to, to + length), nothing read outside
	 * [from, from + from_length).
	 * @return whether it was a whole block of exactly `length` bytes.
	 */
	bool (*decompress)(void *context, uint8_t *to, size_t length, const uint8_t *from,
			   size_t from_length);
};

extern const struct codec_method codec_method_lz4, codec_method_zstd;

/** The method of a codec, or NULL (raw, and DEFLATE, which devices do). */
const struct codec_method *codec_method_find(enum migc_codec_id id);

#endif
