/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "guest_child.h"
#include "migc_bitmap.h"
#include "migc_dirty.h"
#include "migc_random.h"

#define PAGES 256u
#define HUGE_BYTES (UINT64_C(2) << 20)
#define HUGE_PAGES_FILE "/proc/sys/vm/nr_hugepages"

struct fixture {
	struct guest_child child;
	struct migc_guestmem *gm;
	struct migc_dirty *dirty;
	struct migc_error err;
	uint64_t words[1024 / 64];
	long huge_pages; /**< to be put back; -1: not changed */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->huge_pages = -1;
	*state = f;
	return 0;
}

static long huge_pages(void)
{
	FILE *file = fopen(HUGE_PAGES_FILE, "re");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static bool set_huge_pages(long value)
{
	FILE *file = fopen(HUGE_PAGES_FILE, "we");
	bool ok = file && fprintf(file, "%ld\n", value) > 0;

	if (file && fclose(file) != 0)
		ok = false;
	return ok && huge_pages() == value;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	migc_dirty_free(f->dirty);
	migc_guestmem_free(f->gm);
	guest_stop(&f->child);
	if (f->huge_pages >= 0)
		set_huge_pages(f->huge_pages);
	free(f);
	return 0;
}

static int add_memory(struct fixture *f, struct migc_guestmem **gm)
{
	assert_int_equal(migc_guestmem_create(gm), 0);
	return migc_guestmem_add_process(*gm, "ram", f->child.pid, f->child.addr, f->child.bytes,
					 false, &f->err);
}

static void start_with(struct fixture *f, enum migc_dirty_kind kind, uint64_t bytes,
		       unsigned int memfd_flags)
{
	struct migc_dirty_features features;

	migc_dirty_probe(&features);
	if (kind == MIGC_DIRTY_PAGEMAP && features.missing[0]) {
		print_message("skipped: this kernel lacks %s\n", features.missing);
		skip();
	}
	assert_int_equal(guest_start(&f->child, bytes, memfd_flags, true), 0);
	if (add_memory(f, &f->gm) != 0)
		fail_msg("%s", f->err.text);
	if (migc_dirty_create(kind, f->gm, NULL, &f->dirty, &f->err) != 0)
		fail_msg("%s", f->err.text);
}

static void start(struct fixture *f, enum migc_dirty_kind kind)
{
	start_with(f, kind, PAGES * MIGC_PAGE_BYTES, 0);
}

static void arm(struct fixture *f)
{
	if (migc_dirty_arm(f->dirty, &f->err) != 0)
		fail_msg("%s", f->err.text);
}

/** @return pages that the scan reported; their bits are in words. */
static uint64_t scan(struct fixture *f)
{
	memset(f->words, 0, sizeof(f->words));
	if (migc_dirty_scan(f->dirty, 0, f->words, NULL, NULL, &f->err) != 0)
		fail_msg("%s", f->err.text);
	return migc_bitmap_count(f->words, migc_guestmem_region(f->gm, 0)->pages);
}

static const uint8_t *page_of(const struct fixture *f, uint64_t page)
{
	return migc_guestmem_region(f->gm, 0)->addr + page * MIGC_PAGE_BYTES;
}

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
	unsigned int scans = 0;

	start(f, MIGC_DIRTY_PAGEMAP);
	arm(f);
	for (unsigned int round = 0; round < 20; round++) {
		guest_tell(&f->child, GUEST_WRITE_RANDOMLY, 200000 + round, 0);
		/* everything once, while it writes; and from then on what is reported */
		if (round == 0) {
			memset(f->words, 0xff, sizeof(f->words));
			copy_reported(f, copy);
		}
		while (!guest_answers_now(&f->child)) {
			scan(f);
			copy_reported(f, copy);
			scans++;
		}
		assert_true(guest_answered(&f->child));
		scan(f);
		copy_reported(f, copy);
		assert_memory_equal(copy, page_of(f, 0), PAGES * MIGC_PAGE_BYTES);
	}
	assert_true(scans > 0);
	free(copy);
}

