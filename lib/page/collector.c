/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "migc_bitmap.h"
#include "migc_delta.h"
#include "migc_page.h"

void migc_collector_init(struct migc_collector *c, migc_page_is_zero_fn is_zero,
			 unsigned int block_pages)
{
	*c = (struct migc_collector){0};
	c->is_zero = is_zero;
	c->block_pages = block_pages;
	if (!block_pages)
		c->block_pages = 1;
	if (block_pages > MIGC_BLOCK_PAGES_MAX)
		c->block_pages = MIGC_BLOCK_PAGES_MAX;
	c->next = MIGC_SPAN_PAGES;
}

bool migc_collector_wants_span(const struct migc_collector *c)
{
	return c->next >= MIGC_SPAN_PAGES;
}

void migc_collector_give(struct migc_collector *c, const struct migc_span *span, const void *base)
{
	c->span = *span;
	c->base = base;
	c->next = 0;
	c->window_pages = 0;
}

/** A page of a span that is read, with those after it that are due as well. */
static const uint8_t *read_page(struct migc_collector *c, uint32_t bit)
{
	if (bit - c->window_first >= c->window_pages) {
		uint32_t count = 1;

		while (count < MIGC_READ_PAGES && bit + count < MIGC_SPAN_PAGES &&
		       migc_bitmap_test(c->span.mask, bit + count))
			count++;
		c->read(c->read_ctx, c->span.region, (uint32_t)(c->span.first_page + bit), count,
			c->window);
		c->window_first = bit;
		c->window_pages = count;
		c->read_pages += count;
	}
	return c->window + (size_t)(bit - c->window_first) * MIGC_PAGE_BYTES;
}

/** The window is read into again before the block is sent. */
static const uint8_t *keep_page(struct migc_collector *c, const uint8_t *bytes)
{
	uint8_t *kept = c->copy + (size_t)c->copied++ * MIGC_PAGE_BYTES;

	memcpy(kept, bytes, MIGC_PAGE_BYTES);
	return kept;
}

/*
 * May the page follow what the open block holds? Spans of one region come ascending in a round
 * after the first, but a new round, or pages that failed, begin at the front again.
 */
static bool list_takes(const struct migc_collector *c, const struct migc_page_list *list,
		       uint32_t page)
{
	if (!list->count)
		return true;
	return list->count < c->block_pages && list->region == c->span.region &&
	       list->page[list->count - 1] < page;
}

static bool zero_takes(const struct migc_collector *c, uint32_t page)
{
	const struct migc_zero_list *z = &c->zero;
	uint64_t end;

	if (!z->count)
		return true;
	if (z->region != c->span.region || z->pages == UINT32_MAX)
		return false;
	end = (uint64_t)z->range[z->count - 1].first + z->range[z->count - 1].count;
	return page == end || (page > end && z->count < MIGC_ZERO_RANGES_MAX);
}

static void list_put(const struct migc_collector *c, struct migc_page_list *list,
		     const uint8_t **list_bytes, uint32_t page, const uint8_t *bytes)
{
	list->region = c->span.region;
	list_bytes[list->count] = bytes;
	list->page[list->count++] = page;
}

static void zero_put(struct migc_collector *c, uint32_t page)
{
	struct migc_zero_list *z = &c->zero;
	unsigned int n = z->count;

	z->region = c->span.region;
	if (n && (uint64_t)z->range[n - 1].first + z->range[n - 1].count == page) {
		z->range[n - 1].count++;
	} else {
		z->range[n].first = page;
		z->range[n].count = 1;
		z->count++;
	}
	z->pages++;
	c->zero_pages++;
}

/** A page that is not zero. @return MORE, or what has to be taken before (or after) it. */
static enum migc_collect data_put(struct migc_collector *c, uint32_t page, const uint8_t *bytes)
{
	enum migc_delta_kind kind = MIGC_DELTA_PASS;
	const uint8_t *slot;

