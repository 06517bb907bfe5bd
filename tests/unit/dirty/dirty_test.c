/* SPDX-License-Identifier: BSD-3-Clause */
/* What is reported by the pagemap tracker: all that was written, and no more. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>

#include "dirty_fixture.h"

static void exactly_the_pages_that_were_written_are_reported(void **state)
{
	/* words' ends, neighbours, far apart (more than the ranges that are merged), both ends */
	static const uint64_t written[] = {0, 1, 5, 63, 64, 100, 117, 118, 200, 255};
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	assert_string_equal(migc_dirty_name(f->dirty), "pagemap");
	assert_false(migc_dirty_needs_copy(f->dirty, 0));
	for (uint64_t page = 0; page < PAGES; page++)
		assert_true(guest_do(&f->child, GUEST_WRITE, page, 1));
	arm(f);
	assert_int_equal(scan(f), 0);
	for (unsigned int i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		assert_true(guest_do(&f->child, GUEST_WRITE, written[i], 2));
	assert_int_equal(scan(f), sizeof(written) / sizeof(written[0]));
	for (unsigned int i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		assert_true(migc_bitmap_test(f->words, written[i]));
	/* and once */
	assert_int_equal(scan(f), 0);
	assert_true(guest_do(&f->child, GUEST_WRITE, 5, 3));
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, 5));
}

static void reading_makes_no_page_dirty(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	for (uint64_t page = 0; page < PAGES; page += 2)
		assert_true(guest_do(&f->child, GUEST_WRITE, page, 1));
	arm(f);
	for (uint64_t page = 0; page < PAGES; page += 2)
		assert_true(guest_do(&f->child, GUEST_READ, page, 0));
	assert_int_equal(scan(f), 0);
}

static void the_first_write_to_a_page_that_was_not_there_is_reported(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	arm(f);
	assert_int_equal(scan(f), 0);
	assert_true(guest_do(&f->child, GUEST_WRITE, 77, 1));
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, 77));
	assert_int_equal(scan(f), 0);
}

static void what_the_kernel_writes_for_the_guest_is_reported(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	assert_true(guest_do(&f->child, GUEST_WRITE, 9, 1));
	arm(f);
	assert_true(guest_do(&f->child, GUEST_KERNEL_WRITE, 9, 0));
	assert_true(guest_do(&f->child, GUEST_KERNEL_WRITE, 10, 0));
	assert_int_equal(scan(f), 2);
	assert_true(migc_bitmap_test(f->words, 9));
	assert_true(migc_bitmap_test(f->words, 10));
}

static void bits_that_are_set_are_left(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	arm(f);
	assert_true(guest_do(&f->child, GUEST_WRITE, 3, 1));
	memset(f->words, 0, sizeof(f->words));
	migc_bitmap_set(f->words, 130);
	assert_int_equal(migc_dirty_scan(f->dirty, 0, f->words, NULL, NULL, &f->err), 0);
	assert_int_equal(migc_bitmap_count(f->words, PAGES), 2);
	assert_true(migc_bitmap_test(f->words, 130));
}

static void copy_reported(struct fixture *f, uint8_t *copy)
{
	for (uint64_t page = 0; page < PAGES; page++) {
		if (migc_bitmap_test(f->words, page))
			memcpy(copy + page * MIGC_PAGE_BYTES, page_of(f, page), MIGC_PAGE_BYTES);
	}
}

static void a_copy_of_what_is_reported_becomes_the_same_as_the_guest(void **state)
{
	uint8_t *copy = malloc(PAGES * MIGC_PAGE_BYTES);
	struct fixture *f = *state;
	const struct timespec pause = {0, 2000000};
	unsigned int scans = 0;

	start(f, MIGC_DIRTY_PAGEMAP);
	arm(f);
	for (unsigned int round = 0; round < 20; round++) {
		guest_tell(&f->child, GUEST_WRITE_RANDOMLY, 50000 + round, 0);
		/* everything once, while it writes; and from then on what is reported */
		if (round == 0) {
			memset(f->words, 0xff, sizeof(f->words));
			copy_reported(f, copy);
		}
		while (!guest_answers_now(&f->child)) {
			scan(f);
			copy_reported(f, copy);
			scans++;
			/* without a pause a guest whose faults are dear gets nowhere */
			nanosleep(&pause, NULL);
		}
		assert_true(guest_answered(&f->child));
		scan(f);
		copy_reported(f, copy);
		assert_memory_equal(copy, page_of(f, 0), PAGES * MIGC_PAGE_BYTES);
	}
	assert_true(scans > 0);
	free(copy);
}

