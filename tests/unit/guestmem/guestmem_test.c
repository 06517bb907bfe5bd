/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "migc_bitmap.h"
#include "migc_guestmem.h"

#define PAGE ((uint64_t)MIGC_PAGE_BYTES)
/** Of a file that takes three calls to map ahead. */
#define FILE_PAGES 3000u

struct fixture {
	char dir[64];
	char path[128];
	struct migc_guestmem *gm;
	struct migc_error err;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	/* a file system whose holes are exact to the page, for all users */
	strcpy(f->dir, "/dev/shm/migc-guestmem-XXXXXX");
	if (mkdtemp(f->dir) == NULL)
		return -1;
	snprintf(f->path, sizeof(f->path), "%s/ram", f->dir);
	*state = f;
	return migc_guestmem_create(&f->gm);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	migc_guestmem_free(f->gm);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void make_file(const struct fixture *f, uint64_t size)
{
	int fd = open(f->path, O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

static void write_page(const struct fixture *f, uint64_t page, int byte)
{
	int fd = open(f->path, O_RDWR);
	uint8_t bytes[MIGC_PAGE_BYTES];

	memset(bytes, byte, sizeof(bytes));
	assert_int_equal(pwrite(fd, bytes, sizeof(bytes), (off_t)(page * PAGE)), sizeof(bytes));
	close(fd);
}

static struct stat stat_of(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	return st;
}

static const struct migc_region *add(struct fixture *f, uint64_t offset, uint64_t length,
				     bool writable)
{
	int rc = migc_guestmem_add_file(f->gm, "ram", f->path, offset, length, writable, &f->err);

	if (rc != 0)
		print_message("%s\n", f->err.text);
	assert_int_equal(rc, 0);
	return migc_guestmem_region(f->gm, migc_guestmem_regions(f->gm) - 1);
}

static void add_refused(struct fixture *f, uint64_t offset, uint64_t length, bool writable,
			int code, const char *text)
{
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(
		migc_guestmem_add_file(f->gm, "ram", f->path, offset, length, writable, &f->err),
		code);
	assert_int_equal(f->err.code, code);
	if (strstr(f->err.text, text) == NULL)
		print_message("%s: has no '%s'\n", f->err.text, text);
	assert_non_null(strstr(f->err.text, text));
	assert_int_equal(migc_guestmem_regions(f->gm), 0);
}

static void a_sparse_file_stays_sparse_when_looked_at(void **state)
{
	struct fixture *f = *state;
	uint8_t digest[MIGC_DIGEST_BYTES];
	const struct migc_region *region;
	blkcnt_t blocks;
	uint64_t *words;

	make_file(f, 1000 * PAGE);
	write_page(f, 3, 1);
	write_page(f, 999, 1);
	blocks = stat_of(f).st_blocks;
	region = add(f, 0, 0, true);
	words = migc_bitmap_alloc(region->pages);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(migc_guestmem_digest(f->gm, 0, NULL, NULL, digest), 0);
	assert_int_equal(stat_of(f).st_blocks, blocks);
	assert_int_equal(migc_bitmap_count(words, region->pages), 2);
	free(words);
}

static void the_data_map_is_exact(void **state)
{
	/* neighbours, single pages, words' ends, both ends of the region */
	static const uint64_t data[] = {0, 1, 5, 62, 63, 64, 65, 127, 128, 199, 200, 298};
	struct fixture *f = *state;
	const struct migc_region *region;
	uint64_t *words;

	make_file(f, 299 * PAGE);
	for (unsigned int i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		write_page(f, data[i], (int)i + 1);
	region = add(f, 0, 0, false);
	assert_int_equal(region->pages, 299);
	words = migc_bitmap_alloc(region->pages);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(migc_bitmap_count(words, region->pages), sizeof(data) / sizeof(data[0]));
	for (unsigned int i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		assert_true(migc_bitmap_test(words, data[i]));
	free(words);
}

static void a_file_of_holes_or_of_data_only_is_mapped_exactly(void **state)
{
	struct fixture *f = *state;
	uint64_t words[2] = {0, 0};

	make_file(f, 70 * PAGE);
	add(f, 0, 0, true);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(migc_bitmap_count(words, 70), 0);
	for (uint64_t page = 0; page < 70; page++)
		write_page(f, page, 7);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(migc_bitmap_count(words, 70), 70);
	assert_int_equal(words[1] >> 6, 0);
}

static void map_still(struct fixture *f, uint64_t words[2])
{
	size_t bytes = migc_bitmap_words(migc_guestmem_region(f->gm, 0)->pages) * sizeof(words[0]);
	uint64_t seen[2] = {0, 0};

	assert_int_equal(migc_guestmem_data_map(f->gm, 0, seen), 0);
	/* what it held before counts for nothing */
	memset(words, 0xa5, bytes);
	assert_int_equal(migc_guestmem_still_map(f->gm, 0, words), 0);
	assert_memory_equal(words, seen, bytes);
}

static void the_map_at_rest_is_the_data_map(void **state)
{
	struct fixture *f = *state;
	uint64_t words[2];

	make_file(f, 100 * PAGE);
	add(f, 0, 0, true);
	map_still(f, words);
	assert_int_equal(migc_bitmap_count(words, 100), 0);
	for (uint64_t page = 0; page < 100; page += 1 + page % 3)
		write_page(f, page, 1);
	write_page(f, 99, 1);
	map_still(f, words);
	assert_true(migc_bitmap_test(words, 99));
	assert_int_equal(migc_bitmap_count(words, 100), stat_of(f).st_blocks / 8);
	assert_int_equal(migc_guestmem_punch(f->gm, 0, 40, 30), 0);
	map_still(f, words);
	assert_int_equal(migc_bitmap_count(words, 100), stat_of(f).st_blocks / 8);
}

static void pages_that_mincore_does_not_tell_of_are_looked_for(void **state)
{
	struct fixture *f = *state;
	uint64_t words[2];
	int fd;

	/* as with pages that are swapped out, the file has more than are there for mincore() */
	make_file(f, 100 * PAGE);
	write_page(f, 3, 1);
	fd = open(f->path, O_RDWR);
	assert_int_equal(posix_fallocate(fd, 50 * PAGE, 4 * PAGE), 0);
	close(fd);
	add(f, 0, 0, true);
	assert_int_equal(stat_of(f).st_blocks, 5 * 8);
	map_still(f, words);
	assert_true(migc_bitmap_test(words, 3));
}

static void the_map_at_rest_of_a_region_inside_a_file(void **state)
{
	struct fixture *f = *state;
	uint64_t words[2];

	make_file(f, 40 * PAGE);
	write_page(f, 9, 9);
	write_page(f, 10, 10);
	write_page(f, 19, 19);
	write_page(f, 20, 20);
	add(f, 10 * PAGE, 10 * PAGE, true);
	map_still(f, words);
	assert_int_equal(words[0], 1u << 0 | 1u << 9);
}

static long minor_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/** Some lengths of runs; one across the region's first page, one up to the end of the file. */
static bool is_data(uint64_t page)
{
	return page >= 50 && (page % 40 < 25 || page > FILE_PAGES - 10);
}

static void data_is_mapped_ahead_and_holes_stay(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region;
	uint64_t page = 0, calls = 0;
	blkcnt_t blocks;
	long faults;

	make_file(f, FILE_PAGES * PAGE);
	for (uint64_t i = 0; i < FILE_PAGES; i++) {
		if (is_data(i))
			write_page(f, i, 1);
	}
	blocks = stat_of(f).st_blocks;
	region = add(f, 60 * PAGE, (FILE_PAGES - 60) * PAGE, true);
	while (page < region->pages) {
		uint64_t next = migc_guestmem_map_ahead(f->gm, 0, page);

		assert_true(next > page);
		/* it goes on where a hole ends */
		assert_true(next - page <= MIGC_MAP_AHEAD_PAGES + 15);
		page = next;
		calls++;
	}
	assert_int_equal(page, region->pages);
	assert_int_equal(calls, 3);
	assert_int_equal(stat_of(f).st_blocks, blocks);
	faults = minor_faults();
	for (uint64_t i = 60; i < FILE_PAGES; i++) {
		if (is_data(i))
			region->addr[(i - 60) * PAGE] = 2;
	}
	assert_int_equal(minor_faults(), faults);
}

static void nothing_is_mapped_ahead_of_what_is_not_to_be_written(void **state)
{
	struct fixture *f = *state;

	make_file(f, 40 * PAGE);
	write_page(f, 3, 1);
	add(f, 0, 0, false);
	assert_int_equal(migc_guestmem_map_ahead(f->gm, 0, 0), 40);
}

static void data_pages_are_counted_within_the_region(void **state)
{
	struct fixture *f = *state;
	uint64_t pages = 1;

	make_file(f, 40 * PAGE);
	add(f, 10 * PAGE, 4 * PAGE, false);
	assert_int_equal(migc_guestmem_count_data(f->gm, 0, &pages), 0);
	assert_int_equal(pages, 0);
	write_page(f, 11, 1);
	write_page(f, 12, 1);
	assert_int_equal(migc_guestmem_count_data(f->gm, 0, &pages), 0);
	assert_int_equal(pages, 2);
	/* outside: counted, but never more than there are in the region */
	for (uint64_t page = 20; page < 30; page++)
		write_page(f, page, 1);
	assert_int_equal(migc_guestmem_count_data(f->gm, 0, &pages), 0);
	assert_int_equal(pages, 4);
}

static void the_data_map_leaves_bits_that_are_set(void **state)
{
	struct fixture *f = *state;
	uint64_t words[1] = {1u << 9};

	make_file(f, 16 * PAGE);
	write_page(f, 2, 1);
	add(f, 0, 0, false);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(words[0], 1u << 9 | 1u << 2);
}

static void a_region_may_lie_inside_a_file(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region;
	uint64_t words[1] = {0};

	make_file(f, 40 * PAGE);
	write_page(f, 9, 9); /* before */
	write_page(f, 10, 10); /* first page */
	write_page(f, 15, 15);
	write_page(f, 19, 19); /* last */
	write_page(f, 20, 20); /* behind */
	region = add(f, 10 * PAGE, 10 * PAGE, true);
	assert_int_equal(region->pages, 10);
	assert_int_equal(region->addr[0], 10);
	assert_int_equal(region->addr[9 * PAGE], 19);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(words[0], 1u << 0 | 1u << 5 | 1u << 9);
	assert_int_equal(migc_guestmem_punch(f->gm, 0, 5, 5), 0);
	words[0] = 0;
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(words[0], 1u << 0);
	/* what is not ours was left */
	assert_int_equal(stat_of(f).st_blocks, 3 * 8);
	assert_int_equal(stat_of(f).st_size, 40 * PAGE);
}

static void punched_pages_are_holes_and_zero(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region;
	uint64_t words[1] = {0};

	make_file(f, 8 * PAGE);
	for (uint64_t page = 0; page < 8; page++)
		write_page(f, page, 1);
	region = add(f, 0, 0, true);
	assert_int_equal(migc_guestmem_punch(f->gm, 0, 2, 3), 0);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(words[0], 0xe3);
	assert_int_equal(region->addr[2 * PAGE], 0);
	assert_int_equal(region->addr[5 * PAGE], 1);
	assert_int_equal(stat_of(f).st_size, 8 * PAGE);
}

static void wrong_places_are_refused_and_say_what_is_wrong(void **state)
{
	struct fixture *f = *state;

	make_file(f, 10 * PAGE + 100);
	add_refused(f, 0, 0, false, -EINVAL, "no multiple");
	add_refused(f, 0, 5000, false, -EINVAL, "length 5000 is no multiple");
	add_refused(f, 100, PAGE, false, -EINVAL, "offset 100 is no multiple");
	add_refused(f, 0, 11 * PAGE, false, -EINVAL, "too short");
	add_refused(f, 10 * PAGE, PAGE, false, -EINVAL, "too short");
	add_refused(f, 20 * PAGE, 0, false, -EINVAL, "too short");
	add_refused(f, 0, (uint64_t)1 << 45, false, -EFBIG, "16 TiB");
	/* the file was only looked at */
	assert_int_equal(stat_of(f).st_size, 10 * PAGE + 100);
}

static void places_whose_sum_is_too_large_for_a_file_are_refused(void **state)
{
	struct fixture *f = *state;

	make_file(f, 10 * PAGE);
	add_refused(f, UINT64_MAX - PAGE + 1, 2 * PAGE, false, -EFBIG, "too far");
	add_refused(f, UINT64_MAX - PAGE + 1, 2 * PAGE, true, -EFBIG, "too far");
	add_refused(f, (UINT64_C(1) << 63) - PAGE, PAGE, true, -EFBIG, "too far");
	assert_int_equal(stat_of(f).st_size, 10 * PAGE);
}

static void what_is_no_file_is_refused(void **state)
{
	struct fixture *f = *state;

	add_refused(f, 0, PAGE, false, -ENOENT, "cannot be opened");
	assert_int_equal(access(f->path, F_OK), -1);
	assert_int_equal(mkfifo(f->path, 0600), 0);
	/* and not waited for */
	add_refused(f, 0, PAGE, false, -EINVAL, "not a regular file");
	add_refused(f, 0, PAGE, true, -EINVAL, "not a regular file");
	unlink(f->path);
	assert_int_equal(migc_guestmem_add_file(f->gm, "ram", f->dir, 0, PAGE, false, &f->err),
			 -EINVAL);
	assert_int_equal(migc_guestmem_regions(f->gm), 0);
}

static void names_are_checked_and_unique(void **state)
{
	struct fixture *f = *state;
	char name[MIGC_REGION_NAME_BYTES + 1];
	struct migc_error err = {0};

	make_file(f, PAGE);
	add(f, 0, 0, false);
	assert_int_equal(migc_guestmem_add_file(f->gm, "ram", f->path, 0, 0, false, &err), -EEXIST);
	assert_non_null(strstr(err.text, "ram"));
	memset(&err, 0, sizeof(err));
	assert_int_equal(migc_guestmem_add_file(f->gm, "", f->path, 0, 0, false, &err), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[MIGC_REGION_NAME_BYTES] = '\0';
	memset(&err, 0, sizeof(err));
	assert_int_equal(migc_guestmem_add_file(f->gm, name, f->path, 0, 0, false, &err), -EINVAL);
	name[MIGC_REGION_NAME_BYTES - 1] = '\0';
	memset(&err, 0, sizeof(err));
	assert_int_equal(migc_guestmem_add_file(f->gm, name, f->path, 0, 0, false, &err), 0);
	assert_int_equal(migc_guestmem_find(f->gm, name), 1);
	assert_int_equal(migc_guestmem_find(f->gm, "ram"), 0);
	assert_int_equal(migc_guestmem_find(f->gm, "rom"), -ENOENT);
	assert_int_equal(migc_guestmem_total_bytes(f->gm), 2 * PAGE);
}

static void a_destination_file_is_created_and_grown_but_never_cut(void **state)
{
	struct fixture *f = *state;

	add(f, 0, 100 * PAGE, true);
	assert_int_equal(stat_of(f).st_size, 100 * PAGE);
	assert_int_equal(stat_of(f).st_blocks, 0);
	migc_guestmem_free(f->gm);
	assert_int_equal(migc_guestmem_create(&f->gm), 0);
	write_page(f, 99, 5);
	add(f, PAGE, 10 * PAGE, true);
	assert_int_equal(stat_of(f).st_size, 100 * PAGE);
	assert_int_equal(stat_of(f).st_blocks, 8);
}

static void a_region_without_a_size_gets_one_later_and_only_one(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region = add(f, 0, 0, true);

	assert_int_equal(region->size_bytes, 0);
	assert_null(region->addr);
	assert_int_equal(migc_guestmem_set_size(f->gm, 0, 3 * PAGE + 1, &f->err), -EINVAL);
	assert_int_equal(stat_of(f).st_size, 0);
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_guestmem_set_size(f->gm, 0, 3 * PAGE, &f->err), 0);
	assert_int_equal(region->pages, 3);
	assert_int_equal(stat_of(f).st_size, 3 * PAGE);
	region->addr[3 * PAGE - 1] = 1;
	assert_int_equal(stat_of(f).st_blocks, 8);
	assert_int_equal(migc_guestmem_set_size(f->gm, 0, 3 * PAGE, &f->err), 0);
	assert_int_equal(migc_guestmem_set_size(f->gm, 0, 4 * PAGE, &f->err), -EEXIST);
	assert_non_null(strstr(f->err.text, "ram"));
	assert_int_equal(migc_guestmem_regions(f->gm), 1);
}

static void count_idle(void *ctx)
{
	++*(unsigned int *)ctx;
}

static void equal_content_has_equal_digests_with_and_without_holes(void **state)
{
	uint8_t sparse[MIGC_DIGEST_BYTES], full[MIGC_DIGEST_BYTES], other[MIGC_DIGEST_BYTES];
	struct fixture *f = *state;
	unsigned int idle = 0;

	make_file(f, 5000 * PAGE);
	write_page(f, 17, 1);
	write_page(f, 4321, 2);
	add(f, 0, 0, true);
	assert_int_equal(migc_guestmem_digest(f->gm, 0, count_idle, &idle, sparse), 0);
	assert_true(idle >= 4);
	for (uint64_t page = 0; page < 5000; page++) {
		if (page != 17 && page != 4321)
			write_page(f, page, 0);
	}
	assert_int_equal(stat_of(f).st_blocks, 5000 * 8);
	assert_int_equal(migc_guestmem_digest(f->gm, 0, NULL, NULL, full), 0);
	assert_memory_equal(sparse, full, sizeof(full));
	/* one bit anywhere, or the same page elsewhere, is another digest */
	migc_guestmem_region(f->gm, 0)->addr[4999 * PAGE + 4095] = 1;
	assert_int_equal(migc_guestmem_digest(f->gm, 0, NULL, NULL, other), 0);
	assert_memory_not_equal(other, full, sizeof(full));
	write_page(f, 4999, 0);
	write_page(f, 17, 0);
	write_page(f, 18, 1);
	assert_int_equal(migc_guestmem_digest(f->gm, 0, NULL, NULL, other), 0);
	assert_memory_not_equal(other, full, sizeof(full));
}

/* What a receiver counts on: mapped by a few reads, and then written at will. */
static void data_in_memory_that_was_mapped_to_be_read_may_be_written(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region;
	long before;

	make_file(f, 64 * PAGE);
	for (uint64_t page = 0; page < 64; page++)
		write_page(f, page, 7);
	region = add(f, 0, 0, true);
	assert_true(region->in_memory);
	/* the first look costs faults of its own */
	minor_faults();
	migc_guestmem_touch(region->addr, 64);
	before = minor_faults();
	for (uint64_t page = 0; page < 64; page++)
		((volatile uint8_t *)region->addr)[page * PAGE] = 8;
#if defined(__SANITIZE_ADDRESS__)
	/* a sanitizer has some of its own */
	assert_in_range(minor_faults() - before, 0, 32);
#else
	assert_int_equal(minor_faults(), before);
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_sparse_file_stays_sparse_when_looked_at),
		TEST(the_data_map_is_exact),
		TEST(a_file_of_holes_or_of_data_only_is_mapped_exactly),
		TEST(data_pages_are_counted_within_the_region),
		TEST(the_data_map_leaves_bits_that_are_set),
		TEST(the_map_at_rest_is_the_data_map),
		TEST(data_is_mapped_ahead_and_holes_stay),
		TEST(nothing_is_mapped_ahead_of_what_is_not_to_be_written),
		TEST(pages_that_mincore_does_not_tell_of_are_looked_for),
		TEST(the_map_at_rest_of_a_region_inside_a_file),
		TEST(a_region_may_lie_inside_a_file),
		TEST(punched_pages_are_holes_and_zero),
		TEST(wrong_places_are_refused_and_say_what_is_wrong),
		TEST(places_whose_sum_is_too_large_for_a_file_are_refused),
		TEST(what_is_no_file_is_refused),
		TEST(names_are_checked_and_unique),
		TEST(a_destination_file_is_created_and_grown_but_never_cut),
		TEST(a_region_without_a_size_gets_one_later_and_only_one),
		TEST(data_in_memory_that_was_mapped_to_be_read_may_be_written),
		TEST(equal_content_has_equal_digests_with_and_without_holes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
