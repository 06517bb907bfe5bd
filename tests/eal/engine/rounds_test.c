/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "migc_bitmap.h"
#include "migc_random.h"
#include "rounds.h"
#include "send_path.h"

/**
 * @file
 * Rounds over a guest of versions instead of bytes: a page's version counts its writes. The
 * tracker and the workers are the test's; the guest memory is a real, sparse memfd.
 */

#define PAGES 2048u
#define WORKERS 2u
#define SECOND UINT64_C(1000000000)
#define REST_NS (SECOND / 5)

static struct {
	uint64_t written[PAGES / 64]; /**< the kernel's dirty bits */
	unsigned int version[PAGES]; /**< at the source */
	unsigned int arrived[PAGES]; /**< at the destination */
	unsigned int sends[PAGES]; /**< in this round */
	unsigned int sender[PAGES]; /**< worker that sent it last */
	unsigned int room; /**< spans that the rings take now */
	bool full[WORKERS]; /**< a ring that takes nothing now */
	bool deltas; /**< this round has them */
	unsigned int forgotten[PAGES]; /**< 1 + the worker that was told */
	unsigned int scans, given;
	bool busy; /**< a worker has something on its way */
	int scan_error;
	uint64_t rest_ns; /**< I/O may land so long after a scan */
} guest;

static uint8_t *memory;
static struct migc_guestmem *gm;
static struct worker workers[WORKERS];

/* ---- the tracker ---- */

int migc_dirty_scan(struct migc_dirty *d, unsigned int region, uint64_t *words,
		    void (*idle)(void *ctx), void *ctx, struct migc_error *err)
{
	(void)d;
	(void)idle;
	(void)ctx;
	assert_int_equal(region, 0);
	guest.scans++;
	if (guest.scan_error)
		return migc_error_set(err, guest.scan_error, "scan");
	for (unsigned int i = 0; i < PAGES / 64; i++) {
		words[i] |= guest.written[i];
		guest.written[i] = 0;
	}
	return 0;
}

uint64_t migc_dirty_settle_ns(struct migc_dirty *d)
{
	(void)d;
	return guest.rest_ns;
}

/* ---- the workers ---- */

/** What the workers' send paths are: their numbers. */
static char paths[WORKERS];

static unsigned int number_of(const struct send_path *path)
{
	return (unsigned int)((const char *)path - paths);
}

void send_path_begin_round(struct send_path *path, uint32_t round, bool final, bool raw,
			   bool deltas)
{
	(void)path;
	(void)round;
	(void) final;
	(void)raw;
	guest.deltas = deltas;
	memset(guest.sends, 0, sizeof(guest.sends));
}

void send_path_forget(struct send_path *path, uint16_t region, uint32_t page)
{
	assert_int_equal(region, 0);
	assert_true(page < PAGES);
	guest.forgotten[page] = 1 + number_of(path);
}

bool send_path_give(struct send_path *path, const struct migc_span *span)
{
	if (guest.room == 0 || guest.full[number_of(path)])
		return false;
	guest.room--;
	guest.given++;
	for (uint64_t i = 0; i < MIGC_SPAN_PAGES; i++) {
		uint64_t page = span->first_page + i;

		if (!migc_bitmap_test(span->mask, i))
			continue;
		assert_true(page < PAGES);
		guest.sends[page]++;
		guest.sender[page] = number_of(path);
		guest.arrived[page] = guest.version[page];
	}
	return true;
}

bool send_path_idle(const struct send_path *path)
{
	(void)path;
	return !guest.busy;
}

uint64_t send_path_blocks(const struct send_path *path)
{
	(void)path;
	return guest.given;
}

/* ---- the guest ---- */

static void write_page(uint64_t page)
{
	memory[page * MIGC_PAGE_BYTES] = 1;
	guest.version[page]++;
	migc_bitmap_set(guest.written, page);
}

static struct rounds *new_rounds(bool live)
{
	struct migc_error err = {0};
	struct rounds *r;

	/* the tracker is the test's: only whether there is one matters */
	assert_int_equal(rounds_create(gm, live ? (struct migc_dirty *)&guest : NULL, workers,
				       WORKERS, NULL, NULL, &r, &err),
			 0);
	return r;
}

static void begin(struct rounds *r, uint32_t number, bool final)
{
	struct migc_error err = {0};

	assert_int_equal(rounds_begin(r, number, final, false, &err), 0);
}

