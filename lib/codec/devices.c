/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "codec_private.h"

#define PRIVATE_XFORMS 64u

/** Drivers in the order in which a device is chosen when none is named. */
static const char *const preference[] = {"compress_qat", "compress_isal", "compress_zlib"};

/** Other drivers that may be there; one of them must be named to be used. */
static const char *const others[] = {"mlx5_pci", "compress_octeonx", "compress_null"};

static bool is_software(const char *driver)
{
	return strcmp(driver, "compress_isal") == 0 || strcmp(driver, "compress_zlib") == 0;
}

static int find(const char *name)
{
	uint8_t id;

	if (rte_compressdev_get_dev_id(name) >= 0)
		return rte_compressdev_get_dev_id(name);
	return rte_compressdev_devices_get(name, &id, 1) == 1 ? id : -ENODEV;
}

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

/**
 * A software device, when there is none of that driver yet. It stays when the set is closed, and
 * the next set finds it: DPDK 22.11 keeps the memzone of a device that was removed, and so cannot
 * make one in its place; and its look-up by name then follows a NULL pointer.
 */
static int find_or_create(const char *driver)
{
	int id = find(driver);

	if (id >= 0 || !is_software(driver))
		return id;
	if (rte_eal_hotplug_add("vdev", driver, "") != 0)
		return -ENODEV;
	return find(driver);
}

static int make_xforms(struct migc_codec_devices *devices, struct codec_device *d,
		       struct migc_error *err)
{
	unsigned int count = d->plan.shareable_xform ? 1 : d->queue_pairs;

	for (unsigned int i = 0; i < count; i++) {
		int rc = rte_compressdev_private_xform_create(d->id, &d->plan.xform, &d->xform[i]);

		if (rc != 0)
			return migc_error_set(
				err, rc,
				"%s does not take these settings (--level %d, --huffman): %s",
				d->name, devices->config.request.level, rte_strerror(-rc));
	}
	for (unsigned int i = count; i < d->queue_pairs; i++)
		d->xform[i] = d->xform[0];
	return 0;
}

static int start(struct migc_codec_devices *devices, struct codec_device *d, uint16_t most,
		 struct migc_error *err)
{
	int socket = rte_compressdev_socket_id(d->id);
	struct rte_compressdev_config config = {
		.socket_id = socket < 0 ? (int)rte_socket_id() : socket,
		.max_nb_priv_xforms = PRIVATE_XFORMS,
	};
	int rc;

	d->queue_pairs = (uint16_t)RTE_MIN(devices->config.workers, CODEC_WORKERS_MAX);
	if (most && d->queue_pairs > most)
		d->queue_pairs = most;
	config.nb_queue_pairs = d->queue_pairs;
	rc = rte_compressdev_configure(d->id, &config);
	for (uint16_t q = 0; rc == 0 && q < d->queue_pairs; q++)
		rc = rte_compressdev_queue_pair_setup(d->id, q, d->plan.descriptors,
						      config.socket_id);
	if (rc == 0)
		rc = rte_compressdev_start(d->id);
	if (rc != 0)
		return migc_error_set(err, rc, "%s cannot be started: %s", d->name,
				      rte_strerror(-rc));
	d->started = true;
	return make_xforms(devices, d, err);
}

static void stop(struct codec_device *d)
{
	for (unsigned int i = 0; i < d->queue_pairs; i++) {
		if (d->xform[i] && (i == 0 || d->xform[i] != d->xform[0]))
			rte_compressdev_private_xform_free(d->id, d->xform[i]);
	}
	if (d->started) {
		rte_compressdev_stop(d->id);
		rte_compressdev_close(d->id);
	}
}

static int add(struct migc_codec_devices *devices, unsigned int id, struct migc_error *err)
{
	struct codec_device *d = &devices->device[devices->count];
	struct migc_codec_caps caps;
	int rc;

	if (devices->count == MIGC_CODEC_DEVICES_MAX || is_taken(devices, id))
		return 0;
	memset(d, 0, sizeof(*d));
	rc = migc_codec_caps_read((uint8_t)id, &caps);
	if (rc != 0)
		return migc_error_set(err, rc, "compression device %u has gone", id);
	d->id = (uint8_t)id;
	snprintf(d->name, sizeof(d->name), "%s", rte_compressdev_name_get((uint8_t)id));
	snprintf(d->driver, sizeof(d->driver), "%s", caps.driver);
	rc = migc_codec_plan(&caps, &devices->config.request, &d->plan, err);
	if (rc == 0)
		rc = start(devices, d, caps.max_queue_pairs, err);
	if (rc != 0) {
		stop(d);
		return rc;
	}
	devices->count++;
	return 0;
}

