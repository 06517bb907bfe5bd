/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "byte_fifo.h"

int byte_fifo_init(struct byte_fifo *fifo, uint32_t capacity_bytes)
{
	fifo->data = malloc(capacity_bytes);
	if (fifo->data == NULL)
		return -ENOMEM;
	fifo->capacity_bytes = capacity_bytes;
	fifo->head = 0;
	fifo->tail = 0;
	return 0;
}

void byte_fifo_free(struct byte_fifo *fifo)
{
	free(fifo->data);
	fifo->data = NULL;
}

size_t byte_fifo_room(const struct byte_fifo *fifo)
{
	/* pairs with the release in byte_fifo_release(): the consumer has read those bytes */
	uint64_t tail = __atomic_load_n(&fifo->tail, __ATOMIC_ACQUIRE);

	return fifo->capacity_bytes - (size_t)(fifo->head - tail);
}

static void copy_in(struct byte_fifo *fifo, uint64_t position, const uint8_t *data, size_t length)
{
	size_t at = (size_t)(position & (fifo->capacity_bytes - 1));
	size_t first = fifo->capacity_bytes - at;

	if (first > length)
		first = length;
	memcpy(fifo->data + at, data, first);
	memcpy(fifo->data, data + first, length - first);
}

bool byte_fifo_write(struct byte_fifo *fifo, const void *data, size_t length_bytes)
{
	if (byte_fifo_room(fifo) < length_bytes)
		return false;
	copy_in(fifo, fifo->head, data, length_bytes);
	/* pairs with the acquire in byte_fifo_written(): the bytes are there */
	__atomic_store_n(&fifo->head, fifo->head + length_bytes, __ATOMIC_RELEASE);
	return true;
}

uint64_t byte_fifo_written(const struct byte_fifo *fifo)
{
	/* pairs with the release in byte_fifo_write() */
	return __atomic_load_n(&fifo->head, __ATOMIC_ACQUIRE);
}

const uint8_t *byte_fifo_piece(const struct byte_fifo *fifo, uint64_t position, uint64_t end,
			       uint32_t *length_bytes)
{
	size_t at = (size_t)(position & (fifo->capacity_bytes - 1));
	size_t length = (size_t)(end - position);

	if (length > fifo->capacity_bytes - at)
		length = fifo->capacity_bytes - at;
	*length_bytes = (uint32_t)length;
	return fifo->data + at;
}

size_t byte_fifo_peek(const struct byte_fifo *fifo, void *out, size_t capacity_bytes)
{
	uint64_t end = byte_fifo_written(fifo);
	uint8_t *to = out;
	size_t done = 0;

	if (end - fifo->tail > capacity_bytes)
		end = fifo->tail + capacity_bytes;
	while (fifo->tail + done < end) {
		uint32_t piece;
		const uint8_t *from = byte_fifo_piece(fifo, fifo->tail + done, end, &piece);

		memcpy(to + done, from, piece);
		done += piece;
	}
	return done;
}

void byte_fifo_release(struct byte_fifo *fifo, uint64_t position)
{
	/* pairs with the acquire in byte_fifo_room(): we are done with those bytes */
	__atomic_store_n(&fifo->tail, position, __ATOMIC_RELEASE);
}
