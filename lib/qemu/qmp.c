/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "qmp.h"

uint64_t qmp_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

void qmp_close(struct qmp *q)
{
	if (q->fd >= 0)
		close(q->fd);
	q->fd = -1;
	json_frame_free(&q->in);
	json_decref(q->answer);
	q->answer = NULL;
}

/** The connection is of no use any more; what follows gets the same reason. */
static int give_up(struct qmp *q, int code, const char *why)
{
	migc_error_set(&q->broken, code, "%s", why);
	close(q->fd);
	q->fd = -1;
	return q->broken.code;
}

static void handle_event(struct qmp *q, const char *name, const json_t *message)
{
	if (q->on_event)
		q->on_event(q->ctx, name, json_object_get(message, "data"));
}

static void handle_answer(struct qmp *q, json_t *message)
{
	const json_t *id = json_object_get(message, "id");
	uint64_t value = json_is_integer(id) ? (uint64_t)json_integer_value(id) : 0;

	if (value && value == q->awaited_id) {
		json_decref(q->answer);
		q->answer = json_incref(message);
	} else if (q->on_posted) {
		/* or an answer that came after its command was given up: the id tells */
		q->on_posted(q->ctx, value, json_object_get(message, "return"));
	}
}

static int handle_message(struct qmp *q, size_t length)
{
	json_t *message = json_loadb(q->in.data, length, 0, NULL);
	const char *event;

	json_frame_drop(&q->in, length);
	if (!json_is_object(message)) {
		json_decref(message);
		return give_up(q, -EPROTO, "the QMP socket sent something that is not JSON");
	}
	event = json_string_value(json_object_get(message, "event"));
	if (!q->greeted) {
		q->greeted = true;
		q->answer = json_incref(message);
	} else if (event) {
		handle_event(q, event, message);
	} else {
		handle_answer(q, message);
	}
	json_decref(message);
	return 0;
}

static int handle_messages(struct qmp *q)
{
	size_t length;
	int rc;

	do {
		rc = json_frame_next(&q->in, &length);
		if (rc == -EMSGSIZE)
			return give_up(q, -EPROTO, "the QMP socket sent a message over 16 MiB");
		if (rc != 0)
			return give_up(q, -EPROTO,
				       "this is not a QMP socket: it sent something that is not "
				       "JSON (give the path of QEMU's -qmp unix:PATH,server=on)");
		if (length)
			rc = handle_message(q, length);
	} while (rc == 0 && length);
	return rc;
}

static int receive(struct qmp *q)
{
	char bytes[16384];
	ssize_t n;
	int rc;

	while (q->fd >= 0) {
		n = recv(q->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n <= 0)
			return give_up(q, -ESRCH,
				       "QEMU closed its QMP socket: most likely it has exited, its "
				       "standard error says why");
		rc = json_frame_add(&q->in, bytes, (size_t)n);
		if (rc != 0)
			return give_up(q, rc, "no memory for a message of QEMU");
		rc = handle_messages(q);
		if (rc != 0)
			return rc;
	}
	return q->broken.code;
}

int qmp_poll(struct qmp *q, struct migc_error *err)
{
	int rc = q->fd >= 0 ? receive(q) : -ESRCH;

	if (rc == 0)
		return 0;
	if (q->broken.code == 0)
		return migc_error_set(err, -ESRCH, "there is no connection to QEMU");
	return migc_error_set(err, q->broken.code, "%s", q->broken.text);
}

int qmp_wait(struct qmp *q, struct migc_error *err)
{
	struct pollfd p = {.fd = q->fd, .events = POLLIN};

	if (q->idle)
		q->idle(q->idle_ctx);
	if (q->fd >= 0)
		poll(&p, 1, 1);
	return qmp_poll(q, err);
}
