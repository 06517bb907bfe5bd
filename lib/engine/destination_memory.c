/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "destination_memory.h"
#include "migc_bitmap.h"

/** Own memory a migration may need besides what EAL has; for the budget check. */
#define OWN_BYTES (64u << 20)

bool destination_memory_map_ahead(const struct engine *e, struct map_ahead *at)
{
	if (at->region == migc_guestmem_regions(e->gm))
		return false;
	at->page = migc_guestmem_map_ahead(e->gm, at->region, at->page);
	if (at->page >= migc_guestmem_region(e->gm, at->region)->pages) {
		at->region++;
		at->page = 0;
	}
	return true;
}

static int match_region(struct engine *e, unsigned int i, const struct migc_wire_region *want,
			struct migc_error *err)
{
	int own = migc_guestmem_find(e->gm, want->name);
	const struct migc_region *region;
	int rc;

	if (own < 0)
		return migc_error_set(
			err, -ESTALE,
			"the source has a region %s and this side has none of that name: "
			"start both guests with the same memory backends",
			want->name);
	region = migc_guestmem_region(e->gm, (unsigned int)own);
	if (region->pages == 0) {
		rc = migc_guestmem_set_size(e->gm, (unsigned int)own, want->pages * MIGC_PAGE_BYTES,
					    err);
		if (rc != 0)
			return rc;
		region = migc_guestmem_region(e->gm, (unsigned int)own);
	}
	if (region->pages != want->pages)
		return migc_error_set(
			err, -ESTALE,
			"region %s has %llu MiB at the source and %llu MiB here: start "
			"both guests with the same sizes",
			want->name, (unsigned long long)(want->pages >> 8),
			(unsigned long long)(region->pages >> 8));
	for (unsigned int k = 0; k < i; k++) {
		if (e->shared.own[k] == (unsigned int)own)
			return migc_error_set(err, -ESTALE, "the source names region %s twice",
					      want->name);
	}
	e->shared.own[i] = (unsigned int)own;
	e->shared.region[i] = region;
	e->shared.region_pages[i] = region->pages;
	return 0;
}

/** One byte a page: what is there already must be cleared where the source has zeros. */
static int make_presence(struct engine *e, unsigned int i, uint64_t *found, struct migc_error *err)
{
	uint64_t pages = e->shared.region_pages[i];
	uint64_t *words = migc_bitmap_alloc(pages);
	uint8_t *presence =
		mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int rc = -ENOMEM;

	if (words && presence != MAP_FAILED)
		rc = migc_guestmem_data_map(e->gm, e->shared.own[i], words);
	if (presence != MAP_FAILED)
		e->shared.presence[i] = presence;
	if (rc == 0) {
		for (uint64_t p = migc_bitmap_next(words, pages, 0); p != MIGC_BITMAP_NONE;
		     p = migc_bitmap_next(words, pages, p + 1)) {
			presence[p] = PAGE_FOUND;
			(*found)++;
		}
	}
	free(words);
	return rc ? migc_error_set(err, rc, "cannot find the holes of region %s",
				   e->shared.region[i]->name)
		  : 0;
}

static int check_kind(const struct engine *e, const struct migc_msg_hello *hello,
		      struct migc_error *err)
{
	if (hello->device_state != (e->qemu != NULL))
		return migc_error_set(
			err, -ESTALE,
			"the source sends %s and this side was started with %s: use --qmp "
			"at both ends or --mem at both",
			hello->device_state ? "a guest (--qmp)" : "plain memory (--mem)",
			e->qemu ? "--qmp" : "--mem");
	if (e->qemu && hello->machine[0] && strcmp(hello->machine, e->qemu_info.machine) != 0)
		return migc_error_set(
			err, -ESTALE,
			"the source guest is a %s and this one is a %s: start it with the "
			"same -machine",
			hello->machine, e->qemu_info.machine);
	if (hello->region_count != migc_guestmem_regions(e->gm))
		return migc_error_set(
			err, -ESTALE,
			"the source has %u memory regions and this side has %u: start both "
			"guests with the same memory backends",
			hello->region_count, migc_guestmem_regions(e->gm));
	return 0;
}