static void written_huge_pages_are_narrowed_to_what_changed(void **state)
{
	const uint64_t pages = 2 * HUGE_BYTES / MIGC_PAGE_BYTES;
	struct fixture *f = *state;
	struct migc_dirty_stats stats;

	if (!huge_pages_take(&f->huge_pages, 2)) {
		print_message("skipped: huge pages cannot be had here and now\n");
		skip();
	}
	start_with(f, MIGC_DIRTY_PAGEMAP, 2 * HUGE_BYTES, MFD_HUGETLB);
	assert_int_equal(migc_guestmem_region(f->gm, 0)->backing_page_bytes, HUGE_BYTES);
	assert_true(migc_dirty_needs_copy(f->dirty, 0));
	for (uint64_t page = 0; page < pages; page++)
		assert_true(guest_do(&f->child, GUEST_WRITE, page, (int)(page % 100)));
	arm(f);
	for (uint64_t page = 0; page < pages; page++)
		migc_dirty_sent(f->dirty, 0, page, page_of(f, page));
	assert_int_equal(scan(f), 0);
	assert_true(guest_do(&f->child, GUEST_WRITE, 700, 200));
	/* the same byte again is a write, and no change */
	assert_true(guest_do(&f->child, GUEST_WRITE, 701, 701 % 100));
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, 700));
	migc_dirty_stats(f->dirty, &stats);
	assert_int_equal(stats.narrowed_pages, HUGE_BYTES / MIGC_PAGE_BYTES - 1);
	/* what was sent as zero, and is not */
	migc_dirty_sent(f->dirty, 0, 700, page_of(f, 700));
	migc_dirty_sent(f->dirty, 0, 3, NULL);
	assert_true(guest_do(&f->child, GUEST_WRITE, 0, 0));
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, 3));
}

static void memory_without_a_process_cannot_be_tracked_by_pagemap(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(migc_guestmem_create(&f->gm), 0);
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err),
			 -EOPNOTSUPP);
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_AUTO, f->gm, NULL, &f->dirty, &f->err), 0);
	assert_string_equal(migc_dirty_name(f->dirty), "hash");
}

static unsigned int said;

static void count_rest(void *ctx, enum migc_log_level level, const char *text)
{
	(void)ctx;
	assert_int_equal(level, MIGC_LOG_INFO);
	assert_non_null(strstr(text, "rest 200 ms"));
	assert_non_null(strstr(text, "dirty_test (deleted) (O_DIRECT)"));
	said++;
}

/** What the kernel pins is not reported; a hash finds whatever changed. */
static void pages_rest_where_a_disk_may_write_late_and_nothing_else_would_see_it(void **state)
{
	const struct migc_log log = {.write = count_rest, .level = MIGC_LOG_INFO};
	struct fixture *f = *state;
	int disk = open("/dev/shm/dirty_test", O_RDWR | O_CREAT | O_DIRECT, 0600);

	assert_true(disk >= 0);
	unlink("/dev/shm/dirty_test");
	/* the child has it too */
	start(f, MIGC_DIRTY_HASH);
	assert_int_equal(migc_dirty_settle_ns(f->dirty), 0);
	migc_dirty_free(f->dirty);
	f->dirty = NULL;
	if (migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, &log, &f->dirty, &f->err) != 0) {
		close(disk);
		skip();
	}
	said = 0;
	assert_int_equal(migc_dirty_settle_ns(f->dirty), 200000000);
	assert_int_equal(migc_dirty_settle_ns(f->dirty), 200000000);
	assert_int_equal(said, 1);
	close(disk);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(exactly_the_pages_that_were_written_are_reported),
		TEST(reading_makes_no_page_dirty),
		TEST(the_first_write_to_a_page_that_was_not_there_is_reported),
		TEST(what_the_kernel_writes_for_the_guest_is_reported),
		TEST(bits_that_are_set_are_left),
		TEST(a_copy_of_what_is_reported_becomes_the_same_as_the_guest),
		TEST(written_huge_pages_are_narrowed_to_what_changed),
		TEST(pages_rest_where_a_disk_may_write_late_and_nothing_else_would_see_it),
		TEST(memory_without_a_process_cannot_be_tracked_by_pagemap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
