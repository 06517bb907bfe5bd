/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SEND_PATH_H
#define SEND_PATH_H

#include <stdbool.h>
#include <stdint.h>

#include "worker.h"

/**
 * @file
 * A worker's half of the source: spans of dirty pages in, blocks on streams out.
 *
 *   spans ring -> collector (zero? delta?) -> block -> codec -> header + payload slices
 *   -> transport
 *
 * A page is read in place by the codec (or, raw, by the transport), unless the tracker has to
 * know exactly what was sent: then the block's pages are copied first. Where a mapping costs more
 * than a copy (source_reading.c), the collector has the kernel copy them. A page that the cache
 * of deltas took is read from there.
 */

struct send_path_config {
	struct worker *worker;
	const struct migc_guestmem *guestmem;
	struct migc_codec *codec; /**< NULL: everything raw */
	const struct migc_codec_devices *devices;
	uint32_t codecs; /**< that may be used */
	bool adapts; /**< the codec is chosen for each block; else: */
	enum migc_codec_id codec_id;
	int socket;
};

int send_path_create(const struct send_path_config *config, struct send_path **out,
		     struct migc_error *err);
void send_path_free(struct send_path *path);

/* ---- main lcore ---- */

/** What the peer takes: codecs, and pages of a block. Before the first span. */
void send_path_agree(struct send_path *path, const struct migc_msg_hello_ack *ack);
/**
 * The tracker, once it is armed (NULL: none). Before the first span.
 * @param copies whether some region needs copies: buffers for them are made now
 */
int send_path_set_dirty(struct send_path *path, struct migc_dirty *dirty, bool copies);
/**
 * Regions (bit i: region i) whose pages are read with migc_guestmem_read(), not touched: none that
 * the tracker hashes. Before the first span. @return 0; -ENOMEM: none are
 */
int send_path_set_read(struct send_path *path, uint64_t regions);
/**
 * Begin a round; all spans of the one before are done.
 *
 * @param raw    compress nothing in it
 * @param deltas pages may go as deltas, and each comes to the worker that it always comes to.
 *               A round without empties the cache.
 */
void send_path_begin_round(struct send_path *path, uint32_t round, bool final, bool raw,
			   bool deltas);
/**
 * A cache for deltas, when the peer applies them. Before the first span.
 * @return 0; -ENOMEM: none, all pages go whole
 */
int send_path_open_deltas(struct send_path *path, uint64_t cache_bytes);
/** Pages that the cache holds at most; 0: there is none. */
uint64_t send_path_delta_pages(const struct send_path *path);
/** What the peer holds of this page is not known: it next goes whole. Between rounds. */
void send_path_forget(struct send_path *path, uint16_t region, uint32_t page);
/** Hand out a span. @return false when the ring is full. */
bool send_path_give(struct send_path *path, const struct migc_span *span);
/** Are all spans handed out in the transport? */
bool send_path_idle(const struct send_path *path);
/** Blocks put into the transport since the start. Exact when idle. */
uint64_t send_path_blocks(const struct send_path *path);
/** Of the ladder that chooses codecs, once codecs are agreed on; 1 without. */
uint32_t send_path_rungs(const struct send_path *path);
/** Pages with data put into the transport since the start. */
uint64_t send_path_pages(const struct send_path *path);
/** Of them acknowledged, or given up with their connection. */
uint64_t send_path_pages_acked(const struct send_path *path);

/* ---- worker ---- */

bool send_path_turn(struct send_path *path, uint64_t now_ns);
void send_path_acked(struct send_path *path, void *cookie);
void send_path_counters(const struct send_path *path, struct worker_counters *out);

#endif
