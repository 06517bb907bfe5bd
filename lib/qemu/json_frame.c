/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json_frame.h"

void json_frame_free(struct json_frame *f)
{
	free(f->data);
	*f = (struct json_frame){0};
}

int json_frame_add(struct json_frame *f, const char *data, size_t length)
{
	if (f->length + length > f->capacity) {
		size_t capacity = f->capacity ? f->capacity : 65536;
		char *grown;

		while (capacity < f->length + length)
			capacity *= 2;
		grown = realloc(f->data, capacity);
		if (grown == NULL)
			return -ENOMEM;
		f->data = grown;
		f->capacity = capacity;
	}
	memcpy(f->data + f->length, data, length);
	f->length += length;
	return 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void drop_space(struct json_frame *f)
{
	size_t spaces = 0;

	while (spaces < f->length && is_space(f->data[spaces]))
		spaces++;
	if (spaces)
		json_frame_drop(f, spaces);
}

/** @return whether this byte ends the object. */
static bool look_at(struct json_frame *f, char c)
{
	if (f->escaped) {
		f->escaped = false;
	} else if (f->in_string) {
		if (c == '\\')
			f->escaped = true;
		else if (c == '"')
			f->in_string = false;
	} else if (c == '"') {
		f->in_string = true;
	} else if (c == '{' || c == '[') {
		f->depth++;
	} else if (c == '}' || c == ']') {
		return --f->depth == 0;
	}
	return false;
}

int json_frame_next(struct json_frame *f, size_t *length)
{
	*length = 0;
	if (f->scanned == 0) {
		drop_space(f);
		if (f->length && f->data[0] != '{')
			return -EPROTO;
	}
	while (f->scanned < f->length) {
		if (look_at(f, f->data[f->scanned++])) {
			*length = f->scanned;
			return f->scanned <= JSON_FRAME_BYTES_MAX ? 0 : -EMSGSIZE;
		}
	}
	return f->length <= JSON_FRAME_BYTES_MAX ? 0 : -EMSGSIZE;
}

void json_frame_drop(struct json_frame *f, size_t length)
{
	f->length -= length;
	memmove(f->data, f->data + length, f->length);
	f->scanned = 0;
	f->depth = 0;
	f->in_string = false;
	f->escaped = false;
}
