/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_CURSOR_H
#define MIGC_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * Bounds-checked reader and writer of big-endian bytes: the only way bytes of the wire are parsed
 * or made. A read past the end (a write past the capacity) gives zero (writes nothing) and sets
 * `failed`, which stays set: check once, at the end.
 */

struct migc_reader {
	const uint8_t *data;
	size_t length_bytes;
	size_t offset_bytes;
	bool failed;
};

struct migc_writer {
	uint8_t *data;
	size_t capacity_bytes;
	size_t length_bytes; /**< written so far */
	bool failed;
};

void migc_reader_init(struct migc_reader *r, const void *data, size_t length_bytes);
size_t migc_reader_left(const struct migc_reader *r);
uint8_t migc_read_u8(struct migc_reader *r);
uint16_t migc_read_u16(struct migc_reader *r);
uint32_t migc_read_u32(struct migc_reader *r);
uint64_t migc_read_u64(struct migc_reader *r);
/** @return pointer to the next `length_bytes` bytes inside the data, or NULL and failed. */
const uint8_t *migc_read_bytes(struct migc_reader *r, size_t length_bytes);
/**
 * Read a string of a u16 length followed by its bytes; embedded NUL and lengths of `capacity` or
 * more set failed. The result is NUL-terminated (empty on failure).
 */
void migc_read_string(struct migc_reader *r, char *out, size_t capacity);

void migc_writer_init(struct migc_writer *w, void *data, size_t capacity_bytes);
void migc_write_u8(struct migc_writer *w, uint8_t v);
void migc_write_u16(struct migc_writer *w, uint16_t v);
void migc_write_u32(struct migc_writer *w, uint32_t v);
void migc_write_u64(struct migc_writer *w, uint64_t v);
void migc_write_bytes(struct migc_writer *w, const void *data, size_t length_bytes);
void migc_write_string(struct migc_writer *w, const char *text);

#endif
