/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "qmp.h"

static int send_text(struct qmp *q, const char *text, uint64_t deadline_ns, struct migc_error *err)
{
	size_t length = strlen(text), sent = 0;
	int rc;

	while (sent < length) {
		ssize_t n = send(q->fd, text + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		/* no room, or closed: then what QEMU said before it closed is worth more */
		rc = qmp_wait(q, err);
		if (rc != 0)
			return rc;
		if (qmp_now_ns() > deadline_ns)
			return migc_error_set(err, -ETIMEDOUT, "QEMU takes no QMP commands");
	}
	return 0;
}

static int send_command(struct qmp *q, const char *name, json_t *arguments, uint64_t *id,
			uint64_t deadline_ns, struct migc_error *err)
{
	json_t *command;
	char *text;
	int rc = qmp_poll(q, err);

	if (rc != 0) {
		json_decref(arguments);
		return rc;
	}
	*id = ++q->next_id;
	command = json_pack("{s:s, s:I}", "execute", name, "id", (json_int_t)*id);
	if (command && arguments)
		json_object_set(command, "arguments", arguments);
	json_decref(arguments);
	text = command ? json_dumps(command, JSON_COMPACT) : NULL;
	json_decref(command);
	if (text == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for the command %s", name);
	rc = send_text(q, text, deadline_ns, err);
	free(text);
	return rc;
}

static int take_answer(struct qmp *q, const char *name, json_t **result, struct migc_error *err)
{
	json_t *error = json_object_get(q->answer, "error");
	json_t *value = json_object_get(q->answer, "return");
	const char *text = json_string_value(json_object_get(error, "desc"));
	int rc = 0;

	if (error)
		rc = migc_error_set(err, QMP_REFUSED, "QEMU refuses %s: %s", name,
				    text ? text : "it does not say why");
	else if (value == NULL)
		rc = migc_error_set(err, -EPROTO, "QEMU's answer to %s has no result", name);
	else if (result)
		*result = json_incref(value);
	json_decref(q->answer);
	q->answer = NULL;
	return rc;
}

int qmp_command(struct qmp *q, const char *name, json_t *arguments, json_t **result,
		struct migc_error *err)
{
	uint64_t deadline_ns = qmp_now_ns() + (uint64_t)q->answer_timeout_ms * 1000000;
	uint64_t id;
	int rc = send_command(q, name, arguments, &id, deadline_ns, err);

	if (rc != 0)
		return rc;
	q->awaited_id = id;
	while (rc == 0 && q->answer == NULL) {
		if (qmp_now_ns() > deadline_ns)
			rc = migc_error_set(err, -ETIMEDOUT, "QEMU does not answer %s within %u ms",
					    name, q->answer_timeout_ms);
		else
			rc = qmp_wait(q, err);
	}
	q->awaited_id = 0;
	return q->answer ? take_answer(q, name, result, err) : rc;
}

int qmp_post(struct qmp *q, const char *name, uint64_t *id, struct migc_error *err)
{
	uint64_t deadline_ns = qmp_now_ns() + (uint64_t)q->answer_timeout_ms * 1000000;

	return send_command(q, name, NULL, id, deadline_ns, err);
}

int qmp_human(struct qmp *q, const char *line, char **text, struct migc_error *err)
{
	json_t *result = NULL;
	int rc = qmp_command(q, "human-monitor-command", json_pack("{s:s}", "command-line", line),
			     &result, err);

	if (rc != 0)
		return rc;
	if (json_is_string(result))
		*text = strdup(json_string_value(result));
	else
		rc = migc_error_set(err, -EPROTO, "QEMU's answer to `%s` is not text", line);
	json_decref(result);
	if (rc == 0 && *text == NULL)
		rc = migc_error_set(err, -ENOMEM, "no memory for QEMU's answer to `%s`", line);
	return rc;
}
