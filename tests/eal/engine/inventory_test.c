/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "guest_child.h"
#include "inventory.h"
#include "migc_bitmap.h"
#include "migc_random.h"
#include "rounds.h"
#include "send_path.h"

/**
 * @file
 * A session takes over from a lost one: a guest that writes all the time, with a real tracker; the
 * destination is memory that the test's own worker writes, or does not.
 */

#define PAGES 3000u /* more than two HOLDINGS, and no multiple of anything */
#define BYTES ((size_t)PAGES * MIGC_PAGE_BYTES)
#define SEED UINT64_C(0x0123456789abcdef)
#define SECOND UINT64_C(1000000000)

static struct {
	struct guest_child child;
	struct migc_guestmem *gm;
	struct migc_dirty *dirty;
	struct rounds *rounds;
	struct worker worker;
	/* the destination */
	struct receive_shared shared;
	struct migc_region region;
	uint8_t presence[PAGES];
	/* the way there */
	bool lossy;
	struct migc_random random;
	uint64_t writes; /**< of the guest, at a time; 0: it rests */
	bool writing;
	uint64_t sent; /**< pages, of a round */
	struct migc_msg_holdings holdings;
} rig;

static char path;

/* ---- the worker ---- */

void send_path_begin_round(struct send_path *p, uint32_t round, bool final, bool raw, bool deltas)
{
	(void)p;
	(void)round;
	(void) final;
	(void)raw;
	(void)deltas;
	rig.sent = 0;
}

void send_path_forget(struct send_path *p, uint16_t region, uint32_t page)
{
	(void)p;
	(void)region;
	(void)page;
}

/** All of a page arrives, or the half of it, or nothing. */
static size_t arrives(void)
{
	static const size_t bytes[] = {0, MIGC_PAGE_BYTES / 2, MIGC_PAGE_BYTES, MIGC_PAGE_BYTES};

	return rig.lossy ? bytes[migc_random_next(&rig.random) % 4] : MIGC_PAGE_BYTES;
}

bool send_path_give(struct send_path *p, const struct migc_span *span)
{
	const uint8_t *base = migc_guestmem_region(rig.gm, 0)->addr;
	uint8_t copy[MIGC_PAGE_BYTES];

	(void)p;
	for (uint64_t i = 0; i < MIGC_SPAN_PAGES; i++) {
		uint64_t page = span->first_page + i;
		size_t length;

		if (!migc_bitmap_test(span->mask, i))
			continue;
		memcpy(copy, base + page * MIGC_PAGE_BYTES, sizeof(copy));
		if (migc_dirty_needs_copy(rig.dirty, 0))
			migc_dirty_sent(rig.dirty, 0, page, copy);
		rig.sent++;
		length = arrives();
		if (length == 0)
			continue;
		memcpy(rig.region.addr + page * MIGC_PAGE_BYTES, copy, length);
		rig.presence[page] = PAGE_WRITTEN;
	}
	return true;
}

bool send_path_idle(const struct send_path *p)
{
	(void)p;
	return true;
}

uint64_t send_path_blocks(const struct send_path *p)
{
	(void)p;
	return 0;
}

/* ---- both ends ---- */

static void arm(void)
{
	struct migc_error err = {0};

	if (migc_dirty_arm(rig.dirty, &err) != 0)
		fail_msg("%s", err.text);
}

static void begin(uint32_t round, bool final)
{
	struct migc_error err = {0};

	assert_int_equal(rounds_begin(rig.rounds, round, final, false, &err), 0);
}

static int feed(void)
{
	struct migc_error err = {0};

	/* this guest has no I/O in flight: nothing has to settle */
	return rounds_feed(rig.rounds, clock_now_ns() + SECOND, &err);
}

/** Tell the destination of what is a hole at the source. */
static void punch_holes(void)
{
	static struct migc_msg_punch punch;

	while (rounds_next_holes(rig.rounds, true, &punch) == 1) {
		for (unsigned int i = 0; i < punch.count; i++) {
			size_t first = punch.range[i].first, count = punch.range[i].count;

			memset(rig.region.addr + first * MIGC_PAGE_BYTES, 0,
			       count * MIGC_PAGE_BYTES);
			memset(rig.presence + first, PAGE_ABSENT, count);
		}
	}
}

