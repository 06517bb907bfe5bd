/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "codec_private.h"
#include "spread.h"

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

static int start(struct migc_codec_devices *devices, struct codec_device *d, struct migc_error *err)
{
	struct rte_compressdev_config config = {
		.socket_id = d->socket < 0 ? (int)rte_socket_id() : d->socket,
		.max_nb_priv_xforms = MIGC_CODEC_WORKERS_MAX,
		.nb_queue_pairs = d->queue_pairs,
	};
	int rc = rte_compressdev_configure(d->id, &config);

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
	memset(d->xform, 0, sizeof(d->xform));
	if (d->started) {
		rte_compressdev_stop(d->id);
		rte_compressdev_close(d->id);
	}
	d->started = false;
}

/** What a person wants to know of a device that is chosen by what it is. */
static void say(const struct migc_codec_devices *devices, const struct codec_device *d)
{
	const struct migc_codec_devices_config *c = &devices->config;

	if (d->caps.qat_generation == 0)
		return;
	if (c->request.compress)
		migc_log(c->log, MIGC_LOG_INFO,
			 "%s: QAT generation %u, %u of %u queue pairs, blocks of %u pages; --level "
			 "%d is its search %s %u",
			 d->name, d->caps.qat_generation, d->queue_pairs, d->caps.max_queue_pairs,
			 d->plan.block_pages, c->request.level,
			 d->caps.qat_generation >= 4 ? "level" : "depth", d->plan.search_depth);
	else
		migc_log(c->log, MIGC_LOG_INFO,
			 "%s: QAT generation %u, %u of %u queue pairs, blocks of %u pages", d->name,
			 d->caps.qat_generation, d->queue_pairs, d->caps.max_queue_pairs,
			 d->plan.block_pages);
	if (d->plan.splits)
		migc_log(c->log, MIGC_LOG_WARNING,
			 "%s: its driver cuts blocks of more than 12 pages in two and copies the "
			 "second part: --block-pages 12 is faster",
			 d->name);
}

/** Give out the queue pairs, and forget devices of which nobody uses one. */
static void share_out(struct migc_codec_devices *devices)
{
	struct spread_device table[MIGC_CODEC_DEVICES_MAX];
	struct spread spread;
	unsigned int kept = 0;

	for (unsigned int i = 0; i < devices->count; i++) {
		const struct codec_device *d = &devices->device[i];

		table[i] = (struct spread_device){d->socket, d->caps.max_queue_pairs, d->tier};
	}
	spread_queue_pairs(table, devices->count, devices->config.worker_socket,
			   devices->config.workers, &spread);
	for (unsigned int i = 0; i < devices->count; i++) {
		if (spread.used[i] == 0)
			continue;
		devices->device[i].queue_pairs = (uint16_t)spread.used[i];
		for (unsigned int w = 0; w < CODEC_WORKERS_MAX; w++) {
			for (unsigned int k = 0; k < spread.share[w].lanes; k++) {
				if (spread.share[w].device[k] == i)
					spread.share[w].device[k] = (uint8_t)kept;
			}
		}
		if (kept != i)
			devices->device[kept] = devices->device[i];
		kept++;
	}
	devices->count = kept;
	memcpy(devices->share, spread.share, sizeof(devices->share));
}

static void stop_all(struct migc_codec_devices *devices)
{
	for (unsigned int i = 0; i < devices->count; i++)
		stop(&devices->device[i]);
}

/** Was it asked for by name? Then it must work. */
static bool must_start(const struct migc_codec_devices *devices, unsigned int i)
{
	return devices->config.compressdev && devices->device[i].tier < devices->named_tiers;
}

static int start_all(struct migc_codec_devices *devices, struct migc_error *err)
{
	unsigned int i = 0;

	share_out(devices);
	while (i < devices->count) {
		struct migc_error error = {0};
		int rc = start(devices, &devices->device[i], &error);

		if (rc == 0) {
			say(devices, &devices->device[i++]);
			continue;
		}
		stop_all(devices);
		if (must_start(devices, i) ||
		    (devices->count == 1 && !devices->config.hardware_only)) {
			*err = error;
			return rc;
		}
		migc_log(devices->config.log, MIGC_LOG_INFO, "%s is not used: %s",
			 devices->device[i].name, error.text);
		devices->count--;
		memmove(&devices->device[i], &devices->device[i + 1],
			(devices->count - i) * sizeof(devices->device[0]));
		share_out(devices);
		i = 0;
	}
	return 0;
}

int migc_codec_devices_open(const struct migc_codec_devices_config *config,
			    struct migc_codec_devices **out, struct migc_error *err)
{
	struct migc_codec_devices *devices = calloc(1, sizeof(*devices));
	int rc = 0;

	*out = NULL;
	if (devices == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for compression devices");
	devices->config = *config;
	devices->physical = rte_eal_iova_mode() != RTE_IOVA_VA;
	/* compress_isal logs a line for each block that does not shrink */
	rte_log_set_level_pattern("pmd.compress.isal*", RTE_LOG_CRIT);
	rte_log_set_level_pattern("pmd.compress.zlib*", RTE_LOG_CRIT);
	if (config->codecs & 1u << MIGC_CODEC_DEFLATE) {
		rc = choose_devices(devices, err);
		if (rc == 0)
			rc = start_all(devices, err);
	}
	devices->config.worker_socket = NULL;
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
	stop_all(devices);
	free(devices->reach);
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
	return devices->count && devices->device[0].plan.hardware;
}

const char *migc_codec_device_driver(const struct migc_codec_devices *devices, unsigned int i)
{
	return devices->device[i].driver;
}

struct rte_device *migc_codec_device_bus(const struct migc_codec_devices *devices, unsigned int i)
{
	return devices->device[i].bus;
}

int migc_codec_lane_device(const struct migc_codec_devices *devices, unsigned int worker,
			   unsigned int lane)
{
	if (worker >= CODEC_WORKERS_MAX || lane >= devices->share[worker].lanes)
		return -ENOENT;
	return devices->share[worker].device[lane];
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
	return __atomic_load_n(&devices->memory_bytes, __ATOMIC_RELAXED);
}
