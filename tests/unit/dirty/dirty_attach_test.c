/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking a process and letting it go, whatever happens meanwhile. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dirty_fixture.h"
#include "migc_random.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(disarmed_it_leaves_no_trace),
		TEST(a_second_tracker_is_told_that_there_is_one),
		TEST(an_idle_guest_can_be_taken_again_and_again),
		TEST(a_process_that_sits_in_poll_is_taken_too),
		TEST(a_tracker_killed_at_any_moment_leaves_the_guest_unharmed),
		TEST(a_process_that_has_gone_is_an_error_and_not_a_clean_guest),
		TEST(a_process_that_is_never_in_poll_is_given_up_and_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
