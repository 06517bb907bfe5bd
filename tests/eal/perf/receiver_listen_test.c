/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "perf_pipeline.h"

#define NEVER_MS 600000u

static volatile sig_atomic_t stop;

static void on_alarm(int signal_number)
{
	(void)signal_number;
	stop = 1;
}

/** The tool's end of a pipe, and what it is to hear; `said` is to be freed. */
static struct perf_receiver listen_to(int ends[2], struct perf_receiver_said **said)
{
	*said = calloc(1, sizeof(**said));
	assert_non_null(*said);
	assert_int_equal(pipe(ends), 0);
	return (struct perf_receiver){.fd = ends[0]};
}

/** A receiving end that says nothing, and a signal while it is listened to. */
static void a_signal_ends_the_wait_for_a_silent_receiver(void **state)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 30000}};
	struct perf_receiver_said *said;
	struct perf_receiver receiver;
	int ends[2];

	(void)state;
	receiver = listen_to(ends, &said);
	/* as signal() does it: what is interrupted goes on */
	signal(SIGALRM, on_alarm);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(perf_receiver_listen(&receiver, NEVER_MS, &stop, said), -ECANCELED);
	close(ends[0]);
	close(ends[1]);
	free(said);
}

static void a_receiver_that_went_away_is_told(void **state)
{
	static const volatile sig_atomic_t never;
	struct perf_receiver_said *said;
	struct perf_receiver receiver;
	int ends[2];

	(void)state;
	receiver = listen_to(ends, &said);
	assert_int_equal(write(ends[1], said, 5), 5);
	close(ends[1]);
	assert_int_equal(perf_receiver_listen(&receiver, NEVER_MS, &never, said), -EPIPE);
	close(ends[0]);
	free(said);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_signal_ends_the_wait_for_a_silent_receiver),
		cmocka_unit_test(a_receiver_that_went_away_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
