/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SEND_DELTA_H
#define SEND_DELTA_H

#include "send_block.h"

/**
 * @file
 * Deltas of the source: the cache of a worker, and blocks of what its collector made of it
 * (doc/design/delta.md). Private to the send path; what the main lcore calls is in send_path.h.
 */

/** Give back the cache's memory. */
void send_delta_free(struct send_path *path);
/** A round begins: with deltas, or without and then with an empty cache. Main lcore. */
void send_delta_begin_round(struct send_path *path, uint32_t round, bool deltas);
/** May a block of deltas be begun? */
bool send_delta_room(const struct send_path *path);
/** Take over the collector's deltas. */
void send_delta_pages(struct send_path *path, struct send_block *block);
/** The codec could not make less of the deltas: the block is of whole pages from here on. */
void send_delta_whole(struct send_path *path, struct send_block *block);
/** The deltas are not read any more. */
void send_delta_release(struct send_path *path, struct send_block *block);

#endif
