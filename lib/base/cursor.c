/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_cursor.h"

#include <string.h>

void migc_reader_init(struct migc_reader *r, const void *data, size_t length_bytes)
{
	r->data = data;
	r->length_bytes = length_bytes;
	r->offset_bytes = 0;
	r->failed = false;
}

size_t migc_reader_left(const struct migc_reader *r)
{
	return r->failed ? 0 : r->length_bytes - r->offset_bytes;
}

const uint8_t *migc_read_bytes(struct migc_reader *r, size_t length_bytes)
{
	const uint8_t *at;

	if (r->failed || length_bytes > r->length_bytes - r->offset_bytes) {
		r->failed = true;
		return NULL;
	}
	at = r->data + r->offset_bytes;
	r->offset_bytes += length_bytes;
	return at;
}

static uint64_t read_number(struct migc_reader *r, size_t length_bytes)
{
	const uint8_t *p = migc_read_bytes(r, length_bytes);
	uint64_t v = 0;

	if (!p)
		return 0;
	for (size_t i = 0; i < length_bytes; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t migc_read_u8(struct migc_reader *r)
{
	return (uint8_t)read_number(r, 1);
}

uint16_t migc_read_u16(struct migc_reader *r)
{
	return (uint16_t)read_number(r, 2);
}

uint32_t migc_read_u32(struct migc_reader *r)
{
	return (uint32_t)read_number(r, 4);
}

uint64_t migc_read_u64(struct migc_reader *r)
{
	return read_number(r, 8);
}

void migc_read_string(struct migc_reader *r, char *out, size_t capacity)
{
	uint16_t length = migc_read_u16(r);
	const uint8_t *bytes;

	if (capacity)
		out[0] = '\0';
	if (length >= capacity) {
		r->failed = true;
		return;
	}
	bytes = migc_read_bytes(r, length);
	if (!bytes)
		return;
	if (length && memchr(bytes, 0, length)) {
		r->failed = true;
		return;
	}
	if (length)
		memcpy(out, bytes, length);
	out[length] = '\0';
}

void migc_writer_init(struct migc_writer *w, void *data, size_t capacity_bytes)
{
	w->data = data;
	w->capacity_bytes = capacity_bytes;
	w->length_bytes = 0;
	w->failed = false;
}

void migc_write_bytes(struct migc_writer *w, const void *data, size_t length_bytes)
{
	if (w->failed || length_bytes > w->capacity_bytes - w->length_bytes) {
		w->failed = true;
		return;
	}
	if (length_bytes)
		memcpy(w->data + w->length_bytes, data, length_bytes);
	w->length_bytes += length_bytes;
}

static void write_number(struct migc_writer *w, uint64_t v, size_t length_bytes)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < length_bytes; i++)
		bytes[i] = (uint8_t)(v >> (8 * (length_bytes - 1 - i)));
	migc_write_bytes(w, bytes, length_bytes);
}

void migc_write_u8(struct migc_writer *w, uint8_t v)
{
	write_number(w, v, 1);
}

void migc_write_u16(struct migc_writer *w, uint16_t v)
{
	write_number(w, v, 2);
}

void migc_write_u32(struct migc_writer *w, uint32_t v)
{
	write_number(w, v, 4);
}

void migc_write_u64(struct migc_writer *w, uint64_t v)
{
	write_number(w, v, 8);
}

void migc_write_string(struct migc_writer *w, const char *text)
{
	size_t length = strlen(text);

	/* All or nothing: a length without its bytes must not stay behind. */
	if (length > UINT16_MAX || w->failed || length + 2 > w->capacity_bytes - w->length_bytes) {
		w->failed = true;
		return;
	}
	migc_write_u16(w, (uint16_t)length);
	migc_write_bytes(w, text, length);
}
