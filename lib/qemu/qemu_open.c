/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qemu_private.h"

static void copy_string(char *out, size_t capacity, const json_t *value)
{
	const char *text = json_string_value(value);

	snprintf(out, capacity, "%s", text ? text : "");
}

int qemu_qom_string(struct migc_qemu *q, const char *path, const char *property, char *out,
		    size_t capacity)
{
	struct migc_error ignored = {0};
	json_t *result = NULL;
	int rc = qmp_execute(&q->qmp, "qom-get",
			     json_pack("{s:s,s:s}", "path", path, "property", property), &result,
			     &ignored);

	copy_string(out, capacity, result);
	json_decref(result);
	return rc;
}

int qemu_run_state(struct migc_qemu *q, char *status, size_t capacity, struct migc_error *err)
{
	json_t *result = NULL;
	int rc = qmp_execute(&q->qmp, "query-status", NULL, &result, err);

	copy_string(status, capacity, json_object_get(result, "status"));
	json_decref(result);
	return rc;
}

int qemu_migration_status(struct migc_qemu *q, char *status, size_t capacity, char *why,
			  size_t why_capacity, struct migc_error *err)
{
	json_t *result = NULL;
	int rc = qmp_execute(&q->qmp, "query-migrate", NULL, &result, err);

	copy_string(status, capacity, json_object_get(result, "status"));
	if (why)
		copy_string(why, why_capacity, json_object_get(result, "error-desc"));
	json_decref(result);
	return rc;
}

static int read_version(struct migc_qemu *q, struct migc_error *err)
{
	json_t *result = NULL, *version;
	int rc = qmp_execute(&q->qmp, "query-version", NULL, &result, err);

	version = json_object_get(result, "qemu");
	q->version_major = (unsigned int)json_integer_value(json_object_get(version, "major"));
	q->version_minor = (unsigned int)json_integer_value(json_object_get(version, "minor"));
	snprintf(q->info.version, sizeof(q->info.version), "%u.%u.%u", q->version_major,
		 q->version_minor,
		 (unsigned int)json_integer_value(json_object_get(version, "micro")));
	json_decref(result);
	return rc;
}

static int read_identity(struct migc_qemu *q, struct migc_error *err)
{
	static const char suffix[] = "-machine";
	json_t *result = NULL;
	char status[64];
	size_t length;
	int rc = read_version(q, err);

	if (rc != 0)
		return rc;
	q->info.pid = q->qmp.pid;
	qemu_qom_string(q, "/machine", "type", q->info.machine, sizeof(q->info.machine));
	length = strlen(q->info.machine);
	if (length >= sizeof(suffix) &&
	    strcmp(q->info.machine + length - (sizeof(suffix) - 1), suffix) == 0)
		q->info.machine[length - (sizeof(suffix) - 1)] = '\0';
	rc = qmp_execute(&q->qmp, "query-name", NULL, &result, err);
	copy_string(q->info.name, sizeof(q->info.name), json_object_get(result, "name"));
	json_decref(result);
	if (rc == 0)
		rc = qemu_run_state(q, status, sizeof(status), err);
	q->info.running = strcmp(status, "running") == 0;
	q->info.incoming = strcmp(status, "inmigrate") == 0;
	if (q->config.either)
		q->config.destination = q->info.incoming;
	return rc;
}

/** A migration that goes on there is somebody's; one that ended is nobody's. */
static int check_not_busy(struct migc_qemu *q, struct migc_error *err)
{
	static const char *const free_states[] = {"", "none", "completed", "failed", "cancelled"};
	char status[64];
	int rc = qemu_migration_status(q, status, sizeof(status), NULL, 0, err);

	if (rc != 0)
		return rc;
	for (unsigned int i = 0; i < sizeof(free_states) / sizeof(free_states[0]); i++) {
		if (strcmp(status, free_states[i]) == 0)
			return 0;
	}
	return migc_error_set(
		err, -EBUSY,
		"this QEMU is already migrating (%s): wait for its end, or cancel it (QMP: "
		"migrate_cancel)",
		status);
}

