/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guestmem_private.h"
#include "migc_bitmap.h"

/** Read from hugetlbfs at a time. */
#define READ_BYTES (UINT64_C(1) << 21)
/** Asked of mincore() at a time. */
#define RESIDENT_PAGES UINT64_C(16384)
/** st_blocks counts in these, whatever the file system. */
#define BLOCKS_PER_PAGE (MIGC_PAGE_BYTES / 512)

/**
 * The next run of data of a file that knows its holes, in pages of the region.
 * @return 1; 0: nothing but a hole from there on; -errno.
 */
static int next_data(const struct migc_region *region, uint64_t from, uint64_t *first,
		     uint64_t *end)
{
	off_t begin = (off_t)region->file_offset_bytes;
	off_t data = lseek(region->fd, begin + (off_t)(from * MIGC_PAGE_BYTES), SEEK_DATA);
	off_t hole;

	if (data < 0)
		return errno == ENXIO ? 0 : -errno;
	if (data - begin >= (off_t)region->size_bytes)
		return 0;
	hole = lseek(region->fd, data, SEEK_HOLE);
	if (hole < 0)
		return -errno;
	*first = (uint64_t)(data - begin) / MIGC_PAGE_BYTES;
	*end = ((uint64_t)(hole - begin) + MIGC_PAGE_BYTES - 1) / MIGC_PAGE_BYTES;
	if (*end > region->pages)
		*end = region->pages;
	return 1;
}

static int seek_data_map(const struct migc_region *region, uint64_t *words)
{
	uint64_t first = 0, end = 0;
	int rc = 1;

	while (end < region->pages && (rc = next_data(region, end, &first, &end)) == 1)
		migc_bitmap_set_range(words, first, end - first);
	return rc < 0 ? rc : 0;
}

/** Map those pages of a region that are in memory. */
static void touch_resident(const struct migc_region *region, uint64_t first, uint64_t pages)
{
	uint8_t *addr = region->addr + first * MIGC_PAGE_BYTES;
	unsigned char resident[MIGC_MAP_AHEAD_PAGES];

	if (mincore(addr, pages * MIGC_PAGE_BYTES, resident) != 0)
		return;
	for (uint64_t from = 0, end; from < pages; from = end + 1) {
		for (end = from; end < pages && resident[end] & 1; end++)
			;
		migc_guestmem_touch(addr + from * MIGC_PAGE_BYTES, end - from);
	}
}

uint64_t migc_guestmem_map_ahead(const struct migc_guestmem *gm, unsigned int index, uint64_t from)
{
	const struct migc_region *region = &gm->region[index];
	off_t begin = (off_t)region->file_offset_bytes, data;
	uint64_t first, pages;

	if (from >= region->pages || !region->in_memory || !region->writable ||
	    region->backing_page_bytes != MIGC_PAGE_BYTES)
		return region->pages;
	/* SEEK_HOLE would walk to the end of the data each time */
	data = lseek(region->fd, begin + (off_t)(from * MIGC_PAGE_BYTES), SEEK_DATA);
	if (data < 0 || data - begin >= (off_t)region->size_bytes)
		return region->pages;
	first = (uint64_t)(data - begin) / MIGC_PAGE_BYTES;
	pages = region->pages - first;
	if (pages > MIGC_MAP_AHEAD_PAGES)
		pages = MIGC_MAP_AHEAD_PAGES;
	/* advice: what cannot be found now is mapped when it is written */
	touch_resident(region, first, pages);
	return first + pages;
}

/** Mark the pages of a buffer that hold something. */
static void mark_non_zero(uint64_t *words, uint64_t first, const uint8_t *buffer, size_t length)
{
	migc_page_is_zero_fn is_zero = migc_page_zero_test();

	for (size_t at = 0; at + MIGC_PAGE_BYTES <= length; at += MIGC_PAGE_BYTES) {
		if (!is_zero(buffer + at))
			migc_bitmap_set(words, first + at / MIGC_PAGE_BYTES);
	}
}

