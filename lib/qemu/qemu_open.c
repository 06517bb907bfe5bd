/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_private.h"
#include "qemu_process.h"

#define ANSWER_TIMEOUT_MS 10000

static void take_string(const json_t *object, const char *key, char *out, size_t capacity)
{
	const char *text = json_string_value(json_object_get(object, key));

	snprintf(out, capacity, "%s", text ? text : "");
}

static int read_version(struct migc_qemu *q, struct migc_error *err)
{
	json_int_t numbers[3];
	json_t *result = NULL;
	int rc = qmp_command(&q->qmp, "query-version", NULL, &result, err);

	if (rc != 0)
		return rc;
	if (json_unpack(result, "{s:{s:I, s:I, s:I}}", "qemu", "major", &numbers[0], "minor",
			&numbers[1], "micro", &numbers[2]) != 0 ||
	    numbers[0] < 0 || numbers[0] > 10000 || numbers[1] < 0 || numbers[1] > 99)
		rc = migc_error_set(err, -EPROTO, "QEMU's answer to query-version is malformed");
	json_decref(result);
	if (rc != 0)
		return rc;
	q->version = (unsigned int)(numbers[0] * 100 + numbers[1]);
	snprintf(q->info.version, sizeof(q->info.version), "%d.%d.%d", (int)numbers[0],
		 (int)numbers[1], (int)numbers[2]);
	return 0;
}

static int read_machine(struct migc_qemu *q, struct migc_error *err)
{
	static const char suffix[] = "-machine";
	size_t length;
	json_t *result = NULL;
	int rc = qmp_command(&q->qmp, "qom-get",
			     json_pack("{s:s, s:s}", "path", "/machine", "property", "type"),
			     &result, err);

	if (rc != 0)
		return rc;
	snprintf(q->info.machine, sizeof(q->info.machine), "%s",
		 json_is_string(result) ? json_string_value(result) : "");
	json_decref(result);
	length = strlen(q->info.machine);
	if (length >= strlen(suffix) &&
	    strcmp(q->info.machine + length - strlen(suffix), suffix) == 0)
		q->info.machine[length - strlen(suffix)] = '\0';
	return 0;
}

int qemu_query_running(struct migc_qemu *q, bool *running, char *status, struct migc_error *err)
{
	json_t *result = NULL;
	int rc = qmp_command(&q->qmp, "query-status", NULL, &result, err);

	if (rc != 0)
		return rc;
	if (!json_is_boolean(json_object_get(result, "running")))
		rc = migc_error_set(err, -EPROTO, "QEMU's answer to query-status is malformed");
	*running = json_is_true(json_object_get(result, "running"));
	if (status)
		take_string(result, "status", status, 32);
	json_decref(result);
	return rc;
}

/** A thread that only QEMU has, to tell it from a process that made the socket for it. */
static pid_t read_vcpu_thread(struct migc_qemu *q)
{
	json_t *result = NULL;
	json_int_t thread = 0;

	if (qmp_command(&q->qmp, "query-cpus-fast", NULL, &result, NULL) == 0)
		thread =
			json_integer_value(json_object_get(json_array_get(result, 0), "thread-id"));
	json_decref(result);
	return thread > 0 && thread <= INT32_MAX ? (pid_t)thread : 0;
}

static int read_all(struct migc_qemu *q, struct migc_error *err)
{
	json_t *result = NULL;
	int rc = read_version(q, err);

	if (rc == 0)
		rc = read_machine(q, err);
	if (rc == 0)
		rc = qmp_command(&q->qmp, "query-name", NULL, &result, err);
	if (rc == 0) {
		take_string(result, "name", q->info.name, sizeof(q->info.name));
		json_decref(result);
		rc = qemu_query_running(q, &q->info.running, NULL, err);
	}
	if (rc == 0)
		rc = qemu_migration_query(q, err);
	if (rc == 0 &&
	    (q->migration == QEMU_MIGRATION_GOING || q->migration == QEMU_MIGRATION_PRE_SWITCHOVER))
		rc = migc_error_set(err, -EBUSY,
				    "a migration of this QEMU is going on (wait for its end, or "
				    "end it with the QMP command migrate_cancel)");
	if (rc != 0)
		return rc;
	rc = qemu_process_find(q->qmp.fd, read_vcpu_thread(q), &q->info.pid);
	return rc ? migc_error_set(err, rc, "cannot tell QEMU's process: %s", strerror(-rc)) : 0;
}

int migc_qemu_open(const struct migc_qemu_config *config, struct migc_qemu **out,
		   struct migc_error *err)
{
	struct migc_qemu *q = calloc(1, sizeof(*q));
	int rc;

	if (q == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a QMP connection");
	q->destination = config->destination;
	q->log = config->log;
	state_socket_init(&q->state);
	q->qmp = (struct qmp){
		.fd = -1,
		.answer_timeout_ms = config->answer_timeout_ms ? config->answer_timeout_ms
							       : ANSWER_TIMEOUT_MS,
		.idle = config->idle,
		.idle_ctx = config->idle_ctx,
		.on_event = qemu_on_event,
		.on_posted = qemu_on_posted,
		.ctx = q,
	};
	rc = qmp_connect(&q->qmp, config->qmp_path, err);
	if (rc == 0)
		rc = read_all(q, err);
	if (rc != 0) {
		migc_qemu_close(q);
		return rc;
	}
	q->was_running = q->info.running;
	migc_log(q->log, MIGC_LOG_INFO, "QEMU %s, %s, process %d", q->info.version, q->info.machine,
		 (int)q->info.pid);
	*out = q;
	return 0;
}

void migc_qemu_close(struct migc_qemu *q)
{
	if (q == NULL)
		return;
	migc_qemu_restore(q);
	state_socket_close(&q->state);
	qemu_buffer_free(&q->buffer);
	qmp_close(&q->qmp);
	json_decref(q->parameters_were);
	free(q->memory_signature);
	free(q);
}

void migc_qemu_info(const struct migc_qemu *q, struct migc_qemu_info *out)
{
	*out = q->info;
}

int migc_qemu_poll(struct migc_qemu *q, struct migc_error *err)
{
	return qmp_poll(&q->qmp, err);
}
