/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include <rte_ethdev.h>
#include <rte_version.h>

#include "doctor_private.h"
#include "migc_codec.h"

/** The devices as a migration would take them: configured and started. */
static void compressdevs(struct migc_doctor *d)
{
	struct migc_codec_devices_config config = {
		.codecs = 1u << MIGC_CODEC_DEFLATE,
		.request = {.compress = true, .level = 1},
		.workers = 1,
	};
	struct migc_codec_devices *devices = NULL;
	struct migc_error err = {0};
	char list[256] = "";

	if (migc_codec_devices_open(&config, &devices, &err) != 0) {
		doctor_add(d, MIGC_DOCTOR_WARN, "compressdev",
			   "apt install librte-compress-isal23 (or your DPDK's compress_isal)",
			   "%s; --codec lz4 and zstd need none", err.text);
		return;
	}
	for (unsigned int i = 0; i < migc_codec_devices_count(devices); i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", then " : "",
			 migc_codec_device_name(devices, i));
	}
	doctor_add(d, MIGC_DOCTOR_OK, "compressdev", NULL, "%s: started and ready for deflate",
		   list);
	migc_codec_devices_close(devices);
}

void migc_doctor_devices(struct migc_doctor *d, const char *eal_error)
{
	if (eal_error) {
		doctor_add(d, MIGC_DOCTOR_MISSING, "EAL",
			   "see its messages above; --no-huge does without huge pages, --no-pci "
			   "without devices",
			   "%s does not start: %s", rte_version(), eal_error);
		return;
	}
	doctor_add(d, MIGC_DOCTOR_OK, "EAL", NULL, "%s starts", rte_version());
	compressdevs(d);
}

void migc_doctor_ethdevs(struct migc_doctor *d)
{
	struct rte_eth_dev_info info;
	bool any = false;

	for (uint16_t id = 0; id < RTE_MAX_ETHPORTS; id++) {
		char name[RTE_ETH_NAME_MAX_LEN];

		if (!rte_eth_dev_is_valid_port(id) || rte_eth_dev_get_name_by_port(id, name) != 0 ||
		    rte_eth_dev_info_get(id, &info) != 0)
			continue;
		any = true;
		doctor_add(d, MIGC_DOCTOR_OK, "port", NULL, "%s (%s), up to %u queues", name,
			   info.driver_name, info.max_tx_queues);
	}
	if (!any)
		doctor_add(d, MIGC_DOCTOR_MISSING, "port",
			   "-a PCI for a NIC on vfio-pci, or --vdev net_af_packet0,iface=NAME",
			   "EAL was given none that it can use");
}
