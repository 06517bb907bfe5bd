/* SPDX-License-Identifier: BSD-3-Clause */
/* What is due, to whom it goes, and that all of it arrives. */
#include "migc_random.h"
#include "rounds_rig.h"

static void the_first_round_is_all_data_and_no_hole(void **state)
{
	struct rounds *r = new_rounds(false);

	(void)state;
	for (uint64_t page = 5; page < PAGES; page += 3)
		write_page(page);
	begin(r, 1, true);
	assert_int_equal(feed(r), 1);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(guest.sends[page], page >= 5 && (page - 5) % 3 == 0);
	assert_int_equal(rounds_left(r), 0);
	rounds_free(r);
}

/** Between PREPARE and STOP the guest runs: nobody reports what it writes then. */
static void without_a_tracker_what_was_written_until_the_stop_is_sent(void **state)
{
	struct rounds *r;

	(void)state;
	write_page(1);
	r = new_rounds(false);
	write_page(2);
	begin(r, 1, true);
	assert_int_equal(feed(r), 1);
	assert_int_equal(guest.arrived[1], 1);
	assert_int_equal(guest.arrived[2], 1);
	/* a second try sends what failed, not everything */
	begin(r, 2, true);
	assert_int_equal(rounds_pages(r), 0);
	rounds_free(r);
}

static void a_round_is_over_when_the_workers_are_idle(void **state)
{
	struct rounds *r = new_rounds(false);

	(void)state;
	for (uint64_t page = 0; page < PAGES; page++)
		write_page(page);
	begin(r, 1, true);
	guest.room = 1;
	assert_int_equal(feed(r), 0);
	assert_int_equal(rounds_left(r), PAGES - MIGC_SPAN_PAGES);
	guest.room = UINT32_MAX;
	guest.busy = true;
	assert_int_equal(feed(r), 0);
	assert_int_equal(rounds_left(r), 0);
	guest.busy = false;
	assert_int_equal(feed(r), 1);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(guest.sends[page], 1);
	rounds_free(r);
}

static void what_failed_is_sent_again(void **state)
{
	const struct migc_page_list failed = {.region = 0, .count = 2, .page = {3, PAGES - 1}};
	const struct migc_page_list beyond = {.region = 0, .count = 1, .page = {PAGES}};
	const struct migc_page_list elsewhere = {.region = 1, .count = 1, .page = {0}};
	struct rounds *r = new_rounds(false);

	(void)state;
	rounds_mark(r, &failed);
	rounds_mark(r, &beyond);
	rounds_mark(r, &elsewhere);
	begin(r, 2, true);
	assert_int_equal(rounds_pages(r), 2);
	assert_int_equal(feed(r), 1);
	assert_int_equal(guest.sends[3] + guest.sends[PAGES - 1], 2);
	rounds_free(r);
}

/** In rounds with deltas only the worker that sent a page before knows what it was. */
static void with_deltas_a_page_always_goes_by_the_same_worker(void **state)
{
	struct migc_error err = {0};
	struct migc_random random;
	struct rounds *r = new_rounds(true);
	unsigned int owner[PAGES];
	uint64_t pages;

	(void)state;
	migc_random_seed(&random, 3);
	for (uint64_t page = 0; page < PAGES; page++)
		owner[page] = WORKERS;
	assert_int_equal(rounds_use_deltas(r), 0);
	begin(r, 1, false);
	assert_false(guest.deltas);
	assert_int_equal(feed(r), 1);
	for (uint32_t round = 2; round <= 6; round++) {
		for (uint64_t page = round % 2; page < PAGES; page += 1 + round % 3)
			write_page(page);
		assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
		begin(r, round, false);
		assert_true(guest.deltas);
		for (unsigned int turn = 0; turn < 100; turn++) {
			guest.room = (unsigned int)(migc_random_next(&random) % 2);
			guest.full[0] = migc_random_next(&random) % 2;
			guest.full[1] = migc_random_next(&random) % 2;
			feed(r);
		}
		guest.room = UINT32_MAX;
		guest.full[0] = guest.full[1] = false;
		assert_int_equal(feed(r), 1);
		for (uint64_t page = 0; page < PAGES; page++) {
			assert_true(guest.sends[page] <= 1);
			assert_int_equal(guest.arrived[page], guest.version[page]);
			if (guest.sends[page] == 0)
				continue;
			if (owner[page] == WORKERS)
				owner[page] = guest.sender[page];
			assert_int_equal(guest.sender[page], owner[page]);
		}
	}
	rounds_free(r);
}

static void a_worker_whose_ring_is_full_does_not_hold_up_the_others(void **state)
{
	struct rounds *r = new_rounds(false);
	uint64_t sent[WORKERS] = {0};

	(void)state;
	for (uint64_t page = 0; page < PAGES; page++)
		write_page(page);
	assert_int_equal(rounds_use_deltas(r), 0);
	/* without a tracker the round that is begun first is all data, whatever its number */
	begin(r, 2, true);
	guest.full[0] = true;
	assert_int_equal(feed(r), 0);
	for (uint64_t page = 0; page < PAGES; page++)
		sent[guest.sender[page]] += guest.sends[page];
	assert_int_equal(sent[0], 0);
	assert_int_equal(sent[1], PAGES / 2);
	assert_int_equal(rounds_left(r), PAGES / 2);
	guest.full[0] = false;
	assert_int_equal(feed(r), 1);
	assert_int_equal(rounds_left(r), 0);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(guest.sends[page], 1);
	rounds_free(r);
}

