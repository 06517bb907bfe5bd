/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control_request.h"
#include "migc_control.h"

/** Longer than any turn of the server's. */
#define WAIT_MS 20000u

struct rig {
	struct migc_control *control;
	struct migc_control_session *session;
	struct migc_control_server *server;
	struct migc_error err;
	char directory[64], path[96];
	char *answer;
};

static int set_up(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	*state = r;
	strcpy(r->directory, "/tmp/migc-control-XXXXXX");
	assert_non_null(mkdtemp(r->directory));
	snprintf(r->path, sizeof(r->path), "%s/c.sock", r->directory);
	assert_int_equal(migc_control_create(&r->control, &r->err), 0);
	assert_int_equal(migc_control_add(r->control, "vm", true, &r->session), 0);
	assert_int_equal(migc_control_serve(r->control, r->path, "send", &r->server, &r->err), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct rig *r = *state;

	migc_control_server_stop(r->server);
	migc_control_remove(r->session);
	migc_control_free(r->control);
	free(r->answer);
	/* it is empty: the socket has gone */
	assert_int_equal(rmdir(r->directory), 0);
	free(r);
	return 0;
}

static int connect_to(const struct rig *r)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(address.sun_path, r->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/** All that comes until the end. */
static size_t read_all(int fd, char *out, size_t capacity)
{
	size_t length = 0;
	ssize_t n;

	while ((n = recv(fd, out + length, capacity - 1 - length, 0)) > 0)
		length += (size_t)n;
	out[length] = '\0';
	return length;
}

static void query(struct rig *r)
{
	memset(&r->err, 0, sizeof(r->err));
	free(r->answer);
	assert_int_equal(migc_control_ask(r->path, "{\"execute\":\"query-status\"}", WAIT_MS,
					  &r->answer, &r->err),
			 0);
	assert_non_null(strstr(r->answer, "\"guest\":\"vm\""));
}

static void the_socket_is_its_users_alone(void **state)
{
	struct rig *r = *state;
	mode_t before = umask(0);
	struct stat st;

	assert_int_equal(stat(r->path, &st), 0);
	umask(before);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 0777, 0600);
	query(r);
}

static void an_order_is_answered_when_the_controller_did_so(void **state)
{
	static const char line[] = "{\"execute\":\"migrate-cancel\",\"id\":1}\n";
	const struct migc_error done = {0}, no = {-EBUSY, "too late"};
	struct rig *r = *state;
	struct migc_order order;
	char text[512];
	int fd = connect_to(r);

	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
	shutdown(fd, SHUT_WR);
	for (unsigned int i = 0; i < 2; i++) {
		while (!migc_control_take(r->session, &order))
			usleep(1000);
		assert_int_equal(order.type, MIGC_ORDER_CANCEL);
		/* it waits, and others are served */
		query(r);
		migc_control_answer(r->session, i ? &no : &done);
	}
	read_all(fd, text, sizeof(text));
	assert_string_equal(text, "{\"return\":{},\"id\":1}\n"
				  "{\"error\":{\"class\":\"GenericError\",\"desc\":\"too late\"},"
				  "\"id\":1}\n");
	close(fd);
}

struct controller {
	struct migc_control_session *session;
	uint32_t stop;
	unsigned int obeyed;
};

/** What the engine's controllers do: publish, and obey. */
static void *control(void *arg)
{
	struct migc_report *report = calloc(1, sizeof(*report));
	struct migc_settings settings = {.downtime_limit_ms = 300};
	const struct migc_error done = {0};
	struct controller *c = arg;
	struct migc_order order;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		/* two that must be seen together */
		report->ram.total_bytes = ++report->ram.normal_pages;
		migc_control_publish(c->session, report, &settings, 1);
		if (migc_control_take(c->session, &order)) {
			migc_settings_change(&settings, &order.change);
			migc_control_answer(c->session, &done);
			c->obeyed++;
		}
	}
	free(report);
	return NULL;
}

static void what_is_seen_is_of_one_moment_while_a_controller_publishes(void **state)
{
	struct rig *r = *state;
	struct controller c = {.session = r->session};
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, control, &c), 0);
	for (unsigned int i = 0; i < 200; i++) {
		json_t *answer, *ram;

		query(r);
		answer = json_loads(r->answer, 0, NULL);
		ram = json_object_get(json_array_get(json_object_get(answer, "return"), 0), "ram");
		assert_int_equal(json_integer_value(json_object_get(ram, "total")),
				 json_integer_value(json_object_get(ram, "normal")));
		json_decref(answer);
		free(r->answer);
		assert_int_equal(migc_control_ask(r->path,
						  "{\"execute\":\"migrate-set-parameters\","
						  "\"arguments\":{\"timeout\":7}}",
						  WAIT_MS, &r->answer, &r->err),
				 0);
		assert_string_equal(r->answer, "{\"return\":{}}");
	}
	__atomic_store_n(&c.stop, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	assert_int_equal(c.obeyed, 200);
}

static void a_line_without_an_end_is_the_end(void **state)
{
	static char line[CONTROL_LINE_BYTES + 2];
	struct rig *r = *state;
	char text[512];
	int fd = connect_to(r);

	memset(line, ' ', sizeof(line));
	assert_int_equal(write(fd, line, sizeof(line)), sizeof(line));
	/* 0, or it was reset for what it had not read */
	assert_int_equal(read_all(fd, text, sizeof(text)), 0);
	close(fd);
	query(r);
}