static void disarmed_it_leaves_no_trace(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	assert_int_equal(guest_userfaultfds(&f->child), 0);
	assert_false(guest_is_traced(&f->child));
	arm(f);
	assert_true(guest_do(&f->child, GUEST_WRITE, 3, 1));
	migc_dirty_disarm(f->dirty);
	assert_int_equal(guest_userfaultfds(&f->child), 0);
	assert_false(guest_is_traced(&f->child));
	assert_true(guest_do(&f->child, GUEST_WRITE, 3, 2));
	assert_true(guest_do(&f->child, GUEST_WRITE, 4, 2));
	/* twice is once */
	migc_dirty_disarm(f->dirty);
	migc_dirty_free(f->dirty);
	f->dirty = NULL;
	/* and the next can have it */
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err), 0);
	arm(f);
	assert_int_equal(scan(f), 0);
}

static void a_second_tracker_is_told_that_there_is_one(void **state)
{
	struct fixture *f = *state;
	struct migc_dirty *second;

	start(f, MIGC_DIRTY_PAGEMAP);
	arm(f);
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &second, &f->err),
			 -EBUSY);
	assert_non_null(strstr(f->err.text, "another"));
	memset(&f->err, 0, sizeof(f->err));
	/* nor does it hash instead */
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_AUTO, f->gm, NULL, &second, &f->err), -EBUSY);
	/* the first goes on */
	memset(&f->err, 0, sizeof(f->err));
	assert_true(guest_do(&f->child, GUEST_WRITE, 50, 1));
	assert_int_equal(scan(f), 1);
}

static void an_idle_guest_can_be_taken_again_and_again(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	for (unsigned int i = 0; i < 50; i++) {
		/* it sits in the same call of ppoll() all the time */
		migc_dirty_free(f->dirty);
		assert_int_equal(
			migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err), 0);
	}
	assert_true(guest_do(&f->child, GUEST_PING, 0, 0));
	/* and never came out of it for that */
	assert_int_equal(*f->child.early, 0);
}

static void a_process_that_sits_in_poll_is_taken_too(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	migc_dirty_free(f->dirty);
	f->dirty = NULL;
	migc_guestmem_free(f->gm);
	f->gm = NULL;
	guest_stop(&f->child);
	assert_int_equal(guest_start(&f->child, PAGES * MIGC_PAGE_BYTES, 0, false), 0);
	assert_int_equal(add_memory(f, &f->gm), 0);
	for (unsigned int i = 0; i < 50; i++) {
		assert_int_equal(
			migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err), 0);
		assert_true(guest_do(&f->child, GUEST_PING, 0, 0));
		migc_dirty_free(f->dirty);
		f->dirty = NULL;
	}
	assert_int_equal(*f->child.early, 0);
}

/** A tracker that attaches and detaches until it is killed. */
static void attach_for_ever(struct fixture *f)
{
	for (;;) {
		struct migc_error err = {0};
		struct migc_dirty *dirty;

		if (migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &dirty, &err) == 0) {
			migc_dirty_arm(dirty, &err);
			migc_dirty_free(dirty);
		}
	}
}

static void a_tracker_killed_at_any_moment_leaves_the_guest_unharmed(void **state)
{
	struct fixture *f = *state;
	struct migc_random r;

	start(f, MIGC_DIRTY_PAGEMAP);
	migc_dirty_free(f->dirty);
	f->dirty = NULL;
	migc_random_seed(&r, 5);
	for (unsigned int i = 0; i < 300; i++) {
		struct timespec delay = {0, (long)(migc_random_next(&r) % 2000000)};
		pid_t tracker = fork();

		assert_true(tracker >= 0);
		if (tracker == 0)
			attach_for_ever(f);
		/* it works meanwhile */
		guest_tell(&f->child, GUEST_WRITE, i % PAGES, 1 + (int)(i % 200));
		nanosleep(&delay, NULL);
		kill(tracker, SIGKILL);
		assert_int_equal(waitpid(tracker, NULL, 0), tracker);
		assert_true(guest_answered(&f->child));
		assert_int_equal(page_of(f, i % PAGES)[(1 + i % 200) * 16], 1 + i % 200);
		assert_true(guest_do(&f->child, GUEST_PING, 0, 0));
		assert_false(guest_is_traced(&f->child));
	}
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err), 0);
	arm(f);
	assert_true(guest_do(&f->child, GUEST_WRITE, 1, 7));
	assert_int_equal(scan(f), 1);
}

