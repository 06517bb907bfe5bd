/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qemu_private.h"

enum qemu_migration qemu_migration_parse(const char *status)
{
	static const struct {
		const char *word;
		enum qemu_migration migration;
	} words[] = {
		{"none", QEMU_MIGRATION_NONE},
		{"pre-switchover", QEMU_MIGRATION_PRE_SWITCHOVER},
		{"completed", QEMU_MIGRATION_COMPLETED},
		{"failed", QEMU_MIGRATION_FAILED},
		{"cancelled", QEMU_MIGRATION_CANCELLED},
	};

	if (status == NULL)
		return QEMU_MIGRATION_NONE;
	for (unsigned int i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, status) == 0)
			return words[i].migration;
	}
	/* whatever else there is now or later: something goes on */
	return QEMU_MIGRATION_GOING;
}

void qemu_migration_take(struct migc_qemu *q, const json_t *result)
{
	const char *text = json_string_value(json_object_get(result, "error-desc"));

	q->migration = qemu_migration_parse(json_string_value(json_object_get(result, "status")));
	if (text)
		snprintf(q->migration_error, sizeof(q->migration_error), "%s", text);
}

int qemu_migration_query(struct migc_qemu *q, struct migc_error *err)
{
	json_t *result = NULL;
	int rc = qmp_command(&q->qmp, "query-migrate", NULL, &result, err);

	if (rc != 0)
		return rc;
	qemu_migration_take(q, result);
	json_decref(result);
	return 0;
}

int qemu_migration_ask(struct migc_qemu *q, struct migc_error *err)
{
	uint64_t now_ns = qmp_now_ns();

	if (q->asked_id && now_ns - q->asked_ns > (uint64_t)q->qmp.answer_timeout_ms * 1000000)
		return migc_error_set(err, -ETIMEDOUT,
				      "QEMU does not answer query-migrate within %u ms",
				      q->qmp.answer_timeout_ms);
	if (q->asked_id || now_ns - q->asked_ns < QEMU_ASK_NS)
		return 0;
	q->asked_ns = now_ns;
	return qmp_post(&q->qmp, "query-migrate", &q->asked_id, err);
}

void qemu_on_posted(void *ctx, uint64_t id, const json_t *result)
{
	struct migc_qemu *q = ctx;

	if (id == 0 || id != q->asked_id)
		return;
	q->asked_id = 0;
	if (json_is_object(result))
		qemu_migration_take(q, result);
}

void qemu_on_event(void *ctx, const char *name, const json_t *data)
{
	struct migc_qemu *q = ctx;
	const char *status;

	if (strcmp(name, "STOP") == 0) {
		q->stop_ns = qmp_now_ns();
	} else if (strcmp(name, "MIGRATION") == 0) {
		status = json_string_value(json_object_get(data, "status"));
		q->migration = qemu_migration_parse(status);
		migc_log(q->log, MIGC_LOG_DEBUG, "QEMU: migration %s", status ? status : "?");
	}
}
