/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "migc_bitmap.h"
#include "migc_page.h"
#include "migc_random.h"

#define REGIONS 2u
#define SPANS 8u
#define REGION_PAGES (SPANS * MIGC_SPAN_PAGES)

/* What the collector is fed with and what came out of it. */
struct fixture {
	uint8_t *base[REGIONS];
	uint8_t in_block[REGIONS][REGION_PAGES]; /* times seen there */
	uint8_t in_zero[REGIONS][REGION_PAGES];
	unsigned int blocks, zeros;
	bool reads; /* spans are given to be read, not in place */
	uint8_t was_read[REGIONS][REGION_PAGES]; /* times */
	uint8_t *window, *copy;
	struct migc_collector c;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	*state = f;
	for (unsigned int i = 0; i < REGIONS; i++) {
		f->base[i] = aligned_alloc(MIGC_PAGE_BYTES, REGION_PAGES * MIGC_PAGE_BYTES);
		if (!f->base[i])
			return -1;
		memset(f->base[i], 0, REGION_PAGES * MIGC_PAGE_BYTES);
	}
	f->window = aligned_alloc(MIGC_PAGE_BYTES, MIGC_READ_PAGES * MIGC_PAGE_BYTES);
	f->copy = aligned_alloc(MIGC_PAGE_BYTES, MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES);
	return f->window && f->copy ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < REGIONS; i++)
		free(f->base[i]);
	free(f->window);
	free(f->copy);
	free(f);
	return 0;
}

static void put_data(struct fixture *f, unsigned int region, uint32_t page)
{
	f->base[region][(size_t)page * MIGC_PAGE_BYTES + page % MIGC_PAGE_BYTES] = 1;
}

/* Of what was read before nothing is left. */
static void read_pages(void *ctx, uint16_t region, uint32_t page, uint32_t count, uint8_t *to)
{
	struct fixture *f = ctx;

	assert_in_range(count, 1, MIGC_READ_PAGES);
	memset(f->window, 0xa5, MIGC_READ_PAGES * MIGC_PAGE_BYTES);
	memcpy(to, f->base[region] + (size_t)page * MIGC_PAGE_BYTES, count * MIGC_PAGE_BYTES);
	for (uint32_t i = 0; i < count; i++)
		f->was_read[region][page + i]++;
}

static void begin(struct fixture *f, migc_page_is_zero_fn is_zero, unsigned int block_pages)
{
	migc_collector_init(&f->c, is_zero, block_pages);
	migc_collector_set_reader(&f->c, read_pages, f, f->window, f->copy);
}

/* Take what is full: it must be a list that the wire format allows. */
static void take_block(struct fixture *f)
{
	const struct migc_page_list *b = &f->c.block;

	assert_in_range(b->count, 1, f->c.block_pages);
	for (unsigned int i = 0; i < b->count; i++) {
		if (i)
			assert_true(b->page[i] > b->page[i - 1]);
		f->in_block[b->region][b->page[i]]++;
		assert_memory_equal(f->c.block_bytes[i],
				    f->base[b->region] + (size_t)b->page[i] * MIGC_PAGE_BYTES,
				    MIGC_PAGE_BYTES);
	}
	assert_int_equal(f->c.copied, f->reads ? b->count : 0);
	/* it is the caller's now */
	f->blocks++;
	migc_collector_clear_block(&f->c, f->c.copy);
}

static void take_zero(struct fixture *f)
{
	const struct migc_zero_list *z = &f->c.zero;
	uint64_t end = 0;
	uint32_t pages = 0;

	assert_in_range(z->count, 1, MIGC_ZERO_RANGES_MAX);
	for (unsigned int i = 0; i < z->count; i++) {
		assert_true(z->range[i].count >= 1);
		/* Ranges that touch would have been one. */
		assert_true(i == 0 || z->range[i].first > end);
		end = (uint64_t)z->range[i].first + z->range[i].count;
		pages += z->range[i].count;
		for (uint64_t p = z->range[i].first; p < end; p++)
			f->in_zero[z->region][p]++;
	}
	assert_int_equal(z->pages, pages);
	f->zeros++;
	migc_collector_clear_zero(&f->c);
}

