/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "send_block.h"
#include "send_delta.h"

struct send_block *send_block_get(struct send_path *path)
{
	struct send_block *block = path->free_blocks;

	path->free_blocks = block->next;
	path->free_count--;
	block->job.data = NULL;
	block->job.data_bytes = 0;
	block->job.status = 0;
	block->copy = NULL;
	block->delta = false;
	block->residue = NULL;
	block->zero = false;
	return block;
}

void send_block_put(struct send_path *path, struct send_block *block)
{
	block->next = path->free_blocks;
	path->free_blocks = block;
	path->free_count++;
}

/**
 * The tracker compares later contents with the hash of what was sent: send a copy, hash that. What
 * the cache of deltas took is a copy already.
 */
static void copy_pages(struct send_path *path, struct send_block *block)
{
	const struct migc_page_list *pages = &block->pages;
	const struct migc_region *region = migc_guestmem_region(path->guestmem, pages->region);

	block->copy = path->copy_free[--path->copy_count];
	for (unsigned int i = 0; i < pages->count; i++) {
		uint8_t *to = block->copy + (size_t)i * MIGC_PAGE_BYTES;

		if (block->job.page[i] ==
		    region->addr + ((uint64_t)pages->page[i] << MIGC_PAGE_SHIFT)) {
			memcpy(to, block->job.page[i], MIGC_PAGE_BYTES);
			block->job.page[i] = to;
			path->worker->counters.copied_pages++;
		}
		migc_dirty_sent(path->dirty, pages->region, pages->page[i], block->job.page[i]);
	}
}

bool send_block_is_hashed(const struct send_path *path, unsigned int region)
{
	/* a stopped guest's pages do not change: what is read is what is sent */
	return path->dirty && !path->final && migc_dirty_needs_copy(path->dirty, region);
}

void send_block_pages(struct send_path *path, struct send_block *block,
		      const struct migc_page_list *pages, const uint8_t *const *bytes)
{
	block->pages.region = pages->region;
	block->pages.count = pages->count;
	memcpy(block->pages.page, pages->page, pages->count * sizeof(pages->page[0]));
	block->job.pages = pages->count;
	for (unsigned int i = 0; i < pages->count; i++)
		block->job.page[i] = (uint8_t *)(uintptr_t)bytes[i];
	if (send_block_is_hashed(path, pages->region))
		copy_pages(path, block);
}

void send_block_zero(struct send_path *path, struct send_block *block,
		     const struct migc_zero_list *zero)
{
	struct migc_block_header header;
	int length;

	header.type = MIGC_BLOCK_ZERO;
	header.codec = MIGC_CODEC_RAW;
	header.delta = false;
	header.round = path->round;
	header.payload_bytes = 0;
	header.zero = *zero;
	length = migc_block_header_encode(&header, block->header, sizeof(block->header));
	block->header_bytes = (uint16_t)length;
	block->zero = true;
	block->zero_pages = zero->pages;
	if (!send_block_is_hashed(path, zero->region))
		return;
	for (unsigned int i = 0; i < zero->count; i++) {
		for (uint32_t p = 0; p < zero->range[i].count; p++)
			migc_dirty_sent(path->dirty, zero->region, zero->range[i].first + p, NULL);
	}
}

void send_block_compressed(struct send_path *path, struct send_block *block)
{
	struct migc_block_header header;

	if (block->delta && block->job.data_bytes == 0)
		send_delta_whole(path, block);
	send_delta_release(path, block);
	header.type = MIGC_BLOCK_PAGES;
	header.delta = block->delta;
	header.round = path->round;
	header.pages = block->pages;
	if (block->job.data && block->job.data_bytes) {
		header.codec = block->job.codec;
		header.payload_bytes = block->job.data_bytes;
		if (block->copy) {
			path->copy_free[path->copy_count++] = block->copy;
			block->copy = NULL;
		}
	} else {
		header.codec = MIGC_CODEC_RAW;
		header.payload_bytes = (uint32_t)block->pages.count * MIGC_PAGE_BYTES;
	}
	block->header_bytes =
		(uint16_t)migc_block_header_encode(&header, block->header, sizeof(block->header));
}

unsigned int send_block_slices(struct send_path *path, struct send_block *block,
			       struct migc_slice *slices)
{
	unsigned int count = 0;

	(void)path;
	slices[count++] = (struct migc_slice){block->header, block->header_bytes, NULL};
	if (!block->zero && block->job.data_bytes) {
		for (struct rte_mbuf *m = block->job.data; m; m = m->next)
			slices[count++] = (struct migc_slice){rte_pktmbuf_mtod(m, uint8_t *),
							      m->data_len, NULL};
	} else if (!block->zero) {
		for (unsigned int i = 0; i < block->pages.count; i++)
			slices[count++] =
				(struct migc_slice){block->job.page[i], MIGC_PAGE_BYTES, NULL};
	}
	slices[count - 1].cookie = block;
	return count;
}

void send_block_count(struct send_path *path, const struct send_block *block)
{
	struct worker_counters *c = &path->worker->counters;

	if (block->zero) {
		c->zero_blocks++;
	} else if (block->job.data_bytes) {
		c->blocks[block->job.codec]++;
		c->payload_bytes[block->job.codec] += block->job.data_bytes;
		if (block->delta) {
			c->delta_blocks++;
			c->delta_pages += block->pages.count;
			c->delta_bytes += block->job.data_bytes;
		}
	} else {
		c->blocks[MIGC_CODEC_RAW]++;
		c->payload_bytes[MIGC_CODEC_RAW] += (uint64_t)block->pages.count * MIGC_PAGE_BYTES;
	}
}

void send_block_release(struct send_path *path, struct send_block *block)
{
	if (block->job.data) {
		rte_pktmbuf_free(block->job.data);
		block->job.data = NULL;
	}
	if (block->copy) {
		path->copy_free[path->copy_count++] = block->copy;
		block->copy = NULL;
	}
	send_delta_release(path, block);
	send_block_put(path, block);
}
