/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu_private.h"

/** Devices whose other half reads or writes guest memory where we cannot see it. */
static const char *const refused[] = {"vhost-user", "vfio-", "vhost-vdpa", "ivshmem-doorbell"};

/** Devices that take pages away from a running guest. */
static const char *const discarding[] = {"balloon", "virtio-mem"};

static const char *refused_part(const char *text)
{
	for (unsigned int i = 0; text && i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (strstr(text, refused[i]))
			return refused[i];
	}
	return NULL;
}

static int check_devices(struct migc_qemu *q, const char *path, struct migc_error *err)
{
	json_t *devices = NULL, *device;
	size_t index;
	int rc = qmp_execute(&q->qmp, "qom-list", json_pack("{s:s}", "path", path), &devices, err);

	json_array_foreach(devices, index, device)
	{
		const char *type = json_string_value(json_object_get(device, "type"));
		const char *name = json_string_value(json_object_get(device, "name"));

		if (rc == 0 && refused_part(type))
			rc = migc_error_set(
				err, -EOPNOTSUPP,
				"device %s (%s) writes guest memory from another process or "
				"from hardware: unplug it before the migration",
				name ? name : "?", type);
	}
	json_decref(devices);
	return rc;
}

static int check_network(struct migc_qemu *q, struct migc_error *err)
{
	char *text = NULL;
	int rc = qmp_hmp(&q->qmp, "info network", &text, err);

	if (rc == 0 && refused_part(text))
		rc = migc_error_set(
			err, -EOPNOTSUPP,
			"a network device of this guest is a %s one: its writes to guest "
			"memory cannot be seen; unplug it before the migration",
			refused_part(text));
	free(text);
	return rc;
}

static int check_blockers(struct migc_qemu *q, struct migc_error *err)
{
	json_t *result = NULL, *reason;
	int rc = qmp_execute(&q->qmp, "query-migrate", NULL, &result, err);

	reason = json_array_get(json_object_get(result, "blocked-reasons"), 0);
	if (rc == 0 && json_is_string(reason))
		rc = migc_error_set(err, -EOPNOTSUPP, "QEMU cannot move this guest: %s",
				    json_string_value(reason));
	json_decref(result);
	return rc;
}

static bool has_capability(const json_t *list, const char *name)
{
	json_t *one;
	size_t index;

	json_array_foreach(list, index, one)
	{
		const char *is = json_string_value(json_object_get(one, "capability"));

		if (is && strcmp(is, name) == 0)
			return true;
	}
	return false;
}

static int check_capabilities(struct migc_qemu *q, struct migc_error *err)
{
	static const char *const needed[] = {"x-ignore-shared", "pause-before-switchover",
					     "events"};
	json_t *list = NULL;
	int rc = qmp_execute(&q->qmp, "query-migrate-capabilities", NULL, &list, err);

	for (unsigned int i = 0; rc == 0 && i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!has_capability(list, needed[i]))
			rc = migc_error_set(
				err, -EOPNOTSUPP,
				"QEMU %s has no migration capability %s: QEMU 4.0 or later is "
				"needed",
				q->info.version, needed[i]);
	}
	json_decref(list);
	return rc;
}

static int find_discarding(struct migc_qemu *q, const char *path, bool *out, struct migc_error *err)
{
	json_t *devices = NULL, *device;
	size_t index;
	int rc = qmp_execute(&q->qmp, "qom-list", json_pack("{s:s}", "path", path), &devices, err);

	json_array_foreach(devices, index, device)
	{
		const char *type = json_string_value(json_object_get(device, "type"));

		for (unsigned int i = 0; type && i < sizeof(discarding) / sizeof(discarding[0]);
		     i++)
			*out |= strstr(type, discarding[i]) != NULL;
	}
	json_decref(devices);
	return rc;
}

int migc_qemu_discards_memory(struct migc_qemu *q, bool *out, struct migc_error *err)
{
	int rc;

	*out = false;
	rc = find_discarding(q, "/machine/peripheral", out, err);
	if (rc == 0)
		rc = find_discarding(q, "/machine/peripheral-anon", out, err);
	return rc;
}

int qemu_refuse(struct migc_qemu *q, struct migc_error *err)
{
	int rc = check_capabilities(q, err);

	if (rc == 0)
		rc = check_blockers(q, err);
	if (rc == 0)
		rc = check_devices(q, "/machine/peripheral", err);
	if (rc == 0)
		rc = check_devices(q, "/machine/peripheral-anon", err);
	if (rc == 0)
		rc = check_network(q, err);
	return rc;
}