static int add_named(struct migc_codec_devices *devices, const char *name, struct migc_error *err)
{
	char names[256] = "";
	int id = find_or_create(name);

	if (id >= 0)
		return add(devices, (unsigned int)id, err);
	list(preference, RTE_DIM(preference), names, sizeof(names));
	list(others, RTE_DIM(others), names, sizeof(names));
	return migc_error_set(err, -ENODEV,
			      "there is no compression device %s; there are:%s (compress_isal and "
			      "compress_zlib can always be named)",
			      name, names[0] ? names : " none");
}

/** The chosen device first, then what blocks fall back to. */
static int choose(struct migc_codec_devices *devices, struct migc_error *err)
{
	const struct migc_codec_devices_config *c = &devices->config;
	struct migc_error first = {0};
	int rc;

	if (c->compressdev) {
		rc = add_named(devices, c->compressdev, err);
		if (rc != 0 || c->no_fallback)
			return rc;
	}
	for (unsigned int i = 0; i < RTE_DIM(preference); i++) {
		struct migc_error error = {0};
		int id;

		if (c->hardware_only && is_software(preference[i]))
			continue;
		/* zlib is a last resort: slow, and nothing that ISA-L does not do */
		if (devices->count && strcmp(preference[i], "compress_zlib") == 0)
			continue;
		id = find_or_create(preference[i]);
		if (id < 0 || add(devices, (unsigned int)id, &error) == 0) {
			if (devices->count && c->no_fallback)
				return 0;
			continue;
		}
		migc_log(c->log, MIGC_LOG_INFO, "%s is not used: %s", preference[i], error.text);
		if (first.code == 0)
			first = error;
	}
	if (devices->count || c->hardware_only)
		return 0;
	if (first.code)
		*err = first;
	return migc_error_set(
		err, -ENODEV,
		"no compression device: install librte-compress-isal, or --codec raw");
}

int migc_codec_devices_open(const struct migc_codec_devices_config *config,
			    struct migc_codec_devices **out, struct migc_error *err)
{
	struct migc_codec_devices *devices = calloc(1, sizeof(*devices));
	int rc;

	*out = NULL;
	if (devices == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for compression devices");
	devices->config = *config;
	/* compress_isal logs a line for each block that does not shrink */
	rte_log_set_level_pattern("pmd.compress.isal*", RTE_LOG_CRIT);
	rte_log_set_level_pattern("pmd.compress.zlib*", RTE_LOG_CRIT);
	rc = config->codecs & 1u << MIGC_CODEC_DEFLATE ? choose(devices, err) : 0;
	if (rc != 0) {
		migc_codec_devices_close(devices);
		return rc;
	}
	devices->block_pages = config->request.block_pages ? config->request.block_pages
							   : MIGC_CODEC_BLOCK_PAGES_DEFAULT;
	for (unsigned int i = 0; i < devices->count; i++) {
		if (devices->device[i].plan.block_pages < devices->block_pages)
			devices->block_pages = devices->device[i].plan.block_pages;
	}
	*out = devices;
	return 0;
}

void migc_codec_devices_close(struct migc_codec_devices *devices)
{
	if (devices == NULL)
		return;
	for (unsigned int i = 0; i < devices->count; i++)
		stop(&devices->device[i]);
	free(devices);
}

unsigned int migc_codec_devices_count(const struct migc_codec_devices *devices)
{
	return devices->count;
}

const char *migc_codec_device_name(const struct migc_codec_devices *devices, unsigned int i)
{
	return devices->device[i].name;
}

bool migc_codec_has_hardware(const struct migc_codec_devices *devices)
{
	return devices->count && !is_software(devices->device[0].driver);
}

const char *migc_codec_device_driver(const struct migc_codec_devices *devices, unsigned int i)
{
	return devices->device[i].driver;
}

unsigned int migc_codec_block_pages(const struct migc_codec_devices *devices,
				    enum migc_codec_id codec)
{
	if (codec == MIGC_CODEC_DEFLATE)
		return devices->block_pages;
	return devices->config.request.block_pages ? devices->config.request.block_pages
						   : MIGC_BLOCK_PAGES_MAX;
}

uint64_t migc_codec_memory_bytes(const struct migc_codec_devices *devices)
{
	return devices->memory_bytes;
}
