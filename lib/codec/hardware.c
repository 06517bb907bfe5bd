/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>

#include "hardware.h"

struct rte_device *hardware_find(const char *compressdev)
{
	struct rte_dev_iterator iterator;
	struct rte_device *device;

	RTE_DEV_FOREACH(device, "bus=pci", &iterator)
	{
		size_t length = strlen(rte_dev_name(device));

		if (strncmp(rte_dev_name(device), compressdev, length) == 0 &&
		    compressdev[length] == '_')
			return device;
	}
	return NULL;
}

uint16_t hardware_pci_id(const struct rte_device *device)
{
	const char *info = rte_dev_bus_info(device);
	unsigned int vendor, id;

	if (info == NULL || sscanf(info, "vendor_id=%x, device_id=%x", &vendor, &id) != 2)
		return 0;
	return (uint16_t)id;
}
