/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "qemu_private.h"

/** Device state is some hundred KiB; more than this and RAM is in the stream. */
#define STATE_BYTES_MAX (64u << 20)
#define STATE_READ_BYTES 65536u
/** No limit that a unix socket could reach. */
#define BANDWIDTH_UNLIMITED (INT64_C(1) << 40)
#define RESUME_TIMEOUT_NS UINT64_C(20000000000)

static int listen_for_state(struct migc_qemu *q, struct migc_error *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int rc = qemu_make_directory(q, err);

	if (rc != 0)
		return rc;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", q->socket_path);
	q->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (q->listen_fd < 0 ||
	    bind(q->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    chmod(q->socket_path, 0600) != 0 || listen(q->listen_fd, 1) != 0 ||
	    (geteuid() != q->qmp.uid && chown(q->socket_path, q->qmp.uid, (gid_t)-1) != 0))
		return migc_error_set(err, -errno, "no socket for the device state at %s: %s",
				      q->socket_path, strerror(errno));
	return 0;
}

static int open_bandwidth(struct migc_qemu *q, struct migc_error *err)
{
	json_t *parameters = NULL;
	int rc = qmp_execute(&q->qmp, "query-migrate-parameters", NULL, &parameters, err);

	if (rc != 0)
		return rc;
	q->changes->bandwidth_before =
		(uint64_t)json_integer_value(json_object_get(parameters, "max-bandwidth"));
	json_decref(parameters);
	rc = qmp_execute(&q->qmp, "migrate-set-parameters",
			 json_pack("{s:I}", "max-bandwidth", (json_int_t)BANDWIDTH_UNLIMITED), NULL,
			 err);
	q->changes->bandwidth_changed = rc == 0;
	return rc;
}

/** Should it fail, whom somebody else has stopped meanwhile is not ours to continue. */
static int look_who_stopped(struct migc_qemu *q, bool held, struct migc_error *err)
{
	char status[64];
	int rc = qemu_run_state(q, status, sizeof(status), err);

	if (rc == 0 && !held && strcmp(status, "running") != 0)
		q->info.running = false;
	return rc;
}

int migc_qemu_start_switchover(struct migc_qemu *q, struct migc_error *err)
{
	char uri[SOCKET_PATH_BYTES + 8];
	bool held = false;
	int rc = listen_for_state(q, err);

	if (rc == 0)
		rc = open_bandwidth(q, err);
	if (rc == 0)
		rc = qemu_pulse_hold(q, &held, err);
	if (rc == 0)
		rc = look_who_stopped(q, held, err);
	if (rc != 0)
		return rc;
	snprintf(uri, sizeof(uri), "unix:%s", q->socket_path);
	if (!held)
		q->qmp.stop_ns = 0;
	/* before it is said: from here on somebody has to let the guest run again */
	if (q->info.running)
		q->changes->phase = GUARDIAN_RESUME;
	q->changes->held = false;
	qemu_migration_watch(q);
	rc = qmp_execute(&q->qmp, "migrate", json_pack("{s:s}", "uri", uri), NULL, err);
	if (rc == 0)
		q->switchover = SWITCHOVER_MIGRATING;
	return rc;
}

static int grow_state(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t most = STATE_BYTES_MAX + q->ram_bytes / 50;
	uint8_t *bigger;

	if (q->state_length > most)
		return migc_error_set(
			err, -EOPNOTSUPP,
			"QEMU sends guest RAM in its device state (%zu MiB so far): not all of "
			"its RAM is shared files; start it with memory-backend-file,share=on",
			q->state_length >> 20);
	if (q->state_capacity - q->state_length >= STATE_READ_BYTES)
		return 0;
	bigger = realloc(q->state, q->state_capacity + 16 * STATE_READ_BYTES);
	if (bigger == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for the device state");
	q->state = bigger;
	q->state_capacity += 16 * STATE_READ_BYTES;
	return 0;
}

int qemu_drain_state(struct migc_qemu *q, struct migc_error *err)
{
	size_t before = q->state_length;

	if (q->state_fd < 0 && q->listen_fd >= 0) {
		q->state_fd = accept4(q->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (q->state_fd >= 0)
			qemu_remove_directory(q);
	}
	while (q->state_fd >= 0 && !q->state_ended) {
		int rc = grow_state(q, err);
		ssize_t n;

		if (rc != 0)
			return rc;
		n = read(q->state_fd, q->state + q->state_length, STATE_READ_BYTES);
		if (n < 0)
			break;
		if (n == 0)
			q->state_ended = true;
		q->state_length += (size_t)n;
	}
	return (int)(q->state_length - before);
}

/** The migration there failed or was cancelled by somebody. */
static int migration_ended(const char *status, const char *why, struct migc_error *err)
{
	return migc_error_set(err, -EIO, "QEMU's part of the migration %s%s%s",
			      strcmp(status, "cancelled") == 0 ? "was cancelled" : "failed",
			      why[0] ? ": " : "", why);
}

static bool is_over(const char *status)
{
	return strcmp(status, "failed") == 0 || strcmp(status, "cancelled") == 0 ||
	       strcmp(status, "cancelling") == 0;
}

int migc_qemu_poll_stopped(struct migc_qemu *q, uint64_t *stop_ns, struct migc_error *err)
{
	char status[64], why[256];
	int rc = qemu_drain_state(q, err);

	if (rc < 0)
		return rc;
	if (!qemu_migration_moved(q))
		return 0;
	rc = qemu_migration_status(q, status, sizeof(status), why, sizeof(why), err);
	if (rc != 0)
		return rc;
	if (is_over(status))
		return migration_ended(status, why, err);
	if (strcmp(status, "pre-switchover") != 0)
		return 0;
	q->switchover = SWITCHOVER_STOPPED;
	/* a guest that was paused before sends no STOP */
	*stop_ns = q->qmp.stop_ns ? q->qmp.stop_ns : qmp_now_ns();
	return 1;
}

int migc_qemu_continue(struct migc_qemu *q, struct migc_error *err)
{
	int rc = qmp_execute(&q->qmp, "migrate-continue",
			     json_pack("{s:s}", "state", "pre-switchover"), NULL, err);

	if (rc == 0)
		q->switchover = SWITCHOVER_CONTINUED;
	return rc;
}

int migc_qemu_read_state(struct migc_qemu *q, uint8_t *out, size_t capacity, struct migc_error *err)
{
	char status[64], why[256];
	size_t left;
	int rc = qemu_drain_state(q, err);

	if (rc < 0)
		return rc;
	left = q->state_length - q->state_taken;
	if (left) {
		if (left > capacity)
			left = capacity;
		memcpy(out, q->state + q->state_taken, left);
		q->state_taken += left;
		return (int)left;
	}
	if (!q->state_ended && !qemu_migration_moved(q))
		return 0;
	rc = qemu_migration_status(q, status, sizeof(status), why, sizeof(why), err);
	if (rc != 0)
		return rc;
	if (is_over(status))
		return migration_ended(status, why, err);
	/* more may have come while QEMU was asked */
	return q->state_ended && q->state_taken == q->state_length &&
			       strcmp(status, "completed") == 0
		       ? -ENODATA
		       : 0;
}

int migc_qemu_stop(struct migc_qemu *q, struct migc_error *err)
{
	return qmp_execute(&q->qmp, "stop", NULL, NULL, err);
}

/** Cancel QEMU's part, and see that it is over: as often as it takes. */
static int cancel_migration(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t deadline = qmp_now_ns() + RESUME_TIMEOUT_NS;
	char status[64] = "";

	for (;;) {
		struct migc_error ignored = {0};
		int rc;

		/* refused when it is over already, which is as well */
		if (strcmp(status, "cancelling") != 0)
			qmp_execute(&q->qmp, "migrate_cancel", NULL, NULL, &ignored);
		rc = qemu_migration_status(q, status, sizeof(status), NULL, 0, err);
		if (rc != 0)
			return rc;
		if (strcmp(status, "cancelled") == 0 || strcmp(status, "failed") == 0 ||
		    strcmp(status, "completed") == 0 || strcmp(status, "none") == 0 ||
		    status[0] == '\0')
			return 0;
		if (qmp_now_ns() > deadline)
			return migc_error_set(err, -ETIMEDOUT, "QEMU's migration does not end (%s)",
					      status);
		qmp_idle(&q->qmp);
	}
}

void migc_qemu_commit(struct migc_qemu *q)
{
	q->changes->phase = GUARDIAN_COMMITTED;
}

static int resume(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t deadline = qmp_now_ns() + RESUME_TIMEOUT_NS;
	char status[64];
	int rc = qemu_reconnect(q, err);

	if (rc == 0 && q->switchover != SWITCHOVER_NONE) {
		rc = cancel_migration(q, err);
		if (rc == 0)
			q->switchover = SWITCHOVER_NONE;
	}
	qemu_remove_directory(q);
	if (q->state_fd >= 0)
		close(q->state_fd);
	q->state_fd = -1;
	if (rc != 0 || !q->info.running)
		return rc;
	while (rc == 0) {
		rc = qemu_run_state(q, status, sizeof(status), err);
		if (rc != 0 || strcmp(status, "running") == 0)
			break;
		/* after "cancelled" or "failed" QEMU lets it run by itself, after "completed" not
		 */
		if (strcmp(status, "finish-migrate") != 0) {
			struct migc_error refused = {0};

			/* it may be refused while the migration is being undone: asked again then
			 */
			rc = qmp_execute(&q->qmp, "cont", NULL, NULL, &refused);
			if (rc == -EREMOTEIO)
				rc = 0;
			else if (rc != 0)
				*err = refused;
		}
		if (rc == 0 && qmp_now_ns() > deadline)
			rc = migc_error_set(err, -ETIMEDOUT, "the source VM stays %s", status);
		qmp_idle(&q->qmp);
	}
	return rc;
}

int migc_qemu_resume(struct migc_qemu *q, struct migc_error *err)
{
	struct migc_error error = {0};
	int rc = resume(q, &error);

	/* the socket closed in the middle of it */
	if (rc == -ESRCH) {
		error = (struct migc_error){0};
		rc = resume(q, &error);
	}
	if (rc != 0)
		return migc_error_set(err, rc, "%s", error.text);
	q->changes->phase = GUARDIAN_WATCH;
	q->changes->held = false;
	return 0;
}