static int check_state(struct migc_qemu *q, struct migc_error *err)
{
	char status[64];
	int rc = qemu_run_state(q, status, sizeof(status), err);

	if (rc != 0)
		return rc;
	if (q->config.destination && strcmp(status, "inmigrate") != 0)
		return migc_error_set(
			err, -EINVAL,
			"the destination QEMU is %s: start it with -incoming defer -S", status);
	if (!q->config.destination && strcmp(status, "running") != 0 &&
	    strcmp(status, "paused") != 0)
		return migc_error_set(
			err, -EINVAL,
			"the source VM is %s: it can be moved when it is running or paused",
			status);
	return 0;
}

/** QMP does not tell whether a QEMU with -incoming was given -S: its command line does. */
static int check_paused_start(struct migc_qemu *q, struct migc_error *err)
{
	char path[64], text[65536];
	size_t length;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)q->info.pid);
	f = fopen(path, "re");
	if (f == NULL)
		return migc_error_set(err, -errno, "%s cannot be read: %s", path, strerror(errno));
	length = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[length] = '\0';
	for (size_t at = 0; at < length; at += strlen(text + at) + 1) {
		if (strcmp(text + at, "-S") == 0 || strcmp(text + at, "--S") == 0)
			return 0;
	}
	return migc_error_set(
		err, -EINVAL,
		"the destination QEMU was started without -S: it would run the VM before "
		"the source has let go of it; start it with -incoming defer -S");
}

/**
 * While an answer is waited for: QEMU writes device state with its lock held, and answers nothing
 * while its socket is full.
 */
static void pump(void *qemu)
{
	struct migc_qemu *q = qemu;

	qemu_drain_state(q, NULL);
	if (q->config.idle)
		q->config.idle(q->config.idle_ctx);
}

int migc_qemu_open(const struct migc_qemu_config *config, struct migc_qemu **out,
		   struct migc_error *err)
{
	struct migc_qemu *q = calloc(1, sizeof(*q));
	int rc;

	*out = NULL;
	if (q == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for QEMU");
	q->config = *config;
	q->qmp.timeout_ms = config->answer_timeout_ms;
	q->qmp.idle = pump;
	q->qmp.idle_ctx = q;
	q->qmp.fault = config->fault;
	q->qmp.fault_ctx = config->fault_ctx;
	q->changes = config->guardian ? config->guardian->changes : &q->own_changes;
	q->listen_fd = -1;
	q->state_fd = -1;
	rc = qmp_open(&q->qmp, config->qmp_path, err);
	if (rc == 0)
		rc = read_identity(q, err);
	if (rc == 0)
		rc = check_not_busy(q, err);
	if (rc == 0)
		rc = check_state(q, err);
	if (rc == 0 && q->config.destination)
		rc = check_paused_start(q, err);
	if (rc != 0) {
		migc_qemu_close(q);
		return rc;
	}
	*out = q;
	return 0;
}

int qemu_reconnect(struct migc_qemu *q, struct migc_error *err)
{
	struct migc_error error = {0};
	int rc;

	/* whether it is open, which only reading tells */
	qmp_poll(&q->qmp, &error);
	/* the guardian has its own connection */
	if (!q->qmp.closed || q->config.qmp_path == NULL)
		return 0;
	error = (struct migc_error){0};
	rc = qmp_open_again(&q->qmp, q->config.qmp_path, &error);
	if (rc == 0 && q->qmp.pid == q->info.pid)
		return 0;
	q->qmp.closed = true;
	return migc_error_set(err, -ESRCH, "QEMU has ended, or closed its QMP socket for good");
}

void migc_qemu_close(struct migc_qemu *q)
{
	if (q == NULL)
		return;
	migc_qemu_restore(q);
	qemu_remove_directory(q);
	if (q->state_fd >= 0)
		close(q->state_fd);
	qmp_close(&q->qmp);
	free(q->state);
	free(q->backends);
	free(q);
}

void migc_qemu_info(const struct migc_qemu *q, struct migc_qemu_info *out)
{
	*out = q->info;
}

void migc_qemu_hang_up(struct migc_qemu *q)
{
	shutdown(q->qmp.fd, SHUT_RDWR);
}

int migc_qemu_poll(struct migc_qemu *q, struct migc_error *err)
{
	return qmp_poll(&q->qmp, err);
}
