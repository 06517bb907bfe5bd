/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "guestmem_private.h"

int migc_guestmem_create(struct migc_guestmem **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void migc_guestmem_guard(struct migc_guestmem *gm, struct migc_bus_guard *guard)
{
	gm->guard = guard;
}

void migc_guestmem_free(struct migc_guestmem *gm)
{
	if (gm == NULL)
		return;
	for (unsigned int i = 0; i < gm->count; i++) {
		if (gm->region[i].addr && gm->guard)
			bus_guard_remove(gm->guard, gm->guarded[i]);
		if (gm->region[i].addr)
			munmap(gm->region[i].addr, gm->region[i].size_bytes);
		close(gm->region[i].fd);
	}
	free(gm);
}

struct migc_region *guestmem_new_region(struct migc_guestmem *gm, const char *name,
					struct migc_error *err)
{
	struct migc_region *region;

	if (gm->count == MIGC_REGIONS_MAX) {
		migc_error_set(err, -E2BIG, "more than %u memory regions", MIGC_REGIONS_MAX);
		return NULL;
	}
	if (name[0] == '\0' || strlen(name) >= MIGC_REGION_NAME_BYTES) {
		migc_error_set(err, -EINVAL, "a region's name has 1 to %u characters: %.40s",
			       MIGC_REGION_NAME_BYTES - 1, name);
		return NULL;
	}
	if (migc_guestmem_find(gm, name) >= 0) {
		migc_error_set(err, -EEXIST, "two regions are called %s", name);
		return NULL;
	}
	region = &gm->region[gm->count];
	memset(region, 0, sizeof(*region));
	snprintf(region->name, sizeof(region->name), "%s", name);
	region->fd = -1;
	return region;
}

uint32_t guestmem_backing_page(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
		return (uint32_t)fs.f_bsize;
	return MIGC_PAGE_BYTES;
}

static bool is_in_memory(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && (fs.f_type == TMPFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
}

/** Reserve address space that is aligned to the backing's pages, then map the file over it. */
static uint8_t *map_aligned(const struct migc_region *region, int protection)
{
	size_t align = region->backing_page_bytes;
	size_t span = region->size_bytes + align;
	uint8_t *reserved, *aligned;

	reserved = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		return NULL;
	aligned = reserved + (align - (uintptr_t)reserved % align) % align;
	if (aligned > reserved)
		munmap(reserved, (size_t)(aligned - reserved));
	if (reserved + span > aligned + region->size_bytes)
		munmap(aligned + region->size_bytes,
		       (size_t)(reserved + span - (aligned + region->size_bytes)));
	if (mmap(aligned, region->size_bytes, protection, MAP_SHARED | MAP_FIXED, region->fd,
		 (off_t)region->file_offset_bytes) == MAP_FAILED) {
		munmap(aligned, region->size_bytes);
		return NULL;
	}
	return aligned;
}

/** Is the file long enough for the region? What has no length of its own always is. */
static bool covers(const struct migc_region *region)
{
	struct stat st;

	return fstat(region->fd, &st) != 0 || !S_ISREG(st.st_mode) ||
	       (uint64_t)st.st_size >= region->file_offset_bytes + region->size_bytes;
}

static int guard(struct migc_guestmem *gm, unsigned int i, int protection)
{
	const struct migc_region *region = &gm->region[i];

	gm->covered[i] = covers(region);
	if (gm->guard == NULL)
		return 0;
	gm->guarded[i] = bus_guard_add(gm->guard, region->addr, region->size_bytes, protection);
	return gm->guarded[i] < 0 ? gm->guarded[i] : 0;
}

int guestmem_map(struct migc_guestmem *gm, struct migc_region *region, struct migc_error *err)
{
	int protection = region->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	int rc;

	region->pages = region->size_bytes / MIGC_PAGE_BYTES;
	region->in_memory = is_in_memory(region->fd);
	if (region->size_bytes) {
		region->addr = map_aligned(region, protection);
		if (region->addr == NULL) {
			rc = -errno;
			close(region->fd);
			if (region->backing_page_bytes != MIGC_PAGE_BYTES)
				return migc_error_set(
					err, rc,
					"region %s needs %llu huge pages of %u KiB and "
					"there are not as many: raise nr_hugepages, or the "
					"size of its hugetlbfs",
					region->name,
					(unsigned long long)(region->size_bytes /
							     region->backing_page_bytes),
					region->backing_page_bytes >> 10);
			return migc_error_set(err, rc, "region %s cannot be mapped: %s",
					      region->name, strerror(-rc));
		}
		/* read or written once, from one end to the other: that we have touched a page says
		 * nothing of whether its guest will, so it makes none of them active */
		madvise(region->addr, region->size_bytes, MADV_SEQUENTIAL);
		/* a core dump of ours must not hold a guest's memory */
		madvise(region->addr, region->size_bytes, MADV_DONTDUMP);
		rc = guard(gm, (unsigned int)(region - gm->region), protection);
		if (rc != 0) {
			munmap(region->addr, region->size_bytes);
			region->addr = NULL;
			close(region->fd);
			return migc_error_set(err, rc, "more than %u memory regions",
					      MIGC_BUS_GUARD_RANGES);
		}
	}
	if (region == &gm->region[gm->count])
		gm->count++;
	return 0;
}

int migc_guestmem_check_intact(const struct migc_guestmem *gm, struct migc_error *err)
{
	for (unsigned int i = 0; i < gm->count; i++) {
		const struct migc_region *region = &gm->region[i];

		if (region->addr == NULL)
			continue;
		if (gm->covered[i] && !covers(region))
			return migc_error_set(err, -EFAULT,
					      "the file behind the guest's memory (region %s) was "
					      "cut short",
					      region->name);
		if (gm->guard && bus_guard_lost(gm->guard, gm->guarded[i]))
			return migc_error_set(err, -EFAULT,
					      "a page of the guest's memory (region %s) is not to "
					      "be had: the file system or the huge pages behind it "
					      "are used up (or its memory is broken): free some "
					      "and try again",
					      region->name);
	}
	return 0;
}

unsigned int migc_guestmem_regions(const struct migc_guestmem *gm)
{
	return gm->count;
}

const struct migc_region *migc_guestmem_region(const struct migc_guestmem *gm, unsigned int i)
{
	return &gm->region[i];
}

int migc_guestmem_find(const struct migc_guestmem *gm, const char *name)
{
	for (unsigned int i = 0; i < gm->count; i++) {
		if (strcmp(gm->region[i].name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

uint64_t migc_guestmem_total_bytes(const struct migc_guestmem *gm)
{
	uint64_t total = 0;

	for (unsigned int i = 0; i < gm->count; i++)
		total += gm->region[i].size_bytes;
	return total;
}
