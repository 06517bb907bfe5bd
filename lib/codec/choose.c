/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>

#include "codec_private.h"
#include "hardware.h"

/** Drivers in the order in which a device is chosen when none is named. */
static const char *const preference[] = {"compress_qat", "compress_isal", "compress_zlib"};

/** Other drivers that may be there; one of them must be named to be used. */
static const char *const others[] = {"mlx5_pci", "compress_octeonx", "compress_null"};

/** Names of the devices of some drivers, each with a space before. */
static void list(const char *const *drivers, unsigned int count, char *out, size_t capacity)
{
	uint8_t ids[RTE_COMPRESS_MAX_DEVS];

	for (unsigned int i = 0; i < count; i++) {
		unsigned int n =
			rte_compressdev_devices_get(drivers[i], ids, RTE_COMPRESS_MAX_DEVS);

		for (unsigned int k = 0; k < n; k++) {
			size_t used = strlen(out);

			snprintf(out + used, capacity - used, " %s",
				 rte_compressdev_name_get(ids[k]));
		}
	}
}

static bool is_taken(const struct migc_codec_devices *devices, unsigned int id)
{
	for (unsigned int i = 0; i < devices->count; i++) {
		if (devices->device[i].id == id)
			return true;
	}
	return false;
}

static bool is_software(const char *driver)
{
	return strcmp(driver, "compress_isal") == 0 || strcmp(driver, "compress_zlib") == 0;
}

/**
 * Devices of a name or driver. A software device works on the lcore that calls it, so a second one
 * of a driver is of no use. It is created when there is none of that driver yet, and stays when
 * the set is closed, and the next set finds it: DPDK 22.11 keeps the memzone of a device that was
 * removed, and so cannot make one in its place; and its look-up by name then follows a NULL
 * pointer.
 */
static unsigned int find(const char *name, uint8_t *ids)
{
	int id = rte_compressdev_get_dev_id(name);
	unsigned int most = is_software(name) ? 1 : RTE_COMPRESS_MAX_DEVS;
	unsigned int count;

	if (id >= 0) {
		ids[0] = (uint8_t)id;
		return 1;
	}
	count = rte_compressdev_devices_get(name, ids, (uint8_t)most);
	if (count || !is_software(name) || rte_eal_hotplug_add("vdev", name, "") != 0)
		return count;
	return rte_compressdev_devices_get(name, ids, 1);
}

static int add(struct migc_codec_devices *devices, uint8_t id, unsigned int tier,
	       struct migc_error *err)
{
	struct codec_device *d = &devices->device[devices->count];
	int rc;

	if (devices->count == MIGC_CODEC_DEVICES_MAX || is_taken(devices, id))
		return 0;
	memset(d, 0, sizeof(*d));
	rc = migc_codec_caps_read(id, &d->caps);
	if (rc != 0)
		return migc_error_set(err, rc, "compression device %u has gone", id);
	d->id = id;
	d->tier = tier;
	d->socket = rte_compressdev_socket_id(id);
	snprintf(d->name, sizeof(d->name), "%s", rte_compressdev_name_get(id));
	snprintf(d->driver, sizeof(d->driver), "%s", d->caps.driver);
	if (d->caps.dev_feature_flags & RTE_COMPDEV_FF_HW_ACCELERATED)
		d->bus = hardware_find(d->name);
	rc = migc_codec_plan(&d->caps, &devices->config.request, &d->plan, err);
	if (rc == 0)
		devices->count++;
	return rc;
}

/** The tier after those of the devices there are. */
static unsigned int next_tier(const struct migc_codec_devices *devices)
{
	return devices->count ? devices->device[devices->count - 1].tier + 1 : 0;
}

static int add_named(struct migc_codec_devices *devices, const char *name, struct migc_error *err)
{
	uint8_t ids[RTE_COMPRESS_MAX_DEVS];
	unsigned int count = find(name, ids), tier = next_tier(devices);
	char names[256] = "";

	/* hardware shares the work with the hardware named before it */
	if (tier && devices->device[devices->count - 1].plan.hardware) {
		struct rte_compressdev_info info = {0};

		if (count)
			rte_compressdev_info_get(ids[0], &info);
		if (info.feature_flags & RTE_COMPDEV_FF_HW_ACCELERATED)
			tier--;
	}
	for (unsigned int i = 0; i < count; i++) {
		int rc = add(devices, ids[i], tier, err);

		if (rc != 0)
			return rc;
	}
	if (count)
		return 0;
	list(preference, RTE_DIM(preference), names, sizeof(names));
	list(others, RTE_DIM(others), names, sizeof(names));
	return migc_error_set(err, -ENODEV,
			      "there is no compression device %s; there are:%s (compress_isal and "
			      "compress_zlib can always be named)",
			      name, names[0] ? names : " none");
}

static int add_all_named(struct migc_codec_devices *devices, const char *names,
			 struct migc_error *err)
{
	char name[sizeof(devices->device[0].name)];
	int rc = 0;

	while (rc == 0 && *names) {
		size_t length = strcspn(names, ",");

		snprintf(name, sizeof(name), "%.*s", (int)length, names);
		rc = add_named(devices, name, err);
		names += length;
		names += *names == ',';
	}
	return rc;
}

/** All of a driver that nobody named. What cannot be used is said, and is no error. */
static void add_driver(struct migc_codec_devices *devices, const char *driver,
		       struct migc_error *first)
{
	uint8_t ids[RTE_COMPRESS_MAX_DEVS];
	unsigned int count = find(driver, ids), tier = next_tier(devices);

	for (unsigned int i = 0; i < count; i++) {
		struct migc_error error = {0};

		if (add(devices, ids[i], tier, &error) == 0)
			continue;
		migc_log(devices->config.log, MIGC_LOG_INFO, "%s is not used: %s",
			 rte_compressdev_name_get(ids[i]), error.text);
		if (first->code == 0)
			*first = error;
	}
}

int choose_devices(struct migc_codec_devices *devices, struct migc_error *err)
{
	const struct migc_codec_devices_config *c = &devices->config;
	struct migc_error first = {0};

	if (c->compressdev) {
		int rc = add_all_named(devices, c->compressdev, err);

		devices->named_tiers = next_tier(devices);
		if (rc != 0 || c->no_fallback)
			return rc;
	}
	for (unsigned int i = 0; i < RTE_DIM(preference); i++) {
		if (c->hardware_only && is_software(preference[i]))
			continue;
		/* zlib is a last resort: slow, and nothing that ISA-L does not do */
		if (devices->count && strcmp(preference[i], "compress_zlib") == 0)
			continue;
		add_driver(devices, preference[i], &first);
		if (devices->count && c->no_fallback)
			return 0;
	}
	if (devices->count || c->hardware_only)
		return 0;
	if (first.code)
		*err = first;
	return migc_error_set(
		err, -ENODEV,
		"no compression device: install librte-compress-isal, or --codec raw");
}
