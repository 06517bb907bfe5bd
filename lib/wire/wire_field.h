/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WIRE_FIELD_H
#define WIRE_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_cursor.h"

/** @file What blocks and messages have in common: the rules of their fields. */

/** Follows ranges of pages one by one: ascending, disjoint, none empty, all below 2^32. */
struct wire_range_check {
	uint64_t end; /**< of the last range; 0 at first */
	bool failed;
};

void wire_range_next(struct wire_range_check *check, uint32_t first, uint32_t count);
/** @return whether 1..max page numbers are given, strictly ascending. */
bool wire_pages_allowed(const uint32_t *page, unsigned int count, unsigned int max);
/** @return whether a string ends within its capacity, has min bytes or more, all printable. */
bool wire_string_allowed(const char *text, size_t capacity, size_t min);
/** @return whether a byte may stand in a string. */
bool wire_byte_printable(char byte);
bool wire_read_bool(struct migc_reader *r);
void wire_write_bool(struct migc_writer *w, bool v);

#endif