/** As late as wanted, so that nothing has to settle. */
static int feed(struct rounds *r)
{
	struct migc_error err = {0};

	return rounds_feed(r, clock_now_ns() + SECOND, &err);
}

static int set_up(void **state)
{
	struct migc_error err = {0};
	char path[64];
	int fd = memfd_create("rounds", MFD_CLOEXEC);

	(void)state;
	memset(&guest, 0, sizeof(guest));
	guest.room = UINT32_MAX;
	guest.rest_ns = REST_NS;
	for (unsigned int i = 0; i < WORKERS; i++)
		workers[i].send = (struct send_path *)&paths[i];
	if (fd < 0 || ftruncate(fd, PAGES * MIGC_PAGE_BYTES) != 0)
		return -1;
	memory = mmap(NULL, PAGES * MIGC_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (memory == MAP_FAILED || migc_guestmem_create(&gm) != 0 ||
	    migc_guestmem_add_file(gm, "ram", path, 0, 0, false, &err) != 0)
		return -1;
	close(fd);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	migc_guestmem_free(gm);
	return munmap(memory, PAGES * MIGC_PAGE_BYTES);
}

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

static void a_live_page_is_not_read_before_it_has_settled(void **state)
{
	struct rounds *r = new_rounds(true);
	struct migc_error err = {0};
	uint64_t pages;

	(void)state;
	write_page(7);
	assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
	assert_int_equal(pages, 1);
	begin(r, 1, false);
	assert_int_equal(rounds_feed(r, clock_now_ns(), &err), 0);
	assert_int_equal(guest.sends[7], 0);
	assert_int_equal(rounds_feed(r, clock_now_ns() + REST_NS, &err), 1);
	assert_int_equal(guest.sends[7], 1);
	/* the guest is stopped: QEMU has drained its I/O, nothing waits */
	write_page(8);
	begin(r, 2, true);
	assert_int_equal(rounds_feed(r, clock_now_ns(), &err), 1);
	assert_int_equal(guest.sends[8], 1);
	rounds_free(r);
}

static void where_nothing_lands_late_a_page_is_read_at_once(void **state)
{
	struct rounds *r;
	struct migc_error err = {0};
	uint64_t pages;

	(void)state;
	guest.rest_ns = 0;
	r = new_rounds(true);
	assert_true(rounds_settled(r, clock_now_ns()));
	write_page(7);
	assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
	begin(r, 1, false);
	assert_int_equal(rounds_feed(r, clock_now_ns(), &err), 1);
	assert_int_equal(guest.sends[7], 1);
	/* a disk was plugged in */
	guest.rest_ns = REST_NS;
	write_page(8);
	assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
	begin(r, 2, false);
	assert_int_equal(rounds_feed(r, clock_now_ns(), &err), 0);
	assert_int_equal(guest.sends[8], 0);
	rounds_free(r);
}

/** A guest that never comes below the limit is not scanned without a pause. */
static void after_a_few_scans_in_a_row_pages_rest_whatever_is_open(void **state)
{
	struct rounds *r;
	struct migc_error err = {0};
	unsigned int at_once = 0;
	uint64_t pages;

	(void)state;
	guest.rest_ns = 0;
	r = new_rounds(true);
	for (;;) {
		write_page(7);
		assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
		begin(r, at_once + 1, false);
		if (rounds_feed(r, clock_now_ns(), &err) == 0)
			break;
		at_once++;
		assert_true(at_once < 100);
	}
	assert_in_range(at_once, 3, 10);
	/* and never longer than that */
	for (unsigned int i = 0; i < 20; i++)
		assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
	begin(r, at_once + 2, false);
	assert_int_equal(rounds_feed(r, clock_now_ns(), &err), 0);
	assert_int_equal(rounds_feed(r, clock_now_ns() + REST_NS, &err), 1);
	rounds_free(r);
}

/** While the last pages are on their way: so that they rest meanwhile, and only for that. */
static void the_next_scan_is_made_ahead_where_pages_rest(void **state)
{
	(void)state;
	for (unsigned int rests = 0; rests < 2; rests++) {
		struct rounds *r;
		struct migc_error err = {0};
		uint64_t pages;

		guest.rest_ns = rests ? REST_NS : 0;
		r = new_rounds(true);
		for (uint64_t page = 0; page < PAGES; page++)
			write_page(page);
		assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
		begin(r, 2, false);
		guest.scans = 0;
		guest.room = 3 * PAGES / 4 / MIGC_SPAN_PAGES;
		assert_int_equal(rounds_feed(r, clock_now_ns() + REST_NS + SECOND, &err), 0);
		write_page(PAGES - 1);
		/* three quarters took a second: a third is left, more than a rest */
		assert_int_equal(rounds_feed(r, clock_now_ns() + REST_NS + SECOND, &err), 0);
		assert_int_equal(guest.scans, 0);
		/* half a second: a sixth */
		assert_int_equal(rounds_feed(r, clock_now_ns() + REST_NS + SECOND / 2, &err), 0);
		assert_int_equal(guest.scans, rests);
		guest.room = UINT32_MAX;
		assert_int_equal(feed(r), 1);
		/* what was written again waits for the next round where that was seen */
		assert_int_equal(guest.sends[PAGES - 1], !rests);
		rounds_free(r);
	}
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

static void a_scan_of_a_moment_ago_is_believed_unless_the_end_is_near(void **state)
{
	struct rounds *r = new_rounds(true);
	struct migc_error err = {0};
	uint64_t pages, now = clock_now_ns();

	(void)state;
	for (uint64_t page = 0; page < 100; page++)
		write_page(page);
	assert_int_equal(rounds_scan(r, now + SECOND, 10, &pages, &err), 0);
	assert_int_equal(guest.scans, 1);
	assert_int_equal(rounds_scan(r, clock_now_ns(), 10, &pages, &err), 0);
	assert_int_equal(pages, 100);
	assert_int_equal(guest.scans, 1);
	write_page(200);
	assert_int_equal(rounds_scan(r, clock_now_ns(), 1000, &pages, &err), 0);
	assert_int_equal(pages, 101);
	assert_int_equal(guest.scans, 2);
	rounds_free(r);
}

/** What the guest wrote while there was no session counts as neither pages nor time. */
static void a_session_that_was_lost_is_not_in_the_rate(void **state)
{
	const struct timespec lost = {0, 300000000};
	struct rounds *r = new_rounds(true);
	struct migc_error err = {0};
	uint64_t pages, before;

	(void)state;
	nanosleep(&lost, NULL);
	before = clock_now_ns();
	assert_int_equal(rounds_restart(r, workers, WORKERS, &err), 0);
	for (uint64_t page = 0; page < 1000; page++)
		write_page(page);
	assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), 0);
	/* of less than 200 ms nothing is told */
	if (rounds_dirty_rate(r) != 0)
		assert_true(rounds_dirty_rate(r) >= 1000 * SECOND / (clock_now_ns() - before));
	rounds_free(r);
}

