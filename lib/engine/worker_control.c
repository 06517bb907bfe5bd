/* SPDX-License-Identifier: BSD-3-Clause */
#include "receive_path.h"
#include "send_path.h"
#include "worker.h"

/*
 * Two kinds of cookies come back from the transport: blocks (pointers, even) and positions of the
 * control fifo (odd numbers).
 */
static void *position_cookie(uint64_t position)
{
	return (void *)(uintptr_t)(position << 1 | 1);
}

static bool is_position(const void *cookie)
{
	return ((uintptr_t)cookie & 1) != 0;
}

void worker_on_acked(void *worker, void *cookie)
{
	struct worker *w = worker;

	if (is_position(cookie))
		byte_fifo_release(&w->to_peer, (uintptr_t)cookie >> 1);
	else if (w->send)
		send_path_acked(w->send, cookie);
}

int worker_on_data(void *worker, unsigned int stream, const uint8_t *data, size_t length)
{
	struct worker *w = worker;

	if (stream == MIGC_TRANSPORT_CONTROL) {
		/* never fails for an honest peer: the fifo holds as much as its window lets it send
		 */
		if (byte_fifo_write(&w->from_peer, data, length))
			return 0;
		worker_fail(w, -EBADMSG, "the peer sent more control bytes than it was allowed to");
		return -EBADMSG;
	}
	if (w->receive)
		return receive_path_data(w->receive, stream, data, length);
	worker_fail(w, -EBADMSG, "the receiver sent blocks: only a sender may");
	return -EBADMSG;
}

bool worker_control(struct worker *w)
{
	uint64_t end = byte_fifo_written(&w->to_peer);
	/* the controller has used up what it released: let the peer send as much again */
	uint64_t used = __atomic_load_n(&w->from_peer.tail, __ATOMIC_ACQUIRE);
	bool moved = false;

	if (used != w->control_credited) {
		migc_transport_consumed(w->transport, MIGC_TRANSPORT_CONTROL,
					used - w->control_credited);
		w->control_credited = used;
		moved = true;
	}
	while (w->control_queued < end) {
		struct migc_slice slice;

		slice.data = byte_fifo_piece(&w->to_peer, w->control_queued, end, &slice.length);
		slice.cookie = position_cookie(w->control_queued + slice.length);
		if (migc_transport_send(w->transport, MIGC_TRANSPORT_CONTROL, &slice, 1) != 0)
			break;
		w->control_queued += slice.length;
		moved = true;
	}
	return moved;
}
