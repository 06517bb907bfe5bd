/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_eal.h>

#include "engine.h"

/** Drivers whose devices are all behind VFIO's one container: what one has mapped, all have. */
#define CONTAINER_DRIVER "compress_qat"

static unsigned long long mib(uint64_t bytes)
{
	return (bytes + (1u << 20) - 1) >> 20;
}

/** @return why guest memory cannot be mapped as a whole matter, or NULL. */
static const char *obstacle(struct engine *e)
{
	struct migc_error ignored = {0};
	bool discards = false;

	/* it would have to know which of them begins when its engines are made */
	if (e->shares)
		return "several guests share it";
	if (rte_eal_iova_mode() != RTE_IOVA_VA)
		return "EAL works with physical addresses (--iova-mode=va is needed)";
	/* it would go on reading the pages that were taken away, and the guest has others */
	if (e->config->source && e->qemu &&
	    (migc_qemu_discards_memory(e->qemu, &discards, &ignored) != 0 || discards))
		return "the guest has a balloon or virtio-mem, which take away pages that a device "
		       "has mapped";
	return NULL;
}

static bool is_within_limit(struct engine *e, const struct migc_dma_cost *cost, const char *device)
{
	if (cost->limit_bytes == UINT64_MAX ||
	    cost->locked_bytes + cost->mapped_bytes <= cost->limit_bytes)
		return true;
	migc_log(e->config->log, MIGC_LOG_WARNING,
		 "%s: %llu MiB of guest memory cannot be pinned: %llu of the %llu MiB that may be "
		 "locked are in use (ulimit -l, LimitMEMLOCK=, or CAP_IPC_LOCK); pages are copied",
		 device, mib(cost->mapped_bytes), mib(cost->locked_bytes), mib(cost->limit_bytes));
	return false;
}

/** Map what was planned for one device. @return whether it is mapped. */
static bool map_device(struct engine *e, const struct migc_dma_cost *cost, const char *name,
		       struct rte_device *device)
{
	struct migc_error error = {0};

	if (!is_within_limit(e, cost, name))
		return false;
	migc_log(e->config->log, MIGC_LOG_INFO,
		 "%s: pins %llu MiB of guest memory in %u maps; %llu MiB in pieces and %llu MiB of "
		 "holes are copied when they are needed",
		 name, mib(cost->mapped_bytes), cost->maps, mib(cost->scattered_bytes),
		 mib(cost->hole_bytes));
	if (migc_guestmem_dma_map(e->gm, device, &error) == 0)
		return true;
	migc_log(e->config->log, MIGC_LOG_WARNING, "%s; pages are copied", error.text);
	return false;
}

/** Map for each device that has a container of its own. @return whether all have it mapped. */
static bool map_devices(struct engine *e, const struct migc_dma_cost *cost)
{
	bool container = false, all = true;

	for (unsigned int i = 0; i < migc_codec_devices_count(e->devices) && all; i++) {
		struct rte_device *device = migc_codec_device_bus(e->devices, i);
		bool shared = strcmp(migc_codec_device_driver(e->devices, i), CONTAINER_DRIVER) ==
			      0;

		if (device == NULL || (shared && container))
			continue;
		all = map_device(e, cost, migc_codec_device_name(e->devices, i), device);
		container |= shared;
	}
	if (!all)
		migc_guestmem_dma_unmap(e->gm);
	return all;
}

static bool has_hardware(const struct engine *e)
{
	for (unsigned int i = 0; i < migc_codec_devices_count(e->devices); i++) {
		if (migc_codec_device_bus(e->devices, i))
			return true;
	}
	return false;
}

int engine_map_dma(struct engine *e, struct migc_error *err)
{
	const struct migc_dma_range *ranges;
	struct migc_dma_cost cost;
	const char *why;
	unsigned int count;
	int rc;

	if (e->devices == NULL || !has_hardware(e))
		return 0;
	why = obstacle(e);
	if (why) {
		migc_log(e->config->log, MIGC_LOG_WARNING,
			 "pages are copied for the compression device: %s", why);
		return 0;
	}
	rc = migc_guestmem_dma_plan(e->gm, &cost);
	if (rc != 0)
		return migc_error_set(err, rc, "cannot find out which guest pages are there: %s",
				      strerror(-rc));
	if (cost.maps == 0 || !map_devices(e, &cost))
		return 0;
	ranges = migc_guestmem_dma_ranges(e->gm, &count);
	for (unsigned int i = 0; i < count; i++) {
		rc = migc_codec_devices_reach(e->devices, ranges[i].addr, ranges[i].bytes);
		if (rc != 0)
			return migc_error_set(err, rc, "no memory for the list of mapped pages");
	}
	return 0;
}
