/* SPDX-License-Identifier: BSD-3-Clause */
/* A source of two workers with deltas, and a destination that does what blocks say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "migc_bitmap.h"
#include "migc_delta.h"
#include "migc_random.h"

#define WORKERS 2u
#define REGIONS 2u
#define SPANS 4u
#define REGION_PAGES (SPANS * MIGC_SPAN_PAGES)
#define REGION_BYTES (REGION_PAGES * (size_t)MIGC_PAGE_BYTES)
#define BLOCK_PAGES 16u
#define BLOCKS_MAX 2048u

/** A block on its way: bytes are copied when the round ends, as late as a transport may read. */
struct sent {
	enum migc_collect what;
	uint16_t region;
	unsigned int count;
	uint32_t page[MIGC_ZERO_RANGES_MAX], length[MIGC_ZERO_RANGES_MAX];
	const uint8_t *bytes[MIGC_BLOCK_PAGES_MAX];
	uint8_t *residue;
};

struct worker {
	struct migc_collector collector;
	struct migc_delta_cache cache;
	void *memory;
};

struct fixture {
	struct worker worker[WORKERS];
	uint8_t *guest[REGIONS], *destination[REGIONS];
	uint64_t dirty[REGIONS][REGION_PAGES / 64], due[REGIONS][REGION_PAGES / 64];
	struct sent *sent;
	unsigned int blocks;
	uint64_t deltas, whole, zeros, failed; /* blocks */
	struct migc_random random;
};

static uint8_t *room(size_t bytes)
{
	uint8_t *memory = aligned_alloc(MIGC_PAGE_BYTES, bytes);

	assert_non_null(memory);
	return memory;
}

static uint8_t *residue_room(void)
{
	return room(MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->sent = calloc(BLOCKS_MAX, sizeof(*f->sent));
	assert_non_null(f->sent);
	for (unsigned int i = 0; i < REGIONS; i++) {
		f->guest[i] = room(REGION_BYTES);
		f->destination[i] = room(REGION_BYTES);
		memset(f->guest[i], 0, REGION_BYTES);
		memset(f->destination[i], 0, REGION_BYTES);
		memset(f->dirty[i], 0xff, sizeof(f->dirty[i]));
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		struct worker *w = &f->worker[i];
		/* less than the worker's share of the guest */
		size_t bytes = migc_delta_cache_bytes(REGION_PAGES / 2);

		w->memory = room((bytes + MIGC_PAGE_BYTES - 1) & ~(MIGC_PAGE_BYTES - 1ul));
		assert_int_equal(migc_delta_cache_init(&w->cache, w->memory, bytes), 0);
		migc_collector_init(&w->collector, migc_page_zero_test(), BLOCK_PAGES);
		migc_collector_set_delta(&w->collector, &w->cache, residue_room());
	}
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < REGIONS; i++) {
		free(f->guest[i]);
		free(f->destination[i]);
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		free(f->worker[i].memory);
		free(f->worker[i].collector.residue);
	}
	free(f->sent);
	free(f);
	return 0;
}

static uint64_t number(struct fixture *f, uint64_t below)
{
	return migc_random_next(&f->random) % below;
}

static uint8_t *page_of(uint8_t *const *memory, unsigned int region, uint32_t page)
{
	return memory[region] + (size_t)page * MIGC_PAGE_BYTES;
}

/** The guest writes: a word, many words, zeros, or what is there already. */
static void write_somewhere(struct fixture *f)
{
	unsigned int region = (unsigned int)number(f, REGIONS);
	/* some pages are hot */
	uint32_t page = (uint32_t)number(f, number(f, 2) ? 200 : REGION_PAGES);
	uint8_t *at = page_of(f->guest, region, page);
	uint64_t words = 1, kind = number(f, 10);

	migc_bitmap_set(f->dirty[region], page);
	if (kind == 0)
		memset(at, 0, MIGC_PAGE_BYTES);
	else if (kind < 3)
		words = MIGC_PAGE_WORDS;
	else if (kind == 3)
		words = 0;
	for (uint64_t i = 0; kind && i < words; i++) {
		uint64_t value = migc_random_next(&f->random);

		memcpy(at + 8 * number(f, MIGC_PAGE_WORDS), &value, sizeof(value));
	}
}

