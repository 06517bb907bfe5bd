/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "qmp.h"

#define TIMEOUT_DEFAULT_MS 10000u
#define REOPEN_ATTEMPTS 200u
#define REOPEN_SLEEP_NS UINT64_C(50000000)
#define BUFFER_BYTES 65536u
/** Whole messages are read so often after the time is over: they came in time while we were away.
 * Events without end come more often. */
#define LATE_READS_MAX 256u
/** What no QEMU knows: it refuses it, as it would the command that this one stands for. */
#define UNKNOWN_COMMAND "x-dpdk-migcomp-injected-error"
/** No answer of a sane QEMU is longer. */
#define BUFFER_BYTES_MAX (16u << 20)

uint64_t qmp_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

void qmp_idle(const struct qmp *q)
{
	struct pollfd wait = {q->fd, POLLIN, 0};

	if (q->idle)
		q->idle(q->idle_ctx);
	poll(&wait, 1, 1);
}

static int gone(struct qmp *q, struct migc_error *err)
{
	q->closed = true;
	return migc_error_set(err, -ESRCH, "QEMU closed its QMP socket: has it ended?");
}

/** Read what is there. @return bytes, 0: none now, -errno. */
static int receive(struct qmp *q, struct migc_error *err)
{
	ssize_t n;

	if (q->closed)
		return gone(q, err);
	if (q->length == q->capacity) {
		size_t more = q->capacity ? q->capacity * 2 : BUFFER_BYTES;
		char *bigger = more <= BUFFER_BYTES_MAX ? realloc(q->buffer, more) : NULL;

		if (bigger == NULL)
			return migc_error_set(err, -EPROTO,
					      "the QMP socket sends a line without an end: "
					      "is it QEMU's?");
		q->buffer = bigger;
		q->capacity = more;
	}
	n = recv(q->fd, q->buffer + q->length, q->capacity - q->length, MSG_DONTWAIT);
	if (n == 0)
		return gone(q, err);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : gone(q, err);
	q->length += (size_t)n;
	return (int)n;
}

static void note_event(struct qmp *q, json_t *message)
{
	const char *event = json_string_value(json_object_get(message, "event"));

	if (event && strcmp(event, "STOP") == 0) {
		q->stop_ns = qmp_now_ns();
		q->stops++;
	} else if (event && strcmp(event, "RESUME") == 0) {
		q->resume_ns = qmp_now_ns();
		q->resumes++;
	} else if (event && strcmp(event, "MIGRATION") == 0) {
		q->migrations++;
	}
}

/** Is this the answer to what was begun? Nobody else wants it. */
static bool note_answer(struct qmp *q, json_t *message)
{
	json_int_t id = json_integer_value(json_object_get(message, "id"));

	if (q->begun_id == 0 || id != (json_int_t)q->begun_id)
		return false;
	q->begun_id = 0;
	q->begun_rc = json_object_get(message, "error") ? -EREMOTEIO : 0;
	return true;
}

/** @return 1: a message that is no event (json_decref() it); 0: none; -EPROTO. */
static int take_message(struct qmp *q, json_t **message, struct migc_error *err)
{
	char *end;

	while (q->length > q->searched &&
	       (end = memchr(q->buffer + q->searched, '\n', q->length - q->searched)) != NULL) {
		size_t line = (size_t)(end - q->buffer);
		json_error_t where;

		*message = json_loadb(q->buffer, line, 0, &where);
		q->length -= line + 1;
		memmove(q->buffer, end + 1, q->length);
		q->searched = 0;
		if (!json_is_object(*message)) {
			json_decref(*message);
			*message = NULL;
			return migc_error_set(
				err, -EPROTO,
				"this is not a QMP socket: what it sends is no JSON object");
		}
		if (json_object_get(*message, "event"))
			note_event(q, *message);
		else if (!note_answer(q, *message))
			return 1;
		json_decref(*message);
		*message = NULL;
	}
	q->searched = q->length;
	return 0;
}

static int wait_message(struct qmp *q, json_t **message, const char *what, struct migc_error *err)
{
	uint64_t deadline = qmp_now_ns() + q->timeout_ms * UINT64_C(1000000);
	unsigned int late = 0;

	for (;;) {
		size_t before = q->length;
		int rc = take_message(q, message, err);
		bool events = q->length < before;

		if (rc != 0)
			return rc < 0 ? rc : 0;
		rc = receive(q, err);
		if (rc < 0)
			return rc;
		if (qmp_now_ns() > deadline && (rc == 0 || (late += events) > LATE_READS_MAX))
			return migc_error_set(err, -ETIMEDOUT, "QEMU does not answer %s", what);
		if (rc == 0)
			qmp_idle(q);
		else if (q->idle)
			q->idle(q->idle_ctx);
	}
}