/**
 * hugetlbfs says of every file that all of it is data, and mincore() tells only what we touched
 * ourselves. But read() of a hole there gives zeros without filling it, which a touch of the
 * mapping would do; so pages that read as zero count as holes.
 */
static int read_map(const struct migc_region *region, uint64_t *words)
{
	uint8_t *buffer = aligned_alloc(MIGC_PAGE_BYTES, READ_BYTES);
	struct stat st;
	int rc = buffer ? 0 : -ENOMEM;

	if (rc == 0 && fstat(region->fd, &st) != 0)
		rc = -errno;
	/* a file without a single page needs no reading */
	for (uint64_t at = 0; rc == 0 && st.st_blocks && at < region->size_bytes;
	     at += READ_BYTES) {
		uint64_t left = region->size_bytes - at;
		ssize_t n = pread(region->fd, buffer, left < READ_BYTES ? left : READ_BYTES,
				  (off_t)(region->file_offset_bytes + at));

		if (n < 0)
			rc = -errno;
		else
			mark_non_zero(words, at / MIGC_PAGE_BYTES, buffer, (size_t)n);
	}
	free(buffer);
	return rc;
}

int migc_guestmem_data_map(const struct migc_guestmem *gm, unsigned int index, uint64_t *words)
{
	const struct migc_region *region = &gm->region[index];

	if (region->backing_page_bytes != MIGC_PAGE_BYTES)
		return read_map(region, words);
	return seek_data_map(region, words);
}

/** Pages of a file in memory that are there. @return how many, or -errno. */
static int64_t mark_resident(const struct migc_region *region, uint64_t *words)
{
	unsigned char *resident = malloc(RESIDENT_PAGES);
	int64_t count = resident ? 0 : -ENOMEM;

	for (uint64_t at = 0; count >= 0 && at < region->pages; at += RESIDENT_PAGES) {
		uint64_t left = region->pages - at;
		uint64_t pages = left < RESIDENT_PAGES ? left : RESIDENT_PAGES;

		if (mincore(region->addr + at * MIGC_PAGE_BYTES, pages * MIGC_PAGE_BYTES,
			    resident) != 0) {
			count = -errno;
			break;
		}
		for (uint64_t i = 0; i < pages; i++) {
			words[(at + i) / 64] |= (uint64_t)(resident[i] & 1) << (at + i) % 64;
			count += resident[i] & 1;
		}
	}
	free(resident);
	return count;
}

/**
 * Where data and holes alternate SEEK_DATA and SEEK_HOLE are two system calls for each. mincore()
 * is a few for all, but says of a page that is swapped out what it says of a hole: it is believed
 * where as many pages are there as the file has, swapped out ones included.
 * @return whether the map is made.
 */
static bool resident_map(const struct migc_region *region, uint64_t *words)
{
	struct stat st;
	int64_t count;

	if (!region->in_memory || fstat(region->fd, &st) != 0 || region->file_offset_bytes != 0 ||
	    region->size_bytes != (uint64_t)st.st_size)
		return false;
	count = mark_resident(region, words);
	return count >= 0 && fstat(region->fd, &st) == 0 &&
	       (uint64_t)count * BLOCKS_PER_PAGE == (uint64_t)st.st_blocks;
}

int migc_guestmem_still_map(const struct migc_guestmem *gm, unsigned int index, uint64_t *words)
{
	const struct migc_region *region = &gm->region[index];

	migc_bitmap_zero(words, region->pages);
	if (region->backing_page_bytes != MIGC_PAGE_BYTES)
		return read_map(region, words);
	if (resident_map(region, words))
		return 0;
	migc_bitmap_zero(words, region->pages);
	return seek_data_map(region, words);
}