static void run_until_more(struct fixture *f)
{
	enum migc_collect what;

	while ((what = migc_collector_run(&f->c)) != MIGC_COLLECT_MORE) {
		if (what == MIGC_COLLECT_BLOCK)
			take_block(f);
		else
			take_zero(f);
	}
	assert_true(migc_collector_wants_span(&f->c));
}

static void flush(struct fixture *f)
{
	enum migc_collect what;

	while ((what = migc_collector_flush(&f->c)) != MIGC_COLLECT_MORE) {
		if (what == MIGC_COLLECT_BLOCK)
			take_block(f);
		else
			take_zero(f);
	}
}

static struct migc_span span_of(unsigned int region, uint64_t first_page)
{
	struct migc_span span = {.region = (uint16_t)region, .first_page = first_page};

	return span;
}

static void give(struct fixture *f, const struct migc_span *span)
{
	assert_true(migc_collector_wants_span(&f->c));
	migc_collector_give(&f->c, span, f->reads ? NULL : f->base[span->region]);
	assert_false(migc_collector_wants_span(&f->c));
}

/* Give pages [from, to) of one span. */
static void give_range(struct fixture *f, unsigned int region, uint64_t from, uint64_t to)
{
	struct migc_span span = span_of(region, from - from % MIGC_SPAN_PAGES);

	migc_bitmap_set_range(span.mask, from % MIGC_SPAN_PAGES, to - from);
	give(f, &span);
}

static void every_page_of_the_spans_comes_out_once_and_in_the_right_place(void **state)
{
	static uint8_t asked[REGIONS][REGION_PAGES];
	struct fixture *f = *state;
	struct migc_random random;

	migc_random_seed(&random, 11);
	for (unsigned int run = 0; run < 80; run++) {
		uint64_t data_pages = 0, zero_pages = 0;
		unsigned int block_pages = 1 + run % MIGC_BLOCK_PAGES_MAX;

		memset(asked, 0, sizeof(asked));
		memset(f->in_block, 0, sizeof(f->in_block));
		memset(f->in_zero, 0, sizeof(f->in_zero));
		memset(f->was_read, 0, sizeof(f->was_read));
		f->reads = run % 2;
		begin(f, migc_page_zero_test(), block_pages);
		for (unsigned int r = 0; r < REGIONS; r++) {
			memset(f->base[r], 0, REGION_PAGES * MIGC_PAGE_BYTES);
			for (uint32_t p = 0; p < REGION_PAGES; p++) {
				if (migc_random_next(&random) % 80 < run)
					put_data(f, r, p);
			}
		}
		/* Regions alternate and spans go up and down, as rounds and repeats may. */
		for (unsigned int i = 0; i < SPANS * REGIONS; i++) {
			unsigned int region = (i / 3) % REGIONS, at = (i * 5) % SPANS;
			struct migc_span span = span_of(region, at * MIGC_SPAN_PAGES);

			for (uint32_t p = 0; p < MIGC_SPAN_PAGES; p++) {
				if (asked[region][span.first_page + p] ||
				    migc_random_next(&random) % 4 == 0)
					continue;
				asked[region][span.first_page + p] = 1;
				migc_bitmap_set(span.mask, p);
			}
			give(f, &span);
			run_until_more(f);
		}
		flush(f);
		for (unsigned int r = 0; r < REGIONS; r++) {
			for (uint32_t p = 0; p < REGION_PAGES; p++) {
				bool zero = migc_page_is_zero_scalar(f->base[r] +
								     (size_t)p * MIGC_PAGE_BYTES);

				assert_int_equal(f->in_zero[r][p], asked[r][p] && zero);
				assert_int_equal(f->in_block[r][p], asked[r][p] && !zero);
				assert_int_equal(f->was_read[r][p], asked[r][p] && f->reads);
				zero_pages += f->in_zero[r][p];
				data_pages += f->in_block[r][p];
			}
		}
		assert_int_equal(f->c.zero_pages, zero_pages);
		assert_int_equal(f->c.data_pages, data_pages);
		assert_int_equal(f->c.read_pages, f->reads ? zero_pages + data_pages : 0);
	}
}

