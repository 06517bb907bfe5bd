/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "huge_pages.h"
#include "migc_guestmem.h"

/** @file Real bus errors: memory files that are cut short under our mappings. */

#define PAGES 64u
#define PAGE ((size_t)MIGC_PAGE_BYTES)
/** memfd_create(2): MFD_HUGE_2MB, for which glibc has no name. */
#define HUGE_2MB (21u << 26)
#define HUGE_BYTES ((size_t)2 << 20)
#define NOT_OURS 77
#define THREADS 4u

static struct migc_bus_guard *guard;
static unsigned int handled;
static struct huge_pages huge_pages = {.lock = -1};

struct memory {
	struct migc_guestmem *gm;
	const struct migc_region *region;
	int fd;
};

static void on_bus_error(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	if (!migc_bus_guard_handle(guard, info->si_addr))
		_exit(NOT_OURS);
	__atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
}

/** So many by now: the compiler does not know what a store into memory may do. */
static unsigned int faults(void)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	return __atomic_load_n(&handled, __ATOMIC_RELAXED);
}

static struct memory map_kind(unsigned int kind, size_t bytes, bool writable)
{
	struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
	struct memory m = {.fd = memfd_create("guest", MFD_CLOEXEC | kind)};
	struct migc_error err = {0};
	char path[64];

