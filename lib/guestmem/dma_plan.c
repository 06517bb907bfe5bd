/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "guestmem_private.h"
#include "migc_bitmap.h"

/** Smaller runs of data are not worth one of so few maps. */
#define RUN_BYTES_MIN (UINT64_C(256) << 10)
#define CAP_IPC_LOCK_BIT 14

/** Keep a run when it is one of the largest. */
static void keep_largest(struct migc_guestmem *gm, struct guestmem_extent run)
{
	unsigned int least = 0;

	if (run.bytes < RUN_BYTES_MIN)
		return;
	if (gm->extents < MIGC_DMA_MAPS_MAX) {
		gm->extent[gm->extents++] = run;
		return;
	}
	for (unsigned int i = 1; i < gm->extents; i++) {
		if (gm->extent[i].bytes < gm->extent[least].bytes)
			least = i;
	}
	if (run.bytes > gm->extent[least].bytes)
		gm->extent[least] = run;
}

/** What is there of a huge page is all of it. */
static void round_out(const struct migc_region *region, uint64_t *words)
{
	uint64_t step = region->backing_page_bytes / MIGC_PAGE_BYTES;
	uint64_t page = 0;

	while (step > 1 &&
	       (page = migc_bitmap_next(words, region->pages, page)) != MIGC_BITMAP_NONE) {
		uint64_t first = page / step * step;
		uint64_t count = region->pages - first < step ? region->pages - first : step;

		migc_bitmap_set_range(words, first, count);
		page = first + count;
	}
}

static int add_region(struct migc_guestmem *gm, unsigned int index, uint64_t *data_bytes)
{
	const struct migc_region *region = &gm->region[index];
	uint64_t *words = migc_bitmap_alloc(region->pages);
	uint64_t first = 0;
	int rc = words ? migc_guestmem_data_map(gm, index, words) : -ENOMEM;

	if (rc == 0)
		round_out(region, words);
	while (rc == 0 &&
	       (first = migc_bitmap_next(words, region->pages, first)) != MIGC_BITMAP_NONE) {
		uint64_t end = migc_bitmap_next_clear(words, region->pages, first);
		struct guestmem_extent run = {.region = index,
					      .offset_bytes = first * MIGC_PAGE_BYTES};

		if (end == MIGC_BITMAP_NONE)
			end = region->pages;
		run.bytes = (end - first) * MIGC_PAGE_BYTES;
		*data_bytes += run.bytes;
		keep_largest(gm, run);
		if (end == region->pages)
			break;
		first = end;
	}
	free(words);
	return rc;
}

static int by_address(const void *a, const void *b)
{
	const struct migc_dma_range *left = a, *right = b;

	return left->addr < right->addr ? -1 : left->addr > right->addr;
}

/** What this process has locked or pinned, and whether it may go over its limit. */
static void read_locked(struct migc_dma_cost *out)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long value, capabilities = 0;
	struct rlimit limit;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmLck: %llu kB", &value) == 1 ||
		    sscanf(line, "VmPin: %llu kB", &value) == 1)
			out->locked_bytes += value << 10;
		else if (sscanf(line, "CapEff: %llx", &value) == 1)
			capabilities = value;
	}
	if (f)
		fclose(f);
	out->limit_bytes = UINT64_MAX;
	if (!(capabilities >> CAP_IPC_LOCK_BIT & 1) && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY)
		out->limit_bytes = limit.rlim_cur;
}

int migc_guestmem_dma_plan(struct migc_guestmem *gm, struct migc_dma_cost *out)
{
	uint64_t data_bytes = 0, all_bytes = 0;

	memset(out, 0, sizeof(*out));
	gm->extents = 0;
	for (unsigned int i = 0; i < gm->count; i++) {
		int rc = gm->region[i].size_bytes ? add_region(gm, i, &data_bytes) : 0;

		if (rc != 0)
			return rc;
		all_bytes += gm->region[i].size_bytes;
	}
	for (unsigned int i = 0; i < gm->extents; i++) {
		const struct guestmem_extent *extent = &gm->extent[i];

		out->mapped_bytes += extent->bytes;
		gm->range[i] = (struct migc_dma_range){
			gm->region[extent->region].addr + extent->offset_bytes, extent->bytes};
	}
	qsort(gm->range, gm->extents, sizeof(gm->range[0]), by_address);
	out->maps = gm->extents;
	out->scattered_bytes = data_bytes - out->mapped_bytes;
	out->hole_bytes = all_bytes - data_bytes;
	read_locked(out);
	return 0;
}

const struct migc_dma_range *migc_guestmem_dma_ranges(const struct migc_guestmem *gm,
						      unsigned int *count)
{
	*count = gm->devices ? gm->extents : 0;
	return gm->range;
}
