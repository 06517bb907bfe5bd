/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "qemu_private.h"

int migc_qemu_stop(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t deadline_ns = qmp_now_ns() + (uint64_t)q->qmp.answer_timeout_ms * 1000000;
	bool running;
	int rc = qemu_query_running(q, &running, NULL, err);

	if (rc != 0 || !running)
		return rc;
	q->stop_ns = 0;
	q->stop_ours = true;
	rc = qmp_command(&q->qmp, "stop", NULL, NULL, err);
	while (rc == 0 && q->stop_ns == 0) {
		rc = qmp_wait(&q->qmp, err);
		if (rc == 0 && qmp_now_ns() > deadline_ns)
			rc = migc_error_set(err, -ETIMEDOUT, "QEMU does not stop the guest");
	}
	return rc;
}

static bool is_going(const struct migc_qemu *q)
{
	return q->migration == QEMU_MIGRATION_GOING ||
	       q->migration == QEMU_MIGRATION_PRE_SWITCHOVER;
}

/**
 * Cancel and wait for the end. QEMU may hold its own lock while it writes device state into our
 * socket, and hears no command then: so what it writes is read and dropped meanwhile.
 */
static int cancel(struct migc_qemu *q, uint64_t deadline_ns, struct migc_error *err)
{
	uint64_t ignored;
	int rc = qmp_post(&q->qmp, "migrate_cancel", &ignored, err);

	while (rc == 0 && is_going(q)) {
		qemu_discard_state(q);
		rc = qmp_wait(&q->qmp, err);
		if (rc == 0)
			rc = qemu_migration_ask(q, err);
		if (rc == 0 && qmp_now_ns() > deadline_ns)
			rc = migc_error_set(err, -ETIMEDOUT,
					    "QEMU does not end its migration; the guest may be "
					    "stopped: look with query-migrate and query-status");
	}
	return rc;
}

static int make_run(struct migc_qemu *q, uint64_t deadline_ns, struct migc_error *err)
{
	struct migc_error refusal = {0};
	char status[32] = "";
	bool running = false;
	int rc;

	for (;;) {
		rc = qemu_query_running(q, &running, status, err);
		if (rc != 0 || running)
			return rc;
		if (qmp_now_ns() > deadline_ns)
			return migc_error_set(err, -ETIMEDOUT,
					      "the guest does not run again, it is %s: %s (try the "
					      "QMP command cont)",
					      status, refusal.text);
		/* a cancelled or failed migration makes it run by itself, a moment later */
		if (strcmp(status, "finish-migrate") != 0) {
			refusal = (struct migc_error){0};
			rc = qmp_command(&q->qmp, "cont", NULL, NULL, &refusal);
			if (rc != 0 && rc != QMP_REFUSED)
				return migc_error_set(err, rc, "%s", refusal.text);
		}
		rc = qmp_wait(&q->qmp, err);
		if (rc != 0)
			return rc;
	}
}

int migc_qemu_resume(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t deadline_ns = qmp_now_ns() + 2 * (uint64_t)q->qmp.answer_timeout_ms * 1000000;
	int rc = qmp_poll(&q->qmp, err);

	if (rc == 0 && is_going(q))
		rc = cancel(q, deadline_ns, err);
	if (rc == 0)
		state_socket_close(&q->state);
	qemu_buffer_free(&q->buffer);
	if (rc == 0 && q->was_running)
		rc = make_run(q, deadline_ns, err);
	if (rc == 0)
		q->stop_ours = false;
	return rc;
}
