/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire_field.h"

#include <string.h>

void wire_range_next(struct wire_range_check *check, uint32_t first, uint32_t count)
{
	if (!count || first < check->end || (uint64_t)first + count > UINT64_C(1) << 32)
		check->failed = true;
	check->end = (uint64_t)first + count;
}

bool wire_pages_allowed(const uint32_t *page, unsigned int count, unsigned int max)
{
	if (!count || count > max)
		return false;
	for (unsigned int i = 1; i < count; i++) {
		if (page[i] <= page[i - 1])
			return false;
	}
	return true;
}

bool wire_byte_printable(char byte)
{
	return byte >= 0x20 && byte <= 0x7e;
}

bool wire_string_allowed(const char *text, size_t capacity, size_t min)
{
	size_t length = strnlen(text, capacity);

	if (length < min || length == capacity)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (!wire_byte_printable(text[i]))
			return false;
	}
	return true;
}

bool wire_read_bool(struct migc_reader *r)
{
	uint8_t v = migc_read_u8(r);

	if (v > 1)
		r->failed = true;
	return v == 1;
}

void wire_write_bool(struct migc_writer *w, bool v)
{
	migc_write_u8(w, v ? 1 : 0);
}
