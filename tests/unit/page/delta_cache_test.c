/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "migc_delta.h"

#define SLOTS 64u

struct fixture {
	struct migc_delta_cache cache;
	void *memory;
	uint8_t page[MIGC_PAGE_BYTES] __attribute__((aligned(64)));
	uint8_t residue[MIGC_PAGE_BYTES] __attribute__((aligned(64)));
	const uint8_t *slot;
};

static int set_up(void **state)
{
	struct fixture *f = aligned_alloc(64, sizeof(*f));

	assert_non_null(f);
	memset(f, 0, sizeof(*f));
	assert_int_equal(posix_memalign(&f->memory, MIGC_PAGE_BYTES, migc_delta_cache_bytes(SLOTS)),
			 0);
	assert_int_equal(migc_delta_cache_init(&f->cache, f->memory, migc_delta_cache_bytes(SLOTS)),
			 0);
	assert_int_equal(migc_delta_cache_pages(&f->cache), SLOTS);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	free(f->memory);
	free(f);
	return 0;
}

/** What a page holds in a version: all words but `words` of them are the same in each. */
static const uint8_t *content(struct fixture *f, uint32_t page, uint32_t version,
			      unsigned int words)
{
	memset(f->page, (int)(page % 251 + 1), MIGC_PAGE_BYTES);
	for (unsigned int i = 0; i < words; i++)
		memcpy(f->page + 8u * i, &version, sizeof(version));
	return f->page;
}

static enum migc_delta_kind send_words(struct fixture *f, uint32_t page, uint32_t version,
				       unsigned int words)
{
	return migc_delta_page(&f->cache, 0, page, content(f, page, version, words), f->residue,
			       &f->slot);
}

static enum migc_delta_kind send(struct fixture *f, uint32_t page, uint32_t version)
{
	return send_words(f, page, version, 1);
}

static bool holds(struct fixture *f, uint32_t page)
{
	return migc_delta_cache_find(&f->cache, 0, page) != NULL;
}

/** Pages that share a set: the cache of one set has no others. */
static void one_set(struct fixture *f)
{
	assert_int_equal(migc_delta_cache_init(&f->cache, f->memory, migc_delta_cache_bytes(1)), 0);
	assert_int_equal(migc_delta_cache_pages(&f->cache), MIGC_DELTA_WAYS);
}

static void a_page_goes_whole_first_and_then_as_what_changed(void **state)
{
	struct fixture *f = *state;

	migc_delta_cache_begin_round(&f->cache, 2);
	assert_int_equal(send(f, 7, 1), MIGC_DELTA_WHOLE);
	assert_memory_equal(f->slot, f->page, MIGC_PAGE_BYTES);
	assert_true(migc_delta_cache_find(&f->cache, 0, 7) == f->slot);
	migc_delta_cache_begin_round(&f->cache, 3);
	assert_int_equal(send(f, 7, 3), MIGC_DELTA_XOR);
	assert_memory_equal(f->slot, f->page, MIGC_PAGE_BYTES);
	assert_int_equal(f->residue[0], 1 ^ 3);
	f->residue[0] = 0;
	assert_true(migc_page_is_zero_scalar(f->residue));
	assert_int_equal(f->cache.stats.misses, 1);
	assert_int_equal(f->cache.stats.deltas, 1);
}

static void a_page_that_did_not_change_is_not_sent(void **state)
{
	struct fixture *f = *state;

	send(f, 7, 1);
	migc_delta_cache_begin_round(&f->cache, 2);
	assert_int_equal(send(f, 7, 1), MIGC_DELTA_SAME);
	assert_null(f->slot);
	assert_int_equal(f->cache.stats.same, 1);
	migc_delta_cache_begin_round(&f->cache, 3);
	assert_int_equal(send(f, 7, 2), MIGC_DELTA_XOR);
}

static void a_page_of_which_too_much_changed_goes_whole_and_is_kept(void **state)
{
	struct fixture *f = *state;

	send_words(f, 7, 1, MIGC_DELTA_WORDS_MAX);
	migc_delta_cache_begin_round(&f->cache, 2);
	assert_int_equal(send_words(f, 7, 2, MIGC_DELTA_WORDS_MAX), MIGC_DELTA_XOR);
	migc_delta_cache_begin_round(&f->cache, 3);
	assert_int_equal(send_words(f, 7, 3, MIGC_DELTA_WORDS_MAX + 1), MIGC_DELTA_WHOLE);
	assert_memory_equal(f->slot, f->page, MIGC_PAGE_BYTES);
	assert_int_equal(f->cache.stats.dense, 1);
	migc_delta_cache_begin_round(&f->cache, 4);
	assert_int_equal(send_words(f, 7, 3, MIGC_DELTA_WORDS_MAX + 1), MIGC_DELTA_SAME);
}

