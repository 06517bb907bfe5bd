/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "migc_guestmem.h"

/** @file Guest pages that are read from their file instead of touched through a mapping. */

#define PAGES 2048u
#define PAGE ((size_t)MIGC_PAGE_BYTES)

struct fixture {
	struct migc_bus_guard *guard;
	struct migc_guestmem *gm;
	int fd;
	uint8_t buffer[16 * MIGC_PAGE_BYTES];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (f == NULL || migc_bus_guard_create(&f->guard) != 0)
		return -1;
	f->fd = memfd_create("guest", MFD_CLOEXEC);
	return f->fd < 0 ? -1 : migc_guestmem_create(&f->gm);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	migc_guestmem_free(f->gm);
	migc_bus_guard_free(f->guard);
	close(f->fd);
	free(f);
	return 0;
}

static void add(struct fixture *f, unsigned int pages, uint64_t offset, bool guarded)
{
	struct migc_error err = {0};
	char path[64];

	assert_int_equal(ftruncate(f->fd, (off_t)(pages * PAGE)), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", f->fd);
	if (guarded)
		migc_guestmem_guard(f->gm, f->guard);
	if (migc_guestmem_add_file(f->gm, "ram", path, offset, 0, false, &err) != 0)
		fail_msg("%s", err.text);
}

/** Each with a number of its own in it. */
static void fill(const struct fixture *f, unsigned int first, unsigned int count)
{
	uint32_t page[MIGC_PAGE_BYTES / sizeof(uint32_t)];

	for (unsigned int p = first; p < first + count; p++) {
		for (size_t i = 0; i < sizeof(page) / sizeof(page[0]); i++)
			page[i] = p + 1;
		assert_int_equal(pwrite(f->fd, page, PAGE, (off_t)(p * PAGE)), PAGE);
	}
}

static uint32_t number(const struct fixture *f, unsigned int at)
{
	uint32_t n;

	memcpy(&n, f->buffer + (at + 1) * PAGE - sizeof(n), sizeof(n));
	return n;
}

static blkcnt_t occupied(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(fstat(f->fd, &st), 0);
	return st.st_blocks;
}

static void pages_are_read_and_holes_stay_holes(void **state)
{
	struct fixture *f = *state;
	blkcnt_t before;

	add(f, PAGES, 8 * PAGE, true);
	assert_true(migc_guestmem_can_read(f->gm, 0));
	fill(f, 20, 3);
	before = occupied(f);
	memset(f->buffer, 0xa5, sizeof(f->buffer));
	migc_guestmem_read(f->gm, 0, 11, 5, f->buffer);
	/* page 11 of the region is page 19 of the file */
	assert_int_equal(number(f, 0), 0);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(number(f, 1 + i), 21 + i);
	assert_int_equal(number(f, 4), 0);
	assert_int_equal(number(f, 5), 0xa5a5a5a5);
	assert_int_equal(occupied(f), before);
	assert_int_equal(migc_guestmem_check_intact(f->gm, NULL), 0);
}

static void what_is_not_there_is_zero_and_the_region_is_lost(void **state)
{
	struct fixture *f = *state;
	struct migc_error err = {0};

	add(f, PAGES, 0, true);
	fill(f, 0, 16);
	assert_int_equal(ftruncate(f->fd, 10 * PAGE), 0);
	/* as long as it was again: only the read tells */
	memset(f->buffer, 0xa5, sizeof(f->buffer));
	migc_guestmem_read(f->gm, 0, 8, 4, f->buffer);
	assert_int_equal(ftruncate(f->fd, PAGES * PAGE), 0);
	assert_int_equal(number(f, 1), 10);
	assert_int_equal(number(f, 2), 0);
	assert_int_equal(number(f, 3), 0);
	assert_int_equal(migc_guestmem_check_intact(f->gm, &err), -EFAULT);
	assert_non_null(strstr(err.text, "region ram"));
}

static void a_region_that_nobody_guards_is_not_read(void **state)
{
	struct fixture *f = *state;

	add(f, PAGES, 0, false);
	assert_false(migc_guestmem_can_read(f->gm, 0));
}

static void costs_are_measured_on_data_and_fill_no_hole(void **state)
{
	struct fixture *f = *state;
	struct migc_read_cost cost = {0};
	blkcnt_t before;

	add(f, PAGES, 0, true);
	fill(f, 100, 300);
	fill(f, 1500, 500);
	before = occupied(f);
	assert_int_equal(migc_guestmem_read_cost(f->gm, 0, &cost), 0);
	assert_true(cost.mapped_ns > 0 && cost.read_ns > 0);
	assert_int_equal(occupied(f), before);
	assert_int_equal(migc_guestmem_check_intact(f->gm, NULL), 0);
}

static void without_enough_data_nothing_is_measured(void **state)
{
	struct migc_read_cost cost;
	struct fixture *f = *state;
	blkcnt_t before;

	add(f, PAGES, 0, true);
	assert_int_equal(migc_guestmem_read_cost(f->gm, 0, &cost), -ENODATA);
	/* every second page */
	for (unsigned int p = 0; p < PAGES; p += 2)
		fill(f, p, 1);
	before = occupied(f);
	assert_int_equal(migc_guestmem_read_cost(f->gm, 0, &cost), -ENODATA);
	assert_int_equal(occupied(f), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(pages_are_read_and_holes_stay_holes),
		TEST(what_is_not_there_is_zero_and_the_region_is_lost),
		TEST(a_region_that_nobody_guards_is_not_read),
		TEST(costs_are_measured_on_data_and_fill_no_hole),
		TEST(without_enough_data_nothing_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
