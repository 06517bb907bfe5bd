/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "guestmem_private.h"

int migc_guestmem_register(struct migc_guestmem *gm, struct migc_error *err)
{
	for (unsigned int i = 0; i < gm->count; i++) {
		const struct migc_region *region = &gm->region[i];

		if (gm->registered[i] || region->size_bytes == 0)
			continue;
		/* one descriptor a page: in IOVA-as-VA mode the page size only says how finely */
		if (rte_extmem_register(region->addr, region->size_bytes, NULL, 0,
					region->backing_page_bytes) != 0)
			return migc_error_set(err, -rte_errno,
					      "EAL does not take region %s as external memory: %s",
					      region->name, rte_strerror(rte_errno));
		gm->registered[i] = true;
	}
	return 0;
}

int migc_guestmem_dma_map(struct migc_guestmem *gm, struct rte_device *device,
			  struct migc_error *err)
{
	if (gm->devices == DMA_DEVICES_MAX)
		return migc_error_set(err, -E2BIG, "more than %u devices with DMA",
				      DMA_DEVICES_MAX);
	for (unsigned int i = 0; i < gm->count; i++) {
		const struct migc_region *region = &gm->region[i];

		if (region->size_bytes == 0 ||
		    rte_dev_dma_map(device, region->addr, (uintptr_t)region->addr,
				    region->size_bytes) == 0)
			continue;
		if (rte_errno == ENOTSUP)
			return -ENOTSUP;
		return migc_error_set(
			err, -rte_errno,
			"device %s cannot map region %s for DMA: %s (is the memlock limit "
			"high enough for the whole guest?)",
			rte_dev_name(device), region->name, rte_strerror(rte_errno));
	}
	gm->device[gm->devices++] = device;
	return 0;
}

void migc_guestmem_unregister(struct migc_guestmem *gm)
{
	for (unsigned int i = 0; i < gm->count; i++) {
		const struct migc_region *region = &gm->region[i];

		for (unsigned int d = 0; d < gm->devices; d++)
			rte_dev_dma_unmap(gm->device[d], region->addr, (uintptr_t)region->addr,
					  region->size_bytes);
		if (gm->registered[i])
			rte_extmem_unregister(region->addr, region->size_bytes);
		gm->registered[i] = false;
	}
	gm->devices = 0;
}