static void regions_do_not_mix(void **state)
{
	struct fixture *f = *state;

	one_set(f);
	content(f, 7, 1, 1);
	migc_delta_page(&f->cache, 0, 7, f->page, f->residue, &f->slot);
	assert_int_equal(migc_delta_page(&f->cache, 1, 7, f->page, f->residue, &f->slot),
			 MIGC_DELTA_WHOLE);
	migc_delta_cache_drop(&f->cache, 1, 7);
	assert_true(holds(f, 7));
	/* no region of a session, and none of the index: such a page has no part in the cache */
	assert_int_equal(
		migc_delta_page(&f->cache, MIGC_DELTA_NO_REGION, 7, f->page, f->residue, &f->slot),
		MIGC_DELTA_PASS);
	assert_null(migc_delta_cache_find(&f->cache, MIGC_DELTA_NO_REGION, 0));
	assert_null(migc_delta_cache_find(&f->cache, 256, 7));
}

static void what_is_dropped_or_cleared_goes_whole(void **state)
{
	struct fixture *f = *state;

	send(f, 7, 1);
	send(f, 8, 1);
	migc_delta_cache_drop(&f->cache, 0, 7);
	migc_delta_cache_drop(&f->cache, 0, 9);
	assert_false(holds(f, 7));
	assert_true(holds(f, 8));
	migc_delta_cache_begin_round(&f->cache, 2);
	assert_int_equal(send(f, 7, 1), MIGC_DELTA_WHOLE);
	assert_int_equal(send(f, 8, 2), MIGC_DELTA_XOR);
	migc_delta_cache_clear(&f->cache);
	migc_delta_cache_begin_round(&f->cache, 3);
	assert_int_equal(send(f, 7, 2), MIGC_DELTA_WHOLE);
	assert_int_equal(send(f, 8, 3), MIGC_DELTA_WHOLE);
}

static void what_was_of_use_in_the_last_round_keeps_its_place(void **state)
{
	struct fixture *f = *state;

	one_set(f);
	migc_delta_cache_begin_round(&f->cache, 2);
	for (uint32_t page = 0; page < MIGC_DELTA_WAYS; page++)
		assert_int_equal(send(f, page, 2), MIGC_DELTA_WHOLE);
	assert_int_equal(send(f, 100, 2), MIGC_DELTA_PASS);
	migc_delta_cache_begin_round(&f->cache, 3);
	assert_int_equal(send(f, 101, 3), MIGC_DELTA_PASS);
	assert_null(f->slot);
	assert_int_equal(f->cache.stats.refused, 2);
	/* all but page 3 are used: it is the only one that may go in the round after */
	for (uint32_t page = 0; page < MIGC_DELTA_WAYS; page++) {
		if (page != 3)
			assert_int_equal(send(f, page, 3), MIGC_DELTA_XOR);
	}
	migc_delta_cache_begin_round(&f->cache, 4);
	assert_int_equal(send(f, 102, 4), MIGC_DELTA_WHOLE);
	assert_int_equal(send(f, 103, 4), MIGC_DELTA_PASS);
	assert_false(holds(f, 3));
	assert_int_equal(f->cache.stats.evicted, 1);
}

static void the_oldest_goes_first(void **state)
{
	struct fixture *f = *state;

	one_set(f);
	for (uint32_t round = 2; round < 2 + MIGC_DELTA_WAYS; round++) {
		migc_delta_cache_begin_round(&f->cache, round);
		/* page numbers fall as the rounds go on: the order in the set is not the age */
		assert_int_equal(send(f, 50 - round, round), MIGC_DELTA_WHOLE);
	}
	migc_delta_cache_begin_round(&f->cache, 20);
	for (uint32_t i = 0; i < MIGC_DELTA_WAYS; i++) {
		assert_true(holds(f, 48 - i));
		assert_int_equal(send(f, 100 + i, 20), MIGC_DELTA_WHOLE);
		assert_false(holds(f, 48 - i));
	}
}

static void pages_of_the_first_round_take_free_places_and_are_lost_first(void **state)
{
	struct fixture *f = *state;

	one_set(f);
	migc_delta_cache_begin_round(&f->cache, 1);
	for (uint32_t page = 0; page < MIGC_DELTA_WAYS; page++)
		assert_int_equal(send(f, page, 1), MIGC_DELTA_WHOLE);
	assert_int_equal(send(f, 100, 1), MIGC_DELTA_PASS);
	migc_delta_cache_begin_round(&f->cache, 2);
	assert_int_equal(send(f, 5, 2), MIGC_DELTA_XOR);
	for (uint32_t i = 0; i < MIGC_DELTA_WAYS - 1; i++)
		assert_int_equal(send(f, 100 + i, 2), MIGC_DELTA_WHOLE);
	assert_int_equal(send(f, 200, 2), MIGC_DELTA_PASS);
	assert_true(holds(f, 5));
}

