/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>
#include <rte_ring.h>

#include "migc_delta.h"
#include "migc_leave.h"
#include "receive_path.h"

#define FAILED_REPORTS 64u
#define RECEIVE_BLOCKS 128u
#define CODEC_BURST 32u
/** Blocks of deltas that the codec may have at a time. */
#define SCRATCHES 8u
#define SCRATCH_BYTES (MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)

/** A compressed block between its last byte and its last page. */
struct receive_block {
	struct receive_block *next;
	struct migc_codec_job job;
	struct migc_page_list pages;
	uint32_t round;
	unsigned int stream;
	uint32_t stream_bytes; /**< to give back as credit */
	uint8_t *scratch; /**< of deltas: they are made here; NULL: the pages themselves are */
};

/** Where a stream is within its current block. */
struct stream_state {
	struct migc_block_header header;
	uint32_t header_bytes; /**< of header_data that are there */
	uint32_t header_length; /**< 0: not known yet */
	uint32_t payload_bytes; /**< of the payload that are there */
	uint8_t *buffer; /**< payload of a compressed block */
	uint8_t header_data[MIGC_BLOCK_HEADER_BYTES_MAX];
};

struct receive_path {
	struct worker *worker;
	struct receive_shared *shared;
	struct migc_codec *codec;
	migc_page_is_zero_fn is_zero;
	migc_delta_apply_fn apply_delta;
	uint8_t *scratches;
	uint8_t *scratch_free[SCRATCHES];
	unsigned int scratch_count;
	struct stream_state *streams;
	struct receive_block *blocks, *free_blocks;
	struct rte_ring *failed;
	/* shared with the controller */
	uint32_t admitted;
	uint64_t applied __attribute__((aligned(64)));
};

int receive_path_create(const struct receive_path_config *config, struct receive_path **out,
			struct migc_error *err)
{
	struct receive_path *path = calloc(1, sizeof(*path));
	char name[RTE_RING_NAMESIZE];