	if (!list_takes(c, &c->block, page))
		return MIGC_COLLECT_BLOCK;
	if (!list_takes(c, &c->deltas, page))
		return MIGC_COLLECT_DELTA;
	if (c->delta)
		kind = migc_delta_page(c->delta, c->span.region, page, bytes,
				       c->residue + (size_t)c->deltas.count * MIGC_PAGE_BYTES,
				       &slot);
	c->next++;
	if (kind == MIGC_DELTA_SAME)
		return MIGC_COLLECT_MORE;
	c->data_pages++;
	if (kind == MIGC_DELTA_XOR) {
		list_put(c, &c->deltas, c->deltas_bytes, page, slot);
		return c->deltas.count < c->block_pages ? MIGC_COLLECT_MORE : MIGC_COLLECT_DELTA;
	}
	if (kind == MIGC_DELTA_WHOLE)
		bytes = slot;
	else if (c->base == NULL)
		bytes = keep_page(c, bytes);
	list_put(c, &c->block, c->block_bytes, page, bytes);
	return c->block.count < c->block_pages ? MIGC_COLLECT_MORE : MIGC_COLLECT_BLOCK;
}

static enum migc_collect zero_page_put(struct migc_collector *c, uint32_t page)
{
	if (!zero_takes(c, page))
		return MIGC_COLLECT_ZERO;
	if (c->delta)
		migc_delta_cache_drop(c->delta, c->span.region, page);
	zero_put(c, page);
	c->next++;
	return MIGC_COLLECT_MORE;
}

/** What is open of another region than the span's: MORE when nothing is. */
static enum migc_collect of_another_region(const struct migc_collector *c)
{
	if (c->block.count && c->block.region != c->span.region)
		return MIGC_COLLECT_BLOCK;
	if (c->deltas.count && c->deltas.region != c->span.region)
		return MIGC_COLLECT_DELTA;
	if (c->zero.count && c->zero.region != c->span.region)
		return MIGC_COLLECT_ZERO;
	return MIGC_COLLECT_MORE;
}

enum migc_collect migc_collector_run(struct migc_collector *c)
{
	enum migc_collect what = MIGC_COLLECT_MORE;

	while (what == MIGC_COLLECT_MORE && c->next < MIGC_SPAN_PAGES) {
		uint64_t bit = migc_bitmap_next(c->span.mask, MIGC_SPAN_PAGES, c->next);
		const uint8_t *bytes;
		uint32_t page;

		if (bit == MIGC_BITMAP_NONE)
			break;
		c->next = (uint32_t)bit;
		page = (uint32_t)(c->span.first_page + bit);
		what = of_another_region(c);
		if (what != MIGC_COLLECT_MORE)
			break;
		bytes = c->base ? c->base + ((size_t)page << MIGC_PAGE_SHIFT)
				: read_page(c, c->next);
		/*
		 * A page that does not fit is looked at again after the list was taken, and may
		 * have changed by then, unless it was read: only that second look counts.
		 */
		what = c->is_zero(bytes) ? zero_page_put(c, page) : data_put(c, page, bytes);
	}
	if (what == MIGC_COLLECT_MORE)
		c->next = MIGC_SPAN_PAGES;
	return what;
}

enum migc_collect migc_collector_flush(const struct migc_collector *c)
{
	if (c->block.count)
		return MIGC_COLLECT_BLOCK;
	if (c->deltas.count)
		return MIGC_COLLECT_DELTA;
	if (c->zero.count)
		return MIGC_COLLECT_ZERO;
	return MIGC_COLLECT_MORE;
}

void migc_collector_clear_block(struct migc_collector *c, uint8_t *copy)
{
	c->block.count = 0;
	c->copy = copy;
	c->copied = 0;
}

void migc_collector_clear_zero(struct migc_collector *c)
{
	c->zero.count = 0;
	c->zero.pages = 0;
}

void migc_collector_set_reader(struct migc_collector *c, migc_page_read_fn read, void *ctx,
			       uint8_t *window, uint8_t *copy)
{
	c->read = read;
	c->read_ctx = ctx;
	c->window = window;
	c->copy = copy;
	c->copied = 0;
}

void migc_collector_set_delta(struct migc_collector *c, struct migc_delta_cache *cache,
			      uint8_t *residue)
{
	if (c->delta)
		migc_delta_cache_clear(c->delta);
	c->delta = cache;
	c->residue = residue;
}

void migc_collector_clear_deltas(struct migc_collector *c, uint8_t *residue)
{
	c->deltas.count = 0;
	c->residue = residue;
}