static void send_block(struct fixture *f, struct worker *w, enum migc_collect what)
{
	struct migc_collector *c = &w->collector;
	const struct migc_page_list *list = what == MIGC_COLLECT_BLOCK ? &c->block : &c->deltas;
	struct sent *sent = &f->sent[f->blocks++];

	assert_true(f->blocks < BLOCKS_MAX);
	*sent = (struct sent){.what = what};
	if (what == MIGC_COLLECT_ZERO) {
		sent->region = c->zero.region;
		sent->count = c->zero.count;
		for (unsigned int i = 0; i < sent->count; i++) {
			sent->page[i] = c->zero.range[i].first;
			sent->length[i] = c->zero.range[i].count;
		}
		migc_collector_clear_zero(c);
		f->zeros++;
		return;
	}
	sent->region = list->region;
	sent->count = list->count;
	assert_in_range(list->count, 1, BLOCK_PAGES);
	memcpy(sent->page, list->page, list->count * sizeof(list->page[0]));
	for (unsigned int i = 0; i < list->count; i++) {
		sent->bytes[i] = what == MIGC_COLLECT_BLOCK ? c->block_bytes[i]
							    : c->deltas_bytes[i];
		assert_true(i == 0 || list->page[i] > list->page[i - 1]);
	}
	if (what == MIGC_COLLECT_BLOCK) {
		migc_collector_clear_block(c, c->copy);
		f->whole++;
	} else {
		sent->residue = c->residue;
		migc_collector_clear_deltas(c, residue_room());
		f->deltas++;
	}
}

static struct worker *owner(struct fixture *f, const struct migc_span *span)
{
	return &f->worker[(span->first_page / MIGC_SPAN_PAGES + span->region) % WORKERS];
}

static void collect_round(struct fixture *f, unsigned int writes)
{
	enum migc_collect what;

	for (unsigned int region = 0; region < REGIONS; region++) {
		struct migc_span span = {.region = (uint16_t)region};
		uint64_t cursor = 0;

		while (migc_span_take(f->due[region], REGION_PAGES, &cursor, &span)) {
			struct worker *w = owner(f, &span);

			migc_collector_give(&w->collector, &span, f->guest[region]);
			while ((what = migc_collector_run(&w->collector)) != MIGC_COLLECT_MORE)
				send_block(f, w, what);
			for (unsigned int i = 0; i < writes; i++)
				write_somewhere(f);
		}
	}
	for (unsigned int i = 0; i < WORKERS; i++) {
		while ((what = migc_collector_flush(&f->worker[i].collector)) != MIGC_COLLECT_MORE)
			send_block(f, &f->worker[i], what);
	}
}

static void apply(struct fixture *f, const struct sent *sent)
{
	for (unsigned int i = 0; i < sent->count; i++) {
		uint8_t *to = page_of(f->destination, sent->region, sent->page[i]);

		if (sent->what == MIGC_COLLECT_ZERO)
			memset(to, 0, (size_t)sent->length[i] * MIGC_PAGE_BYTES);
		else if (sent->what == MIGC_COLLECT_BLOCK)
			memcpy(to, sent->bytes[i], MIGC_PAGE_BYTES);
		else
			migc_delta_apply()(to, sent->residue + (size_t)i * MIGC_PAGE_BYTES);
	}
}

/** The pages hold anything now; the source forgets them and sends them again. */
static void fail_block(struct fixture *f, const struct sent *sent)
{
	for (unsigned int i = 0; i < sent->count; i++) {
		struct migc_span span = {.region = sent->region};

		span.first_page = sent->page[i] - sent->page[i] % MIGC_SPAN_PAGES;
		memset(page_of(f->destination, sent->region, sent->page[i]), 0xee, MIGC_PAGE_BYTES);
		migc_delta_cache_drop(&owner(f, &span)->cache, sent->region, sent->page[i]);
		migc_bitmap_set(f->dirty[sent->region], sent->page[i]);
	}
	f->failed++;
}

/** @param fail_one_in 0: none. Blocks are applied in any order, after all were sent. */
static void run_round(struct fixture *f, uint32_t round, unsigned int writes,
		      unsigned int fail_one_in)
{
	memcpy(f->due, f->dirty, sizeof(f->due));
	memset(f->dirty, 0, sizeof(f->dirty));
	for (unsigned int i = 0; i < WORKERS; i++)
		migc_delta_cache_begin_round(&f->worker[i].cache, round);
	f->blocks = 0;
	collect_round(f, writes);
	for (unsigned int left = f->blocks; left; left--) {
		unsigned int i = (unsigned int)number(f, left);
		struct sent sent = f->sent[i];

		f->sent[i] = f->sent[left - 1];
		if (fail_one_in && sent.what != MIGC_COLLECT_ZERO && number(f, fail_one_in) == 0)
			fail_block(f, &sent);
		else
			apply(f, &sent);
		free(sent.residue);
	}
}

