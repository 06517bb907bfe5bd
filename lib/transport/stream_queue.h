/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef STREAM_QUEUE_H
#define STREAM_QUEUE_H

#include "migc_transport.h"

/**
 * @file
 * What one stream has to send: a ring of slices, from queued over written into packets to
 * acknowledged. The offsets are stream offsets in bytes and count from 0. Pure: no memory is taken
 * after migc_stream_queue_init().
 */

struct migc_stream_queue {
	struct migc_slice *slices; /**< MIGC_TRANSPORT_SLICES_MAX, indexed by ordinal modulo */
	uint32_t first; /**< ordinal of the oldest slice not acknowledged; ordinals wrap */
	uint32_t unsent; /**< ordinal of the first slice not wholly sent */
	uint32_t end; /**< ordinal behind the newest slice */
	uint32_t unsent_skip_bytes; /**< bytes of the slice `unsent` that were sent */
	uint64_t first_offset; /**< where the slice `first` begins */
	uint64_t acked_offset; /**< every byte before it is acknowledged */
	uint64_t sent_offset;
	uint64_t end_offset;
};

/** A piece of memory to send. */
struct migc_span {
	const uint8_t *data;
	size_t length_bytes;
};

/** @return 0 or -ENOMEM. */
int migc_stream_queue_init(struct migc_stream_queue *q);
void migc_stream_queue_fini(struct migc_stream_queue *q);
/** Forget everything; the cookies are not given back. */
void migc_stream_queue_reset(struct migc_stream_queue *q);

unsigned int migc_stream_queue_room(const struct migc_stream_queue *q);
/** All or none. @return 0, -ENOBUFS, -EINVAL (an empty slice). */
int migc_stream_queue_push(struct migc_stream_queue *q, const struct migc_slice *slices,
			   unsigned int count);
/** @return spans filled: the next unsent bytes, in order; 0: nothing is unsent. */
unsigned int migc_stream_queue_peek(const struct migc_stream_queue *q, struct migc_span *spans,
				    unsigned int capacity);
/** The next `bytes` unsent bytes were put into a packet. */
void migc_stream_queue_sent(struct migc_stream_queue *q, uint64_t bytes);
/** Every byte before `offset` is acknowledged: gives back the cookies of slices that end there. */
void migc_stream_queue_acked(struct migc_stream_queue *q, uint64_t offset,
			     void (*on_acked)(void *ctx, void *cookie), void *ctx);
/** Give back all cookies held and forget all slices. */
void migc_stream_queue_abandon(struct migc_stream_queue *q,
			       void (*give_back)(void *ctx, void *cookie), void *ctx);

static inline uint64_t migc_stream_queue_unsent_bytes(const struct migc_stream_queue *q)
{
	return q->end_offset - q->sent_offset;
}

static inline uint64_t migc_stream_queue_unacked_bytes(const struct migc_stream_queue *q)
{
	return q->end_offset - q->acked_offset;
}

#endif