static void a_scan_that_fails_is_told(void **state)
{
	struct rounds *r = new_rounds(true);
	struct migc_error err = {0};
	uint64_t pages;

	(void)state;
	guest.scan_error = -ESRCH;
	assert_int_equal(rounds_scan(r, clock_now_ns() + SECOND, 0, &pages, &err), -ESRCH);
	assert_int_equal(rounds_begin(r, 1, true, false, &err), -ESRCH);
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
		cmocka_unit_test_setup_teardown(the_first_round_is_all_data_and_no_hole, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			without_a_tracker_what_was_written_until_the_stop_is_sent, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_round_is_over_when_the_workers_are_idle, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_live_page_is_not_read_before_it_has_settled,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(where_nothing_lands_late_a_page_is_read_at_once,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			after_a_few_scans_in_a_row_pages_rest_whatever_is_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_next_scan_is_made_ahead_where_pages_rest,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_failed_is_sent_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(with_deltas_a_page_always_goes_by_the_same_worker,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_worker_whose_ring_is_full_does_not_hold_up_the_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_round_without_deltas_is_dealt_to_whoever_has_room,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			the_owner_of_a_page_that_failed_forgets_it_before_the_next_round, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			a_scan_of_a_moment_ago_is_believed_unless_the_end_is_near, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_session_that_was_lost_is_not_in_the_rate, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_scan_that_fails_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(any_writes_at_any_time_have_arrived_at_the_end,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			holes_are_told_at_the_start_and_those_that_came_at_the_end, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
