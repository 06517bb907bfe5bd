/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "guestmem_private.h"

/** What is measured: so often, each way, so many pages. */
#define TRIALS 8u
#define TRIAL_PAGES 64u
#define TRIAL_BYTES ((size_t)TRIAL_PAGES * MIGC_PAGE_BYTES)
#define LINE_BYTES 64u

bool migc_guestmem_can_read(const struct migc_guestmem *gm, unsigned int index)
{
	const struct migc_region *region = &gm->region[index];
	unsigned int ranges;

	migc_guestmem_dma_ranges(gm, &ranges);
	return gm->guard && region->addr && region->in_memory &&
	       region->backing_page_bytes == MIGC_PAGE_BYTES && ranges == 0;
}

void migc_guestmem_read(const struct migc_guestmem *gm, unsigned int index, uint64_t first,
			uint64_t count, uint8_t *to)
{
	const struct migc_region *region = &gm->region[index];
	off_t from = (off_t)(region->file_offset_bytes + first * MIGC_PAGE_BYTES);
	size_t bytes = (size_t)count * MIGC_PAGE_BYTES, done = 0;

	while (done < bytes) {
		ssize_t n = pread(region->fd, to + done, bytes - done, from + (off_t)done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			bus_guard_lose(gm->guard, gm->guarded[index]);
			memset(to + done, 0, bytes - done);
			return;
		}
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/** As a zero test and a codec do: each line of each page. */
static void look_at(const uint8_t *bytes)
{
	for (size_t at = 0; at < TRIAL_BYTES; at += LINE_BYTES)
		*(const volatile uint8_t *)(bytes + at);
}

/** Through a mapping that nobody has touched, and that goes again. */
static uint64_t time_mapped(const struct migc_region *region, uint64_t page)
{
	uint64_t begin = now_ns();
	uint8_t *bytes = mmap(NULL, TRIAL_BYTES, PROT_READ, MAP_SHARED, region->fd,
			      (off_t)(region->file_offset_bytes + page * MIGC_PAGE_BYTES));

	if (bytes == MAP_FAILED)
		return UINT64_MAX;
	madvise(bytes, TRIAL_BYTES, MADV_SEQUENTIAL);
	look_at(bytes);
	munmap(bytes, TRIAL_BYTES);
	return now_ns() - begin;
}

/** By two reads, as migc_guestmem_read() is used. */
static uint64_t time_read(const struct migc_region *region, uint64_t page, uint8_t *buffer)
{
	uint64_t begin = now_ns();
	off_t from = (off_t)(region->file_offset_bytes + page * MIGC_PAGE_BYTES);

	for (size_t at = 0; at < TRIAL_BYTES; at += TRIAL_BYTES / 2) {
		if (pread(region->fd, buffer + at, TRIAL_BYTES / 2, from + (off_t)at) !=
		    (ssize_t)(TRIAL_BYTES / 2))
			return UINT64_MAX;
	}
	look_at(buffer);
	return now_ns() - begin;
}

/** Nothing but data, in memory: to touch a hole fills it. */
static bool is_all_data(const struct migc_region *region, uint64_t page)
{
	unsigned char resident[TRIAL_PAGES];
	unsigned int there = 0;

	if (page + TRIAL_PAGES > region->pages ||
	    mincore(region->addr + page * MIGC_PAGE_BYTES, TRIAL_BYTES, resident) != 0)
		return false;
	for (unsigned int i = 0; i < TRIAL_PAGES; i++)
		there += resident[i] & 1;
	return there == TRIAL_PAGES;
}

/** Data at or after a page, not far from it. @return its page; UINT64_MAX: none */
static uint64_t find_data(const struct migc_region *region, uint64_t from)
{
	off_t begin = (off_t)region->file_offset_bytes;
	off_t data = lseek(region->fd, begin + (off_t)(from * MIGC_PAGE_BYTES), SEEK_DATA);
	uint64_t page;

	if (data < begin)
		return UINT64_MAX;
	page = (uint64_t)(data - begin) / MIGC_PAGE_BYTES;
	for (unsigned int i = 0; i < TRIALS; i++, page += TRIAL_PAGES) {
		if (is_all_data(region, page))
			return page;
	}
	return UINT64_MAX;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int migc_guestmem_read_cost(const struct migc_guestmem *gm, unsigned int index,
			    struct migc_read_cost *out)
{
	const struct migc_region *region = &gm->region[index];
	uint8_t *buffer = aligned_alloc(MIGC_PAGE_BYTES, TRIAL_BYTES);
	uint64_t mapped = UINT64_MAX, read = UINT64_MAX;

	if (buffer == NULL)
		return -ENOMEM;
	/* its own pages come now */
	memset(buffer, 0, TRIAL_BYTES);
	/* by turns, the least of each: the machine does something else now and then */
	for (unsigned int i = 0; i < TRIALS; i++) {
		uint64_t page = find_data(region, region->pages / TRIALS * i);

		if (page == UINT64_MAX)
			continue;
		if (i % 2)
			read = least(read, time_read(region, page, buffer));
		else
			mapped = least(mapped, time_mapped(region, page));
	}
	free(buffer);
	if (mapped == UINT64_MAX || read == UINT64_MAX)
		return -ENODATA;
	out->mapped_ns = mapped / TRIAL_PAGES;
	out->read_ns = read / TRIAL_PAGES;
	return 0;
}