/** The guest writes a few pages at any time, and answers when it is asked to stop. */
static void keep_writing(void)
{
	if (rig.writes == 0)
		return;
	if (guest_answers_now(&rig.child))
		assert_true(guest_answered(&rig.child));
	else if (rig.writing)
		return;
	guest_tell(&rig.child, GUEST_WRITE_RANDOMLY, rig.writes++, 0);
	rig.writing = true;
}

static void stop_writing(void)
{
	if (rig.writing)
		assert_true(guest_answered(&rig.child));
	rig.writing = false;
}

/** @return pages that need not be sent. */
static uint64_t take_over(void)
{
	struct migc_error err = {0};
	uint64_t page = 0, compared = 0, same = 0;
	bool end = false;

	arm();
	assert_int_equal(rounds_restart(rig.rounds, &rig.worker, 1, &err), 0);
	assert_true(rounds_settled(rig.rounds, clock_now_ns() + UINT64_C(200000000)));
	while (!end) {
		keep_writing();
		end = inventory_tell(&rig.shared, 0, SEED, &page, &rig.holdings);
		same += inventory_compare(rig.rounds, rig.gm, rig.dirty, SEED, &compared,
					  &rig.holdings);
		assert_int_equal(compared, page);
	}
	assert_int_equal(rig.holdings.first + rig.holdings.pages, PAGES);
	begin(1, false);
	punch_holes();
	return same;
}

static void open_destination(void)
{
	rig.region.addr =
		mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(rig.region.addr, MAP_FAILED);
	rig.region.pages = PAGES;
	rig.shared.regions = 1;
	rig.shared.region[0] = &rig.region;
	rig.shared.region_pages[0] = PAGES;
	rig.shared.presence[0] = rig.presence;
}