	/* here, and not in set_up(): cmocka has one of its own for each test */
	assert_int_equal(sigaction(SIGBUS, &action, NULL), 0);
	assert_true(m.fd >= 0);
	assert_int_equal(ftruncate(m.fd, (off_t)bytes), 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", m.fd);
	assert_int_equal(migc_guestmem_create(&m.gm), 0);
	migc_guestmem_guard(m.gm, guard);
	if (migc_guestmem_add_file(m.gm, "ram", path, 0, 0, writable, &err) != 0)
		fail_msg("%s", err.text);
	m.region = migc_guestmem_region(m.gm, 0);
	return m;
}

static struct memory map(bool writable)
{
	return map_kind(0, PAGES * PAGE, writable);
}

static void unmap(struct memory *m)
{
	migc_guestmem_free(m->gm);
	close(m->fd);
}

static void cut_short(const struct memory *m, unsigned int pages)
{
	assert_int_equal(ftruncate(m->fd, (off_t)(pages * PAGE)), 0);
}

/** What the compiler cannot leave out. */
static uint8_t look(const struct memory *m, unsigned int page)
{
	return *(volatile uint8_t *)(m->region->addr + page * PAGE);
}

static void assert_lost(const struct memory *m, const char *says)
{
	struct migc_error err = {0};

	assert_int_equal(migc_guestmem_check_intact(m->gm, &err), -EFAULT);
	assert_non_null(strstr(err.text, "region ram"));
	assert_non_null(strstr(err.text, says));
}

static int set_up(void **state)
{
	(void)state;
	handled = 0;
	return migc_bus_guard_create(&guard);
}

static int tear_down(void **state)
{
	(void)state;
	migc_bus_guard_free(guard);
	huge_pages_give_back(&huge_pages);
	return 0;
}

static void a_page_that_is_gone_loses_its_region_and_no_other(void **state)
{
	struct memory cut = map(true), whole = map(true);
	struct migc_error err = {0};

	(void)state;
	memset(whole.region->addr, 5, PAGES * PAGE);
	memset(cut.region->addr, 5, PAGES * PAGE);
	assert_int_equal(migc_guestmem_check_intact(cut.gm, &err), 0);
	cut_short(&cut, PAGES / 2);
	/* and long again: the fault alone tells */
	assert_int_equal(look(&cut, PAGES / 2 - 1), 5);
	assert_int_equal(faults(), 0);
	memset(cut.region->addr + (PAGES - 1) * PAGE, 6, PAGE);
	assert_int_equal(faults(), 1);
	cut_short(&cut, PAGES);
	assert_lost(&cut, "used up");
	/* all of it is nobody's now: no fault a page */
	for (unsigned int i = 0; i < PAGES; i++)
		cut.region->addr[i * PAGE] = 7;
	assert_int_equal(faults(), 1);
	assert_int_equal(migc_guestmem_check_intact(whole.gm, &err), 0);
	assert_int_equal(look(&whole, PAGES - 1), 5);
	unmap(&cut);
	unmap(&whole);
}

static void memory_that_is_only_read_is_lost_as_well(void **state)
{
	struct memory m = map(false);

	(void)state;
	assert_int_equal(look(&m, 3), 0);
	cut_short(&m, 0);
	assert_int_equal(look(&m, 3), 0);
	assert_int_equal(faults(), 1);
	cut_short(&m, PAGES);
	assert_lost(&m, "used up");
	unmap(&m);
}

static void huge_pages_are_replaced_as_well(void **state)
{
	struct memory m;

	(void)state;
	if (!huge_pages_take(&huge_pages, 2))
		skip();
	m = map_kind(MFD_HUGETLB | HUGE_2MB, 2 * HUGE_BYTES, true);
	assert_int_equal(m.region->backing_page_bytes, HUGE_BYTES);
	/* cheap to map */
	assert_false(migc_guestmem_can_read(m.gm, 0));
	memset(m.region->addr, 5, 2 * HUGE_BYTES);
	assert_int_equal(ftruncate(m.fd, (off_t)HUGE_BYTES), 0);
	m.region->addr[HUGE_BYTES + 4097] = 6;
	assert_int_equal(faults(), 1);
	m.region->addr[HUGE_BYTES - 1] = 6;
	assert_int_equal(faults(), 1);
	assert_lost(&m, "cut short");
	unmap(&m);
}

/** Nobody touches what looks like a hole: the length of the file has to tell. */
static void a_file_that_is_shorter_than_it_was_is_not_intact(void **state)
{
	struct memory m = map(false);

	(void)state;
	cut_short(&m, PAGES - 1);
	assert_lost(&m, "cut short");
	assert_int_equal(faults(), 0);
	unmap(&m);
}

static void *write_all(void *memory)
{
	const struct memory *m = memory;

	for (unsigned int i = 0; i < PAGES; i++)
		memset(m->region->addr + i * PAGE, 9, PAGE);
	return NULL;
}

static void several_threads_may_fault_at_once(void **state)
{
	pthread_t thread[THREADS];

	(void)state;
	for (unsigned int times = 0; times < 100; times++) {
		struct memory m = map(true);

		cut_short(&m, 0);
		for (unsigned int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&thread[i], NULL, write_all, &m), 0);
		for (unsigned int i = 0; i < THREADS; i++)
			pthread_join(thread[i], NULL);
		cut_short(&m, PAGES);
		assert_lost(&m, "used up");
		unmap(&m);
	}
	assert_true(faults() >= 100);
}

static void memory_that_nobody_guards_is_not_taken(void **state)
{
	struct memory m = map(true);
	uint8_t *other = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, m.fd, 0);
	int status;
	pid_t pid;

	(void)state;
	cut_short(&m, 0);
	pid = fork();
	if (pid == 0)
		_exit(*(volatile uint8_t *)other);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == NOT_OURS);
	munmap(other, PAGE);
	unmap(&m);
}

static void a_place_is_used_again_and_is_intact_then(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2 * MIGC_BUS_GUARD_RANGES; i++) {
		struct memory m = map(true);
		struct migc_error err = {0};

		assert_int_equal(migc_guestmem_check_intact(m.gm, &err), 0);
		if (i % 2) {
			cut_short(&m, 0);
			look(&m, 0);
			assert_lost(&m, "cut short");
		}
		unmap(&m);
	}
	assert_int_equal(faults(), MIGC_BUS_GUARD_RANGES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_page_that_is_gone_loses_its_region_and_no_other,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_that_is_only_read_is_lost_as_well, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(huge_pages_are_replaced_as_well, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_that_is_shorter_than_it_was_is_not_intact,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(several_threads_may_fault_at_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(memory_that_nobody_guards_is_not_taken, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_place_is_used_again_and_is_intact_then, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