	*out = path;
	if (path == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a worker's receive path");
	path->worker = config->worker;
	path->shared = config->shared;
	path->codec = config->codec;
	path->is_zero = migc_page_zero_test();
	path->apply_delta = migc_delta_apply();
	snprintf(name, sizeof(name), "failed-%u", config->worker->number);
	path->failed = rte_ring_create_elem(name, sizeof(struct migc_msg_block_failed),
					    FAILED_REPORTS, config->socket,
					    RING_F_SP_ENQ | RING_F_SC_DEQ);
	path->streams = rte_calloc_socket("receive_streams", MIGC_TRANSPORT_BLOCK_STREAMS,
					  sizeof(struct stream_state), 64, config->socket);
	path->blocks = rte_calloc_socket("receive_blocks", RECEIVE_BLOCKS,
					 sizeof(struct receive_block), 64, config->socket);
	path->scratches = rte_malloc_socket("receive_deltas", (size_t)SCRATCHES * SCRATCH_BYTES,
					    MIGC_PAGE_BYTES, config->socket);
	if (path->failed == NULL || path->streams == NULL || path->blocks == NULL ||
	    path->scratches == NULL) {
		receive_path_free(path);
		*out = NULL;
		return migc_error_set(err, -ENOMEM,
				      "no memory for a worker's streams: give EAL more (-m)");
	}
	for (unsigned int i = 0; i < RECEIVE_BLOCKS; i++) {
		path->blocks[i].next = path->free_blocks;
		path->free_blocks = &path->blocks[i];
	}
	for (unsigned int i = 0; i < SCRATCHES; i++)
		path->scratch_free[path->scratch_count++] =
			path->scratches + (size_t)i * SCRATCH_BYTES;
	return 0;
}

void receive_path_free(struct receive_path *path)
{
	if (path == NULL)
		return;
	if (!migc_leaving()) {
		rte_ring_free(path->failed);
		rte_free(path->streams);
		rte_free(path->blocks);
		rte_free(path->scratches);
	}
	free(path);
}

void receive_path_admit(struct receive_path *path)
{
	/* pairs with the acquire in begin_block(): the shared description is complete */
	__atomic_store_n(&path->admitted, 1, __ATOMIC_RELEASE);
}

uint64_t receive_path_applied(const struct receive_path *path)
{
	/* pairs with the release in count_applied(): pages are written, failures are in the ring */
	return __atomic_load_n(&path->applied, __ATOMIC_ACQUIRE);
}

bool receive_path_failed(struct receive_path *path, struct migc_msg_block_failed *out)
{
	return rte_ring_dequeue_elem(path->failed, out, sizeof(*out)) == 0;
}

static void count_applied(struct receive_path *path)
{
	/* pairs with the acquire in receive_path_applied() */
	__atomic_store_n(&path->applied, path->applied + 1, __ATOMIC_RELEASE);
}

static int refuse(struct receive_path *path, const char *text)
{
	worker_fail(path->worker, -EBADMSG, text);
	return -EBADMSG;
}

static void mark_present(uint8_t *presence, const struct migc_page_list *pages)
{
	for (unsigned int i = 0; i < pages->count; i++) {
		if (presence[pages->page[i]] == PAGE_ABSENT)
			presence[pages->page[i]] = PAGE_WRITTEN;
	}
}

static uint8_t *page_address(const struct receive_path *path, unsigned int region, uint32_t page)
{
	return path->shared->region[region]->addr + ((uint64_t)page << MIGC_PAGE_SHIFT);
}

/** Runs of a block's pages, before they are written for the first time. */
static void prefault(const struct receive_path *path, const struct migc_page_list *pages)
{
	const uint8_t *presence = path->shared->presence[pages->region];
	bool in_memory = path->shared->region[pages->region]->in_memory;
	unsigned int first = 0;
	uint8_t *at;

	for (unsigned int i = 1; i <= pages->count; i++) {
		bool data = presence[pages->page[first]] != PAGE_ABSENT;

		if (i < pages->count && pages->page[i] == pages->page[i - 1] + 1 &&
		    (presence[pages->page[i]] != PAGE_ABSENT) == data)
			continue;
		at = page_address(path, pages->region, pages->page[first]);
		if (in_memory && data)
			migc_guestmem_touch(at, i - first);
		else
			migc_guestmem_prefault(at, i - first);
		first = i;
	}
}

/** Zero pages cost nothing where there is nothing: a hole stays one. */
static void apply_zero(struct receive_path *path, const struct migc_zero_list *zero)
{
	const uint8_t *presence = path->shared->presence[zero->region];

	for (unsigned int i = 0; i < zero->count; i++) {
		uint32_t end = zero->range[i].first + zero->range[i].count;

		for (uint32_t page = zero->range[i].first; page != end; page++) {
			uint8_t *at;

			if (presence[page] == PAGE_ABSENT)
				continue;
			at = page_address(path, zero->region, page);
			if (!path->is_zero(at))
				memset(at, 0, MIGC_PAGE_BYTES);
		}
	}
	path->worker->counters.zero_blocks++;
	path->worker->counters.zero_pages += zero->pages;
	count_applied(path);
}

/** All of the deltas are there. */
static void apply_deltas(struct receive_path *path, const struct receive_block *block)
{
	struct worker_counters *c = &path->worker->counters;

	for (unsigned int i = 0; i < block->pages.count; i++)
		path->apply_delta(page_address(path, block->pages.region, block->pages.page[i]),
				  block->scratch + (size_t)i * MIGC_PAGE_BYTES);
	c->delta_blocks++;
	c->delta_pages += block->pages.count;
	c->delta_bytes += block->job.data_bytes;
}

static void block_done(struct receive_path *path, struct receive_block *block)
{
	struct worker_counters *c = &path->worker->counters;

	if (block->job.status == 0) {
		if (block->scratch)
			apply_deltas(path, block);
		c->blocks[block->job.codec]++;
		c->payload_bytes[block->job.codec] += block->job.data_bytes;
		c->data_pages += block->pages.count;
	} else if (block->job.status == -EIO) {
		c->blocks_failed++;
		worker_fail(
			path->worker, -EIO,
			"the compression device fell silent while it held pages of the guest: "
			"it may write to them later, so this guest must not run. End QEMU here, "
			"reset the device or give another (--compressdev), and try again");
	} else {
		struct migc_msg_block_failed report = {block->round, block->pages};

		c->blocks_failed++;
		if (rte_ring_enqueue_elem(path->failed, &report, sizeof(report)) != 0)
			refuse(path, "too many blocks could not be decompressed");
	}
	migc_transport_consumed(path->worker->transport, block->stream, block->stream_bytes);
	/* a device that fell silent may still write there: nobody else gets it */
	if (block->scratch && block->job.status != -EIO)
		path->scratch_free[path->scratch_count++] = block->scratch;
	block->next = path->free_blocks;
	path->free_blocks = block;
	count_applied(path);
}

static unsigned int drain(struct receive_path *path)
{
	struct migc_codec_job *done[CODEC_BURST];
	unsigned int count = migc_codec_poll(path->codec, done, CODEC_BURST);

	for (unsigned int i = 0; i < count; i++)
		block_done(path, done[i]->cookie);
	return count;
}

/** Where the codec writes: to the pages, or to scratch when these are deltas. */
static void set_destination(struct receive_path *path, struct receive_block *block, bool delta)
{
	block->scratch = delta ? path->scratch_free[--path->scratch_count] : NULL;
	for (unsigned int i = 0; i < block->pages.count; i++)
		block->job.page[i] =
			delta ? block->scratch + (size_t)i * MIGC_PAGE_BYTES
			      : page_address(path, block->pages.region, block->pages.page[i]);
}

static int submit(struct receive_path *path, unsigned int stream, struct stream_state *s)
{
	struct receive_block *block;

	while (migc_codec_room(path->codec) == 0 || path->free_blocks == NULL ||
	       (s->header.delta && path->scratch_count == 0)) {
		if (migc_codec_in_flight(path->codec) == 0 && path->scratch_count == 0)
			return refuse(path, "no memory is left for deltas");
		/* a device gives back what it was given, or the codec gives up on it */
		drain(path);
	}
	block = path->free_blocks;
	path->free_blocks = block->next;
	block->pages = s->header.pages;
	block->round = s->header.round;
	block->stream = stream;
	block->stream_bytes = s->header_length + s->header.payload_bytes;
	block->job.pages = block->pages.count;
	block->job.cookie = block;
	block->job.codec = s->header.codec;
	block->job.packed = s->buffer;
	block->job.data_bytes = s->header.payload_bytes;
	block->job.status = 0;
	set_destination(path, block, s->header.delta);
	s->buffer = NULL;
	mark_present(path->shared->presence[block->pages.region], &block->pages);
	if (migc_codec_submit(path->codec, &block->job) != 0)
		return refuse(path, "the codec refused a block");
	return 0;
}

static int begin_block(struct receive_path *path, unsigned int stream, struct stream_state *s)
{
	struct receive_shared *shared = path->shared;

	/* pairs with the release in receive_path_admit() */
	if (!__atomic_load_n(&path->admitted, __ATOMIC_ACQUIRE))
		return refuse(path, "the peer sent blocks before the session was agreed on");
	if (migc_block_header_decode(s->header_data, s->header_length, shared->region_pages,
				     shared->regions, shared->block_pages, &s->header) != 0)
		return refuse(path, "the peer sent a block header that is not allowed");
	if (s->header.round != __atomic_load_n(&shared->round, __ATOMIC_RELAXED))
		return refuse(path, "the peer sent a block of a round that is not open");
	s->payload_bytes = 0;
	if (s->header.type == MIGC_BLOCK_ZERO) {
		apply_zero(path, &s->header.zero);
		migc_transport_consumed(path->worker->transport, stream, s->header_length);
		s->header_bytes = 0;
		s->header_length = 0;
		return 0;
	}
	if ((shared->codecs & (1u << s->header.codec)) == 0)
		return refuse(path, "the peer sent a block in a codec that was not agreed on");
	if (s->header.delta && (shared->codecs & MIGC_CODECS_DELTA) == 0)
		return refuse(path, "the peer sent a delta, which was not agreed on");
	if (s->header.codec == MIGC_CODEC_DEFLATE && s->header.pages.count > shared->deflate_pages)
		return refuse(path, "the peer sent a DEFLATE block of more pages than agreed on");
	/* at one go, which is cheaper than a fault for each page */
	if (s->header.round == 1)
		prefault(path, &s->header.pages);
	if (s->header.codec == MIGC_CODEC_RAW) {
		mark_present(shared->presence[s->header.pages.region], &s->header.pages);
		migc_transport_consumed(path->worker->transport, stream, s->header_length);
		return 0;
	}
	while ((s->buffer = migc_codec_buffer(path->codec)) == NULL) {
		if (migc_codec_in_flight(path->codec) == 0)
			return refuse(path, "no buffer is left for a block");
		drain(path);
	}
	return 0;
}

static void end_block(struct stream_state *s)
{
	s->header_bytes = 0;
	s->header_length = 0;
	s->payload_bytes = 0;
}

/** @return bytes taken. */
static size_t take_raw(struct receive_path *path, unsigned int stream, struct stream_state *s,
		       const uint8_t *data, size_t length)
{
	size_t taken = 0;

	while (taken < length && s->payload_bytes < s->header.payload_bytes) {
		uint32_t index = s->payload_bytes / MIGC_PAGE_BYTES;
		uint32_t offset = s->payload_bytes % MIGC_PAGE_BYTES;
		size_t piece = MIGC_PAGE_BYTES - offset;

		if (piece > length - taken)
			piece = length - taken;
		memcpy(page_address(path, s->header.pages.region, s->header.pages.page[index]) +
			       offset,
		       data + taken, piece);
		taken += piece;
		s->payload_bytes += (uint32_t)piece;
	}
	migc_transport_consumed(path->worker->transport, stream, taken);
	if (s->payload_bytes == s->header.payload_bytes) {
		path->worker->counters.blocks[MIGC_CODEC_RAW]++;
		path->worker->counters.payload_bytes[MIGC_CODEC_RAW] += s->header.payload_bytes;
		path->worker->counters.data_pages += s->header.pages.count;
		count_applied(path);
		end_block(s);
	}
	return taken;
}

/** @return bytes taken, or -errno. */
static int take_payload(struct receive_path *path, unsigned int stream, struct stream_state *s,
			const uint8_t *data, size_t length)
{
	size_t piece = s->header.payload_bytes - s->payload_bytes;
	int rc;

	if (s->header.codec == MIGC_CODEC_RAW)
		return (int)take_raw(path, stream, s, data, length);
	if (piece > length)
		piece = length;
	memcpy(s->buffer + s->payload_bytes, data, piece);
	s->payload_bytes += (uint32_t)piece;
	if (s->payload_bytes == s->header.payload_bytes) {
		rc = submit(path, stream, s);
		if (rc != 0)
			return rc;
		end_block(s);
	}
	return (int)piece;
}

/** @return bytes taken, or -errno. */
static int take_header(struct receive_path *path, unsigned int stream, struct stream_state *s,
		       const uint8_t *data, size_t length)
{
	size_t want =
		(s->header_length ? s->header_length : MIGC_BLOCK_FIXED_BYTES) - s->header_bytes;
	int rc;

	if (want > length)
		want = length;
	memcpy(s->header_data + s->header_bytes, data, want);
	s->header_bytes += (uint32_t)want;
	if (s->header_length == 0 && s->header_bytes == MIGC_BLOCK_FIXED_BYTES) {
		rc = migc_block_header_length(s->header_data, s->header_bytes);
		if (rc <= 0)
			return refuse(path, "the peer sent a block header that is not allowed");
		s->header_length = (uint32_t)rc;
	}
	if (s->header_length != 0 && s->header_bytes == s->header_length) {
		rc = begin_block(path, stream, s);
		if (rc != 0)
			return rc;
	}
	return (int)want;
}

int receive_path_data(struct receive_path *path, unsigned int stream, const uint8_t *data,
		      size_t length)
{
	struct stream_state *s = &path->streams[stream];

	while (length > 0) {
		bool in_header = s->header_length == 0 || s->header_bytes < s->header_length;
		int taken = in_header ? take_header(path, stream, s, data, length)
				      : take_payload(path, stream, s, data, length);

		if (taken < 0)
			return taken;
		data += taken;
		length -= (size_t)taken;
	}
	return 0;
}

bool receive_path_turn(struct receive_path *path)
{
	return migc_codec_in_flight(path->codec) && drain(path) > 0;
}

void receive_path_counters(const struct receive_path *path, struct worker_counters *out)
{
	migc_codec_stats(path->codec, &out->codec);
}
