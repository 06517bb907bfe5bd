/* SPDX-License-Identifier: BSD-3-Clause */
/* When the guest is scanned, and when what was found may be read. */
#include <errno.h>
#include <time.h>

#include "rounds_rig.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_live_page_is_not_read_before_it_has_settled),
		TEST(where_nothing_lands_late_a_page_is_read_at_once),
		TEST(after_a_few_scans_in_a_row_pages_rest_whatever_is_open),
		TEST(the_next_scan_is_made_ahead_where_pages_rest),
		TEST(a_scan_of_a_moment_ago_is_believed_unless_the_end_is_near),
		TEST(a_session_that_was_lost_is_not_in_the_rate),
		TEST(a_scan_that_fails_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