static void a_process_that_has_gone_is_an_error_and_not_a_clean_guest(void **state)
{
	struct fixture *f = *state;
	siginfo_t info;

	start(f, MIGC_DIRTY_PAGEMAP);
	arm(f);
	kill(f->child.pid, SIGKILL);
	/* dead, and not yet buried */
	assert_int_equal(waitid(P_PID, (id_t)f->child.pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(migc_dirty_scan(f->dirty, 0, f->words, NULL, NULL, &f->err), -ESRCH);
	assert_int_equal(f->err.code, -ESRCH);
	waitpid(f->child.pid, NULL, 0);
	f->child.pid = 0;
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_dirty_scan(f->dirty, 0, f->words, NULL, NULL, &f->err), -ESRCH);
	migc_dirty_disarm(f->dirty);
	memset(&f->err, 0, sizeof(f->err));
	migc_dirty_free(f->dirty);
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err),
			 -ENOENT);
	assert_null(f->dirty);
}

static void a_process_that_is_never_in_poll_is_given_up_and_goes_on(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_PAGEMAP);
	migc_dirty_free(f->dirty);
	f->dirty = NULL;
	assert_true(guest_do(&f->child, GUEST_SPIN, 0, 0));
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err),
			 -ETIMEDOUT);
	assert_false(guest_is_traced(&f->child));
	/* it still takes signals, and then orders */
	kill(f->child.pid, SIGUSR1);
	assert_true(guest_answered(&f->child));
	assert_true(guest_do(&f->child, GUEST_WRITE, 1, 1));
	assert_int_equal(guest_userfaultfds(&f->child), 0);
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_dirty_create(MIGC_DIRTY_PAGEMAP, f->gm, NULL, &f->dirty, &f->err), 0);
}

static void written_huge_pages_are_narrowed_to_what_changed(void **state)
{
	const uint64_t pages = 2 * HUGE_BYTES / MIGC_PAGE_BYTES;
	struct fixture *f = *state;
	struct migc_dirty_stats stats;

	f->huge_pages = huge_pages();
	if (f->huge_pages < 0 || !set_huge_pages(f->huge_pages + 2)) {
		print_message("skipped: huge pages cannot be had here\n");
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

static void send_all(struct fixture *f)
{
	for (uint64_t page = 0; page < PAGES; page++)
		migc_dirty_sent(f->dirty, 0, page, page_of(f, page));
}

static void count_idle(void *ctx)
{
	++*(unsigned int *)ctx;
}

static void hashing_reports_the_pages_that_differ_from_what_was_sent(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_HASH);
	assert_string_equal(migc_dirty_name(f->dirty), "hash");
	assert_true(migc_dirty_needs_copy(f->dirty, 0));
	for (uint64_t page = 0; page < PAGES / 2; page++)
		assert_true(guest_do(&f->child, GUEST_WRITE, page, 1));
	arm(f);
	/* never sent: reported; holes: not */
	assert_int_equal(scan(f), PAGES / 2);
	for (uint64_t page = 0; page < PAGES / 2; page++)
		migc_dirty_sent(f->dirty, 0, page, page_of(f, page));
	assert_int_equal(scan(f), 0);
	assert_true(guest_do(&f->child, GUEST_WRITE, 5, 2));
	assert_true(guest_do(&f->child, GUEST_WRITE, PAGES - 1, 2));
	assert_int_equal(scan(f), 2);
	assert_true(migc_bitmap_test(f->words, 5));
	assert_true(migc_bitmap_test(f->words, PAGES - 1));
	/* until it is sent it stays so */
	assert_int_equal(scan(f), 2);
	migc_dirty_sent(f->dirty, 0, 5, page_of(f, 5));
	assert_int_equal(scan(f), 1);
}

static void a_page_that_changed_and_changed_back_is_reported_when_the_change_was_sent(void **state)
{
	uint8_t b[MIGC_PAGE_BYTES];
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_HASH);
	for (uint64_t page = 0; page < PAGES; page++)
		assert_true(guest_do(&f->child, GUEST_WRITE, page, 1));
	arm(f);
	send_all(f);
	/* state B is what a worker copied and sent */
	memcpy(b, page_of(f, 8), sizeof(b));
	b[100] ^= 1;
	migc_dirty_sent(f->dirty, 0, 8, b);
	/* and A is what there is when it is looked at again */
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, 8));
	migc_dirty_sent(f->dirty, 0, 8, page_of(f, 8));
	assert_int_equal(scan(f), 0);
}

