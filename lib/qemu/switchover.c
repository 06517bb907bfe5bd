/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "qemu_private.h"

/** Private RAM of devices (VGA) is in the stream too. */
#define STATE_BYTES_MAX (UINT64_C(64) << 20)

void qemu_buffer_free(struct state_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct state_buffer){0};
}

static uint64_t state_limit(const struct migc_qemu *q)
{
	return STATE_BYTES_MAX + q->ram_bytes / 50;
}

static int say_failed(const struct migc_qemu *q, struct migc_error *err)
{
	if (q->migration == QEMU_MIGRATION_CANCELLED)
		return migc_error_set(err, -ECANCELED, "somebody else cancelled QEMU's migration");
	return migc_error_set(err, -EIO, "QEMU could not save the guest: %s",
			      q->migration_error[0] ? q->migration_error
						    : "its standard error says why");
}

int migc_qemu_prepare_source(struct migc_qemu *q, struct migc_error *err)
{
	static const char *const on[] = {"events", "pause-before-switchover", "x-ignore-shared"};

	return qemu_set_capabilities(q, on, 3, err);
}

int migc_qemu_start_switchover(struct migc_qemu *q, struct migc_error *err)
{
	char uri[128];
	int rc = qemu_set_parameters(q, err);

	if (rc == 0)
		rc = state_socket_listen(&q->state, q->info.pid, err);
	if (rc != 0)
		return rc;
	if (!q->stop_ours)
		q->stop_ns = 0;
	q->continued = false;
	q->ended_ns = 0;
	q->asked_id = 0;
	q->migration = QEMU_MIGRATION_GOING;
	q->migration_error[0] = '\0';
	qemu_buffer_free(&q->buffer);
	snprintf(uri, sizeof(uri), "unix:%s", q->state.path);
	rc = qmp_command(&q->qmp, "migrate", json_pack("{s:s}", "uri", uri), NULL, err);
	if (rc == QMP_REFUSED) {
		q->migration = QEMU_MIGRATION_NONE;
		state_socket_close(&q->state);
	}
	return rc;
}

static int make_room(struct state_buffer *b)
{
	size_t capacity = b->capacity ? b->capacity * 2 : 262144;
	uint8_t *grown;

	if (b->capacity - b->begin - b->length >= 65536)
		return 0;
	grown = realloc(b->data, capacity);
	if (grown == NULL)
		return -ENOMEM;
	b->data = grown;
	b->capacity = capacity;
	return 0;
}

/** @return bytes read; 0: none now; -ENODATA: the stream has ended; -errno. */
static ssize_t receive_state(struct migc_qemu *q, uint8_t *out, size_t capacity,
			     struct migc_error *err)
{
	ssize_t n;
	int rc;

	if (q->ended_ns)
		return -ENODATA;
	rc = state_socket_accept(&q->state, err);
	if (rc != 1)
		return rc;
	n = recv(q->state.fd, out, capacity, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		/* a reset is an end as well: QEMU's status says whether it was a good one */
		q->ended_ns = qmp_now_ns();
		return -ENODATA;
	}
	q->buffer.total_bytes += (uint64_t)n;
	if (q->buffer.total_bytes > state_limit(q))
		return migc_error_set(err, -EOPNOTSUPP,
				      "QEMU sends guest RAM in its own stream (over %" PRIu64
				      " bytes): RAM must be shared and, from QEMU 8.1 on, a "
				      "memory-backend-file,share=on",
				      state_limit(q));
	return n;
}

static int drain(struct migc_qemu *q, struct migc_error *err)
{
	struct state_buffer *b = &q->buffer;
	ssize_t n;

	do {
		if (make_room(b) != 0)
			return migc_error_set(err, -ENOMEM, "no memory for the device state");
		n = receive_state(q, b->data + b->begin + b->length,
				  b->capacity - b->begin - b->length, err);
		if (n > 0)
			b->length += (size_t)n;
	} while (n > 0);
	return n == -ENODATA ? 0 : (int)n;
}

