/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_common.h>
#include <rte_ring.h>

#include "lane.h"
#include "send_codec.h"

/**
 * Bytes that may wait in the transport for a packet: enough to fill packets, few enough that a
 * page is read late, that a slow link does not fill memory, and that the ladder hears of it soon.
 */
#define UNSENT_BYTES_MIN (128u << 10)
#define UNSENT_BYTES_MAX (512u << 10)
/** Acceleration of LZ4 as a rung and as the rung before it (doc/design/auto-codec.md). */
#define LZ4_FASTER 2
#define LZ4_FASTEST 16

void send_codec_agree(struct send_path *path, const struct migc_msg_hello_ack *ack)
{
	uint32_t codecs = ack->codecs & path->codecs;
	bool deflate = codecs & 1u << MIGC_CODEC_DEFLATE;
	unsigned int most = ack->block_pages;

	if (deflate)
		most = RTE_MIN(most, ack->deflate_pages);
	/* a block's codec is chosen when its pages are collected: as many as each of them takes */
	for (unsigned int id = 0; id < MIGC_CODEC_COUNT; id++) {
		if (codecs & 1u << id && id != MIGC_CODEC_RAW)
			most = RTE_MIN(most, migc_codec_block_pages(path->devices,
								    (enum migc_codec_id)id));
	}
	most = RTE_MIN(most, migc_codec_block_pages(path->devices, MIGC_CODEC_RAW));
	path->collector.block_pages = most;
	path->delta_agreed = ack->codecs & MIGC_CODECS_DELTA && codecs & ~(1u << MIGC_CODEC_RAW);
	migc_ladder_init(&path->ladder, codecs, migc_codec_has_hardware(path->devices), 0);
}

static uint32_t ask_ladder(struct send_path *path, struct send_block *block)
{
	if (migc_codec_device_room(path->codec))
		block->known |= MIGC_LADDER_DEVICE_ROOM;
	/* what is mostly zeros has no part in the ladder's mix: any codec makes next to nothing */
	if (block->delta)
		return migc_ladder_choose_sparse(&path->ladder, block->known);
	/* at the ladder's foot nobody asks */
	if ((block->known || migc_ladder_position(&path->ladder)) &&
	    migc_ladder_looks_incompressible((const uint8_t *const *)block->job.page,
					     block->pages.count))
		block->known |= MIGC_LADDER_INCOMPRESSIBLE;
	return migc_ladder_choose(&path->ladder, block->known);
}

void send_codec_choose(struct send_path *path, struct send_block *block)
{
	block->known = 0;
	block->job.acceleration = 0;
	if (path->raw && !(block->delta && path->adapts)) {
		block->job.codec = MIGC_CODEC_RAW;
	} else if (!path->adapts) {
		block->job.codec = path->codec_id;
	} else {
		block->kind = ask_ladder(path, block);
		block->job.codec = migc_ladder_codec(block->kind);
		block->job.acceleration = block->kind == MIGC_LADDER_LZ4_FAST ? LZ4_FASTEST
									      : LZ4_FASTER;
	}
}

void send_codec_done(struct send_path *path, const struct send_block *block)
{
	/* what a device could not do says nothing of the pages */
	if (path->adapts && !block->delta &&
	    (block->job.status == 0 || block->job.status == -ENOSPC))
		migc_ladder_block(&path->ladder, block->kind,
				  (uint32_t)block->pages.count * MIGC_PAGE_BYTES,
				  block->job.data_bytes, block->known);
}

static bool has_pages(const struct send_path *path)
{
	return !migc_collector_wants_span(&path->collector) || !rte_ring_empty(path->spans);
}

/** Nothing is on its way to the port, and all there is to stop it would let something go. */
static bool is_starved(const struct send_path *path, uint64_t now_ns)
{
	struct worker *w = path->worker;

	return migc_transport_unsent_bytes(w->transport) == 0 && w->lane->tx_count == 0 &&
	       migc_transport_window_open(w->transport) &&
	       bandwidth_allows(&w->tx_pace, __atomic_load_n(&w->tx_bits_per_s, __ATOMIC_RELAXED),
				now_ns);
}

void send_codec_turn(struct send_path *path, uint64_t now_ns)
{
	enum migc_ladder_state state = MIGC_LADDER_WORKING;
	struct worker *w = path->worker;
	uint64_t window_bytes, free_bytes;
	uint32_t foot;

	migc_transport_window(path->worker->transport, &window_bytes, &free_bytes);
	path->unsent_max = window_bytes < UNSENT_BYTES_MIN   ? UNSENT_BYTES_MIN
			   : window_bytes > UNSENT_BYTES_MAX ? UNSENT_BYTES_MAX
							     : window_bytes;
	if (!path->adapts)
		return;
	if (path->held)
		state = MIGC_LADDER_HELD;
	else if (!has_pages(path))
		state = MIGC_LADDER_IDLE;
	else if (is_starved(path, now_ns))
		state = MIGC_LADDER_STARVED;
	path->held = false;
	/* what was held up or starved was so with the foot of before: a window of it is lost */
	foot = __atomic_load_n(&w->foot_rung, __ATOMIC_RELAXED);
	migc_ladder_set_foot(&path->ladder, foot);
	if (window_bytes)
		migc_ladder_set_free_window(&path->ladder,
					    (uint32_t)(free_bytes * 1000 / window_bytes));
	migc_ladder_set_spare(&path->ladder,
			      __atomic_load_n(&w->spare_per_mille, __ATOMIC_RELAXED));
	if (w->count > 1)
		migc_ladder_set_mean(&path->ladder,
				     __atomic_load_n(&w->mean_per_mille[foot], __ATOMIC_RELAXED));
	migc_ladder_turn(&path->ladder, now_ns, state);
	__atomic_store_n(&w->ladder_per_mille[foot], migc_ladder_position(&path->ladder),
			 __ATOMIC_RELAXED);
}