static void open_source(enum migc_dirty_kind kind)
{
	struct migc_dirty_features features;
	struct migc_error err = {0};

	migc_dirty_probe(&features);
	if (kind == MIGC_DIRTY_PAGEMAP && features.missing[0]) {
		print_message("skipped: this kernel lacks %s\n", features.missing);
		skip();
	}
	assert_int_equal(guest_start(&rig.child, BYTES, 0, true), 0);
	assert_int_equal(migc_guestmem_create(&rig.gm), 0);
	assert_int_equal(migc_guestmem_add_process(rig.gm, "ram", rig.child.pid, rig.child.addr,
						   BYTES, false, &err),
			 0);
	if (migc_dirty_create(kind, rig.gm, NULL, &rig.dirty, &err) != 0)
		fail_msg("%s", err.text);
	rig.worker.send = (struct send_path *)&path;
	assert_int_equal(
		rounds_create(rig.gm, rig.dirty, &rig.worker, 1, NULL, NULL, &rig.rounds, &err), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(&rig, 0, sizeof(rig));
	migc_random_seed(&rig.random, 7);
	open_destination();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rounds_free(rig.rounds);
	migc_dirty_free(rig.dirty);
	migc_guestmem_free(rig.gm);
	guest_stop(&rig.child);
	return munmap(rig.region.addr, BYTES);
}

static void check_equal(void)
{
	const uint8_t *base = migc_guestmem_region(rig.gm, 0)->addr;

	assert_memory_equal(rig.region.addr, base, BYTES);
}

/** The guest writes while its pages are sent, lost, hashed and sent again. */
static void lose_and_take_over(enum migc_dirty_kind kind)
{
	struct migc_error err = {0};

	open_source(kind);
	arm();
	assert_int_equal(rounds_all(rig.rounds, &err), 0);
	for (unsigned int trial = 0; trial < 60; trial++) {
		uint64_t same, dirty;

		rig.writes = 100 + trial;
		rig.lossy = true;
		keep_writing();
		assert_int_equal(rounds_scan(rig.rounds, clock_now_ns() + SECOND, 0, &dirty, &err),
				 0);
		begin(1, false);
		feed();
		keep_writing();
		/* the network goes, and is there again */
		same = take_over();
		rig.lossy = false;
		keep_writing();
		assert_int_equal(feed(), 1);
		stop_writing();
		begin(2, true);
		assert_int_equal(feed(), 1);
		check_equal();
		/* most of what there is was there */
		assert_true(trial < 10 || same > PAGES / 4);
	}
}

static void a_page_written_after_its_hash_is_reported_and_sent(void **state)
{
	(void)state;
	lose_and_take_over(MIGC_DIRTY_PAGEMAP);
}

static void so_it_is_when_the_tracker_hashes_too(void **state)
{
	(void)state;
	lose_and_take_over(MIGC_DIRTY_HASH);
}

/** One write at the worst moment: between the hash of the page and the first scan after it. */
static void write_behind_the_hash(enum migc_dirty_kind kind)
{
	struct migc_error err = {0};

	open_source(kind);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_true(guest_do(&rig.child, GUEST_WRITE, page, 1));
	arm();
	assert_int_equal(rounds_all(rig.rounds, &err), 0);
	begin(1, false);
	assert_int_equal(feed(), 1);
	assert_int_equal(take_over(), PAGES);
	assert_int_equal(rounds_pages(rig.rounds), 0);
	assert_true(guest_do(&rig.child, GUEST_WRITE, 1234, 2));
	assert_int_equal(feed(), 1);
	assert_int_equal(rig.sent, 0);
	begin(2, true);
	assert_int_equal(feed(), 1);
	/* and nothing else */
	assert_int_equal(rig.sent, 1);
	check_equal();
}

static void the_write_right_behind_the_hash_is_not_lost(void **state)
{
	(void)state;
	write_behind_the_hash(MIGC_DIRTY_PAGEMAP);
}

static void nor_is_it_when_the_tracker_hashes_too(void **state)
{
	(void)state;
	write_behind_the_hash(MIGC_DIRTY_HASH);
}

/** What the tracker knew of the lost session must not hide that the destination has a hole now. */
static void a_page_given_back_and_written_as_it_was_is_sent(void **state)
{
	struct migc_error err = {0};

	(void)state;
	open_source(MIGC_DIRTY_HASH);
	assert_true(guest_do(&rig.child, GUEST_WRITE, 5, 1));
	arm();
	assert_int_equal(rounds_all(rig.rounds, &err), 0);
	begin(1, false);
	assert_int_equal(feed(), 1);
	assert_int_equal(fallocate(rig.child.memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   5 * MIGC_PAGE_BYTES, MIGC_PAGE_BYTES),
			 0);
	assert_int_equal(take_over(), 0);
	assert_true(guest_do(&rig.child, GUEST_WRITE, 5, 1));
	assert_int_equal(feed(), 1);
	begin(2, true);
	assert_int_equal(feed(), 1);
	check_equal();
}

static void what_the_destination_has_and_the_source_has_not_becomes_zero(void **state)
{
	struct migc_error err = {0};

	(void)state;
	open_source(MIGC_DIRTY_PAGEMAP);
	assert_true(guest_do(&rig.child, GUEST_WRITE, 5, 1));
	assert_true(guest_do(&rig.child, GUEST_WRITE, PAGES - 1, 1));
	/* left by something else, here a hole and there data */
	memset(rig.region.addr, 0x5a, 100 * MIGC_PAGE_BYTES);
	memset(rig.presence, PAGE_FOUND, 100);
	arm();
	assert_int_equal(rounds_all(rig.rounds, &err), 0);
	assert_int_equal(take_over(), 0);
	assert_int_equal(feed(), 1);
	assert_int_equal(rig.sent, 2);
	check_equal();
}

/** The seed makes the digests of one session useless in another. */
static void digests_of_another_session_say_nothing(void **state)
{
	uint8_t id[MIGC_SESSION_ID_BYTES] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	struct migc_error err = {0};
	uint64_t page = 0;

	(void)state;
	assert_true(inventory_seed(id) == UINT64_C(0x0102030405060708));
	open_source(MIGC_DIRTY_HASH);
	assert_true(guest_do(&rig.child, GUEST_WRITE, 0, 1));
	arm();
	assert_int_equal(rounds_all(rig.rounds, &err), 0);
	begin(1, false);
	assert_int_equal(feed(), 1);
	assert_int_equal(rounds_restart(rig.rounds, &rig.worker, 1, &err), 0);
	inventory_tell(&rig.shared, 0, SEED, &page, &rig.holdings);
	page = 0;
	assert_int_equal(
		inventory_compare(rig.rounds, rig.gm, rig.dirty, SEED + 1, &page, &rig.holdings),
		0);
	assert_true(rounds_is_due(rig.rounds, 0, 0));
	page = 0;
	assert_int_equal(
		inventory_compare(rig.rounds, rig.gm, rig.dirty, SEED, &page, &rig.holdings), 1);
	assert_false(rounds_is_due(rig.rounds, 0, 0));
}

static void zeros_that_are_a_hole_there_need_not_be_sent(void **state)
{
	struct migc_error err = {0};

	(void)state;
	open_source(MIGC_DIRTY_HASH);
	/* data at the source, which happens to be zeros, before, between and behind */
	assert_true(guest_do(&rig.child, GUEST_WRITE, 3, 0));
	assert_true(guest_do(&rig.child, GUEST_WRITE, 1500, 1));
	assert_true(guest_do(&rig.child, GUEST_WRITE, 1501, 0));
	assert_true(guest_do(&rig.child, GUEST_WRITE, 2900, 0));
	arm();
	assert_int_equal(rounds_all(rig.rounds, &err), 0);
	/* the destination has something of one page, and data of zeros */
	rig.presence[1500] = PAGE_WRITTEN;
	rig.presence[2900] = PAGE_WRITTEN;
	assert_int_equal(take_over(), 3);
	assert_int_equal(feed(), 1);
	assert_int_equal(rig.sent, 1);
	/* and the tracker knows that they are zeros (a look at the holes would fill them) */
	assert_true(guest_do(&rig.child, GUEST_WRITE, 1501, 7));
	begin(2, true);
	assert_int_equal(feed(), 1);
	assert_int_equal(rig.sent, 1);
	check_equal();
}

static void holes_of_the_destination_are_passed_over(void **state)
{
	uint64_t page = 0;

	(void)state;
	/* nothing at all: one message that ends the region */
	assert_true(inventory_tell(&rig.shared, 0, SEED, &page, &rig.holdings));
	assert_int_equal(rig.holdings.first, PAGES - 1);
	assert_int_equal(rig.holdings.pages, 1);
	assert_int_equal(rig.holdings.data[0], 0);
	page = 0;
	rig.presence[2000] = PAGE_WRITTEN;
	assert_true(inventory_tell(&rig.shared, 0, SEED, &page, &rig.holdings));
	assert_int_equal(rig.holdings.first, 2000);
	assert_int_equal(rig.holdings.pages, PAGES - 2000);
	assert_int_equal(rig.holdings.data[0], 1);
	page = 0;
	rig.presence[1] = PAGE_WRITTEN;
	assert_false(inventory_tell(&rig.shared, 0, SEED, &page, &rig.holdings));
	assert_int_equal(rig.holdings.first, 1);
	assert_int_equal(rig.holdings.pages, MIGC_HOLDINGS_PAGES_MAX);
	assert_true(inventory_tell(&rig.shared, 0, SEED, &page, &rig.holdings));
	assert_int_equal(rig.holdings.first, 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_page_written_after_its_hash_is_reported_and_sent),
		TEST(so_it_is_when_the_tracker_hashes_too),
		TEST(the_write_right_behind_the_hash_is_not_lost),
		TEST(nor_is_it_when_the_tracker_hashes_too),
		TEST(a_page_given_back_and_written_as_it_was_is_sent),
		TEST(what_the_destination_has_and_the_source_has_not_becomes_zero),
		TEST(digests_of_another_session_say_nothing),
		TEST(zeros_that_are_a_hole_there_need_not_be_sent),
		TEST(holes_of_the_destination_are_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