static void require_equal(const struct fixture *f)
{
	for (unsigned int region = 0; region < REGIONS; region++) {
		for (uint32_t page = 0; page < REGION_PAGES; page++) {
			if (memcmp(page_of(f->guest, region, page),
				   page_of(f->destination, region, page), MIGC_PAGE_BYTES))
				fail_msg("region %u page %u differs", region, page);
		}
	}
}

static void live(struct fixture *f, uint64_t seed, unsigned int fail_one_in)
{
	migc_random_seed(&f->random, seed);
	for (unsigned int i = 0; i < 3000; i++)
		write_somewhere(f);
	for (uint32_t round = 1; round < 12; round++)
		run_round(f, round, 40, fail_one_in);
	/* the guest stands still */
	run_round(f, 12, 0, 0);
	require_equal(f);
}

static void the_destination_ends_with_the_guests_memory(void **state)
{
	struct fixture *f = *state;
	const struct migc_delta_stats *stats = &f->worker[0].cache.stats;

	live(f, 1, 0);
	/* all ways were gone */
	assert_true(f->deltas > 0 && f->whole > 0 && f->zeros > 0);
	assert_true(stats->same > 0 && stats->dense > 0 && stats->evicted > 0);
	assert_true(stats->deltas > 0 && stats->misses > 0);
}

static void blocks_that_failed_are_made_good_by_whole_pages(void **state)
{
	struct fixture *f = *state;

	live(f, 2, 4);
	assert_true(f->failed > 20);
}

static void without_a_cache_pages_are_read_in_the_guest(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < WORKERS; i++) {
		free(f->worker[i].collector.residue);
		migc_collector_set_delta(&f->worker[i].collector, NULL, NULL);
	}
	/* it does not write while a round is sent: what is read last is what is compared */
	migc_random_seed(&f->random, 3);
	for (uint32_t round = 1; round < 4; round++) {
		for (unsigned int i = 0; i < 1000; i++)
			write_somewhere(f);
		run_round(f, round, 0, 0);
		require_equal(f);
	}
	assert_int_equal(f->deltas, 0);
}

static void deltas_that_were_off_begin_with_an_empty_cache(void **state)
{
	struct fixture *f = *state;
	uint8_t *residue[WORKERS];

	migc_random_seed(&f->random, 4);
	for (uint32_t round = 1; round < 8; round++) {
		bool off = round == 4;

		for (unsigned int i = 0; i < 1000; i++)
			write_somewhere(f);
		for (unsigned int i = 0; off && i < WORKERS; i++) {
			residue[i] = f->worker[i].collector.residue;
			migc_collector_set_delta(&f->worker[i].collector, NULL, NULL);
		}
		run_round(f, round, 0, 0);
		for (unsigned int i = 0; off && i < WORKERS; i++)
			migc_collector_set_delta(&f->worker[i].collector, &f->worker[i].cache,
						 residue[i]);
		require_equal(f);
	}
	assert_true(f->deltas > 0);
}

static void deltas_of_earlier_pages_begin_another_block(void **state)
{
	struct fixture *f = *state;
	struct worker *w = &f->worker[0];
	struct migc_span span = {.mask = {1}};
	enum migc_collect what;

	for (uint32_t page = 0; page < REGION_PAGES; page++)
		page_of(f->guest, 0, page)[0] = 1;
	run_round(f, 2, 0, 0);
	for (uint32_t page = 0; page < REGION_PAGES; page++)
		page_of(f->guest, 0, page)[0] = 2;
	migc_delta_cache_begin_round(&w->cache, 3);
	f->blocks = 0;
	/* worker 0 has spans 0 and 2 of this region */
	for (unsigned int i = 0; i < 2; i++) {
		span.first_page = (2 - 2 * i) * MIGC_SPAN_PAGES;
		migc_collector_give(&w->collector, &span, f->guest[0]);
		while ((what = migc_collector_run(&w->collector)) != MIGC_COLLECT_MORE)
			send_block(f, w, what);
	}
	assert_int_equal(f->blocks, 1);
	assert_int_equal(f->sent[0].what, MIGC_COLLECT_DELTA);
	assert_int_equal(f->sent[0].page[0], 2 * MIGC_SPAN_PAGES);
	assert_int_equal(migc_collector_flush(&w->collector), MIGC_COLLECT_DELTA);
	assert_int_equal(w->collector.deltas.page[0], 0);
	free(f->sent[0].residue);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_destination_ends_with_the_guests_memory),
		TEST(blocks_that_failed_are_made_good_by_whole_pages),
		TEST(without_a_cache_pages_are_read_in_the_guest),
		TEST(deltas_of_earlier_pages_begin_another_block),
		TEST(deltas_that_were_off_begin_with_an_empty_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
