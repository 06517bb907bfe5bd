/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process has open: does it only copy into its memory, or may writes land late? */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "late_writes.h"

#define NAME "/dev/shm/migc-late-writes"

/** How a descriptor is come by: a path and flags, or a way to make one. */
struct way {
	const char *path; /**< for a message where there is `make` */
	int flags;
	int (*make)(void);
	const char *said; /**< NULL: it only copies */
};

static int make_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int make_eventfd(void)
{
	return eventfd(0, 0);
}

static int make_epoll(void)
{
	return epoll_create1(0);
}

static int make_timer(void)
{
	return timerfd_create(CLOCK_MONOTONIC, 0);
}

static int make_signalfd(void)
{
	sigset_t none;

	sigemptyset(&none);
	return signalfd(-1, &none, 0);
}

static int make_memfd(void)
{
	return memfd_create("late_writes", 0);
}

static int make_huge_memfd(void)
{
	return memfd_create("late_writes", MFD_HUGETLB);
}

static int make_terminal(void)
{
	return posix_openpt(O_RDWR | O_NOCTTY);
}

static const struct way ways[] = {
	{"/dev/null", O_RDWR, NULL, NULL},
	{"/dev/zero", O_RDONLY, NULL, NULL},
	{"/dev/urandom", O_RDONLY, NULL, NULL},
	{"/dev/net/tun", O_RDWR, NULL, NULL},
	{"/dev/kvm", O_RDWR, NULL, NULL},
	{"/proc", O_RDONLY | O_DIRECTORY, NULL, NULL},
	{"a terminal", 0, make_terminal, NULL},
	{"a socket", 0, make_socket, NULL},
	{"an eventfd", 0, make_eventfd, NULL},
	{"an epoll", 0, make_epoll, NULL},
	{"a timer", 0, make_timer, NULL},
	{"a signalfd", 0, make_signalfd, NULL},
	{"a memfd", 0, make_memfd, NULL},
	{"a memfd of huge pages", 0, make_huge_memfd, NULL},
	{NAME, O_RDWR, NULL, NULL},
	{NAME, O_RDONLY, NULL, NULL},
	/* what is only written */
	{NAME, O_WRONLY | O_DIRECT, NULL, NULL},
	{"/proc/self/oom_score_adj", O_WRONLY, NULL, NULL},

	{NAME, O_RDWR | O_DIRECT, NULL, NAME " (O_DIRECT)"},
	{NAME, O_RDONLY | O_DIRECT, NULL, NAME " (O_DIRECT)"},
	/* of file systems that were not looked at */
	{"/proc/self/oom_score_adj", O_RDONLY, NULL, "/oom_score_adj"},
	{"/dev/fuse", O_RDWR, NULL, "/dev/fuse"},
	{"/dev/kmsg", O_RDONLY | O_NONBLOCK, NULL, "/dev/kmsg"},
	{"/dev/loop0", O_RDONLY, NULL, "/dev/loop0"},
	{"an inotify", 0, inotify_init, "anon_inode:inotify"},
};

static int come_by(const struct way *w)
{
	return w->make ? w->make() : open(w->path, w->flags);
}

/** In a process that has it and two pipes open, and nothing else. @return 2: there is no such thing
 * here */
static int look_at(const struct way *w, char *what, size_t size)
{
	int told[2], done[2], status, result = 2;
	char answer = 0;
	pid_t pid;

	assert_int_equal(pipe(told), 0);
	assert_int_equal(pipe(done), 0);
	pid = fork();
	if (pid == 0) {
		dup2(told[1], 0);
		dup2(done[0], 1);
		close_range(2, ~0u, 0);
		answer = w && come_by(w) < 0 ? 'n' : 'y';
		if (write(0, &answer, 1) == 1 && read(1, &answer, 1) >= 0)
			_exit(0);
		_exit(1);
	}
	close(told[1]);
	close(done[0]);
	assert_int_equal(read(told[0], &answer, 1), 1);
	if (answer == 'y')
		result = late_writes_possible(pid, what, size);
	close(done[1]);
	close(told[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	return result;
}

static int make_file(void **state)
{
	int fd = open(NAME, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(NAME);
}

static void what_copies_is_let_pass_and_nothing_else(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const struct way *w = &ways[i];
		char what[128];
		int late = look_at(w, what, sizeof(what));

		if (late == 2)
			print_message("there is no %s here\n", w->path);
		else if (late != (w->said != NULL))
			fail_msg("%s, flags 0%o: %s", w->path, w->flags, what);
		else if (w->said && strstr(what, w->said) == NULL)
			fail_msg("%s is called %s", w->path, what);
		else if (w->said == NULL && what[0])
			fail_msg("%s copies, and yet: %s", w->path, what);
	}
}

static void a_process_with_nothing_open_writes_nothing_late(void **state)
{
	char what[128];

	(void)state;
	assert_int_equal(look_at(NULL, what, sizeof(what)), 0);
}

static void a_process_that_cannot_be_looked_at_may_do_anything(void **state)
{
	char what[128];
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(late_writes_possible(pid, what, sizeof(what)));
	assert_non_null(strstr(what, "/fd: No such file"));
}

static void a_long_name_is_cut_off(void **state)
{
	const struct way way = {"/dev/kmsg", O_RDONLY | O_NONBLOCK, NULL, NULL};
	char what[6];

	(void)state;
	if (look_at(&way, what, sizeof(what)) == 2)
		skip();
	assert_string_equal(what, "/dev/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_copies_is_let_pass_and_nothing_else),
		cmocka_unit_test(a_process_with_nothing_open_writes_nothing_late),
		cmocka_unit_test(a_process_that_cannot_be_looked_at_may_do_anything),
		cmocka_unit_test(a_long_name_is_cut_off),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
