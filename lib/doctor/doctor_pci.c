/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <rte_build_config.h>

#include "doctor_private.h"

void doctor_pci_read(const struct migc_doctor *d, const char *bdf, struct doctor_pci *out)
{
	char path[DOCTOR_PATH_BYTES + 32];

	memset(out, 0, sizeof(*out));
	out->bdf = bdf;
	snprintf(out->path, sizeof(out->path), "/sys/bus/pci/devices/%s", bdf);
	snprintf(path, sizeof(path), "%s/vendor", out->path);
	out->vendor = (unsigned int)doctor_number(d, path);
	snprintf(path, sizeof(path), "%s/device", out->path);
	out->device = (unsigned int)doctor_number(d, path);
	snprintf(path, sizeof(path), "%s/class", out->path);
	out->class = (unsigned int)(doctor_number(d, path) >> 8);
	snprintf(path, sizeof(path), "%s/driver", out->path);
	doctor_link(d, path, out->driver, sizeof(out->driver));
}

bool doctor_vfio_open(const struct migc_doctor *d, const struct doctor_pci *pci)
{
	char path[DOCTOR_PATH_BYTES + 32], group[DOCTOR_NAME_BYTES];

	snprintf(path, sizeof(path), "%s/iommu_group", pci->path);
	if (doctor_link(d, path, group, sizeof(group)) != 0)
		return false;
	snprintf(path, sizeof(path), "%s/dev/vfio/%s", d->root, group);
	return access(path, R_OK | W_OK) == 0;
}

/** The ids that a driver says it takes: PMD_INFO_STRING, as dpdk-pmdinfo.py reads it. */
static bool in_library(const char *data, size_t size, const char *driver, unsigned int vendor,
		       unsigned int device, bool *found)
{
	char begin[96], id[32];
	const char *at, *end;

	snprintf(begin, sizeof(begin), "PMD_INFO_STRING= {\"name\": \"%s\"", driver);
	snprintf(id, sizeof(id), "[%u, %u,", vendor, device);
	at = memmem(data, size, begin, strlen(begin));
	if (at == NULL)
		return false;
	end = memchr(at, '\0', size - (size_t)(at - data));
	*found = end && memmem(at, (size_t)(end - at), id, strlen(id)) != NULL;
	return end != NULL;
}

bool doctor_dpdk_knows(const struct migc_doctor *d, const char *library, const char *driver,
		       unsigned int vendor, unsigned int device)
{
	char path[DOCTOR_PATH_BYTES];
	bool found = true;
	struct stat st;
	void *data;
	int fd;

	snprintf(path, sizeof(path), "%s%s/%s", d->root, RTE_EAL_PMD_PATH, library);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	data = fstat(fd, &st) == 0 && st.st_size > 0
		       ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)
		       : MAP_FAILED;
	close(fd);
	if (data == MAP_FAILED)
		return true;
	if (!in_library(data, (size_t)st.st_size, driver, vendor, device, &found))
		found = true;
	munmap(data, (size_t)st.st_size);
	return found;
}

static void count_entry(struct migc_doctor *d, const char *name, void *ctx)
{
	(void)d;
	(void)name;
	++*(unsigned int *)ctx;
}

void doctor_iommu(struct migc_doctor *d)
{
	unsigned int groups = 0;

	doctor_each(d, "/sys/kernel/iommu_groups", count_entry, &groups);
	d->iommu = groups > 0;
	if (d->iommu)
		doctor_add(d, MIGC_DOCTOR_OK, "IOMMU", NULL, "on, %u groups", groups);
	else
		doctor_add(d, MIGC_DOCTOR_WARN, "IOMMU",
			   "for QAT and NICs on vfio-pci: switch on VT-d (AMD: IOMMU) in the "
			   "firmware setup and boot Linux with intel_iommu=on iommu=pt (AMD: "
			   "iommu=pt)",
			   "off: no device can be given to DPDK through VFIO");
}
