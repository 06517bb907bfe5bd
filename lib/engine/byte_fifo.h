/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BYTE_FIFO_H
#define BYTE_FIFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * Bytes from one thread to one other, without a lock. Positions only grow; the place of position
 * p is p modulo the capacity. Carries control messages between a controller and a worker.
 */

struct byte_fifo {
	uint8_t *data;
	uint32_t capacity_bytes; /**< power of two */
	uint64_t head __attribute__((aligned(64))); /**< written so far; the producer's */
	uint64_t tail __attribute__((aligned(64))); /**< released so far; the consumer's */
};

/** @param capacity_bytes power of two @return 0, -ENOMEM. */
int byte_fifo_init(struct byte_fifo *fifo, uint32_t capacity_bytes);
void byte_fifo_free(struct byte_fifo *fifo);
/** Producer: bytes that fit now. */
size_t byte_fifo_room(const struct byte_fifo *fifo);
/** Producer: all or nothing. @return whether it fitted. */
bool byte_fifo_write(struct byte_fifo *fifo, const void *data, size_t length_bytes);
/** Consumer: position up to which there are bytes. */
uint64_t byte_fifo_written(const struct byte_fifo *fifo);
/** Consumer: copy bytes at the tail without releasing them. @return bytes copied. */
size_t byte_fifo_peek(const struct byte_fifo *fifo, void *out, size_t capacity_bytes);
/** Consumer: bytes in one piece from `position` on, at most up to `end`. */
const uint8_t *byte_fifo_piece(const struct byte_fifo *fifo, uint64_t position, uint64_t end,
			       uint32_t *length_bytes);
/** Consumer: everything before `position` may be overwritten. */
void byte_fifo_release(struct byte_fifo *fifo, uint64_t position);

#endif
