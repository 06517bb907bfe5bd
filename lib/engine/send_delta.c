/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/mman.h>

#include <rte_common.h>

#include "send_delta.h"
#include "send_path.h"

#define RESIDUES_BYTES ((size_t)SEND_RESIDUES * SEND_RESIDUE_BYTES)

/**
 * The cache, then the residues: pages of it come as they are used. No device gets at it by DMA: it
 * is given copies (migc_codec_devices_reach()), of what is little.
 */
static void *take_memory(size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

int send_path_open_deltas(struct send_path *path, uint64_t cache_bytes)
{
	size_t bytes = RTE_MAX((size_t)cache_bytes, migc_delta_cache_bytes(1));
	uint8_t *residue;
	int rc;

	/* without a codec there is nothing that makes less of a delta */
	if (path->delta_memory || !path->delta_agreed || cache_bytes == 0)
		return 0;
	bytes = RTE_ALIGN_CEIL(bytes, (size_t)MIGC_PAGE_BYTES);
	path->delta_memory = take_memory(bytes + RESIDUES_BYTES);
	if (path->delta_memory == NULL)
		return -ENOMEM;
	path->delta_bytes = bytes + RESIDUES_BYTES;
	rc = migc_delta_cache_init(&path->cache, path->delta_memory, bytes);
	if (rc != 0) {
		send_delta_free(path);
		return rc;
	}
	residue = path->delta_memory + bytes;
	for (unsigned int i = 0; i < SEND_RESIDUES; i++)
		path->residue_free[path->residue_count++] =
			residue + (size_t)i * SEND_RESIDUE_BYTES;
	/* one is always the collector's */
	migc_collector_set_delta(&path->collector, NULL, path->residue_free[--path->residue_count]);
	return 0;
}

void send_delta_free(struct send_path *path)
{
	if (path->delta_memory == NULL)
		return;
	munmap(path->delta_memory, path->delta_bytes);
	path->delta_memory = NULL;
}

uint64_t send_path_delta_pages(const struct send_path *path)
{
	return path->delta_memory ? migc_delta_cache_pages(&path->cache) : 0;
}

void send_path_forget(struct send_path *path, uint16_t region, uint32_t page)
{
	if (path->delta_memory)
		migc_delta_cache_drop(&path->cache, region, page);
}

void send_delta_begin_round(struct send_path *path, uint32_t round, bool deltas)
{
	struct migc_collector *c = &path->collector;
	bool use = deltas && path->delta_memory;

	if (use)
		migc_delta_cache_begin_round(&path->cache, round);
	/* to end is to clear: what is sent meanwhile, by whichever worker, is not seen */
	if (use != (c->delta != NULL))
		migc_collector_set_delta(c, use ? &path->cache : NULL, c->residue);
}

bool send_delta_room(const struct send_path *path)
{
	return path->collector.delta == NULL || path->residue_count > 0;
}

void send_delta_pages(struct send_path *path, struct send_block *block)
{
	struct migc_collector *c = &path->collector;

	block->delta = true;
	block->residue = c->residue;
	block->pages = c->deltas;
	block->job.pages = c->deltas.count;
	for (unsigned int i = 0; i < c->deltas.count; i++) {
		block->job.page[i] = c->residue + (size_t)i * MIGC_PAGE_BYTES;
		if (send_block_is_hashed(path, c->deltas.region))
			migc_dirty_sent(path->dirty, c->deltas.region, c->deltas.page[i],
					c->deltas_bytes[i]);
	}
	migc_collector_clear_deltas(c, path->residue_free[--path->residue_count]);
}

void send_delta_whole(struct send_path *path, struct send_block *block)
{
	/* still in the cache: what was sent in this round is not evicted in it, nor changed */
	for (unsigned int i = 0; i < block->pages.count; i++)
		block->job.page[i] = (uint8_t *)(uintptr_t)migc_delta_cache_find(
			&path->cache, block->pages.region, block->pages.page[i]);
	block->delta = false;
	path->worker->counters.delta_overflow += block->pages.count;
}

void send_delta_release(struct send_path *path, struct send_block *block)
{
	if (block->residue)
		path->residue_free[path->residue_count++] = block->residue;
	block->residue = NULL;
}
