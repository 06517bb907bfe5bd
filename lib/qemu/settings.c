/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qemu_private.h"

/** What QEMU's documentation calls unlimited enough: 1 TiB/s. */
#define BANDWIDTH_BYTES_PER_S (INT64_C(1) << 40)

/** They need more than one plain stream in one direction, or change what RAM does. */
static const char *const spoilers[] = {
	"background-snapshot",
	"block",
	"compress",
	"dirty-limit",
	"mapped-ram",
	"multifd",
	"postcopy-preempt",
	"postcopy-ram",
	"rdma-pin-all",
	"release-ram",
	"return-path",
	"switchover-ack",
	"x-colo",
	"xbzrle",
	"zero-copy-send",
};

/** @return 1 on, 0 off, -1 not known to this QEMU. */
static int capability_state(const json_t *list, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
	{
		const char *word = json_string_value(json_object_get(entry, "capability"));

		if (word && strcmp(word, name) == 0)
			return json_is_true(json_object_get(entry, "state"));
	}
	return -1;
}

static int read_capabilities(struct migc_qemu *q, json_t **list, struct migc_error *err)
{
	int rc = qmp_command(&q->qmp, "query-migrate-capabilities", NULL, list, err);

	if (rc == 0 && !json_is_array(*list)) {
		json_decref(*list);
		*list = NULL;
		rc = migc_error_set(err, -EPROTO,
				    "QEMU's answer to query-migrate-capabilities is malformed");
	}
	return rc;
}

int qemu_require_capability(struct migc_qemu *q, const char *name, struct migc_error *err)
{
	json_t *list = NULL;
	int rc = read_capabilities(q, &list, err);

	if (rc == 0 && capability_state(list, name) < 0)
		rc = migc_error_set(err, -EOPNOTSUPP,
				    "QEMU %s has no migration capability %s (QEMU 4.0 or later "
				    "is needed)",
				    q->info.version, name);
	json_decref(list);
	return rc;
}

/** Note a wanted state; `wanted` gets an entry when it is not that already. */
static void want(struct migc_qemu *q, const json_t *list, json_t *wanted, const char *name, bool on)
{
	int was = capability_state(list, name);
	struct qemu_capability *c;

	if (was < 0 || was == on || q->changed_count == QEMU_CAPABILITIES_MAX)
		return;
	c = &q->changed[q->changed_count++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->was = was;
	json_array_append_new(wanted, json_pack("{s:s, s:b}", "capability", name, "state", on));
}

/** In one command: QEMU checks their combination as a whole. */
static int send_capabilities(struct migc_qemu *q, json_t *wanted, struct migc_error *err)
{
	if (json_array_size(wanted) == 0)
		return 0;
	return qmp_command(&q->qmp, "migrate-set-capabilities",
			   json_pack("{s:O}", "capabilities", wanted), NULL, err);
}

int qemu_set_capabilities(struct migc_qemu *q, const char *const *on, unsigned int count,
			  struct migc_error *err)
{
	unsigned int changed_before = q->changed_count;
	json_t *wanted = json_array(), *list = NULL;
	int rc = read_capabilities(q, &list, err);

	for (unsigned int i = 0; rc == 0 && i < count; i++)
		want(q, list, wanted, on[i], true);
	for (unsigned int i = 0; rc == 0 && i < sizeof(spoilers) / sizeof(spoilers[0]); i++)
		want(q, list, wanted, spoilers[i], false);
	if (rc == 0)
		rc = send_capabilities(q, wanted, err);
	/* refused as a whole: nothing of this call is to be undone */
	if (rc == QMP_REFUSED)
		q->changed_count = changed_before;
	json_decref(wanted);
	json_decref(list);
	return rc;
}

int qemu_set_parameters(struct migc_qemu *q, struct migc_error *err)
{
	const char *tls;
	json_t *result = NULL, *wanted;
	int rc;

	if (q->parameters_were)
		return 0;
	rc = qmp_command(&q->qmp, "query-migrate-parameters", NULL, &result, err);
	if (rc != 0)
		return rc;
	q->parameters_were =
		json_pack("{s:I}", "max-bandwidth",
			  json_integer_value(json_object_get(result, "max-bandwidth")));
	wanted = json_pack("{s:I}", "max-bandwidth", (json_int_t)BANDWIDTH_BYTES_PER_S);
	tls = json_string_value(json_object_get(result, "tls-creds"));
	/* the socket ends in this host; what leaves it is sealed by us */
	if (tls && tls[0]) {
		json_object_set_new(q->parameters_were, "tls-creds", json_string(tls));
		json_object_set_new(wanted, "tls-creds", json_string(""));
	}
	json_decref(result);
	rc = qmp_command(&q->qmp, "migrate-set-parameters", wanted, NULL, err);
	if (rc == QMP_REFUSED) {
		json_decref(q->parameters_were);
		q->parameters_were = NULL;
	}
	return rc;
}

void migc_qemu_restore(struct migc_qemu *q)
{
	struct migc_error error = {0};
	json_t *wanted;
	int rc = 0;

	if (q->changed_count == 0 && q->parameters_were == NULL)
		return;
	wanted = json_array();
	for (unsigned int i = 0; i < q->changed_count; i++)
		json_array_append_new(wanted,
				      json_pack("{s:s, s:b}", "capability", q->changed[i].name,
						"state", q->changed[i].was));
	if (qmp_poll(&q->qmp, NULL) == 0)
		rc = send_capabilities(q, wanted, &error);
	json_decref(wanted);
	if (q->parameters_were && qmp_poll(&q->qmp, NULL) == 0) {
		int failed = qmp_command(&q->qmp, "migrate-set-parameters",
					 json_incref(q->parameters_were), NULL, &error);

		rc = rc ? rc : failed;
	}
	if (rc != 0)
		migc_log(q->log, MIGC_LOG_WARNING,
			 "QEMU's migration settings stay as we changed them: %s", error.text);
	/* refused while a migration is being cleaned up: migc_qemu_close() tries again */
	if (rc == QMP_REFUSED)
		return;
	q->changed_count = 0;
	json_decref(q->parameters_were);
	q->parameters_were = NULL;
}
