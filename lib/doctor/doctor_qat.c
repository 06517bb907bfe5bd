/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "doctor_private.h"
#include "qat_table.h"

#define SETUP "drivers-config/qat/setup --device %s"

struct scan {
	unsigned int devices;
	unsigned int vfs, bound, usable; /**< of one device */
	const struct qat_family *family;
	const char *pf;
};

static void count_vf(struct migc_doctor *d, struct scan *scan, const char *bdf)
{
	struct doctor_pci vf;

	doctor_pci_read(d, bdf, &vf);
	scan->vfs++;
	scan->bound += strcmp(vf.driver, "vfio-pci") == 0;
	scan->usable += strcmp(vf.driver, "vfio-pci") == 0 && doctor_vfio_open(d, &vf);
}

static void look_for_vf(struct migc_doctor *d, const char *name, void *ctx)
{
	char path[DOCTOR_PATH_BYTES], bdf[DOCTOR_NAME_BYTES];
	struct scan *scan = ctx;

	if (strncmp(name, "virtfn", strlen("virtfn")) != 0)
		return;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", scan->pf, name);
	if (doctor_link(d, path, bdf, sizeof(bdf)) == 0)
		count_vf(d, scan, bdf);
}

/** Is the service among those of "sym;dc"? */
static bool has_service(const char *services, const char *service)
{
	size_t length = strlen(service);

	for (; *services; services += strspn(services, ";")) {
		size_t word = strcspn(services, ";");

		if (word == length && strncmp(services, service, length) == 0)
			return true;
		services += word;
	}
	return false;
}

/** Virtual functions and who may use them; the same for one that was given to a VM. */
static void judge_vfs(struct migc_doctor *d, const struct scan *scan)
{
	const struct qat_family *family = scan->family;
	char remedy[256];

	snprintf(remedy, sizeof(remedy), SETUP, scan->pf);
	if (!scan->vfs)
		doctor_add(d, MIGC_DOCTOR_WARN, "QAT", remedy,
			   "%s (%s) has no virtual functions: software compresses", scan->pf,
			   family->name);
	else if (!scan->bound)
		doctor_add(d, MIGC_DOCTOR_WARN, "QAT", remedy,
			   "%s (%s): none of its virtual functions is bound to vfio-pci: software "
			   "compresses",
			   scan->pf, family->name);
	else if (!doctor_dpdk_knows(d, "librte_common_qat.so", "qat", 0x8086, family->vf))
		doctor_add(d, MIGC_DOCTOR_WARN, "QAT", "a newer DPDK, at both build and run time",
			   "%s (%s): this DPDK's driver does not know it (%s does): software "
			   "compresses",
			   scan->pf, family->name, family->dpdk);
	else if (!scan->usable)
		doctor_add(d, MIGC_DOCTOR_WARN, "QAT",
			   "run as root, or drivers-config/qat/setup --user NAME",
			   "%s (%s): you may not open its virtual functions in /dev/vfio: "
			   "software compresses",
			   scan->pf, family->name);
	else
		doctor_add(d, MIGC_DOCTOR_OK, "QAT", NULL,
			   "%s (%s, generation %u): %u of %u virtual functions for DPDK", scan->pf,
			   family->name, family->generation, scan->usable, scan->vfs);
	d->vfio_devices += scan->usable;
}

/** A physical function: its driver, its services, then its virtual functions. */
static void judge_pf(struct migc_doctor *d, struct scan *scan, const struct doctor_pci *pf)
{
	char path[DOCTOR_PATH_BYTES + 32], services[64], remedy[256];

	snprintf(remedy, sizeof(remedy), SETUP, pf->bdf);
	if (strcmp(pf->driver, scan->family->driver) != 0) {
		doctor_add(d, MIGC_DOCTOR_WARN, "QAT", remedy,
			   "%s (%s): its kernel driver %s does not run it: software compresses",
			   pf->bdf, scan->family->name, scan->family->driver);
		return;
	}
	snprintf(path, sizeof(path), "%s/qat/cfg_services", pf->path);
	if (doctor_read(d, path, services, sizeof(services)) == 0 && !has_service(services, "dc")) {
		doctor_add(d, MIGC_DOCTOR_WARN, "QAT", remedy,
			   "%s (%s) does '%s', not compression: software compresses", pf->bdf,
			   scan->family->name, services);
		return;
	}
	doctor_each(d, pf->path, look_for_vf, scan);
	judge_vfs(d, scan);
}

static void look_at(struct migc_doctor *d, const char *bdf, void *ctx)
{
	struct scan *all = ctx, one = {.pf = bdf};
	char path[DOCTOR_PATH_BYTES + 32], ignored[DOCTOR_NAME_BYTES];
	struct doctor_pci pci;

	doctor_pci_read(d, bdf, &pci);
	one.family = qat_table_find(pci.vendor, pci.device);
	if (one.family == NULL)
		return;
	if (pci.device == one.family->pf) {
		all->devices++;
		judge_pf(d, &one, &pci);
		return;
	}
	/* a virtual function is its physical one's, unless that is unknown or elsewhere */
	snprintf(path, sizeof(path), "%s/physfn", pci.path);
	if (one.family->pf && doctor_link(d, path, ignored, sizeof(ignored)) == 0)
		return;
	all->devices++;
	count_vf(d, &one, bdf);
	judge_vfs(d, &one);
}

void doctor_qat(struct migc_doctor *d)
{
	struct scan scan = {0};

	doctor_each(d, "/sys/bus/pci/devices", look_at, &scan);
	if (!scan.devices)
		doctor_add(d, MIGC_DOCTOR_WARN, "QAT",
			   "if this machine has one, switch it on in the firmware setup; without "
			   "there is nothing to do",
			   "no device here: software compresses");
}