void qemu_discard_state(struct migc_qemu *q)
{
	uint8_t bytes[65536];

	q->buffer.begin = 0;
	q->buffer.length = 0;
	/* the limit is for what is kept */
	q->buffer.total_bytes = 0;
	while (receive_state(q, bytes, sizeof(bytes), NULL) > 0)
		q->buffer.total_bytes = 0;
}

/** The guest stands still; without a STOP event it stood still before, or we missed it. */
static int check_stopped(struct migc_qemu *q, struct migc_error *err)
{
	bool running;
	int rc;

	if (q->stop_ns)
		return 0;
	rc = qemu_query_running(q, &running, NULL, err);
	if (rc == 0 && running)
		rc = migc_error_set(err, -EPROTO,
				    "QEMU is at pre-switchover and its guest runs all the same");
	if (rc == 0)
		q->stop_ns = qmp_now_ns();
	return rc;
}

int migc_qemu_poll_stopped(struct migc_qemu *q, uint64_t *stop_ns, struct migc_error *err)
{
	int rc = qmp_poll(&q->qmp, err);

	if (rc == 0)
		rc = drain(q, err);
	if (rc == 0)
		rc = qemu_migration_ask(q, err);
	if (rc != 0)
		return rc;
	switch (q->migration) {
	case QEMU_MIGRATION_PRE_SWITCHOVER:
		rc = check_stopped(q, err);
		if (rc != 0)
			return rc;
		*stop_ns = q->stop_ns;
		return 1;
	case QEMU_MIGRATION_FAILED:
	case QEMU_MIGRATION_CANCELLED:
		/* the event has no reason with it */
		qemu_migration_query(q, NULL);
		return say_failed(q, err);
	case QEMU_MIGRATION_COMPLETED:
		return migc_error_set(err, -EPROTO,
				      "QEMU did not wait at pre-switchover: somebody else changed "
				      "its migration capabilities");
	default:
		return 0;
	}
}

int migc_qemu_continue(struct migc_qemu *q, struct migc_error *err)
{
	int rc = qmp_command(&q->qmp, "migrate-continue",
			     json_pack("{s:s}", "state", "pre-switchover"), NULL, err);

	/* without an answer it may have been done */
	if (rc != QMP_REFUSED)
		q->continued = true;
	return rc;
}

static size_t take_buffered(struct state_buffer *b, uint8_t *out, size_t capacity)
{
	size_t n = b->length < capacity ? b->length : capacity;

	memcpy(out, b->data + b->begin, n);
	b->begin += n;
	b->length -= n;
	return n;
}

/** The stream has ended: was it whole? */
static int read_end(struct migc_qemu *q, struct migc_error *err)
{
	switch (q->migration) {
	case QEMU_MIGRATION_COMPLETED:
		return -ENODATA;
	case QEMU_MIGRATION_FAILED:
	case QEMU_MIGRATION_CANCELLED:
		qemu_migration_query(q, NULL);
		return say_failed(q, err);
	default:
		if (qmp_now_ns() - q->ended_ns > (uint64_t)q->qmp.answer_timeout_ms * 1000000)
			return migc_error_set(err, -ETIMEDOUT,
					      "QEMU ended its device state and does not say that "
					      "its migration is completed");
		return 0;
	}
}

int migc_qemu_read_state(struct migc_qemu *q, uint8_t *out, size_t capacity, struct migc_error *err)
{
	ssize_t n;
	int rc;

	if (capacity > INT32_MAX)
		capacity = INT32_MAX;
	if (q->buffer.length)
		return (int)take_buffered(&q->buffer, out, capacity);
	n = receive_state(q, out, capacity, err);
	if (n != 0 && n != -ENODATA)
		return (int)n;
	/* it has its whole state out, or it is asked after what keeps it */
	rc = qmp_poll(&q->qmp, err);
	if (rc == 0)
		rc = qemu_migration_ask(q, err);
	if (rc != 0)
		return rc;
	if (n == 0 && q->migration != QEMU_MIGRATION_FAILED &&
	    q->migration != QEMU_MIGRATION_CANCELLED)
		return 0;
	return read_end(q, err);
}
