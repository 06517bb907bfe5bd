/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qemu_private.h"

#define WRITE_TIMEOUT_NS UINT64_C(20000000000)
#define RUN_TIMEOUT_NS UINT64_C(20000000000)
/** What QEMU knows its end of the device state's socket by. */
#define STATE_NAME "migcomp"

int migc_qemu_begin_incoming(struct migc_qemu *q, struct migc_error *err)
{
	int ends[2], rc;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
		return migc_error_set(err, -errno, "no socket for the device state: %s",
				      strerror(errno));
	q->state_fd = ends[0];
	/* nothing in a directory that would stay if we were killed now */
	rc = qmp_give_fd(&q->qmp, STATE_NAME, ends[1], err);
	close(ends[1]);
	if (rc == 0)
		rc = qmp_execute(&q->qmp, "migrate-incoming",
				 json_pack("{s:s}", "uri", "fd:" STATE_NAME), NULL, err);
	return rc;
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
