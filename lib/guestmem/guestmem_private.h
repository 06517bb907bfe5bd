/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GUESTMEM_PRIVATE_H
#define GUESTMEM_PRIVATE_H

#include <sys/stat.h>

#include "bus_guard.h"
#include "migc_guestmem.h"

#define DMA_DEVICES_MAX 8u

/** A run of pages that are data. */
struct guestmem_extent {
	unsigned int region;
	uint64_t offset_bytes, bytes;
};

/** A second mapping of a region, that may be written to: see guestmem_dma.c. */
struct guestmem_alias {
	uint8_t *addr; /**< NULL: none */
	uint64_t span_bytes; /**< of address space: what EAL was told of */
	uint64_t step_bytes;
	bool registered;
};

struct migc_guestmem {
	struct migc_region region[MIGC_REGIONS_MAX];
	unsigned int count;
	struct migc_bus_guard *guard; /**< or NULL */
	int guarded[MIGC_REGIONS_MAX]; /**< number there */
	bool covered[MIGC_REGIONS_MAX]; /**< its file was long enough when it was mapped */
	/* dma_plan.c */
	struct guestmem_extent extent[MIGC_DMA_MAPS_MAX];
	struct migc_dma_range range[MIGC_DMA_MAPS_MAX]; /**< the same, as we see it, in order */
	unsigned int extents;
	/* guestmem_dma.c */
	struct guestmem_alias alias[MIGC_REGIONS_MAX];
	struct rte_device *device[DMA_DEVICES_MAX];
	unsigned int devices;
};

/** The next free region with its name set, or NULL and an error (full, or the name is taken). */
struct migc_region *guestmem_new_region(struct migc_guestmem *gm, const char *name,
					struct migc_error *err);
/** Map a region whose fd, offset and size are set, and count it as there. Closes fd on failure. */
int guestmem_map(struct migc_guestmem *gm, struct migc_region *region, struct migc_error *err);
/** Page size behind a file: of its file system when that is hugetlbfs, else MIGC_PAGE_BYTES. */
uint32_t guestmem_backing_page(int fd);

#endif
