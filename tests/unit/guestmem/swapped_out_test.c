/* SPDX-License-Identifier: BSD-3-Clause */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "migc_bitmap.h"
#include "migc_guestmem.h"

/**
 * @file
 * Guest memory that is really swapped out: a small swap file, and a memory cgroup whose pages are
 * reclaimed. Needs root and a memory controller, and is skipped without.
 */

#define PAGES 1024u
#define BYTES ((size_t)PAGES * MIGC_PAGE_BYTES)
/** One page in so many is a hole. */
#define HOLE_EVERY 4u

static struct {
	char swap[64], group[64], path[64];
	const char *reclaim; /**< file of the group, and what is written to it */
	const char *what;
	bool swapping;
} place;

static bool say(const char *directory, const char *file, const char *text)
{
	char path[160];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	f = fopen(path, "we");
	if (f == NULL)
		return false;
	fputs(text, f);
	return fclose(f) == 0;
}

static bool make_group(void)
{
	bool first = access("/sys/fs/cgroup/memory/memory.force_empty", F_OK) == 0;

	snprintf(place.group, sizeof(place.group), "/sys/fs/cgroup%s/migc-swap-%d",
		 first ? "/memory" : "", getpid());
	place.reclaim = first ? "memory.force_empty" : "memory.reclaim";
	place.what = first ? "0" : "64M";
	return mkdir(place.group, 0755) == 0;
}

static bool make_swap(void)
{
	char command[256];

	snprintf(place.swap, sizeof(place.swap), "/var/tmp/migc-swap-%d", getpid());
	snprintf(command, sizeof(command),
		 "fallocate -l 16M %s && chmod 600 %s && /sbin/mkswap %s > /dev/null 2>&1",
		 place.swap, place.swap, place.swap);
	place.swapping = system(command) == 0 && swapon(place.swap, 0) == 0;
	return place.swapping;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(place.path);
	if (place.swapping)
		swapoff(place.swap);
	unlink(place.swap);
	rmdir(place.group);
	return 0;
}

static bool is_hole(unsigned int page)
{
	return page % HOLE_EVERY == 0;
}

/** In a process of its own, so that the pages are the group's and nobody has them mapped. */
static void write_pages(int fd)
{
	uint8_t *memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (memory == MAP_FAILED || !say(place.group, "cgroup.procs", pid))
		_exit(1);
	for (unsigned int i = 0; i < PAGES; i++) {
		if (!is_hole(i))
			memset(memory + (size_t)i * MIGC_PAGE_BYTES, 7, MIGC_PAGE_BYTES);
	}
	_exit(madvise(memory, BYTES, MADV_PAGEOUT) != 0);
}

static unsigned int resident(int fd)
{
	void *memory = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, fd, 0);
	unsigned char there[PAGES];
	unsigned int count = 0;

	assert_true(memory != MAP_FAILED);
	assert_int_equal(mincore(memory, BYTES, there), 0);
	for (unsigned int i = 0; i < PAGES; i++)
		count += there[i] & 1;
	munmap(memory, BYTES);
	return count;
}

static int swap_out(void)
{
	int fd, status;
	pid_t child;

	snprintf(place.path, sizeof(place.path), "/dev/shm/migc-swap-%d", getpid());
	fd = open(place.path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)BYTES), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		write_pages(fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (status != 0)
		skip();
	/* what cannot all be reclaimed is an error, and may be enough */
	say(place.group, place.reclaim, place.what);
	return fd;
}

static void pages_that_are_swapped_out_are_data(void **state)
{
	uint64_t still[PAGES / 64] = {0}, looked_for[PAGES / 64] = {0};
	struct migc_error err = {0};
	struct migc_guestmem *gm;
	int fd;

	(void)state;
	if (geteuid() != 0 || !make_group() || !make_swap())
		skip();
	fd = swap_out();
	if (resident(fd) > PAGES / 2)
		skip();
	assert_int_equal(migc_guestmem_create(&gm), 0);
	assert_int_equal(migc_guestmem_add_file(gm, "ram", place.path, 0, 0, false, &err), 0);
	assert_int_equal(migc_guestmem_still_map(gm, 0, still), 0);
	assert_int_equal(migc_guestmem_data_map(gm, 0, looked_for), 0);
	for (unsigned int i = 0; i < PAGES; i++) {
		assert_int_equal(migc_bitmap_test(still, i), !is_hole(i));
		assert_int_equal(migc_bitmap_test(looked_for, i), !is_hole(i));
	}
	migc_guestmem_free(gm);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(pages_that_are_swapped_out_are_data, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
