/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qemu_private.h"

#define WRITE_TIMEOUT_NS UINT64_C(20000000000)
#define RUN_TIMEOUT_NS UINT64_C(20000000000)

int migc_qemu_prepare_destination(struct migc_qemu *q, struct migc_error *err)
{
	return qemu_plain_stream(q, err);
}

int migc_qemu_begin_incoming(struct migc_qemu *q, struct migc_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char uri[SOCKET_PATH_BYTES + 8];
	int rc = qemu_make_directory(q, true, err);

	if (rc != 0)
		return rc;
	snprintf(uri, sizeof(uri), "unix:%s", q->socket_path);
	rc = qmp_execute(&q->qmp, "migrate-incoming", json_pack("{s:s}", "uri", uri), NULL, err);
	if (rc != 0)
		return rc;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", q->socket_path);
	q->state_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->state_fd < 0 ||
	    connect(q->state_fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return migc_error_set(err, -errno, "QEMU's socket for device state, %s: %s",
				      q->socket_path, strerror(errno));
	qemu_remove_directory(q);
	return 0;
}

/** Why does QEMU not take the state? */
static int gave_up(struct migc_qemu *q, struct migc_error *err)
{
	struct migc_error ignored = {0};
	char status[64] = "", why[256] = "";

	if (qemu_migration_status(q, status, sizeof(status), why, sizeof(why), &ignored) != 0)
		return migc_error_set(
			err, -EPIPE,
			"the destination QEMU has ended while loading the device state: its "
			"stderr says why (are both guests started with the same devices?)");
	return migc_error_set(err, -EPIPE,
			      "the destination QEMU does not take the device state%s%s",
			      why[0] ? ": " : "", why);
}

int migc_qemu_write_state(struct migc_qemu *q, const uint8_t *data, size_t length,
			  struct migc_error *err)
{
	uint64_t deadline = qmp_now_ns() + WRITE_TIMEOUT_NS;

	while (length) {
		ssize_t n = send(q->state_fd, data, length, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return gave_up(q, err);
		if (n < 0) {
			if (qmp_now_ns() > deadline)
				return migc_error_set(
					err, -ETIMEDOUT,
					"the destination QEMU does not read its device state");
			qmp_idle(&q->qmp);
			continue;
		}
		data += n;
		length -= (size_t)n;
	}
	return 0;
}

int migc_qemu_end_state(struct migc_qemu *q, struct migc_error *err)
{
	(void)err;
	if (q->state_fd >= 0)
		close(q->state_fd);
	q->state_fd = -1;
	qemu_migration_watch(q);
	return 0;
}

int migc_qemu_poll_loaded(struct migc_qemu *q, struct migc_error *err)
{
	struct migc_error error = {0};
	char status[64], why[256];
	int rc;

	if (!qemu_migration_moved(q))
		return 0;
	rc = qemu_migration_status(q, status, sizeof(status), why, sizeof(why), &error);
	if (rc == -ESRCH || (rc == 0 && strcmp(status, "failed") == 0))
		return gave_up(q, err);
	if (rc != 0)
		return migc_error_set(err, rc, "%s", error.text);
	if (strcmp(status, "completed") != 0)
		return 0;
	rc = qemu_run_state(q, status, sizeof(status), err);
	if (rc != 0)
		return rc;
	if (strcmp(status, "running") == 0)
		return migc_error_set(err, -EPROTO,
				      "the destination VM runs before it was told to: start "
				      "its QEMU with -S");
	return 1;
}

int migc_qemu_run(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t deadline = qmp_now_ns() + RUN_TIMEOUT_NS;
	struct migc_error error = {0};
	char status[64];
	int rc;

	/* what cannot even be told it does not run */
	if (qmp_poll(&q->qmp, &error) != 0)
		return migc_error_set(err, -EREMOTEIO, "%s", error.text);
	rc = qmp_execute(&q->qmp, "cont", NULL, NULL, err);
	while (rc == 0) {
		rc = qemu_run_state(q, status, sizeof(status), err);
		if (rc != 0 || strcmp(status, "running") == 0)
			break;
		if (qmp_now_ns() > deadline)
			rc = migc_error_set(err, -ETIMEDOUT,
					    "the destination VM does not run: it is %s", status);
		qmp_idle(&q->qmp);
	}
	return rc;
}
