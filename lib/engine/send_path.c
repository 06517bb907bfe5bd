/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_ring.h>

#include "migc_leave.h"
#include "send_block.h"
#include "send_codec.h"
#include "send_delta.h"
#include "send_path.h"

/** Raw blocks that are read in place hold no buffers: bound what may be on its way by bytes. */
#define UNACKED_BYTES_MAX (48u << 20)
#define CODEC_BURST 32u
#define WINDOW_BYTES ((size_t)MIGC_READ_PAGES * MIGC_PAGE_BYTES)
/** Slices of the largest block: its header, and a page or segment each. */
#define SLICES_MAX (1u + 2u * MIGC_BLOCK_PAGES_MAX)

int send_path_create(const struct send_path_config *config, struct send_path **out,
		     struct migc_error *err)
{
	struct send_path *path = calloc(1, sizeof(*path));
	char name[RTE_RING_NAMESIZE];

	*out = path;
	if (path == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a worker's send path");
	path->worker = config->worker;
	path->guestmem = config->guestmem;
	path->codec = config->codec;
	path->devices = config->devices;
	path->codecs = config->codecs;
	path->adapts = config->adapts;
	path->codec_id = config->codec_id;
	/* until codecs are agreed on */
	migc_ladder_init(&path->ladder, 1u << MIGC_CODEC_RAW, false, 0);
	snprintf(name, sizeof(name), "spans-%u", config->worker->number);
	path->spans = rte_ring_create_elem(name, sizeof(struct migc_span), WORKER_SPANS,
					   config->socket, RING_F_SP_ENQ | RING_F_SC_DEQ);
	path->blocks = rte_calloc_socket("send_blocks", SEND_BLOCKS, sizeof(struct send_block), 64,
					 config->socket);
	if (path->spans == NULL || path->blocks == NULL) {
		send_path_free(path);
		*out = NULL;
		return migc_error_set(err, -ENOMEM,
				      "no memory for a worker's blocks: give EAL more (-m)");
	}
	for (unsigned int i = 0; i < SEND_BLOCKS; i++)
		send_block_put(path, &path->blocks[i]);
	migc_collector_init(&path->collector, migc_page_zero_test(), 1);
	return 0;
}

void send_path_free(struct send_path *path)
{
	if (path == NULL)
		return;
	if (!migc_leaving()) {
		rte_ring_free(path->spans);
		rte_free(path->blocks);
		rte_free(path->copies);
	}
	send_delta_free(path);
	free(path);
}

void send_path_agree(struct send_path *path, const struct migc_msg_hello_ack *ack)
{
	send_codec_agree(path, ack);
}

/** Before the first span, of blocks that are agreed on. */
static int make_copies(struct send_path *path)
{
	size_t each = (size_t)path->collector.block_pages * MIGC_PAGE_BYTES;
	unsigned int count = RTE_MIN(SEND_BLOCKS, (unsigned int)(SEND_COPIES_BYTES / each));

	if (path->copies)
		return 0;
	path->copies = rte_malloc("send_copies", count * each + WINDOW_BYTES, MIGC_PAGE_BYTES);
	if (path->copies == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++)
		path->copy_free[path->copy_count++] = path->copies + WINDOW_BYTES + i * each;
	return 0;
}

int send_path_set_dirty(struct send_path *path, struct migc_dirty *dirty, bool copies)
{
	path->dirty = dirty;
	return copies ? make_copies(path) : 0;
}

static void read_pages(void *ctx, uint16_t region, uint32_t page, uint32_t count, uint8_t *to)
{
	struct send_path *path = ctx;

	migc_guestmem_read(path->guestmem, region, page, count, to);
}

int send_path_set_read(struct send_path *path, uint64_t regions)
{
	int rc = regions ? make_copies(path) : 0;

	if (rc != 0 || regions == 0)
		return rc;
	path->read_regions = regions;
	/* one is always the collector's */
	migc_collector_set_reader(&path->collector, read_pages, path, path->copies,
				  path->copy_free[--path->copy_count]);
	return 0;
}

void send_path_begin_round(struct send_path *path, uint32_t round, bool final, bool raw,
			   bool deltas)
{
	/* all of it, the cache as well, ordered before the spans by the ring's release */
	send_delta_begin_round(path, round, deltas);
	path->round = round;
	path->final = final;
	path->raw = raw;
}

bool send_path_give(struct send_path *path, const struct migc_span *span)
{
	struct migc_span copy = *span;

	if (rte_ring_enqueue_elem(path->spans, &copy, sizeof(copy)) != 0)
		return false;
	path->given++;
	return true;
}

bool send_path_idle(const struct send_path *path)
{
	/* pairs with the release in send_path_turn(): blocks_sent is counted */
	return __atomic_load_n(&path->done, __ATOMIC_ACQUIRE) == path->given;
}

uint64_t send_path_blocks(const struct send_path *path)
{
	return __atomic_load_n(&path->blocks_sent, __ATOMIC_RELAXED);
}

uint32_t send_path_rungs(const struct send_path *path)
{
	return path->adapts ? path->ladder.rungs : 1;
}

uint64_t send_path_pages(const struct send_path *path)
{
	return __atomic_load_n(&path->pages_sent, __ATOMIC_RELAXED);
}

uint64_t send_path_pages_acked(const struct send_path *path)
{
	return __atomic_load_n(&path->pages_acked, __ATOMIC_RELAXED);
}

/** The next stream with room for a whole block, round robin; -1: none now. */
static int pick_stream(struct send_path *path, unsigned int slices)
{
	for (unsigned int i = 0; i < MIGC_TRANSPORT_BLOCK_STREAMS; i++) {
		unsigned int stream = (path->stream + i) % MIGC_TRANSPORT_BLOCK_STREAMS;

		if (migc_transport_room(path->worker->transport, stream) >= slices) {
			path->stream = stream + 1;
			return (int)stream;
		}
	}
	return -1;
}

static bool transport_has_room(struct send_path *path)
{
	struct migc_transport *t = path->worker->transport;

	return migc_transport_unsent_bytes(t) < path->unsent_max &&
	       migc_transport_unacked_bytes(t) < UNACKED_BYTES_MAX;
}

/** Put a finished block on a stream. @return false when no stream has room. */
static bool send_block(struct send_path *path, struct send_block *block)
{
	struct migc_slice slices[SLICES_MAX];
	unsigned int count = send_block_slices(path, block, slices);
	int stream = pick_stream(path, count);

	if (stream < 0)
		return false;
	if (migc_transport_send(path->worker->transport, (unsigned int)stream, slices, count) != 0)
		return false;
	send_block_count(path, block);
	__atomic_store_n(&path->blocks_sent, path->blocks_sent + 1, __ATOMIC_RELAXED);
	if (!block->zero)
		__atomic_store_n(&path->pages_sent, path->pages_sent + block->pages.count,
				 __ATOMIC_RELAXED);
	return true;
}

static bool send_ready(struct send_path *path)
{
	bool sent = false;

	while (path->ready_first) {
		struct send_block *block = path->ready_first;

		if (!send_block(path, block))
			break;
		path->ready_first = block->next;
		if (path->ready_first == NULL)
			path->ready_last = NULL;
		sent = true;
	}
	return sent;
}

static void make_ready(struct send_path *path, struct send_block *block)
{
	block->next = NULL;
	if (path->ready_last)
		path->ready_last->next = block;
	else
		path->ready_first = block;
	path->ready_last = block;
}

static bool collect_compressed(struct send_path *path)
{
	struct migc_codec_job *done[CODEC_BURST];
	unsigned int count = migc_codec_poll(path->codec, done, CODEC_BURST);

	for (unsigned int i = 0; i < count; i++) {
		struct send_block *block = done[i]->cookie;

		path->in_codec--;
		send_codec_done(path, block);
		if (done[i]->status == -EIO)
			worker_fail(
				path->worker, -EIO,
				"the compression device failed and --no-fallback forbids others");
		send_block_compressed(path, block);
		make_ready(path, block);
	}
	return count > 0;
}

/** A block whose pages are known. */
static void start_block(struct send_path *path, struct send_block *block)
{
	send_codec_choose(path, block);
	if (block->job.codec == MIGC_CODEC_RAW) {
		send_block_compressed(path, block);
		make_ready(path, block);
		return;
	}
	block->job.cookie = block;
	if (migc_codec_submit(path->codec, &block->job) != 0) {
		block->job.data_bytes = 0;
		send_block_compressed(path, block);
		make_ready(path, block);
		return;
	}
	path->in_codec++;
}

static void start_pages(struct send_path *path, struct send_block *block)
{
	struct migc_collector *c = &path->collector;
	uint8_t *copy = c->copy;

	if (c->copied) {
		block->copy = copy;
		copy = path->copy_free[--path->copy_count];
	}
	send_block_pages(path, block, &c->block, c->block_bytes);
	migc_collector_clear_block(c, copy);
	start_block(path, block);
}

static void start_delta(struct send_path *path, struct send_block *block)
{
	send_delta_pages(path, block);
	start_block(path, block);
}

static void start_zero(struct send_path *path, struct send_block *block)
{
	send_block_zero(path, block, &path->collector.zero);
	migc_collector_clear_zero(&path->collector);
	make_ready(path, block);
}

/** May another block be begun? */
static bool can_begin(struct send_path *path)
{
	if (path->free_count == 0)
		path->no_block++;
	else if (path->copies && path->copy_count == 0)
		path->no_copy++;
	else if (path->ready_first == NULL && transport_has_room(path))
		return path->codec == NULL ||
		       (migc_codec_room(path->codec) > 0 && send_delta_room(path));
	path->held = true;
	return false;
}

/** Act on what the collector has. @return whether it had something. */
static bool act(struct send_path *path, enum migc_collect what)
{
	if (what == MIGC_COLLECT_MORE)
		return false;
	if (what == MIGC_COLLECT_BLOCK)
		start_pages(path, send_block_get(path));
	else if (what == MIGC_COLLECT_DELTA)
		start_delta(path, send_block_get(path));
	else
		start_zero(path, send_block_get(path));
	return true;
}

static bool take_span(struct send_path *path)
{
	const struct migc_region *region;
	struct migc_span span;

	if (rte_ring_dequeue_elem(path->spans, &span, sizeof(span)) != 0)
		return false;
	region = migc_guestmem_region(path->guestmem, span.region);
	migc_collector_give(&path->collector, &span,
			    path->read_regions >> span.region & 1 ? NULL : region->addr);
	path->taken++;
	return true;
}

/** Begin blocks until the codec is full, the link is behind, or there are no spans left. */
static bool produce(struct send_path *path)
{
	bool busy = false;

	while (can_begin(path)) {
		if (migc_collector_wants_span(&path->collector) && !take_span(path)) {
			/* nothing more for now: what is open goes as it is */
			if (!act(path, migc_collector_flush(&path->collector)))
				break;
			busy = true;
			continue;
		}
		busy = true;
		act(path, migc_collector_run(&path->collector));
	}
	return busy;
}

static bool all_sent(const struct send_path *path)
{
	return path->taken != path->done && path->in_codec == 0 && path->ready_first == NULL &&
	       migc_collector_wants_span(&path->collector) &&
	       migc_collector_flush(&path->collector) == MIGC_COLLECT_MORE &&
	       rte_ring_empty(path->spans);
}

bool send_path_turn(struct send_path *path, uint64_t now_ns)
{
	bool busy = false;

	if (migc_transport_state(path->worker->transport) != MIGC_TRANSPORT_CONNECTED)
		return false;
	send_codec_turn(path, now_ns);
	if (path->codec && path->in_codec)
		busy |= collect_compressed(path);
	busy |= send_ready(path);
	busy |= produce(path);
	if (path->codec && path->in_codec)
		busy |= collect_compressed(path);
	busy |= send_ready(path);
	if (all_sent(path)) {
		/* pairs with the acquire in send_path_idle(): blocks_sent comes first */
		__atomic_store_n(&path->done, path->taken, __ATOMIC_RELEASE);
	}
	return busy;
}

void send_path_acked(struct send_path *path, void *cookie)
{
	const struct send_block *block = cookie;

	if (!block->zero)
		__atomic_store_n(&path->pages_acked, path->pages_acked + block->pages.count,
				 __ATOMIC_RELAXED);
	send_block_release(path, cookie);
}

void send_path_counters(const struct send_path *path, struct worker_counters *out)
{
	out->zero_pages = path->collector.zero_pages;
	out->data_pages = path->collector.data_pages;
	out->read_pages = path->collector.read_pages;
	out->no_block = path->no_block;
	out->no_copy = path->no_copy;
	out->delta = path->cache.stats;
	out->looked_incompressible = path->ladder.stats.looked_incompressible;
	out->ladder_held_ns = path->ladder.stats.held_ns;
	out->ladder_starved_ns = path->ladder.stats.starved_ns;
	out->codec_skipped = path->ladder.stats.skipped;
	if (path->codec)
		migc_codec_stats(path->codec, &out->codec);
}