/** Without waiting. @param fd goes with it; -1: none. @return as send(2). */
static ssize_t send_some(const struct qmp *q, const char *text, size_t length, int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(fd))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {(void *)(uintptr_t)text, length};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *header;

	if (fd >= 0) {
		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	}
	return sendmsg(q->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int send_all(struct qmp *q, const char *text, size_t length, int fd, struct migc_error *err)
{
	uint64_t deadline = qmp_now_ns() + q->timeout_ms * UINT64_C(1000000);

	while (length) {
		ssize_t n = send_some(q, text, length, fd);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return gone(q, err);
		if (n < 0) {
			if (qmp_now_ns() > deadline)
				return migc_error_set(err, -ETIMEDOUT,
						      "QEMU does not read its QMP socket");
			qmp_idle(q);
			continue;
		}
		fd = -1;
		text += n;
		length -= (size_t)n;
	}
	return 0;
}

/** Give a command; next_id is its id. @param fd goes with it; -1: none */
static int give(struct qmp *q, const char *command, json_t *arguments, int fd,
		struct migc_error *err)
{
	enum migc_qemu_fault fault = q->fault ? q->fault(q->fault_ctx, command)
					      : MIGC_QEMU_FAULT_NONE;
	json_t *message = json_pack("{s:s,s:I}", "execute",
				    fault == MIGC_QEMU_FAULT_ERROR ? UNKNOWN_COMMAND : command,
				    "id", (json_int_t)++q->next_id);
	char *text;
	int rc;

	if (fault == MIGC_QEMU_FAULT_CLOSE)
		shutdown(q->fd, SHUT_RDWR);
	if (arguments)
		json_object_set_new(message, "arguments", arguments);
	text = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	if (text == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a QMP command");
	rc = q->closed ? gone(q, err) : send_all(q, text, strlen(text), fd, err);
	free(text);
	return rc != 0 ? rc : send_all(q, "\n", 1, -1, err);
}

int qmp_begin(struct qmp *q, const char *command, struct migc_error *err)
{
	int rc;

	if (q->begun_id)
		return migc_error_set(err, -EBUSY, "QEMU has not answered the command before");
	rc = give(q, command, NULL, -1, err);
	if (rc == 0)
		q->begun_id = q->next_id;
	return rc;
}

int qmp_finish(struct qmp *q, struct migc_error *err)
{
	uint64_t deadline = qmp_now_ns() + q->timeout_ms * UINT64_C(1000000);

	while (q->begun_id) {
		int rc = qmp_poll(q, err);

		if (rc != 0)
			return rc;
		if (q->begun_id && qmp_now_ns() > deadline)
			return migc_error_set(err, -ETIMEDOUT, "QEMU does not answer in time");
		if (q->begun_id)
			qmp_idle(q);
	}
	return q->begun_rc;
}

static int execute(struct qmp *q, const char *command, json_t *arguments, int fd, json_t **result,
		   struct migc_error *err)
{
	json_t *answer = NULL;
	int rc = give(q, command, arguments, fd, err);

	/* an answer that came too late for its command is not the answer to this one */
	while (rc == 0) {
		rc = wait_message(q, &answer, command, err);
		if (rc == 0 &&
		    json_integer_value(json_object_get(answer, "id")) == (json_int_t)q->next_id)
			break;
		json_decref(answer);
		answer = NULL;
	}
	if (rc == 0 && json_object_get(answer, "error")) {
		const char *why = json_string_value(
			json_object_get(json_object_get(answer, "error"), "desc"));

		rc = migc_error_set(err, -EREMOTEIO, "QEMU refuses %s: %s", command,
				    why ? why : "no reason given");
	} else if (rc == 0 && !json_object_get(answer, "return")) {
		rc = migc_error_set(err, -EPROTO, "QEMU's answer to %s has no result", command);
	}
	if (rc == 0 && result)
		*result = json_incref(json_object_get(answer, "return"));
	json_decref(answer);
	return rc;
}

int qmp_execute(struct qmp *q, const char *command, json_t *arguments, json_t **result,
		struct migc_error *err)
{
	return execute(q, command, arguments, -1, result, err);
}

int qmp_give_fd(struct qmp *q, const char *name, int fd, struct migc_error *err)
{
	return execute(q, "getfd", json_pack("{s:s}", "fdname", name), fd, NULL, err);
}

int qmp_hmp(struct qmp *q, const char *line, char **text, struct migc_error *err)
{
	json_t *result = NULL;
	const char *value;
	int rc = qmp_execute(q, "human-monitor-command", json_pack("{s:s}", "command-line", line),
			     &result, err);

	if (rc != 0)
		return rc;
	value = json_string_value(result);
	*text = strdup(value ? value : "");
	json_decref(result);
	return *text ? 0 : migc_error_set(err, -ENOMEM, "no memory for a monitor's answer");
}

int qmp_poll(struct qmp *q, struct migc_error *err)
{
	json_t *message = NULL;
	int rc = receive(q, err);

	while (rc >= 0 && (rc = take_message(q, &message, err)) == 1)
		json_decref(message);
	return rc < 0 ? rc : 0;
}

static int held_by_another(const char *path, struct migc_error *err)
{
	return migc_error_set(err, -ETIMEDOUT,
			      "--qmp %s: no greeting: another client (libvirt?) holds the socket, "
			      "or it is not QEMU's; give QEMU a second -qmp",
			      path);
}

static int connect_to(struct qmp *q, const char *path, struct migc_error *err)
{
	const struct timeval timeout = {.tv_sec = q->timeout_ms / 1000,
					.tv_usec = q->timeout_ms % 1000 * 1000};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t length = sizeof(peer);

	if (strlen(path) >= sizeof(address.sun_path))
		return migc_error_set(err, -ENAMETOOLONG, "--qmp %s: the path is too long", path);
	strcpy(address.sun_path, path);
	q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (q->fd < 0)
		return migc_error_set(err, -errno, "no socket: %s", strerror(errno));
	/* a monitor that serves another client leaves us in its short queue, or before it */
	setsockopt(q->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(q->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		if (errno == EAGAIN)
			return held_by_another(path, err);
		return migc_error_set(
			err, -errno,
			"--qmp %s: %s (start QEMU with -qmp unix:PATH,server=on,wait=off)", path,
			strerror(errno));
	}
	if (getsockopt(q->fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return migc_error_set(err, -errno, "--qmp %s: whose socket it is cannot be told",
				      path);
	q->pid = peer.pid;
	q->uid = peer.uid;
	return 0;
}

int qmp_open(struct qmp *q, const char *path, struct migc_error *err)
{
	struct migc_error error = {0};
	json_t *greeting = NULL;
	int rc;

	/* nothing was received from this one */
	q->fd = -1;
	q->buffer = NULL;
	q->length = q->capacity = q->searched = 0;
	if (q->timeout_ms == 0)
		q->timeout_ms = TIMEOUT_DEFAULT_MS;
	rc = connect_to(q, path, err);
	if (rc != 0)
		return rc;
	rc = wait_message(q, &greeting, "with its greeting", &error);
	if (rc == -ETIMEDOUT)
		return held_by_another(path, err);
	if (rc == -EPROTO || rc == -ESRCH || (rc == 0 && !json_object_get(greeting, "QMP"))) {
		json_decref(greeting);
		return migc_error_set(err, -EPROTO, "--qmp %s is not a QMP socket", path);
	}
	json_decref(greeting);
	if (rc != 0)
		return migc_error_set(err, rc, "%s", error.text);
	return qmp_execute(q, "qmp_capabilities", NULL, NULL, err);
}

int qmp_open_again(struct qmp *q, const char *path, struct migc_error *err)
{
	const struct qmp fresh = {.timeout_ms = q->timeout_ms,
				  .idle = q->idle,
				  .idle_ctx = q->idle_ctx,
				  .fault = q->fault,
				  .fault_ctx = q->fault_ctx};
	int rc;

	for (unsigned int i = 0;; i++) {
		struct migc_error error = {0};
		uint64_t until;

		qmp_close(q);
		*q = fresh;
		rc = qmp_open(q, path, &error);
		if (rc == 0 || rc == -ENOENT || rc == -ECONNREFUSED || i == REOPEN_ATTEMPTS) {
			*err = error;
			return rc;
		}
		until = qmp_now_ns() + REOPEN_SLEEP_NS;
		while (qmp_now_ns() < until)
			qmp_idle(q);
	}
}

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	free(q->buffer);
	q->buffer = NULL;
}
