/* SPDX-License-Identifier: BSD-3-Clause */
/* What is found by hashing; and no tracker at all. */
#include <errno.h>
#include <sys/mman.h>

#include "dirty_fixture.h"

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

	if (!huge_pages_take(&f->huge_pages, 2)) {
		print_message("skipped: huge pages cannot be had here and now\n");
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
		TEST(hashing_reports_the_pages_that_differ_from_what_was_sent),
		TEST(a_page_that_changed_and_changed_back_is_reported_when_the_change_was_sent),
		TEST(a_page_sent_as_zero_is_clean_while_it_is_zero),
		TEST(hashing_reports_zeros_over_data_in_huge_pages),
		TEST(hashing_gives_others_their_turn),
		TEST(nothing_changes_while_the_guest_is_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
