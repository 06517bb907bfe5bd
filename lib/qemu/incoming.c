/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "qemu_private.h"

static int say_not_loaded(const struct migc_qemu *q, struct migc_error *err)
{
	return migc_error_set(err, -EIO,
			      "the destination QEMU could not load the guest's devices: %s",
			      q->migration_error[0] ? q->migration_error
						    : "its standard error says why (are both "
						      "command lines alike?)");
}

int migc_qemu_prepare_destination(struct migc_qemu *q, struct migc_error *err)
{
	static const char *const on[] = {"events", "x-ignore-shared"};
	char uri[128];
	int rc = qemu_set_capabilities(q, on, 2, err);

	/* besides -S: while QEMU waits for a guest, `stop` means not to run it when it is there */
	if (rc == 0)
		rc = qmp_command(&q->qmp, "stop", NULL, NULL, err);
	if (rc == 0)
		rc = state_socket_make(&q->state, q->info.pid, err);
	if (rc != 0)
		return rc;
	q->migration = QEMU_MIGRATION_GOING;
	q->migration_error[0] = '\0';
	q->loading = false;
	snprintf(uri, sizeof(uri), "unix:%s", q->state.path);
	rc = qmp_command(&q->qmp, "migrate-incoming", json_pack("{s:s}", "uri", uri), NULL, err);
	if (rc == 0)
		rc = state_socket_connect(&q->state, err);
	if (rc != 0)
		state_socket_close(&q->state);
	return rc;
}

/** The socket broke: give QEMU a moment to say why, in words or by its exit. */
static int explain_broken(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t deadline_ns = qmp_now_ns() + UINT64_C(1000000000);
	struct migc_error cause = {0};

	while (q->migration != QEMU_MIGRATION_FAILED && qmp_now_ns() < deadline_ns) {
		if (qmp_wait(&q->qmp, &cause) != 0 || qemu_migration_ask(q, &cause) != 0)
			break;
	}
	if (cause.code == 0 && q->migration == QEMU_MIGRATION_FAILED)
		qemu_migration_query(q, &cause);
	if (cause.code)
		return migc_error_set(err, -EPIPE, "while it loaded the guest's devices: %s",
				      cause.text);
	say_not_loaded(q, err);
	return -EPIPE;
}

/** Wait up to 1 ms for room in the socket, and hear what QEMU says meanwhile. */
static int wait_writable(struct migc_qemu *q, struct migc_error *err)
{
	struct pollfd p = {.fd = q->state.fd, .events = POLLOUT};

	if (q->qmp.idle)
		q->qmp.idle(q->qmp.idle_ctx);
	poll(&p, 1, 1);
	if (qmp_poll(&q->qmp, NULL) != 0 || q->migration == QEMU_MIGRATION_FAILED)
		return explain_broken(q, err);
	return 0;
}

int migc_qemu_write_state(struct migc_qemu *q, const uint8_t *data, size_t length,
			  struct migc_error *err)
{
	uint64_t timeout_ns = (uint64_t)q->qmp.answer_timeout_ms * 1000000;
	uint64_t progress_ns = qmp_now_ns();
	int rc;

	if (q->state.fd < 0)
		return migc_error_set(err, -ENOTCONN, "QEMU does not take device state now");
	while (length) {
		ssize_t n = send(q->state.fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			data += n;
			length -= (size_t)n;
			progress_ns = qmp_now_ns();
			continue;
		}
		if (errno != EAGAIN && errno != EINTR)
			return explain_broken(q, err);
		rc = wait_writable(q, err);
		if (rc != 0)
			return rc;
		if (qmp_now_ns() - progress_ns > timeout_ns)
			return migc_error_set(err, -ETIMEDOUT,
					      "QEMU takes no device state any more");
	}
	return 0;
}

int migc_qemu_end_state(struct migc_qemu *q, struct migc_error *err)
{
	if (q->state.fd < 0)
		return migc_error_set(err, -ENOTCONN, "QEMU does not take device state now");
	state_socket_close(&q->state);
	q->loading = true;
	return qmp_poll(&q->qmp, err);
}

/** Loaded: and it must not have started the guest, which may still run at the source. */
static int check_paused(struct migc_qemu *q, struct migc_error *err)
{
	char status[32];
	bool running;
	int rc = qemu_query_running(q, &running, status, err);

	if (rc != 0)
		return rc;
	if (running)
		return migc_error_set(err, -EPROTO,
				      "the destination QEMU runs the guest without being told to: "
				      "somebody else controls it; stop it before the source runs");
	if (strcmp(status, "inmigrate") == 0)
		return 0;
	return 1;
}

int migc_qemu_poll_loaded(struct migc_qemu *q, struct migc_error *err)
{
	int rc = qmp_poll(&q->qmp, err);

	if (rc == 0)
		rc = qemu_migration_ask(q, err);
	if (rc != 0)
		return rc;
	if (q->migration == QEMU_MIGRATION_COMPLETED)
		return check_paused(q, err);
	if (q->migration == QEMU_MIGRATION_FAILED) {
		qemu_migration_query(q, NULL);
		return say_not_loaded(q, err);
	}
	return 0;
}

int migc_qemu_run(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t deadline_ns = qmp_now_ns() + (uint64_t)q->qmp.answer_timeout_ms * 1000000;
	char status[32] = "";
	bool running = false;
	int rc = qmp_command(&q->qmp, "cont", NULL, NULL, err);

	while (rc == 0 && !running) {
		rc = qemu_query_running(q, &running, status, err);
		if (rc == 0 && !running && qmp_now_ns() > deadline_ns)
			rc = migc_error_set(err, -ETIMEDOUT,
					    "QEMU does not run the guest: it is %s", status);
		if (rc == 0 && !running)
			rc = qmp_wait(&q->qmp, err);
	}
	return rc;
}
