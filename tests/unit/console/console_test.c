/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console.h"

static volatile sig_atomic_t asked;

/* stderr is a pipe, whose end nobody reads but the test */
struct fixture {
	int real_stderr, end;
	struct console console;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int ends[2];

	if (f == NULL || pipe(ends) != 0)
		return -1;
	f->real_stderr = dup(STDERR_FILENO);
	f->end = ends[0];
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	fcntl(f->end, F_SETFL, O_NONBLOCK);
	asked = 0;
	console_init(&f->console, NULL, OPTIONS_PROGRESS_PLAIN, &asked);
	*state = f;
	/* a console that waits would wait for ever */
	alarm(60);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	alarm(0);
	dup2(f->real_stderr, STDERR_FILENO);
	close(f->real_stderr);
	if (f->end >= 0)
		close(f->end);
	free(f);
	return 0;
}

/* All that is in the pipe. Freed by the caller. */
static char *read_all(const struct fixture *f)
{
	const size_t capacity = 1u << 20;
	char *text = calloc(1, capacity);
	size_t length = 0;
	ssize_t got;

	assert_non_null(text);
	while (length < capacity - 1 &&
	       (got = read(f->end, text + length, capacity - 1 - length)) > 0)
		length += (size_t)got;
	return text;
}

static void what_is_read_is_all_there(void **state)
{
	struct fixture *f = *state;
	struct migc_report report = {.total_time_ms = 5, .status = "tried"};
	char *text, *table;

	console_state(&f->console, "ROUND");
	f->console.log.write(&f->console, MIGC_LOG_WARNING, "look out");
	asked++;
	console_progress(&f->console, &report);
	console_end(&f->console, &report);
	text = read_all(f);
	assert_non_null(strstr(text, "state ROUND\n"));
	assert_non_null(strstr(text, "dpdk-migcomp: warning: look out\n"));
	/* the table that was asked for, and the one at the end */
	table = strstr(text, "migration tried (destination)\n");
	assert_non_null(table);
	assert_non_null(strstr(table + 1, "migration tried (destination)\n"));
	assert_null(strstr(text, "left out"));
	free(text);
}

static void what_nobody_reads_is_left_out_and_nothing_waits(void **state)
{
	struct fixture *f = *state;
	struct migc_report report = {0};
	char *text;

	for (unsigned int i = 0; i < 20000; i++)
		console_state(&f->console, "ROUND");
	console_end(&f->console, &report);
	assert_true(f->console.unread > 10000);
	text = read_all(f);
	assert_non_null(strstr(text, "state ROUND\n"));
	assert_null(strstr(text, "left out"));
	free(text);
	/* somebody reads again: that something is missing is said, once */
	console_state(&f->console, "STOP");
	console_state(&f->console, "SAVE");
	text = read_all(f);
	assert_non_null(strstr(text, " messages were left out: nobody read them\nstate STOP\n"));
	assert_int_equal(strncmp(text, "dpdk-migcomp: ", 14), 0);
	assert_non_null(strstr(text, "state STOP\nstate SAVE\n"));
	free(text);
}

static void a_pipe_without_an_end_is_no_error(void **state)
{
	struct fixture *f = *state;

	/* as main() has it */
	signal(SIGPIPE, SIG_IGN);
	close(f->end);
	f->end = -1;
	console_state(&f->console, "ROUND");
	f->console.log.write(&f->console, MIGC_LOG_INFO, "nobody hears this");
	signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_read_is_all_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_nobody_reads_is_left_out_and_nothing_waits,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_pipe_without_an_end_is_no_error, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