static void a_full_block_is_returned_at_once(void **state)
{
	struct fixture *f = *state;

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 4);
	for (uint32_t p = 0; p < 9; p++)
		put_data(f, 0, p);
	give_range(f, 0, 0, 9);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_BLOCK);
	assert_int_equal(f->c.block.count, 4);
	take_block(f);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_BLOCK);
	take_block(f);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_MORE);
	assert_int_equal(f->c.block.count, 1);
	assert_int_equal(migc_collector_flush(&f->c), MIGC_COLLECT_BLOCK);
	take_block(f);
	assert_int_equal(migc_collector_flush(&f->c), MIGC_COLLECT_MORE);
}

static void zero_ranges_go_on_across_spans(void **state)
{
	struct fixture *f = *state;

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 4);
	for (uint32_t i = 0; i < 3; i++) {
		give_range(f, 0, i * MIGC_SPAN_PAGES, (i + 1) * MIGC_SPAN_PAGES);
		assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_MORE);
	}
	assert_int_equal(migc_collector_flush(&f->c), MIGC_COLLECT_ZERO);
	assert_int_equal(f->c.zero.count, 1);
	assert_int_equal(f->c.zero.range[0].first, 0);
	assert_int_equal(f->c.zero.range[0].count, 3 * MIGC_SPAN_PAGES);
	assert_int_equal(f->c.zero.pages, 3 * MIGC_SPAN_PAGES);
}

static void another_region_makes_what_is_open_come_out_first(void **state)
{
	struct fixture *f = *state;

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 16);
	put_data(f, 0, 1);
	give_range(f, 0, 0, 2);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_MORE);
	give_range(f, 1, 0, 2);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_BLOCK);
	assert_int_equal(f->c.block.region, 0);
	take_block(f);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_ZERO);
	assert_int_equal(f->c.zero.region, 0);
	take_zero(f);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_MORE);
	assert_int_equal(f->c.zero.region, 1);
	assert_int_equal(f->c.zero.pages, 2);
}

static void a_page_that_comes_again_goes_into_another_block(void **state)
{
	struct fixture *f = *state;

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 16);
	put_data(f, 0, 5);
	for (unsigned int i = 0; i < 2; i++) {
		give_range(f, 0, 4, 6);
		run_until_more(f);
	}
	flush(f);
	assert_int_equal(f->blocks, 2);
	assert_int_equal(f->zeros, 2);
	assert_int_equal(f->in_block[0][5], 2);
	assert_int_equal(f->in_zero[0][4], 2);
}

static void a_full_zero_list_is_returned_and_no_page_is_lost(void **state)
{
	struct fixture *f = *state;
	uint32_t pages = 2 * (MIGC_ZERO_RANGES_MAX + 3);

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 32);
	/* Every second page is asked for: each is a range of its own. */
	for (uint32_t first = 0; first < pages; first += MIGC_SPAN_PAGES) {
		struct migc_span span = span_of(0, first);

		for (uint32_t p = 0; p < MIGC_SPAN_PAGES && first + p < pages; p += 2)
			migc_bitmap_set(span.mask, p);
		give(f, &span);
		run_until_more(f);
	}
	assert_int_equal(f->zeros, 1);
	flush(f);
	assert_int_equal(f->zeros, 2);
	for (uint32_t p = 0; p < pages; p++)
		assert_int_equal(f->in_zero[0][p], p % 2 == 0);
}

