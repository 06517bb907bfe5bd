/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "clock.h"
#include "engine.h"

/** The fifo empties as fast as the peer acknowledges; longer than this it does not at all. */
#define SEND_WAIT_NS UINT64_C(20000000000)

int engine_send(struct engine *e, unsigned int worker, const struct migc_msg *msg)
{
	uint64_t deadline = clock_now_ns() + SEND_WAIT_NS;
	int length = migc_msg_encode(msg, e->out, sizeof(e->out));

	if (length < 0)
		return length;
	while (!byte_fifo_write(&e->workers[worker].to_peer, e->out, (size_t)length)) {
		if (engine_failure(e))
			return -ECONNRESET;
		if (clock_now_ns() > deadline)
			return -ETIMEDOUT;
		engine_pump(e);
	}
	return 0;
}

int engine_receive(struct engine *e, unsigned int worker)
{
	struct byte_fifo *fifo = &e->workers[worker].from_peer;
	size_t have = byte_fifo_peek(fifo, e->in, MIGC_MSG_HEADER_BYTES);
	int length = migc_msg_length(e->in, have);

	if (length <= 0)
		return length;
	have = byte_fifo_peek(fifo, e->in, (size_t)length);
	if (have < (size_t)length)
		return 0;
	byte_fifo_release(fifo, fifo->tail + (size_t)length);
	return migc_msg_decode(e->in, (size_t)length, &e->msg) == 0 ? 1 : -EBADMSG;
}
