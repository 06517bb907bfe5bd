/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_private.h"

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/** Another process or a device writes to guest RAM on its own: no tracker of ours sees it. */
bool qemu_device_unmovable(const char *type)
{
	static const char *const prefixes[] = {
		"vhost-user-", "vhost-vdpa",  "vfio-",           "ivshmem-",
		"virtio-mem",  "virtio-pmem", "x-pci-proxy-dev",
	};

	for (unsigned int i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (begins(type, prefixes[i]))
			return true;
	}
	return false;
}

/** "child<TYPE>" to TYPE. */
static bool child_type(const json_t *property, char *out, size_t capacity)
{
	const char *type = json_string_value(json_object_get(property, "type"));
	size_t length = type ? strlen(type) : 0;

	if (length < 8 || !begins(type, "child<") || type[length - 1] != '>')
		return false;
	snprintf(out, capacity, "%.*s", (int)(length - 7), type + 6);
	return true;
}

static int refuse_devices(struct migc_qemu *q, const char *path, struct migc_error *err)
{
	json_t *list = NULL, *property;
	char type[128];
	size_t i;
	int rc = qmp_command(&q->qmp, "qom-list", json_pack("{s:s}", "path", path), &list, err);

	if (rc != 0)
		return rc;
	json_array_foreach(list, i, property)
	{
		const char *name = json_string_value(json_object_get(property, "name"));

		if (rc == 0 && child_type(property, type, sizeof(type)) &&
		    qemu_device_unmovable(type))
			rc = migc_error_set(err, -EOPNOTSUPP,
					    "the device %s (%s) writes to guest RAM unseen or adds "
					    "to it: a guest with it cannot be moved (unplug it, or "
					    "use an emulated virtio device)",
					    name ? name : "?", type);
	}
	json_decref(list);
	return rc;
}

static int refuse_objects(struct migc_qemu *q, struct migc_error *err)
{
	json_t *list = NULL, *property;
	char type[128];
	size_t i;
	int rc = qmp_command(&q->qmp, "qom-list", json_pack("{s:s}", "path", "/objects"), &list,
			     err);

	if (rc != 0)
		return rc;
	json_array_foreach(list, i, property)
	{
		const char *name = json_string_value(json_object_get(property, "name"));

		if (rc == 0 && child_type(property, type, sizeof(type)) &&
		    (strstr(type, "vhost-user") || strcmp(type, "memory-backend-epc") == 0))
			rc = migc_error_set(err, -EOPNOTSUPP,
					    "the object %s (%s) makes this guest impossible to "
					    "move (start QEMU without it)",
					    name ? name : "?", type);
	}
	json_decref(list);
	return rc;
}

/** Lines like "net0: index=0,type=vhost-user,...". */
static int refuse_network(struct migc_qemu *q, struct migc_error *err)
{
	static const char *const types[] = {"type=vhost-user", "type=vhost-vdpa"};
	char *text = NULL;
	int rc = qmp_human(&q->qmp, "info network", &text, err);

	if (rc != 0)
		return rc;
	for (unsigned int i = 0; rc == 0 && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strstr(text, types[i]))
			rc = migc_error_set(err, -EOPNOTSUPP,
					    "a network device has a back end of %s, which writes "
					    "to guest RAM unseen: give the guest a tap or another "
					    "back end inside QEMU",
					    types[i]);
	}
	free(text);
	return rc;
}

/** Memory encrypted for the guest alone (SEV, TDX) cannot be read. */
static int refuse_confidential(struct migc_qemu *q, struct migc_error *err)
{
	json_t *result = NULL;
	const char *text;
	int rc = qmp_command(&q->qmp, "qom-get",
			     json_pack("{s:s, s:s}", "path", "/machine", "property",
				       "confidential-guest-support"),
			     &result, NULL);

	/* unknown to older versions */
	if (rc == QMP_REFUSED)
		return 0;
	if (rc != 0)
		return migc_error_set(err, rc, "QEMU does not tell whether RAM is encrypted");
	text = json_string_value(result);
	if (text && text[0])
		rc = migc_error_set(err, -EOPNOTSUPP,
				    "guest RAM is encrypted (%s): it cannot be moved from outside",
				    text);
	json_decref(result);
	return rc;
}

static int refuse_blocked(struct migc_qemu *q, struct migc_error *err)
{
	const char *reason;
	json_t *result = NULL;
	int rc = qmp_command(&q->qmp, "query-migrate", NULL, &result, err);

	if (rc != 0)
		return rc;
	reason = json_string_value(json_array_get(json_object_get(result, "blocked-reasons"), 0));
	if (reason)
		rc = migc_error_set(err, -EOPNOTSUPP, "QEMU says it cannot be migrated: %s",
				    reason);
	json_decref(result);
	return rc;
}

int qemu_refuse_unmovable(struct migc_qemu *q, struct migc_error *err)
{
	int rc = qemu_require_capability(q, "x-ignore-shared", err);

	if (rc == 0 && !q->destination)
		rc = qemu_require_capability(q, "pause-before-switchover", err);
	if (rc == 0)
		rc = refuse_devices(q, "/machine/peripheral", err);
	if (rc == 0)
		rc = refuse_devices(q, "/machine/peripheral-anon", err);
	if (rc == 0)
		rc = refuse_objects(q, err);
	if (rc == 0)
		rc = refuse_network(q, err);
	if (rc == 0)
		rc = refuse_confidential(q, err);
	if (rc == 0)
		rc = refuse_blocked(q, err);
	return rc;
}
