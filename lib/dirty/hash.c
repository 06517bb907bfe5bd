/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "dirty_private.h"
#include "migc_bitmap.h"

/** Pages between two calls of idle: a millisecond's work or so. */
#define IDLE_PAGES 2048u

static int hash_open(struct migc_dirty *d, struct migc_error *err)
{
	(void)d;
	(void)err;
	return 0;
}

/**
 * hugetlbfs: a page of zeros counts as a hole there, though the guest may have written them over
 * what was sent. Those that are still in memory are reported; what was punched is told as a hole.
 */
static int report_zeroed(struct migc_dirty *d, unsigned int index, const uint64_t *data,
			 uint64_t *words)
{
	const struct migc_region *region = migc_guestmem_region(d->gm, index);
	uint64_t *zeroed = migc_bitmap_alloc(region->pages);
	uint64_t *punched = migc_bitmap_alloc(region->pages);
	int rc = zeroed && punched ? 0 : -ENOMEM;

	for (uint64_t page = 0; rc == 0 && page < region->pages; page++) {
		if (!migc_bitmap_test(data, page) && sent_hash_is_data(&d->sent[index], page))
			migc_bitmap_set(zeroed, page);
	}
	if (rc == 0)
		rc = migc_guestmem_lost_map(d->gm, index, zeroed, punched);
	if (rc == 0) {
		migc_bitmap_andnot(zeroed, punched, region->pages);
		migc_bitmap_or(words, zeroed, region->pages);
		d->stats.reported_pages += migc_bitmap_count(zeroed, region->pages);
	}
	free(zeroed);
	free(punched);
	return rc;
}

/** Only data is looked at: a hole reads as the zeros that it is at the other end, too. */
static int hash_scan(struct migc_dirty *d, unsigned int index, uint64_t *words,
		     void (*idle)(void *ctx), void *ctx, struct migc_error *err)
{
	const struct migc_region *region = migc_guestmem_region(d->gm, index);
	uint64_t *data = migc_bitmap_alloc(region->pages);
	uint64_t looked_at = 0;
	int rc = data ? migc_guestmem_data_map(d->gm, index, data) : -ENOMEM;

	for (uint64_t page = rc == 0 ? migc_bitmap_next(data, region->pages, 0) : MIGC_BITMAP_NONE;
	     page != MIGC_BITMAP_NONE; page = migc_bitmap_next(data, region->pages, page + 1)) {
		if (sent_hash_differs(&d->sent[index], page,
				      region->addr + page * MIGC_PAGE_BYTES)) {
			migc_bitmap_set(words, page);
			d->stats.reported_pages++;
		}
		if (idle && ++looked_at % IDLE_PAGES == 0)
			idle(ctx);
	}
	if (rc == 0 && region->backing_page_bytes != MIGC_PAGE_BYTES)
		rc = report_zeroed(d, index, data, words);
	free(data);
	return rc ? migc_error_set(err, rc, "region %s cannot be hashed", region->name) : 0;
}

static void hash_disarm(struct migc_dirty *d)
{
	(void)d;
}

static bool hash_needs_copy(const struct migc_dirty *d, unsigned int region)
{
	(void)d;
	(void)region;
	return true;
}

const struct dirty_ops dirty_hash_ops = {
	.name = "hash",
	.open = hash_open,
	.arm = hash_open,
	.scan = hash_scan,
	.disarm = hash_disarm,
	.needs_copy = hash_needs_copy,
};
