/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_PAGE_H
#define MIGC_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * Page classification and collecting. No DPDK, no I/O: works on memory and page numbers.
 */

#define MIGC_PAGE_BYTES 4096u
#define MIGC_PAGE_SHIFT 12
/** Largest number of pages in one block, whatever the codec (wire format limit). */
#define MIGC_BLOCK_PAGES_MAX 64
/** Pages one span covers: 1 MiB of guest memory. */
#define MIGC_SPAN_PAGES 256u
#define MIGC_SPAN_WORDS (MIGC_SPAN_PAGES / 64)
/** Pages that are read at one go, where they are read: 128 KiB stay in a core's second cache. */
#define MIGC_READ_PAGES 32u
/** Largest number of ranges in one zero block. */
#define MIGC_ZERO_RANGES_MAX 256

/** @return whether all of one page (MIGC_PAGE_BYTES, aligned to 64) is zero. */
typedef bool (*migc_page_is_zero_fn)(const void *page);

/** The oracle: plain C, any CPU. */
bool migc_page_is_zero_scalar(const void *page);

/** The fastest zero test this CPU runs (AVX-512F, AVX2, else scalar). */
migc_page_is_zero_fn migc_page_zero_test(void);

/**
 * The zero test of that name ("scalar", "avx2", "avx512"), for tests and measurements.
 * @return NULL when there is none of that name or this CPU cannot run it.
 */
migc_page_is_zero_fn migc_page_zero_test_by_name(const char *name);

/** Some pages of one region: the unit of work handed to a worker. Copied by value. */
struct migc_span {
	uint16_t region;
	uint64_t first_page; /**< multiple of MIGC_SPAN_PAGES */
	uint64_t mask[MIGC_SPAN_WORDS]; /**< bit i: page first_page + i is to be sent */
};

/**
 * Take the next span with any bit set from a page bitmap, and clear its bits there.
 *
 * @param words   bitmap of the region, `pages` bits
 * @param cursor  in: where to go on (0 at first); out: past the span taken
 * @param span    filled when 1 is returned (region is the caller's to set)
 * @return 1 when a span was taken, 0 when no bit is set at or after the cursor.
 */
int migc_span_take(uint64_t *words, uint64_t pages, uint64_t *cursor, struct migc_span *span);

/** In which order the spans of a region come. Fields are its own. */
struct migc_span_order {
	uint64_t spans, step, at, passed;
};

/**
 * @param spans  of the region
 * @param spread each few of them that follow each other are spread over the whole region, as parts
 *               of a guest differ in what they hold; else ascending
 */
void migc_span_order_begin(struct migc_span_order *o, uint64_t spans, bool spread);
/** @return whether there is one more: `*span`, below `spans`, none twice. */
bool migc_span_order_next(struct migc_span_order *o, uint64_t *span);

/** Pages of one region, ascending, not necessarily adjacent: what becomes one block. */
struct migc_page_list {
	uint16_t region;
	uint16_t count;
	uint32_t page[MIGC_BLOCK_PAGES_MAX];
};

/** Ranges of zero pages of one region, ascending, disjoint. */
struct migc_zero_list {
	uint16_t region;
	uint16_t count;
	uint32_t pages; /**< sum of the ranges' lengths */
	struct {
		uint32_t first;
		uint32_t count;
	} range[MIGC_ZERO_RANGES_MAX];
};

struct migc_delta_cache;

/** Bring `count` pages of a region, at most MIGC_READ_PAGES, to `to`. */
typedef void (*migc_page_read_fn)(void *ctx, uint16_t region, uint32_t page, uint32_t count,
				  uint8_t *to);

/**
 * Sorts the pages of spans into blocks, blocks of deltas and zero ranges. One per worker; no
 * allocation. Fields are the collector's own.
 */
struct migc_collector {
	migc_page_is_zero_fn is_zero;
	unsigned int block_pages; /**< 1..MIGC_BLOCK_PAGES_MAX */
	struct migc_span span;
	const uint8_t *base; /**< address of page 0 of the span's region; NULL: it is read: */
	migc_page_read_fn read; /**< NULL: no region is read */
	void *read_ctx;
	uint8_t *window; /**< pages that were read: `window_pages` from bit window_first of the
			  * span */
	uint32_t window_first, window_pages;
	uint8_t *copy; /**< of those of them that are in the block */
	unsigned int copied; /**< how many these are */
	uint32_t next; /**< next bit of the span to look at; MIGC_SPAN_PAGES = span used up */
	struct migc_page_list block;
	const uint8_t *block_bytes[MIGC_BLOCK_PAGES_MAX]; /**< where to read each page from */
	struct migc_zero_list zero;
	struct migc_delta_cache *delta; /**< NULL: no deltas */
	struct migc_page_list deltas;
	const uint8_t *deltas_bytes[MIGC_BLOCK_PAGES_MAX]; /**< the whole page of each delta */
	uint8_t *residue; /**< of deltas, in their order */
	uint64_t zero_pages; /**< statistics: pages found zero */
	uint64_t data_pages; /**< statistics: pages put into blocks */
	uint64_t read_pages; /**< statistics: pages read */
};

enum migc_collect {
	MIGC_COLLECT_MORE, /**< the span is used up: give the next, or flush */
	MIGC_COLLECT_BLOCK, /**< collector.block is full: take it, then migc_collector_clear_block()
			     */
	MIGC_COLLECT_ZERO, /**< collector.zero is full: take it, then migc_collector_clear_zero() */
	MIGC_COLLECT_DELTA, /**< collector.deltas is full: take it and its residue, then
			     * migc_collector_clear_deltas() */
};

void migc_collector_init(struct migc_collector *c, migc_page_is_zero_fn is_zero,
			 unsigned int block_pages);
/** @return whether a new span may be given. */
bool migc_collector_wants_span(const struct migc_collector *c);
/**
 * Give the next span; `base` is the address of its region's page 0 (64-byte aligned). NULL: its
 * pages are read, each of them once.
 */
void migc_collector_give(struct migc_collector *c, const struct migc_span *span, const void *base);
/**
 * Look at pages until something is full or the span is used up. A span of another region than
 * the open block's (or zero list's) makes that one be returned first, as if full.
 */
enum migc_collect migc_collector_run(struct migc_collector *c);
/** What is open though not full: BLOCK, DELTA, ZERO, or MORE when nothing is. For the end of a
 * round. */
enum migc_collect migc_collector_flush(const struct migc_collector *c);
/** @param copy room for what the next block has of pages that were read; as it was, unless copied
 */
void migc_collector_clear_block(struct migc_collector *c, uint8_t *copy);
void migc_collector_clear_zero(struct migc_collector *c);
/**
 * How regions are read that are given without a base. Nothing is open.
 * @param window room for MIGC_READ_PAGES pages, aligned to 64
 * @param copy   room for MIGC_BLOCK_PAGES_MAX pages, aligned to 64
 */
void migc_collector_set_reader(struct migc_collector *c, migc_page_read_fn read, void *ctx,
			       uint8_t *window, uint8_t *copy);
/**
 * Send deltas from now on, or not any more (NULL). Nothing is open. The cache that was in use is
 * cleared, for it does not see what is sent without it.
 * @param residue room for MIGC_BLOCK_PAGES_MAX pages, aligned to 64
 */
void migc_collector_set_delta(struct migc_collector *c, struct migc_delta_cache *cache,
			      uint8_t *residue);
/** @param residue room for the next deltas, as of migc_collector_set_delta() */
void migc_collector_clear_deltas(struct migc_collector *c, uint8_t *residue);

#endif