int destination_memory_check(struct engine *e, const struct migc_msg_hello *hello,
			     struct migc_error *err)
{
	uint64_t found = 0;
	int rc = check_kind(e, hello, err);

	for (unsigned int i = 0; rc == 0 && i < hello->region_count; i++) {
		rc = match_region(e, i, &hello->region[i], err);
		if (rc == 0)
			rc = make_presence(e, i, &found, err);
		if (rc == 0)
			e->shared.regions = i + 1;
	}
	if (rc != 0)
		return rc;
	e->shared.guestmem = e->gm;
	return migc_guestmem_check_budget(
		e->gm, hello->data_pages > found ? hello->data_pages - found : 0, OWN_BYTES, err);
}

void destination_memory_free(struct engine *e)
{
	for (unsigned int i = 0; i < MIGC_REGIONS_MAX; i++) {
		if (e->shared.presence[i])
			munmap(e->shared.presence[i], e->shared.region_pages[i]);
		e->shared.presence[i] = NULL;
	}
}

/** Clear without giving back: the page was there before us (preallocated), or is part of more. */
static void clear_pages(const struct receive_shared *shared, unsigned int i, uint64_t first,
			uint64_t end)
{
	uint8_t *base = shared->region[i]->addr;

	for (uint64_t p = first; p < end; p++) {
		uint8_t *at = base + (p << MIGC_PAGE_SHIFT);

		if (shared->presence[i][p] != PAGE_ABSENT && !migc_page_is_zero_scalar(at))
			memset(at, 0, MIGC_PAGE_BYTES);
	}
}

/**
 * May the page be given back to its file? What was there before us was put there on purpose when
 * it is a guest's (preallocated); of a plain file it is old content.
 */
static bool may_give_back(const struct engine *e, unsigned int i, uint64_t page)
{
	uint8_t presence = e->shared.presence[i][page];

	return presence == PAGE_WRITTEN || (presence == PAGE_FOUND && e->qemu == NULL);
}

static int punch_range(struct engine *e, unsigned int i, uint64_t first, uint64_t end)
{
	const struct receive_shared *shared = &e->shared;
	uint64_t unit = shared->region[i]->backing_page_bytes / MIGC_PAGE_BYTES;

	for (uint64_t p = first; p < end;) {
		uint64_t from = p;
		int rc;

		if (shared->presence[i][p] == PAGE_ABSENT) {
			p++;
			continue;
		}
		while (p < end && may_give_back(e, i, p))
			p++;
		/* only whole pages of the backing can be given back */
		if (p > from && unit == 1) {
			rc = migc_guestmem_punch(e->gm, shared->own[i], from, p - from);
			if (rc != 0)
				return rc;
			memset(shared->presence[i] + from, PAGE_ABSENT, p - from);
		} else {
			if (p == from)
				p++;
			clear_pages(shared, i, from, p);
		}
	}
	return 0;
}

int destination_memory_punch(struct engine *e, const struct migc_msg_punch *punch,
			     struct migc_error *err)
{
	if (punch->region >= e->shared.regions)
		return migc_error_set(err, -EBADMSG, "the source names a region that is not there");
	for (unsigned int k = 0; k < punch->count; k++) {
		uint64_t first = punch->range[k].first;
		uint64_t end = first + punch->range[k].count;
		int rc;

		if (end > e->shared.region_pages[punch->region])
			return migc_error_set(err, -EBADMSG,
					      "the source names pages past region %s",
					      e->shared.region[punch->region]->name);
		rc = punch_range(e, punch->region, first, end);
		if (rc != 0)
			return migc_error_set(err, rc, "cannot give pages of region %s back",
					      e->shared.region[punch->region]->name);
	}
	return 0;
}
