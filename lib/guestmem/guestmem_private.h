/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GUESTMEM_PRIVATE_H
#define GUESTMEM_PRIVATE_H

#include <sys/stat.h>

#include "migc_guestmem.h"

#define DMA_DEVICES_MAX 8u

struct migc_guestmem {
	struct migc_region region[MIGC_REGIONS_MAX];
	unsigned int count;
	/* guestmem_dma.c */
	bool registered[MIGC_REGIONS_MAX];
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