static void pages_that_change_wholly_give_way_to_others(void **state)
{
	struct fixture *f = *state;

	one_set(f);
	for (uint32_t round = 2; round <= 4; round++) {
		migc_delta_cache_begin_round(&f->cache, round);
		for (uint32_t page = 0; page < MIGC_DELTA_WAYS; page++)
			send_words(f, page, round, MIGC_PAGE_WORDS);
		/* not in this round: they are being read from their slots */
		assert_int_equal(send(f, 100, round), MIGC_DELTA_PASS);
	}
	migc_delta_cache_begin_round(&f->cache, 5);
	assert_int_equal(send(f, 100, 5), MIGC_DELTA_WHOLE);
	migc_delta_cache_begin_round(&f->cache, 6);
	assert_int_equal(send(f, 100, 6), MIGC_DELTA_XOR);
}

/** @return deltas of one round in which all of the pages change a little. */
static uint64_t round_of(struct fixture *f, uint32_t pages, uint32_t round)
{
	uint64_t before = f->cache.stats.deltas;

	migc_delta_cache_begin_round(&f->cache, round);
	for (uint32_t page = 0; page < pages; page++)
		send(f, page, round);
	return f->cache.stats.deltas - before;
}

static void more_pages_than_slots_do_not_drive_each_other_out(void **state)
{
	struct fixture *f = *state;

	round_of(f, 4 * SLOTS, 2);
	for (uint32_t round = 3; round < 20; round++)
		assert_int_equal(round_of(f, 4 * SLOTS, round), SLOTS);
	assert_int_equal(f->cache.stats.evicted, 0);
}

static void pages_in_a_row_fill_the_cache_evenly(void **state)
{
	struct fixture *f = *state;

	round_of(f, SLOTS, 2);
	/* nearly all have a place: with sets chosen at random, one in seven would have none */
	assert_true(round_of(f, SLOTS, 3) >= SLOTS - SLOTS / 10);
}

static void a_slot_stays_as_it_is_until_the_next_round(void **state)
{
	struct fixture *f = *state;
	const uint8_t *slot[4 * SLOTS];

	for (uint32_t round = 1; round < 8; round++) {
		/* some change a little, some wholly, some are new */
		uint32_t first = round * SLOTS / 4;

		migc_delta_cache_begin_round(&f->cache, round);
		for (uint32_t i = 0; i < 4 * SLOTS; i++) {
			send_words(f, first + i, round, i % 3 ? 1 : MIGC_PAGE_WORDS);
			slot[i] = f->slot;
		}
		for (uint32_t i = 0; i < 4 * SLOTS; i++) {
			content(f, first + i, round, i % 3 ? 1 : MIGC_PAGE_WORDS);
			if (slot[i])
				assert_memory_equal(slot[i], f->page, MIGC_PAGE_BYTES);
		}
	}
	assert_true(f->cache.stats.evicted > SLOTS && f->cache.stats.dense > 0);
}

static void rounds_may_go_past_65536(void **state)
{
	struct fixture *f = *state;

	one_set(f);
	for (uint32_t round = 65530; round < 65545; round++) {
		migc_delta_cache_begin_round(&f->cache, round);
		for (uint32_t page = 0; page < MIGC_DELTA_WAYS; page++)
			assert_int_equal(send(f, page, round),
					 round == 65530 ? MIGC_DELTA_WHOLE : MIGC_DELTA_XOR);
		assert_int_equal(send(f, 100, round), MIGC_DELTA_PASS);
	}
}

static void memory_that_does_not_do_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t least = migc_delta_cache_bytes(1);

	assert_int_equal(migc_delta_cache_bytes(0), least);
	assert_int_equal(migc_delta_cache_bytes(MIGC_DELTA_WAYS), least);
	assert_int_equal(migc_delta_cache_bytes(MIGC_DELTA_WAYS + 1), 2 * least);
	assert_int_equal(migc_delta_cache_init(&f->cache, f->memory, least - 1), -EINVAL);
	assert_int_equal(migc_delta_cache_init(&f->cache, (uint8_t *)f->memory + 64, least),
			 -EINVAL);
	assert_int_equal(migc_delta_cache_init(&f->cache, f->memory, least), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_goes_whole_first_and_then_as_what_changed),
		TEST(a_page_that_did_not_change_is_not_sent),
		TEST(a_page_of_which_too_much_changed_goes_whole_and_is_kept),
		TEST(regions_do_not_mix),
		TEST(what_is_dropped_or_cleared_goes_whole),
		TEST(what_was_of_use_in_the_last_round_keeps_its_place),
		TEST(the_oldest_goes_first),
		TEST(pages_of_the_first_round_take_free_places_and_are_lost_first),
		TEST(pages_that_change_wholly_give_way_to_others),
		TEST(more_pages_than_slots_do_not_drive_each_other_out),
		TEST(pages_in_a_row_fill_the_cache_evenly),
		TEST(a_slot_stays_as_it_is_until_the_next_round),
		TEST(rounds_may_go_past_65536),
		TEST(memory_that_does_not_do_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