static void a_full_zero_list_still_takes_what_touches_its_last_range(void **state)
{
	struct fixture *f = *state;
	struct migc_zero_list *z = &f->c.zero;

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 32);
	z->count = MIGC_ZERO_RANGES_MAX;
	for (uint32_t i = 0; i < MIGC_ZERO_RANGES_MAX; i++) {
		z->range[i].first = 2 * i;
		z->range[i].count = 1;
	}
	z->pages = MIGC_ZERO_RANGES_MAX;
	give_range(f, 0, 2 * MIGC_ZERO_RANGES_MAX - 1, 2 * MIGC_ZERO_RANGES_MAX);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_MORE);
	assert_int_equal(z->count, MIGC_ZERO_RANGES_MAX);
	assert_int_equal(z->range[MIGC_ZERO_RANGES_MAX - 1].count, 2);
	assert_int_equal(z->pages, MIGC_ZERO_RANGES_MAX + 1);
}

static void an_empty_span_is_used_up_at_once(void **state)
{
	struct fixture *f = *state;
	struct migc_span span = span_of(0, 0);

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 32);
	assert_true(migc_collector_wants_span(&f->c));
	assert_int_equal(migc_collector_flush(&f->c), MIGC_COLLECT_MORE);
	give(f, &span);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_MORE);
	assert_true(migc_collector_wants_span(&f->c));
}

static void block_pages_are_kept_within_the_format(void **state)
{
	struct fixture *f = *state;

	migc_collector_init(&f->c, migc_page_is_zero_scalar, 0);
	assert_int_equal(f->c.block_pages, 1);
	migc_collector_init(&f->c, migc_page_is_zero_scalar, 1000);
	assert_int_equal(f->c.block_pages, MIGC_BLOCK_PAGES_MAX);
}

/* The list is full while there is more in the window: what was read goes into the next. */
static void a_page_that_was_read_is_not_read_again_when_a_list_is_full(void **state)
{
	struct fixture *f = *state;

	begin(f, migc_page_is_zero_scalar, 5);
	f->reads = true;
	for (uint32_t p = 0; p < 12; p++)
		put_data(f, 0, p);
	give_range(f, 0, 0, 12);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_BLOCK);
	/* what a guest writes after that is for the next round */
	f->base[0][6 * MIGC_PAGE_BYTES] = 77;
	assert_int_equal(f->c.block_bytes[0][0], 1);
	migc_collector_clear_block(&f->c, f->copy);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_BLOCK);
	assert_int_equal(f->c.block.page[1], 6);
	assert_int_equal(f->c.block_bytes[1][0], 0);
	for (uint32_t p = 0; p < 12; p++)
		assert_int_equal(f->was_read[0][p], 1);
}

static void runs_of_pages_are_read_at_one_go_and_gaps_are_not(void **state)
{
	struct migc_span span = span_of(1, MIGC_SPAN_PAGES);
	struct fixture *f = *state;

	begin(f, migc_page_is_zero_scalar, MIGC_BLOCK_PAGES_MAX);
	f->reads = true;
	/* the last pages of a span, and one alone */
	migc_bitmap_set_range(span.mask, MIGC_SPAN_PAGES - 40, 40);
	migc_bitmap_set(span.mask, 3);
	give(f, &span);
	assert_int_equal(migc_collector_run(&f->c), MIGC_COLLECT_MORE);
	for (uint32_t p = 0; p < REGION_PAGES; p++)
		assert_int_equal(f->was_read[1][p],
				 p == MIGC_SPAN_PAGES + 3 || (p >= 2 * MIGC_SPAN_PAGES - 40 &&
							      p < 2 * MIGC_SPAN_PAGES));
	assert_int_equal(f->c.read_pages, 41);
	assert_int_equal(f->c.zero.pages, 41);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_page_of_the_spans_comes_out_once_and_in_the_right_place),
		TEST(a_full_block_is_returned_at_once),
		TEST(a_page_that_was_read_is_not_read_again_when_a_list_is_full),
		TEST(runs_of_pages_are_read_at_one_go_and_gaps_are_not),
		TEST(zero_ranges_go_on_across_spans),
		TEST(another_region_makes_what_is_open_come_out_first),
		TEST(a_page_that_comes_again_goes_into_another_block),
		TEST(a_full_zero_list_is_returned_and_no_page_is_lost),
		TEST(a_full_zero_list_still_takes_what_touches_its_last_range),
		TEST(an_empty_span_is_used_up_at_once),
		TEST(block_pages_are_kept_within_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
