/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migc_guardian.h"
#include "qemu_private.h"

/** @file What a guardian says of a source VM when the sender has died and QEMU cannot be asked. */

#define NOWHERE "/nonexistent/guest.qmp"

/** @return a guardian whose words come out at `said`. */
static struct migc_guardian *start(int *said)
{
	struct migc_guardian *g = NULL;
	struct migc_error err = {0};
	int ends[2], before = dup(STDERR_FILENO);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(migc_guardian_start(NOWHERE, &g, &err), 0);
	assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
	close(before);
	close(ends[1]);
	*said = ends[0];
	return g;
}

/** All that it said, once it has ended. */
static void listen_to(int said, char *out, size_t capacity)
{
	size_t length = 0;
	ssize_t n;

	while ((n = read(said, out + length, capacity - 1 - length)) > 0)
		length += (size_t)n;
	out[length] = '\0';
	close(said);
}

/** What it says after the sender's death, with such changes. */
static void die(enum guardian_phase phase, bool held, char *out, size_t capacity)
{
	int said;
	struct migc_guardian *g = start(&said);

	g->changes->phase = phase;
	g->changes->held = held;
	/* the kernel closes it for the dead; what follows is the test's own clean-up */
	close(g->pipe_fd);
	g->pipe_fd = dup(STDERR_FILENO);
	listen_to(said, out, capacity);
	migc_guardian_stop(g);
}

static void a_vm_that_may_be_paused_and_cannot_be_asked_is_for_a_person(void **state)
{
	char text[1024];

	(void)state;
	die(GUARDIAN_RESUME, false, text, sizeof(text));
	assert_non_null(strstr(text, NOWHERE));
	assert_non_null(strstr(text, "migrate_cancel"));
	die(GUARDIAN_WATCH, true, text, sizeof(text));
	assert_non_null(strstr(text, "cont"));
}

static void a_vm_that_runs_on_is_not_spoken_of(void **state)
{
	char text[1024];

	(void)state;
	die(GUARDIAN_WATCH, false, text, sizeof(text));
	assert_string_equal(text, "");
}

static void after_commit_it_touches_nothing_and_says_where_to_look(void **state)
{
	char text[1024];

	(void)state;
	die(GUARDIAN_COMMITTED, true, text, sizeof(text));
	assert_non_null(strstr(text, "look at the destination"));
	assert_null(strstr(text, NOWHERE));
}

static void a_sender_that_ends_by_itself_has_said_what_there_is_to_say(void **state)
{
	struct migc_guardian *g;
	char text[1024];
	int said;

	(void)state;
	g = start(&said);
	g->changes->phase = GUARDIAN_COMMITTED;
	migc_guardian_stop(g);
	listen_to(said, text, sizeof(text));
	assert_string_equal(text, "");
}

static void who_reads_what_it_says_may_have_died_with_the_sender(void **state)
{
	struct migc_guardian *g;
	int said, status;

	(void)state;
	/* whatever this test was started with */
	signal(SIGPIPE, SIG_DFL);
	g = start(&said);
	/* the guardian has this end too: closing it is not enough */
	shutdown(said, SHUT_RDWR);
	close(said);
	g->changes->phase = GUARDIAN_RESUME;
	close(g->pipe_fd);
	g->pipe_fd = dup(STDERR_FILENO);
	assert_int_equal(waitpid(g->pid, &status, 0), g->pid);
	/* not by SIGPIPE, in the middle of its work */
	assert_true(WIFEXITED(status));
	migc_guardian_stop(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_vm_that_may_be_paused_and_cannot_be_asked_is_for_a_person),
		cmocka_unit_test(a_vm_that_runs_on_is_not_spoken_of),
		cmocka_unit_test(after_commit_it_touches_nothing_and_says_where_to_look),
		cmocka_unit_test(who_reads_what_it_says_may_have_died_with_the_sender),
		cmocka_unit_test(a_sender_that_ends_by_itself_has_said_what_there_is_to_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