static void a_round_without_deltas_is_dealt_to_whoever_has_room(void **state)
{
	struct migc_error err = {0};
	struct rounds *r = new_rounds(false);

	(void)state;
	for (uint64_t page = 0; page < PAGES; page++)
		write_page(page);
	assert_int_equal(rounds_use_deltas(r), 0);
	/* one that is tried again raw */
	assert_int_equal(rounds_begin(r, 2, true, true, &err), 0);
	assert_false(guest.deltas);
	guest.full[0] = true;
	assert_int_equal(feed(r), 1);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(guest.sends[page] == 1 && guest.sender[page] == 1, 1);
	rounds_free(r);
}

static void the_owner_of_a_page_that_failed_forgets_it_before_the_next_round(void **state)
{
	const struct migc_page_list failed = {
		.region = 0, .count = 3, .page = {3, MIGC_SPAN_PAGES, PAGES - 1}};
	struct rounds *r = new_rounds(false);

	(void)state;
	assert_int_equal(rounds_use_deltas(r), 0);
	begin(r, 2, true);
	rounds_mark(r, &failed);
	/* the workers may still be at work */
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(guest.forgotten[page], 0);
	begin(r, 3, true);
	assert_int_equal(feed(r), 1);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(guest.forgotten[page],
				 guest.sends[page] ? 1 + guest.sender[page] : 0);
	assert_int_equal(guest.sends[3] + guest.sends[MIGC_SPAN_PAGES] + guest.sends[PAGES - 1], 3);
	/* once: it was sent whole meanwhile */
	memset(guest.forgotten, 0, sizeof(guest.forgotten));
	begin(r, 4, true);
	assert_int_equal(guest.forgotten[3], 0);
	rounds_free(r);
}

/** The point of it all: whatever the guest writes when, at the end the destination has it. */
static void any_writes_at_any_time_have_arrived_at_the_end(void **state)
{
	struct migc_random random;
	struct rounds *r = new_rounds(true);
	struct migc_error err = {0};
	uint64_t pages;

	(void)state;
	migc_random_seed(&random, 11);
	for (uint64_t page = 0; page < PAGES; page += 2)
		write_page(page);
	memset(guest.written, 0, sizeof(guest.written)); /* armed: all counts as clean */
	assert_int_equal(rounds_all(r, &err), 0);
	for (uint32_t round = 1; round <= 60; round++) {
		guest.rest_ns = round % 3 ? REST_NS : 0;
		begin(r, round, false);
		for (unsigned int turn = 0; turn < 50; turn++) {
			write_page(migc_random_next(&random) % PAGES);
			guest.room = (unsigned int)(migc_random_next(&random) % 3);
			if (feed(r) == 1)
				break;
		}
		guest.room = UINT32_MAX;
		assert_int_equal(feed(r), 1);
		rounds_close(r, clock_now_ns(), 0);
		for (uint64_t page = 0; page < PAGES; page++)
			assert_true(guest.sends[page] <= 1);
		assert_int_equal(rounds_scan(r, clock_now_ns() + round % 2 * SECOND,
					     migc_random_next(&random) % 20, &pages, &err),
				 0);
	}
	begin(r, 61, true);
	assert_int_equal(feed(r), 1);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_int_equal(guest.arrived[page], guest.version[page]);
	assert_int_equal(rounds_closed(r), 60);
	rounds_free(r);
}

static void holes_are_told_at_the_start_and_those_that_came_at_the_end(void **state)
{
	struct migc_msg_punch punch;
	struct rounds *r = new_rounds(false);
	uint64_t holes = 0;

	(void)state;
	for (uint64_t page = 0; page < PAGES; page += 2)
		write_page(page);
	begin(r, 1, true);
	assert_int_equal(feed(r), 1);
	while (rounds_next_holes(r, true, &punch) == 1) {
		for (unsigned int i = 0; i < punch.count; i++) {
			assert_int_equal(punch.range[i].first % 2, 1);
			holes += punch.range[i].count;
		}
	}
	assert_int_equal(holes, PAGES / 2);
	assert_int_equal(rounds_next_holes(r, false, &punch), 0);
	/* a balloon */
	assert_int_equal(madvise(memory + 16 * MIGC_PAGE_BYTES, 4 * MIGC_PAGE_BYTES, MADV_REMOVE),
			 0);
	assert_int_equal(rounds_next_holes(r, false, &punch), 1);
	assert_int_equal(punch.count, 2);
	assert_int_equal(punch.range[0].first, 16);
	assert_int_equal(punch.range[0].count, 1);
	assert_int_equal(punch.range[1].first, 18);
	assert_int_equal(rounds_next_holes(r, false, &punch), 0);
	rounds_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(the_first_round_is_all_data_and_no_hole),
		TEST(without_a_tracker_what_was_written_until_the_stop_is_sent),
		TEST(a_round_is_over_when_the_workers_are_idle),
		TEST(what_failed_is_sent_again),
		TEST(with_deltas_a_page_always_goes_by_the_same_worker),
		TEST(a_worker_whose_ring_is_full_does_not_hold_up_the_others),
		TEST(a_round_without_deltas_is_dealt_to_whoever_has_room),
		TEST(the_owner_of_a_page_that_failed_forgets_it_before_the_next_round),
		TEST(any_writes_at_any_time_have_arrived_at_the_end),
		TEST(holes_are_told_at_the_start_and_those_that_came_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
