/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef RECEIVE_PATH_H
#define RECEIVE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "worker.h"

/**
 * @file
 * A worker's half of the destination: bytes of streams in, guest pages written.
 *
 *   stream bytes -> header (checked) -> raw: straight into the pages
 *                                    -> compressed: buffer -> codec -> the pages
 *                                    -> deltas: buffer -> codec -> scratch -> XORed onto the pages
 *                                    -> zero ranges: only pages that hold something are cleared
 */

/** What a page of the destination held, one byte a page; workers write, the controller too. */
enum page_presence {
	PAGE_ABSENT = 0, /**< a hole: reads as zero, must not be read */
	PAGE_WRITTEN = 1, /**< made by this migration */
	PAGE_FOUND = 2, /**< had data before the migration began */
};

/** What all workers of the destination share, read-only once the session is agreed on. */
struct receive_shared {
	const struct migc_guestmem *guestmem;
	unsigned int regions; /**< in the source's order, which block headers use */
	unsigned int own[MIGC_REGIONS_MAX]; /**< their places in our guest memory */
	const struct migc_region *region[MIGC_REGIONS_MAX];
	uint64_t region_pages[MIGC_REGIONS_MAX];
	uint8_t *presence[MIGC_REGIONS_MAX];
	unsigned int block_pages, deflate_pages; /**< agreed */
	uint32_t codecs; /**< agreed, bit per enum migc_codec_id, and MIGC_CODECS_DELTA */
	uint32_t round; /**< the controller's: the round that blocks must belong to */
};

struct receive_path_config {
	struct worker *worker;
	struct receive_shared *shared;
	struct migc_codec *codec;
	int socket;
};

int receive_path_create(const struct receive_path_config *config, struct receive_path **out,
			struct migc_error *err);
void receive_path_free(struct receive_path *path);

/* ---- the controller ---- */

/** The peer of this connection is attached to the session: blocks are taken from now on. */
void receive_path_admit(struct receive_path *path);
/** Blocks applied, or reported as failed, since the start. */
uint64_t receive_path_applied(const struct receive_path *path);
/** Take a report of a failed block. @return false when there is none. */
bool receive_path_failed(struct receive_path *path, struct migc_msg_block_failed *out);

/* ---- worker ---- */

int receive_path_data(struct receive_path *path, unsigned int stream, const uint8_t *data,
		      size_t length);
bool receive_path_turn(struct receive_path *path);
void receive_path_counters(const struct receive_path *path, struct worker_counters *out);

#endif
