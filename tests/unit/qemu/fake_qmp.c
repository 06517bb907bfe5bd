/* SPDX-License-Identifier: BSD-3-Clause */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

#include "fake_qmp.h"

#define GREETING                                                                          \
	"{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 2, \"minor\": 2, \"major\": 7}, " \
	"\"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n"
#define EVENT                                                                                \
	"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"RTC_CHANGE\", " \
	"\"data\": {\"offset\": 1}}\r\n"

static const struct fake_rule defaults[] = {
	{"qmp_capabilities", "{}"},
	{"query-version", "{\"qemu\": {\"micro\": 2, \"minor\": 2, \"major\": 7}, "
			  "\"package\": \"\"}"},
	{"query-name", "{\"name\": \"guest\"}"},
	{"query-status", "{\"status\": \"running\", \"singlestep\": false, \"running\": true}"},
	{"query-migrate-capabilities",
	 "[{\"capability\": \"events\", \"state\": false}, "
	 "{\"capability\": \"x-ignore-shared\", \"state\": false}, "
	 "{\"capability\": \"pause-before-switchover\", \"state\": false}]"},
	{"query-migrate-parameters", "{\"max-bandwidth\": 1}"},
	{"query-migrate", "{}"},
	{"query-memory-devices", "[]"},
	{"query-memory-size-summary", "{\"base-memory\": 268435456, \"plugged-memory\": 0}"},
	{"query-cpus-fast", "!unknown"},
	{"\"type\"", "\"pc-q35-7.2-machine\""},
	{"confidential-guest-support", "\"\""},
	{"info network", "\"\""},
	{"/machine/peripheral", "[{\"name\": \"type\", \"type\": \"string\"}]"},
	{"\"/objects\"", "[{\"name\": \"mem\", \"type\": \"child<memory-backend-memfd>\"}]"},
	{"\"size\"", "268435456"},
	{"\"share\"", "true"},
	{"info mtree -f", "\"FlatView #0\\r\\n AS \\\"memory\\\", root: system\\r\\n Root memory "
			  "region: system\\r\\n"
			  "  0000000000000000-000000000fffffff (prio 0, ram): mem\\r\\n\\r\\n\""},
	{"gpa2hva", "\"Host virtual address for 0x0 (mem) is 0x1000\\r\\n\""},
	{NULL, NULL},
};

static void send_text(int fd, const char *text)
{
	size_t length = strlen(text);

	while (length) {
		ssize_t n = send(fd, text, length, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		length -= (size_t)n;
	}
}

static const char *find_answer(const struct fake_rule *rules, const char *request)
{
	for (; rules && rules->request; rules++) {
		if (strstr(request, rules->request))
			return rules->answer;
	}
	return NULL;
}

/** Until nobody reads any more. */
static void flood(int fd)
{
	while (send(fd, EVENT, sizeof(EVENT) - 1, MSG_NOSIGNAL) > 0)
		;
}

/** @return false: close. */
static bool answer(const struct fake_qmp *f, int fd, const char *request)
{
	const char *value = find_answer(f->rules, request);
	json_t *message = json_loads(request, 0, NULL), *reply = json_object();
	char *text;

	if (value == NULL)
		value = find_answer(defaults, request);
	if (f->events)
		send_text(fd, EVENT);
	if (value == NULL)
		value = "!no rule for this";
	if (json_object_get(message, "id"))
		json_object_set(reply, "id", json_object_get(message, "id"));
	if (value[0] == '!')
		json_object_set_new(
			reply, "error",
			json_pack("{s:s, s:s}", "class", "GenericError", "desc", value + 1));
	else
		json_object_set_new(reply, "return", json_loads(value, JSON_DECODE_ANY, NULL));
	text = json_dumps(reply, 0);
	if (value[0] == '^') {
		flood(fd);
	} else if (value[0] == '#') {
		send_text(fd, value + 1);
	} else if (value[0] != '~' && value[0] != '-') {
		send_text(fd, text);
		send_text(fd, "\r\n");
	}
	free(text);
	json_decref(reply);
	json_decref(message);
	return value[0] != '-';
}

/** Requests may come with or without an end of line: whole JSON objects are what counts. */
static size_t object_length(const char *text, size_t length)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"' && (i == 0 || text[i - 1] != '\\'))
			in_string = !in_string;
		else if (!in_string && text[i] == '{')
			depth++;
		else if (!in_string && text[i] == '}' && --depth == 0)
			return i + 1;
	}
	return 0;
}

static void serve(const struct fake_qmp *f, int fd)
{
	char in[8192];
	size_t have = 0, length;

	if (f->greeting && f->greeting[0] == '-')
		return;
	send_text(fd, f->greeting ? f->greeting : GREETING);
	for (;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
				      {.fd = f->stop[0], .events = POLLIN}};
		ssize_t n;

		if (poll(p, 2, -1) < 0 || p[1].revents)
			return;
		n = recv(fd, in + have, sizeof(in) - 1 - have, 0);
		if (n <= 0)
			return;
		have += (size_t)n;
		while ((length = object_length(in, have)) > 0) {
			char request[8192];

			memcpy(request, in, length);
			request[length] = '\0';
			have -= length;
			memmove(in, in + length, have);
			if (!answer(f, fd, request))
				return;
		}
	}
}

static void *run(void *arg)
{
	struct fake_qmp *f = arg;
	struct pollfd p[2] = {{.fd = f->listen_fd, .events = POLLIN},
			      {.fd = f->stop[0], .events = POLLIN}};
	int fd;

	if (poll(p, 2, -1) < 0 || p[1].revents)
		return NULL;
	fd = accept(f->listen_fd, NULL, NULL);
	if (fd >= 0) {
		serve(f, fd);
		close(fd);
	}
	return NULL;
}

void fake_qmp_start(struct fake_qmp *f)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strcpy(f->directory, "/tmp/migc-qmp-test-XXXXXX");
	if (mkdtemp(f->directory) == NULL || pipe(f->stop) != 0)
		abort();
	snprintf(f->path, sizeof(f->path), "%s/qmp", f->directory);
	memcpy(address.sun_path, f->path, sizeof(f->path));
	f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(f->listen_fd, 1) != 0 || pthread_create(&f->thread, NULL, run, f) != 0)
		abort();
}

void fake_qmp_stop(struct fake_qmp *f)
{
	close(f->stop[1]);
	pthread_join(f->thread, NULL);
	close(f->stop[0]);
	close(f->listen_fd);
	unlink(f->path);
	rmdir(f->directory);
}
