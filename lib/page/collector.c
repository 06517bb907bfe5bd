/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_bitmap.h"
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
}

/*
 * May the page follow what the open block holds? Spans of one region come ascending within a
 * round, but a new round, or pages that failed, begin at the front again.
 */
static bool block_takes(const struct migc_collector *c, uint32_t page)
{
	const struct migc_page_list *b = &c->block;

	if (!b->count)
		return true;
	return b->count < c->block_pages && b->region == c->span.region &&
	       b->page[b->count - 1] < page;
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

static void block_put(struct migc_collector *c, uint32_t page)
{
	c->block.region = c->span.region;
	c->block.page[c->block.count++] = page;
	c->data_pages++;
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

enum migc_collect migc_collector_run(struct migc_collector *c)
{
	while (c->next < MIGC_SPAN_PAGES) {
		uint64_t bit = migc_bitmap_next(c->span.mask, MIGC_SPAN_PAGES, c->next);
		uint32_t page;

		if (bit == MIGC_BITMAP_NONE)
			break;
		c->next = (uint32_t)bit;
		page = (uint32_t)(c->span.first_page + bit);
		if (c->block.count && c->block.region != c->span.region)
			return MIGC_COLLECT_BLOCK;
		if (c->zero.count && c->zero.region != c->span.region)
			return MIGC_COLLECT_ZERO;
		/*
		 * A page that does not fit is looked at again after the list was taken, and may
		 * have changed by then: only that second look counts.
		 */
		if (c->is_zero(c->base + ((size_t)page << MIGC_PAGE_SHIFT))) {
			if (!zero_takes(c, page))
				return MIGC_COLLECT_ZERO;
			zero_put(c, page);
		} else {
			if (!block_takes(c, page))
				return MIGC_COLLECT_BLOCK;
			block_put(c, page);
		}
		c->next++;
		if (c->block.count >= c->block_pages)
			return MIGC_COLLECT_BLOCK;
	}
	c->next = MIGC_SPAN_PAGES;
	return MIGC_COLLECT_MORE;
}

enum migc_collect migc_collector_flush(const struct migc_collector *c)
{
	if (c->block.count)
		return MIGC_COLLECT_BLOCK;
	if (c->zero.count)
		return MIGC_COLLECT_ZERO;
	return MIGC_COLLECT_MORE;
}

void migc_collector_clear_block(struct migc_collector *c)
{
	c->block.count = 0;
}

void migc_collector_clear_zero(struct migc_collector *c)
{
	c->zero.count = 0;
	c->zero.pages = 0;
}
