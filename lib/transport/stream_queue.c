/* SPDX-License-Identifier: BSD-3-Clause */
#include "stream_queue.h"

#include <errno.h>
#include <stdlib.h>

#define RING_MASK (MIGC_TRANSPORT_SLICES_MAX - 1)

_Static_assert((MIGC_TRANSPORT_SLICES_MAX & RING_MASK) == 0, "the ring is a power of two");

static struct migc_slice *slice_at(const struct migc_stream_queue *q, uint32_t ordinal)
{
	return &q->slices[ordinal & RING_MASK];
}

int migc_stream_queue_init(struct migc_stream_queue *q)
{
	*q = (struct migc_stream_queue){0};
	q->slices = calloc(MIGC_TRANSPORT_SLICES_MAX, sizeof(*q->slices));
	return q->slices ? 0 : -ENOMEM;
}

void migc_stream_queue_fini(struct migc_stream_queue *q)
{
	free(q->slices);
	q->slices = NULL;
}

void migc_stream_queue_reset(struct migc_stream_queue *q)
{
	*q = (struct migc_stream_queue){.slices = q->slices};
}

unsigned int migc_stream_queue_room(const struct migc_stream_queue *q)
{
	return MIGC_TRANSPORT_SLICES_MAX - (q->end - q->first);
}

int migc_stream_queue_push(struct migc_stream_queue *q, const struct migc_slice *slices,
			   unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!slices[i].data || !slices[i].length)
			return -EINVAL;
	}
	if (count > migc_stream_queue_room(q))
		return -ENOBUFS;
	for (i = 0; i < count; i++) {
		*slice_at(q, q->end++) = slices[i];
		q->end_offset += slices[i].length;
	}
	return 0;
}

unsigned int migc_stream_queue_peek(const struct migc_stream_queue *q, struct migc_span *spans,
				    unsigned int capacity)
{
	uint32_t skip = q->unsent_skip_bytes;
	uint32_t ordinal = q->unsent;
	unsigned int count = 0;

	while (ordinal != q->end && count < capacity) {
		const struct migc_slice *slice = slice_at(q, ordinal++);

		spans[count].data = slice->data + skip;
		spans[count].length_bytes = slice->length - skip;
		skip = 0;
		count++;
	}
	return count;
}

void migc_stream_queue_sent(struct migc_stream_queue *q, uint64_t bytes)
{
	q->sent_offset += bytes;
	bytes += q->unsent_skip_bytes;
	while (q->unsent != q->end && bytes >= slice_at(q, q->unsent)->length) {
		bytes -= slice_at(q, q->unsent)->length;
		q->unsent++;
	}
	q->unsent_skip_bytes = (uint32_t)bytes;
}

void migc_stream_queue_acked(struct migc_stream_queue *q, uint64_t offset,
			     void (*on_acked)(void *ctx, void *cookie), void *ctx)
{
	if (offset > q->sent_offset)
		offset = q->sent_offset;
	if (offset > q->acked_offset)
		q->acked_offset = offset;
	while (q->first != q->unsent) {
		const struct migc_slice *slice = slice_at(q, q->first);
		uint64_t slice_end = q->first_offset + slice->length;
		void *cookie = slice->cookie;

		if (slice_end > q->acked_offset)
			break;
		/* The slot is free before the callback: what it frees may be queued again at once.
		 */
		q->first_offset = slice_end;
		q->first++;
		if (cookie && on_acked)
			on_acked(ctx, cookie);
	}
}

void migc_stream_queue_abandon(struct migc_stream_queue *q,
			       void (*give_back)(void *ctx, void *cookie), void *ctx)
{
	uint32_t ordinal;

	for (ordinal = q->first; ordinal != q->end; ordinal++) {
		void *cookie = slice_at(q, ordinal)->cookie;

		if (cookie)
			give_back(ctx, cookie);
	}
	migc_stream_queue_reset(q);
}
