/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "guestmem_private.h"

/** EAL keeps a descriptor for each step of memory that it is told of. */
#define STEP_BYTES_MAX (UINT64_C(1) << 30)

/*
 * VFIO maps for reading and writing (DPDK asks for no less), and pins what it maps as if it was
 * going to write: that fails on a mapping that may only be read, as the source's is. So what is
 * pinned is a second mapping of the same pages, at addresses that nobody uses, and the device is
 * told the addresses of the first.
 */

static int open_for_writing(int fd)
{
	char path[64];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDWR | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

static uint64_t step_of(uint64_t bytes)
{
	uint64_t step = MIGC_PAGE_BYTES;

	while (step < bytes && step < STEP_BYTES_MAX)
		step <<= 1;
	return step;
}

static int make_alias(const struct migc_region *region, struct guestmem_alias *out)
{
	uint64_t step = step_of(region->size_bytes);
	uint64_t span = (region->size_bytes + step - 1) / step * step;
	uint8_t *reserved, *aligned;
	int fd = open_for_writing(region->fd), rc = 0;

	if (fd < 0)
		return fd;
	reserved = mmap(NULL, span + step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			-1, 0);
	if (reserved == MAP_FAILED) {
		rc = -errno;
		close(fd);
		return rc;
	}
	aligned = reserved + (step - (uintptr_t)reserved % step) % step;
	if (aligned > reserved)
		munmap(reserved, (size_t)(aligned - reserved));
	if (reserved + step > aligned)
		munmap(aligned + span, (size_t)(reserved + step - aligned));
	if (mmap(aligned, region->size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 (off_t)region->file_offset_bytes) == MAP_FAILED) {
		rc = -errno;
		munmap(aligned, span);
	}
	close(fd);
	if (rc != 0)
		return rc;
	madvise(aligned, region->size_bytes, MADV_DONTDUMP);
	*out = (struct guestmem_alias){.addr = aligned, .span_bytes = span, .step_bytes = step};
	return 0;
}

static void drop_aliases(struct migc_guestmem *gm)
{
	for (unsigned int i = 0; i < gm->count; i++) {
		struct guestmem_alias *a = &gm->alias[i];

		if (a->registered)
			rte_extmem_unregister(a->addr, a->span_bytes);
		if (a->addr)
			munmap(a->addr, a->span_bytes);
		memset(a, 0, sizeof(*a));
	}
}

/** Aliases of the regions that have something to map, known to EAL. */
static int make_aliases(struct migc_guestmem *gm, struct migc_error *err)
{
	for (unsigned int i = 0; i < gm->extents; i++) {
		const struct migc_region *region = &gm->region[gm->extent[i].region];
		struct guestmem_alias *a = &gm->alias[gm->extent[i].region];
		int rc = a->addr ? 0 : make_alias(region, a);

		if (rc != 0)
			return migc_error_set(err, rc,
					      "region %s cannot be mapped for DMA, which needs to "
					      "write: %s",
					      region->name, strerror(-rc));
		if (a->registered)
			continue;
		if (rte_extmem_register(a->addr, a->span_bytes, NULL, 0, a->step_bytes) != 0)
			return migc_error_set(err, -rte_errno,
					      "EAL does not take region %s as external memory: %s",
					      region->name, rte_strerror(rte_errno));
		a->registered = true;
	}
	return 0;
}

static uint64_t iova_of(const struct migc_guestmem *gm, const struct guestmem_extent *extent)
{
	return (uint64_t)(uintptr_t)gm->region[extent->region].addr + extent->offset_bytes;
}

static void unmap(struct migc_guestmem *gm, struct rte_device *device, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		const struct guestmem_extent *extent = &gm->extent[i];

		rte_dev_dma_unmap(device, gm->alias[extent->region].addr + extent->offset_bytes,
				  iova_of(gm, extent), extent->bytes);
	}
}

int migc_guestmem_dma_map(struct migc_guestmem *gm, struct rte_device *device,
			  struct migc_error *err)
{
	int rc = 0;

	if (gm->devices == DMA_DEVICES_MAX)
		return migc_error_set(err, -E2BIG, "more than %u devices with DMA",
				      DMA_DEVICES_MAX);
	rc = make_aliases(gm, err);
	for (unsigned int i = 0; rc == 0 && i < gm->extents; i++) {
		const struct guestmem_extent *extent = &gm->extent[i];

		if (rte_dev_dma_map(device, gm->alias[extent->region].addr + extent->offset_bytes,
				    iova_of(gm, extent), extent->bytes) == 0)
			continue;
		rc = rte_errno ? -rte_errno : -EIO;
		unmap(gm, device, i);
		migc_error_set(err, rc, "device %s cannot map %llu KiB of region %s for DMA: %s",
			       rte_dev_name(device), (unsigned long long)(extent->bytes >> 10),
			       gm->region[extent->region].name, rte_strerror(-rc));
	}
	if (rc == 0)
		gm->device[gm->devices++] = device;
	else if (gm->devices == 0)
		drop_aliases(gm);
	return rc;
}

void migc_guestmem_dma_unmap(struct migc_guestmem *gm)
{
	for (unsigned int d = 0; d < gm->devices; d++)
		unmap(gm, gm->device[d], gm->extents);
	gm->devices = 0;
	drop_aliases(gm);
}
