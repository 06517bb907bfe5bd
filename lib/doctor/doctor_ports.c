/* SPDX-License-Identifier: BSD-3-Clause */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>

#include "doctor_private.h"

#define CLASS_NETWORK 0x02u
#define TYPE_ETHERNET 1u
#define REMEDY                                                                         \
	"drivers-config/ports/setup PORT for a NIC; or, for a kernel interface, root " \
	"or: setcap cap_net_admin,cap_net_raw,cap_sys_ptrace+ep dpdk-migcomp"

struct ports {
	char bound[192], kernel[192];
	unsigned int nics, not_open;
};

static void append(char *list, size_t capacity, const char *text)
{
	size_t used = strlen(list);

	snprintf(list + used, capacity - used, "%s%s", used ? ", " : "", text);
}

/** A NIC that DPDK's driver could have: bound to vfio-pci, or of those that share it. */
static void look_at_nic(struct migc_doctor *d, const char *bdf, void *ctx)
{
	struct ports *ports = ctx;
	struct doctor_pci pci;

	doctor_pci_read(d, bdf, &pci);
	if (pci.class >> 8 != CLASS_NETWORK)
		return;
	ports->nics++;
	if (strcmp(pci.driver, "mlx5_core") == 0) {
		append(ports->bound, sizeof(ports->bound), bdf);
		return;
	}
	if (strcmp(pci.driver, "vfio-pci") != 0)
		return;
	if (!doctor_vfio_open(d, &pci)) {
		ports->not_open++;
		return;
	}
	append(ports->bound, sizeof(ports->bound), bdf);
	d->vfio_devices++;
}

static void look_at_interface(struct migc_doctor *d, const char *name, void *ctx)
{
	char path[DOCTOR_PATH_BYTES], state[32];
	struct ports *ports = ctx;

	snprintf(path, sizeof(path), "/sys/class/net/%s/type", name);
	if (doctor_number(d, path) != TYPE_ETHERNET)
		return;
	snprintf(path, sizeof(path), "/sys/class/net/%s/operstate", name);
	if (doctor_read(d, path, state, sizeof(state)) == 0 && strcmp(state, "up") == 0)
		append(ports->kernel, sizeof(ports->kernel), name);
}

void doctor_ports(struct migc_doctor *d, const struct migc_doctor_answers *answers)
{
	struct ports ports = {0};
	bool packet;

	doctor_each(d, "/sys/bus/pci/devices", look_at_nic, &ports);
	doctor_each(d, "/sys/class/net", look_at_interface, &ports);
	/* DPDK's driver sets flags of the interface when it starts */
	packet = answers->packet_socket && doctor_capable(d, CAP_NET_ADMIN) && ports.kernel[0];
	if (ports.bound[0])
		doctor_add(d, MIGC_DOCTOR_OK, "NIC for DPDK", NULL, "%s", ports.bound);
	else if (ports.not_open)
		doctor_add(d, packet ? MIGC_DOCTOR_WARN : MIGC_DOCTOR_MISSING, "NIC for DPDK",
			   "run as root, or make the user the owner of /dev/vfio/GROUP",
			   "%u on vfio-pci, and you may not open it", ports.not_open);
	else if (packet)
		doctor_add(d, MIGC_DOCTOR_WARN, "NIC for DPDK",
			   ports.nics ? "drivers-config/ports/setup PORT" : "",
			   "none of %u bound to vfio-pci: kernel interfaces are slower",
			   ports.nics);
	if (packet)
		doctor_add(d, MIGC_DOCTOR_OK, "af_packet", NULL, "possible on %s", ports.kernel);
	else if (ports.bound[0])
		doctor_add(d, MIGC_DOCTOR_OK, "af_packet", NULL,
			   "not possible, and not needed: there is a NIC");
	else if (!ports.not_open)
		doctor_add(d, MIGC_DOCTOR_MISSING, "network port", REMEDY,
			   "no NIC on vfio-pci, and no af_packet: %s",
			   ports.kernel[0] ? "it needs CAP_NET_RAW and CAP_NET_ADMIN"
					   : "no Ethernet interface is up");
}
