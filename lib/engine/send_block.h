/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SEND_BLOCK_H
#define SEND_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_codec.h"
#include "migc_delta.h"
#include "migc_ladder.h"
#include "migc_page.h"
#include "migc_transport.h"
#include "migc_wire.h"
#include "worker.h"

/**
 * @file
 * One block of the source from its pages to its acknowledgement, and the path that owns it.
 * Private to the send path.
 */

/** Blocks from collected to acknowledged, a worker. */
#define SEND_BLOCKS 1024u
/** Copies of blocks' pages, where they are read or the tracker asks for them, a worker. */
#define SEND_COPIES_BYTES (16u << 20)
/** Blocks of deltas from collected to compressed, a worker. */
#define SEND_RESIDUES 32u
#define SEND_RESIDUE_BYTES (MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)

struct send_block {
	struct send_block *next;
	struct migc_codec_job job;
	struct migc_page_list pages;
	bool zero; /**< ranges, already encoded in header */
	uint32_t zero_pages;
	uint32_t known; /**< of the pages, when the ladder was asked: MIGC_LADDER_* */
	uint32_t kind; /**< what it said */
	uint8_t *copy; /**< room that holds some of its pages; NULL: all are where they were */
	bool delta; /**< job.page are what is to be XORed onto the pages: */
	uint8_t *residue; /**< where they are; NULL: not any more */
	uint16_t header_bytes;
	uint8_t header[MIGC_BLOCK_HEADER_BYTES_MAX];
};

struct send_path {
	struct worker *worker;
	const struct migc_guestmem *guestmem;
	struct migc_codec *codec;
	const struct migc_codec_devices *devices;
	uint32_t codecs; /**< that may be used, bit per enum migc_codec_id */
	bool adapts; /**< the ladder chooses for each block; else: */
	enum migc_codec_id codec_id;
	struct migc_ladder ladder;
	uint64_t unsent_max; /**< bytes that may wait for a packet */
	bool held; /**< since the last turn, blocks could not be begun for want of room ahead */
	struct migc_dirty *dirty;
	struct rte_ring *spans;
	struct migc_collector collector;
	struct send_block *blocks;
	struct send_block *free_blocks;
	unsigned int free_count;
	struct send_block *ready_first, *ready_last; /**< encoded, waiting for room in a stream */
	unsigned int in_codec;
	unsigned int stream;
	uint64_t read_regions; /**< bit i: pages of region i are read, not touched */
	uint8_t *copies; /**< and the window of what is read; NULL: nothing is copied */
	uint8_t *copy_free[SEND_BLOCKS];
	unsigned int copy_count;
	bool delta_agreed; /**< the peer applies deltas, and there is a codec for them */
	uint8_t *delta_memory; /**< of cache and residues; NULL: no deltas */
	size_t delta_bytes;
	struct migc_delta_cache cache; /**< the collector's, in rounds that have deltas */
	uint8_t *residue_free[SEND_RESIDUES];
	unsigned int residue_count;
	uint64_t taken; /**< spans */
	uint64_t no_block, no_copy; /**< turns that could not begin a block for want of one */

	/* written by the main lcore between rounds */
	uint32_t round;
	bool final, raw;
	uint64_t given;

	/* read by the main lcore */
	uint64_t done
		__attribute__((aligned(64))); /**< spans whose blocks are all in the transport */
	uint64_t blocks_sent;
	uint64_t pages_sent, pages_acked; /**< in blocks with data */
};

struct send_block *send_block_get(struct send_path *path);
void send_block_put(struct send_path *path, struct send_block *block);
/** Does the tracker want to know what is sent of this region now? */
bool send_block_is_hashed(const struct send_path *path, unsigned int region);
/**
 * Take over a list of pages: addresses, and copies where the tracker wants them.
 * @param bytes where each page is: in the guest, in the cache, or, when it was read, in block->copy
 */
void send_block_pages(struct send_path *path, struct send_block *block,
		      const struct migc_page_list *pages, const uint8_t *const *bytes);
/** Take over a list of zero ranges. */
void send_block_zero(struct send_path *path, struct send_block *block,
		     const struct migc_zero_list *zero);
/** The codec is done with it (or never had it): write the header. */
void send_block_compressed(struct send_path *path, struct send_block *block);
/** @return number of slices of header and payload; the last carries the block as its cookie. */
unsigned int send_block_slices(struct send_path *path, struct send_block *block,
			       struct migc_slice *slices);
/** Count it as sent. */
void send_block_count(struct send_path *path, const struct send_block *block);
/** Acknowledged, or given up: free what it holds. */
void send_block_release(struct send_path *path, struct send_block *block);

#endif
