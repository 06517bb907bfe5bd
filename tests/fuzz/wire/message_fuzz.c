/* SPDX-License-Identifier: BSD-3-Clause */
/* Control messages: whatever decodes encodes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "migc_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MESSAGE_BYTES_MAX (MIGC_MSG_HEADER_BYTES + MIGC_MSG_BODY_BYTES_MAX)

static void require(bool condition)
{
	if (!condition)
		abort();
}

/* Of a HELLO of later versions only the versions are kept. */
static bool read_in_part(const struct migc_msg *msg)
{
	return msg->type == MIGC_MSG_HELLO && msg->hello.version_min > MIGC_WIRE_VERSION;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[MESSAGE_BYTES_MAX];
	struct migc_msg msg;
	int length = migc_msg_length(data, size);

	require((length == 0) == (size < MIGC_MSG_HEADER_BYTES));
	if (length <= 0 || (size_t)length > size) {
		require(migc_msg_decode(data, size, &msg) != 0);
		return 0;
	}
	require((size_t)length <= MESSAGE_BYTES_MAX);
	if (migc_msg_decode(data, (size_t)length, &msg))
		return 0;
	require(strcmp(migc_msg_name(msg.type), "?") != 0);
	if (msg.type == MIGC_MSG_DEVICE_STATE)
		require(msg.device.data >= data &&
			msg.device.data + msg.device.length == data + length);
	if (read_in_part(&msg))
		return 0;
	require(migc_msg_encode(&msg, again, sizeof(again)) == length);
	require(!memcmp(again, data, (size_t)length));
	return 0;
}