static void a_page_sent_as_zero_is_clean_while_it_is_zero(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_HASH);
	/* data, and zero */
	assert_true(guest_do(&f->child, GUEST_WRITE, 20, 0));
	arm(f);
	assert_int_equal(scan(f), 1);
	migc_dirty_sent(f->dirty, 0, 20, NULL);
	assert_int_equal(scan(f), 0);
	assert_true(guest_do(&f->child, GUEST_WRITE, 20, 1));
	assert_int_equal(scan(f), 1);
}

/** hugetlbfs tells no holes: zeros that the guest writes over data are a change all the same. */
static void hashing_reports_zeros_over_data_in_huge_pages(void **state)
{
	struct fixture *f = *state;

	f->huge_pages = huge_pages();
	if (f->huge_pages < 0 || !set_huge_pages(f->huge_pages + 2)) {
		print_message("skipped: huge pages cannot be had here\n");
		skip();
	}
	start_with(f, MIGC_DIRTY_HASH, 2 * HUGE_BYTES, MFD_HUGETLB);
	assert_true(guest_do(&f->child, GUEST_WRITE, 600, 1));
	arm(f);
	assert_int_equal(scan(f), 1);
	migc_dirty_sent(f->dirty, 0, 600, page_of(f, 600));
	assert_int_equal(scan(f), 0);
	/* it was sent as data, and holds zeros now */
	migc_dirty_sent(f->dirty, 0, 601, page_of(f, 600));
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, 601));
	migc_dirty_sent(f->dirty, 0, 601, NULL);
	assert_int_equal(scan(f), 0);
}

static void hashing_gives_others_their_turn(void **state)
{
	struct fixture *f = *state;
	unsigned int idle = 0;
	uint64_t *words;

	start_with(f, MIGC_DIRTY_HASH, 8192 * MIGC_PAGE_BYTES, 0);
	for (uint64_t page = 0; page < 8192; page++)
		assert_true(guest_do(&f->child, GUEST_WRITE, page, 1));
	words = migc_bitmap_alloc(8192);
	assert_int_equal(migc_dirty_scan(f->dirty, 0, words, count_idle, &idle, &f->err), 0);
	free(words);
	assert_true(idle >= 3);
}

static void nothing_changes_while_the_guest_is_stopped(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_DIRTY_NONE);
	assert_string_equal(migc_dirty_name(f->dirty), "none");
	assert_false(migc_dirty_needs_copy(f->dirty, 0));
	arm(f);
	assert_true(guest_do(&f->child, GUEST_WRITE, 20, 1));
	assert_int_equal(scan(f), 0);
	assert_int_equal(guest_userfaultfds(&f->child), 0);
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
		TEST(disarmed_it_leaves_no_trace),
		TEST(a_second_tracker_is_told_that_there_is_one),
		TEST(an_idle_guest_can_be_taken_again_and_again),
		TEST(a_process_that_sits_in_poll_is_taken_too),
		TEST(a_tracker_killed_at_any_moment_leaves_the_guest_unharmed),
		TEST(a_process_that_has_gone_is_an_error_and_not_a_clean_guest),
		TEST(a_process_that_is_never_in_poll_is_given_up_and_goes_on),
		TEST(written_huge_pages_are_narrowed_to_what_changed),
		TEST(memory_without_a_process_cannot_be_tracked_by_pagemap),
		TEST(hashing_reports_the_pages_that_differ_from_what_was_sent),
		TEST(a_page_that_changed_and_changed_back_is_reported_when_the_change_was_sent),
		TEST(a_page_sent_as_zero_is_clean_while_it_is_zero),
		TEST(hashing_reports_zeros_over_data_in_huge_pages),
		TEST(hashing_gives_others_their_turn),
		TEST(nothing_changes_while_the_guest_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
