/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_QEMU_JSON_FRAME_H
#define MIGC_QEMU_JSON_FRAME_H

#include <stdbool.h>
#include <stddef.h>

/** Largest message taken from a monitor; the largest real one (query-qmp-schema) is 300 KiB. */
#define JSON_FRAME_BYTES_MAX (16u << 20)

/**
 * @file
 * Cuts a stream of bytes into JSON objects by counting brackets outside strings, so that a
 * monitor with pretty=on (objects over many lines) is understood as well.
 */

struct json_frame {
	char *data;
	size_t length, capacity;
	size_t scanned; /**< bytes already looked at */
	size_t depth;
	bool in_string, escaped;
};

void json_frame_free(struct json_frame *f);
/** @return 0; -ENOMEM. */
int json_frame_add(struct json_frame *f, const char *data, size_t length);
/**
 * The length of the whole object at the beginning of data, or 0 when it is not complete yet.
 * White space before it is dropped.
 * @return 0; -EPROTO (something else than an object); -EMSGSIZE (longer than the limit).
 */
int json_frame_next(struct json_frame *f, size_t *length);
/** Drop the object that json_frame_next() found. */
void json_frame_drop(struct json_frame *f, size_t length);

#endif
