/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "message_body.h"
#include "migc_cursor.h"
#include "migc_wire.h"

int migc_msg_encode(const struct migc_msg *msg, uint8_t *out, size_t capacity)
{
	const struct message_body *body = message_body_of((unsigned int)msg->type);
	struct migc_writer header, w;

	if (!body || (body->allowed && !body->allowed(msg)))
		return -EINVAL;
	if (capacity < MIGC_MSG_HEADER_BYTES)
		return -ENOSPC;
	migc_writer_init(&w, out + MIGC_MSG_HEADER_BYTES, capacity - MIGC_MSG_HEADER_BYTES);
	if (body->write)
		body->write(&w, msg);
	if (w.failed)
		return -ENOSPC;
	migc_writer_init(&header, out, MIGC_MSG_HEADER_BYTES);
	migc_write_u16(&header, (uint16_t)msg->type);
	migc_write_u16(&header, 0);
	migc_write_u32(&header, (uint32_t)w.length_bytes);
	return (int)(MIGC_MSG_HEADER_BYTES + w.length_bytes);
}

int migc_msg_length(const uint8_t *data, size_t length)
{
	const struct message_body *body;
	struct migc_reader r;
	uint16_t reserved;
	uint32_t bytes;

	if (length < MIGC_MSG_HEADER_BYTES)
		return 0;
	migc_reader_init(&r, data, length);
	body = message_body_of(migc_read_u16(&r));
	reserved = migc_read_u16(&r);
	bytes = migc_read_u32(&r);
	if (!body || reserved || bytes < body->min_bytes || bytes > body->max_bytes)
		return -EBADMSG;
	return (int)(MIGC_MSG_HEADER_BYTES + bytes);
}

int migc_msg_decode(const uint8_t *data, size_t length, struct migc_msg *out)
{
	const struct message_body *body;
	struct migc_reader r;
	int whole = migc_msg_length(data, length);

	if (whole <= 0 || (size_t)whole != length)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	migc_reader_init(&r, data, length);
	out->type = (enum migc_msg_type)migc_read_u16(&r);
	migc_read_bytes(&r, MIGC_MSG_HEADER_BYTES - sizeof(uint16_t));
	body = message_body_of((unsigned int)out->type);
	if (body->read) {
		body->read(&r, out);
		if (r.failed || migc_reader_left(&r) || !body->allowed(out))
			return -EBADMSG;
	}
	return 0;
}

const char *migc_msg_name(enum migc_msg_type type)
{
	const struct message_body *body = message_body_of((unsigned int)type);

	return body ? body->name : "?";
}
