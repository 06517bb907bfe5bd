/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "qemu_private.h"

/** A migration capability, and what it is to be. */
struct wanted {
	const char *name;
	bool value;
};

static json_t *capability(const char *name, bool value)
{
	return json_pack("{s:s,s:b}", "capability", name, "state", (int)value);
}

/** @param list stolen */
static int set_capabilities(struct migc_qemu *q, json_t *list, struct migc_error *err)
{
	return qmp_execute(&q->qmp, "migrate-set-capabilities",
			   json_pack("{s:o}", "capabilities", list), NULL, err);
}

static bool is_on(const json_t *capabilities, const char *name)
{
	json_t *one;
	size_t index;

	json_array_foreach(capabilities, index, one)
	{
		const char *is = json_string_value(json_object_get(one, "capability"));

		if (is && strcmp(is, name) == 0)
			return json_is_true(json_object_get(one, "state"));
	}
	return false;
}

/** Switch capabilities in one command, remembering what they were. */
static int change_capabilities(struct migc_qemu *q, const struct wanted *wanted, unsigned int count,
			       struct migc_error *err)
{
	json_t *now = NULL, *list;
	int rc = qmp_execute(&q->qmp, "query-migrate-capabilities", NULL, &now, err);

	if (rc != 0)
		return rc;
	list = json_array();
	for (unsigned int i = 0; i < count; i++) {
		bool before = is_on(now, wanted[i].name);

		if (before == wanted[i].value)
			continue;
		if (q->changes->capabilities == CAPABILITIES_MAX) {
			rc = migc_error_set(err, -ENOSPC,
					    "too many migration capabilities to change");
			break;
		}
		/* noted first: whoever restores after our death must know of it */
		q->changes->capability[q->changes->capabilities].name = wanted[i].name;
		q->changes->capability[q->changes->capabilities++].before = before;
		json_array_append_new(list, capability(wanted[i].name, wanted[i].value));
	}
	json_decref(now);
	if (rc == 0 && json_array_size(list))
		return set_capabilities(q, list, err);
	json_decref(list);
	return rc;
}

static int set_parameter(struct migc_qemu *q, json_t *parameter, struct migc_error *err)
{
	return qmp_execute(&q->qmp, "migrate-set-parameters", parameter, NULL, err);
}

/** QEMU's own TLS is for its own network: between it and us is a socket of this host. */
static int clear_tls(struct migc_qemu *q, struct migc_error *err)
{
	json_t *parameters = NULL;
	const char *creds;
	int rc = qmp_execute(&q->qmp, "query-migrate-parameters", NULL, &parameters, err);

	if (rc != 0)
		return rc;
	creds = json_string_value(json_object_get(parameters, "tls-creds"));
	if (creds && creds[0]) {
		snprintf(q->changes->tls_creds, sizeof(q->changes->tls_creds), "%s", creds);
		rc = set_parameter(q, json_pack("{s:s}", "tls-creds", ""), err);
	}
	json_decref(parameters);
	return rc;
}

int migc_qemu_prepare(struct migc_qemu *q, struct migc_error *err)
{
	/* each after those that need it: they are put back one by one, the last first */
	const struct wanted wanted[] = {
		{"postcopy-preempt", false},
		{"postcopy-ram", false},
		{"switchover-ack", false},
		{"return-path", false},
		{"zero-copy-send", false},
		{"multifd", false},
		{"mapped-ram", false},
		{"compress", false},
		{"block", false},
		{"x-colo", false},
		{"background-snapshot", false},
		{"x-ignore-shared", true},
		{"events", true},
		{"pause-before-switchover", !q->config.destination},
	};
	int rc = change_capabilities(q, wanted, sizeof(wanted) / sizeof(wanted[0]), err);

	return rc != 0 ? rc : clear_tls(q, err);
}

/** One by one: what QEMU does not take back does not keep it from the others. */
static void restore_capability(struct migc_qemu *q, unsigned int index)
{
	struct migc_error ignored = {0};
	json_t *list = json_array();

	json_array_append_new(list, capability(q->changes->capability[index].name,
					       q->changes->capability[index].before));
	set_capabilities(q, list, &ignored);
}

void migc_qemu_restore(struct migc_qemu *q)
{
	struct migc_error ignored = {0}, throttle = {0};

	if (migc_qemu_unthrottle(q, &throttle) != 0)
		migc_log(q->config.log, MIGC_LOG_WARNING,
			 "the source VM may still be slowed down or stopped: %s (QMP: cont)",
			 throttle.text);
	if (q->changes->capabilities || q->changes->bandwidth_changed || q->changes->tls_creds[0])
		qemu_reconnect(q, &ignored);
	while (q->changes->capabilities) {
		q->changes->capabilities--;
		if (!q->qmp.closed)
			restore_capability(q, q->changes->capabilities);
	}
	if (q->changes->bandwidth_changed && !q->qmp.closed)
		set_parameter(q,
			      json_pack("{s:I}", "max-bandwidth",
					(json_int_t)q->changes->bandwidth_before),
			      &ignored);
	q->changes->bandwidth_changed = false;
	if (q->changes->tls_creds[0] && !q->qmp.closed)
		set_parameter(q, json_pack("{s:s}", "tls-creds", q->changes->tls_creds), &ignored);
	q->changes->tls_creds[0] = '\0';
}

int qemu_make_directory(struct migc_qemu *q, struct migc_error *err)
{
	const char *base = access("/run", W_OK) == 0 ? "/run" : "/tmp";

	snprintf(q->changes->directory, sizeof(q->changes->directory), "%s/dpdk-migcomp-XXXXXX",
		 base);
	if (mkdtemp(q->changes->directory) == NULL) {
		q->changes->directory[0] = '\0';
		return migc_error_set(err, -errno, "no directory for a socket in %s: %s", base,
				      strerror(errno));
	}
	snprintf(q->socket_path, sizeof(q->socket_path), "%s/state", q->changes->directory);
	/* a QEMU of another user must get at the socket, and nobody else at anything */
	if (geteuid() == q->qmp.uid)
		return 0;
	if (chmod(q->changes->directory, 0711) != 0)
		return migc_error_set(
			err, -errno,
			"QEMU's user cannot be let into %s: %s (run as root or as QEMU's "
			"user)",
			q->changes->directory, strerror(errno));
	return 0;
}

void qemu_remove_directory(struct migc_qemu *q)
{
	char path[SOCKET_PATH_BYTES];

	if (q->listen_fd >= 0)
		close(q->listen_fd);
	q->listen_fd = -1;
	if (q->changes->directory[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s/state", q->changes->directory);
	unlink(path);
	rmdir(q->changes->directory);
	q->changes->directory[0] = '\0';
}