static void a_client_that_does_not_read_holds_up_nobody(void **state)
{
	static const char line[] = "{\"execute\":\"query-stats\"}\n";
	struct rig *r = *state;
	int fd = connect_to(r), sent = 0;

	/* until neither its answers nor its lines find room any more */
	while (sent < 4000 && send(fd, line, strlen(line), MSG_DONTWAIT) == (ssize_t)strlen(line))
		sent++;
	assert_true(sent > 10);
	query(r);
	close(fd);
	query(r);
}

static void clients_that_are_silent_make_room(void **state)
{
	struct rig *r = *state;
	int fd[20];

	for (unsigned int i = 0; i < 20; i++) {
		fd[i] = connect_to(r);
		query(r);
	}
	for (unsigned int i = 0; i < 20; i++)
		close(fd[i]);
}

static void a_process_that_stands_still_is_not_waited_for(void **state)
{
	const struct migc_error none = {0};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct rig *r = *state;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	migc_control_server_stop(r->server);
	r->server = NULL;
	strcpy(address.sun_path, r->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	/* the first finds room in its queue, the next does not */
	for (unsigned int i = 0; i < 3; i++) {
		r->err = none;
		assert_int_equal(migc_control_ask(r->path, "{\"execute\":\"query-status\"}", 50,
						  &r->answer, &r->err),
				 -ETIMEDOUT);
		assert_non_null(strstr(r->err.text, "no answer in time"));
	}
	close(fd);
	unlink(r->path);
}

static void another_user_is_refused_though_the_file_lets_it_in(void **state)
{
	struct rig *r = *state;
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(r->directory, 0711), 0);
	for (unsigned int open = 0; open < 2; open++) {
		int expected = open ? -ECONNRESET : -EACCES;

		if (open)
			assert_int_equal(chmod(r->path, 0666), 0);
		pid = fork();
		if (pid == 0) {
			struct migc_error err = {0};
			char *answer;

			if (setgid(65534) != 0 || setuid(65534) != 0)
				_exit(2);
			_exit(migc_control_ask(r->path, "{\"execute\":\"query-status\"}", WAIT_MS,
					       &answer, &err) != expected);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

static void a_socket_of_the_dead_is_replaced_and_one_in_use_is_not(void **state)
{
	struct migc_control_server *second = NULL;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct rig *r = *state;
	FILE *file;
	int fd;

	assert_int_equal(migc_control_serve(r->control, r->path, "send", &second, &r->err),
			 -EADDRINUSE);
	assert_null(second);
	query(r);
	migc_control_server_stop(r->server);
	r->server = NULL;
	assert_int_not_equal(access(r->path, F_OK), 0);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, r->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(migc_control_serve(r->control, r->path, "send", &r->server, &r->err), 0);
	query(r);
	migc_control_server_stop(r->server);
	r->server = NULL;
	/* what is no socket is somebody's file */
	file = fopen(r->path, "w");
	fclose(file);
	memset(&r->err, 0, sizeof(r->err));
	assert_int_equal(migc_control_serve(r->control, r->path, "send", &second, &r->err),
			 -EADDRINUSE);
	unlink(r->path);
}

static void the_directory_loses_what_the_dead_left_and_shows_the_living(void **state)
{
	char path[4][MIGC_CONTROL_PATH_BYTES], name[128];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct migc_control_server *server;
	struct rig *r = *state;
	unsigned int count;
	struct stat st;
	int fd;

	if (geteuid() == 0) {
		/* root's is /run: as another user with a directory of its own */
		assert_int_equal(chown(r->directory, 65534, 65534), 0);
		assert_int_equal(seteuid(65534), 0);
	}
	setenv("XDG_RUNTIME_DIR", r->directory, 1);
	assert_int_equal(migc_control_find(path, 4, &count, &r->err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(migc_control_serve(r->control, NULL, "recv", &server, &r->err), 0);
	snprintf(name, sizeof(name), "%s/dpdk-migcomp", r->directory);
	assert_int_equal(stat(name, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	snprintf(name, sizeof(name), "%s/dpdk-migcomp/send-1.sock", r->directory);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(address.sun_path, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(migc_control_find(path, 4, &count, &r->err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(path[0], migc_control_server_path(server));
	assert_int_not_equal(access(name, F_OK), 0);
	migc_control_server_stop(server);
	/* a directory that others may write to is none of ours */
	snprintf(name, sizeof(name), "%s/dpdk-migcomp", r->directory);
	assert_int_equal(chmod(name, 0770), 0);
	assert_int_equal(migc_control_find(path, 4, &count, &r->err), -EACCES);
	assert_int_equal(rmdir(name), 0);
	unsetenv("XDG_RUNTIME_DIR");
	assert_true(getuid() != 0 || seteuid(0) == 0);
}

#define RIGGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIGGED(the_socket_is_its_users_alone),
		RIGGED(an_order_is_answered_when_the_controller_did_so),
		RIGGED(what_is_seen_is_of_one_moment_while_a_controller_publishes),
		RIGGED(a_line_without_an_end_is_the_end),
		RIGGED(a_client_that_does_not_read_holds_up_nobody),
		RIGGED(clients_that_are_silent_make_room),
		RIGGED(a_process_that_stands_still_is_not_waited_for),
		RIGGED(another_user_is_refused_though_the_file_lets_it_in),
		RIGGED(a_socket_of_the_dead_is_replaced_and_one_in_use_is_not),
		RIGGED(the_directory_loses_what_the_dead_left_and_shows_the_living),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