int migc_guestmem_count_data(const struct migc_guestmem *gm, unsigned int index, uint64_t *pages)
{
	const struct migc_region *region = &gm->region[index];
	uint64_t *words;
	struct stat st;
	int rc;

	if (region->backing_page_bytes == MIGC_PAGE_BYTES) {
		if (fstat(region->fd, &st) != 0)
			return -errno;
		*pages = ((uint64_t)st.st_blocks + BLOCKS_PER_PAGE - 1) / BLOCKS_PER_PAGE;
		if (*pages > region->pages)
			*pages = region->pages;
		return 0;
	}
	words = migc_bitmap_alloc(region->pages);
	rc = words ? read_map(region, words) : -ENOMEM;
	if (rc == 0)
		*pages = migc_bitmap_count(words, region->pages);
	free(words);
	return rc;
}

/**
 * hugetlbfs: who punches a hole takes the page out of all mappings. So what is mapped here was not
 * punched since we read it, and only the rest has to be read.
 */
static int find_unmapped(const struct migc_region *region, const uint64_t *known, uint64_t *holes)
{
	uint64_t bytes = region->backing_page_bytes < READ_BYTES ? region->backing_page_bytes
								 : READ_BYTES;
	uint64_t step = bytes / MIGC_PAGE_BYTES;
	uint8_t *buffer = aligned_alloc(MIGC_PAGE_BYTES, bytes);
	uint64_t page = migc_bitmap_next(known, region->pages, 0);
	int rc = buffer ? 0 : -ENOMEM;

	while (rc == 0 && page != MIGC_BITMAP_NONE) {
		uint64_t first = page / step * step;
		unsigned char mapped = 0;
		ssize_t n = 0;

		if (mincore(region->addr + first * MIGC_PAGE_BYTES, MIGC_PAGE_BYTES, &mapped) != 0)
			rc = -errno;
		else if (!(mapped & 1))
			n = pread(region->fd, buffer, bytes,
				  (off_t)(region->file_offset_bytes + first * MIGC_PAGE_BYTES));
		if (n < 0)
			rc = -errno;
		for (uint64_t i = 0; rc == 0 && n > 0 && i < step; i++) {
			if (migc_bitmap_test(known, first + i) &&
			    migc_page_zero_test()(buffer + i * MIGC_PAGE_BYTES))
				migc_bitmap_set(holes, first + i);
		}
		page = migc_bitmap_next(known, region->pages, first + step);
	}
	free(buffer);
	return rc;
}

int migc_guestmem_lost_map(const struct migc_guestmem *gm, unsigned int index,
			   const uint64_t *known, uint64_t *holes)
{
	const struct migc_region *region = &gm->region[index];
	int rc;

	migc_bitmap_zero(holes, region->pages);
	if (region->backing_page_bytes != MIGC_PAGE_BYTES)
		return find_unmapped(region, known, holes);
	rc = seek_data_map(region, holes);
	for (uint64_t i = 0; rc == 0 && i < migc_bitmap_words(region->pages); i++)
		holes[i] = ~holes[i] & known[i];
	return rc;
}

static int punch_file(const struct migc_region *region, uint64_t first_bytes, uint64_t bytes)
{
	if (fallocate(region->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      (off_t)(region->file_offset_bytes + first_bytes), (off_t)bytes) != 0)
		return -errno;
	return 0;
}

int migc_guestmem_punch(const struct migc_guestmem *gm, unsigned int index, uint64_t first,
			uint64_t count)
{
	const struct migc_region *region = &gm->region[index];
	uint8_t *at = region->addr + first * MIGC_PAGE_BYTES;
	uint8_t *end = at + count * MIGC_PAGE_BYTES;
	unsigned int ranges;
	const struct migc_dma_range *range = migc_guestmem_dma_ranges(gm, &ranges);
	int rc = 0;

	for (unsigned int i = 0; i < ranges && at < end && rc == 0; i++) {
		uint8_t *from = range[i].addr, *to = from + range[i].bytes;

		if (to <= at || from >= end)
			continue;
		if (at < from)
			rc = punch_file(region, (uint64_t)(at - region->addr),
					(uint64_t)(from - at));
		at = at < from ? from : at;
		to = to < end ? to : end;
		memset(at, 0, (size_t)(to - at));
		at = to;
	}
	if (rc == 0 && at < end)
		rc = punch_file(region, (uint64_t)(at - region->addr), (uint64_t)(end - at));
	return rc;
}
