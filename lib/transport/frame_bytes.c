/* SPDX-License-Identifier: BSD-3-Clause */
#include "frame_bytes.h"

#include "migc_cursor.h"

/* RFC 9000 section 16: the two highest bits of the first byte are the logarithm of the length. */
static uint64_t read_varint(struct migc_reader *r)
{
	uint8_t first = migc_read_u8(r);
	unsigned int more = (1u << (first >> 6)) - 1;
	uint64_t value = first & 0x3f;

	while (more--)
		value = value << 8 | migc_read_u8(r);
	return value;
}

static void skip_varints(struct migc_reader *r, uint64_t count)
{
	while (count-- && !r->failed)
		read_varint(r);
}

static void skip_bytes(struct migc_reader *r, uint64_t count)
{
	if (count > migc_reader_left(r))
		r->failed = true;
	else
		migc_read_bytes(r, (size_t)count);
}

static void skip_ack(struct migc_reader *r, bool ecn)
{
	uint64_t ranges;

	skip_varints(r, 2);
	ranges = read_varint(r);
	skip_varints(r, 1);
	if (ranges > migc_reader_left(r))
		r->failed = true;
	else
		skip_varints(r, 2 * ranges + (ecn ? 3 : 0));
}

static uint64_t read_stream(struct migc_reader *r, uint64_t type)
{
	uint64_t length;

	skip_varints(r, type & 0x04 ? 2 : 1);
	length = type & 0x02 ? read_varint(r) : migc_reader_left(r);
	skip_bytes(r, length);
	return r->failed ? 0 : length;
}

/* @return the stream bytes of one frame; fails the reader at an unknown one. */
static uint64_t read_frame(struct migc_reader *r)
{
	uint64_t type = read_varint(r);

	switch (type) {
	case 0x00: /* PADDING */
	case 0x01: /* PING */
	case 0x1e: /* HANDSHAKE_DONE */
		return 0;
	case 0x02: /* ACK */
	case 0x03:
		skip_ack(r, type == 0x03);
		return 0;
	case 0x06: /* CRYPTO */
		skip_varints(r, 1);
		skip_bytes(r, read_varint(r));
		return 0;
	case 0x07: /* NEW_TOKEN */
		skip_bytes(r, read_varint(r));
		return 0;
	case 0x04: /* RESET_STREAM */
		skip_varints(r, 3);
		return 0;
	case 0x05: /* STOP_SENDING */
	case 0x11: /* MAX_STREAM_DATA */
	case 0x15: /* STREAM_DATA_BLOCKED */
		skip_varints(r, 2);
		return 0;
	case 0x10: /* MAX_DATA */
	case 0x12: /* MAX_STREAMS */
	case 0x13:
	case 0x14: /* DATA_BLOCKED */
	case 0x16: /* STREAMS_BLOCKED */
	case 0x17:
	case 0x19: /* RETIRE_CONNECTION_ID */
		skip_varints(r, 1);
		return 0;
	case 0x18: /* NEW_CONNECTION_ID */
		skip_varints(r, 2);
		skip_bytes(r, (uint64_t)migc_read_u8(r) + 16);
		return 0;
	case 0x1a: /* PATH_CHALLENGE */
	case 0x1b: /* PATH_RESPONSE */
		skip_bytes(r, 8);
		return 0;
	case 0x1c: /* CONNECTION_CLOSE of the transport, of the application */
	case 0x1d:
		skip_varints(r, type == 0x1c ? 2 : 1);
		skip_bytes(r, read_varint(r));
		return 0;
	default:
		if (type >= 0x08 && type <= 0x0f)
			return read_stream(r, type);
		r->failed = true;
		return 0;
	}
}

uint64_t migc_frame_stream_bytes(const uint8_t *payload, size_t length_bytes)
{
	struct migc_reader r;
	uint64_t bytes = 0;

	migc_reader_init(&r, payload, length_bytes);
	while (!r.failed && migc_reader_left(&r))
		bytes += read_frame(&r);
	return bytes;
}
