/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "hardware.h"
#include "migc_codec.h"
#include "qat_limits.h"

static void read_qat(uint8_t dev_id, struct migc_codec_caps *out)
{
	const struct rte_device *device = hardware_find(rte_compressdev_name_get(dev_id));

	if (device)
		out->pci_device_id = hardware_pci_id(device);
	out->qat_generation = qat_generation_of_id(out->pci_device_id);
	if (out->qat_generation == 0)
		out->qat_generation = qat_generation_of_caps(out);
}

int migc_codec_caps_read(uint8_t dev_id, struct migc_codec_caps *out)
{
	const struct rte_compressdev_capabilities *c;
	struct rte_compressdev_info info;

	memset(out, 0, sizeof(*out));
	memset(&info, 0, sizeof(info));
	rte_compressdev_info_get(dev_id, &info);
	if (info.driver_name == NULL)
		return -ENODEV;
	out->driver = info.driver_name;
	out->dev_feature_flags = info.feature_flags;
	out->max_queue_pairs = info.max_nb_queue_pairs;
	for (c = info.capabilities; c && c->algo != RTE_COMP_ALGO_UNSPECIFIED; c++) {
		if (c->algo != RTE_COMP_ALGO_DEFLATE)
			continue;
		out->deflate = true;
		out->comp_feature_flags = c->comp_feature_flags;
		out->window_min = c->window_size.min;
		out->window_max = c->window_size.max;
	}
	if (strcmp(info.driver_name, QAT_DRIVER) == 0)
		read_qat(dev_id, out);
	return 0;
}
