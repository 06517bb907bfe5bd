/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "inventory.h"
#include "migc_bitmap.h"
#include "migc_cursor.h"

uint64_t inventory_seed(const uint8_t session_id[MIGC_SESSION_ID_BYTES])
{
	struct migc_reader r;

	migc_reader_init(&r, session_id, MIGC_SESSION_ID_BYTES);
	return migc_read_u64(&r);
}

bool inventory_tell(const struct receive_shared *shared, unsigned int region, uint64_t seed,
		    uint64_t *page, struct migc_msg_holdings *out)
{
	const uint8_t *presence = shared->presence[region];
	const uint8_t *base = shared->region[region]->addr;
	uint64_t end = shared->region_pages[region];
	unsigned int held = 0;

	/* the last page ends the region and is told in any case */
	while (*page + 1 < end && presence[*page] == PAGE_ABSENT)
		++*page;
	out->region = (uint16_t)region;
	out->first = (uint32_t)*page;
	out->pages = 0;
	memset(out->data, 0, sizeof(out->data));
	for (; *page < end && out->pages < MIGC_HOLDINGS_PAGES_MAX; ++*page, out->pages++) {
		/* a hole is not read: reading would fill it */
		if (presence[*page] == PAGE_ABSENT)
			continue;
		migc_bitmap_set(out->data, out->pages);
		migc_guestmem_page_digest(base + *page * MIGC_PAGE_BYTES, seed,
					  out->digest[held++]);
	}
	return *page == end;
}

/** What the comparison of one page needs. */
struct comparison {
	struct rounds *rounds;
	struct migc_dirty *dirty;
	migc_page_is_zero_fn is_zero;
	uint64_t seed;
	unsigned int region;
	const uint8_t *base;
	bool copies;
};

/** @param theirs its digest at the destination, NULL: a hole. @return whether it is the same. */
static bool compare(const struct comparison *c, uint64_t page, const uint8_t *theirs)
{
	const uint8_t *bytes = c->base + page * MIGC_PAGE_BYTES;
	/* aligned as a page is: the zero test relies on it */
	uint8_t copy[MIGC_PAGE_BYTES] __attribute__((aligned(64)));
	uint8_t digest[MIGC_DIGEST_BYTES];

	/* what is a hole here is not read, and told as one before the first round */
	if (!rounds_is_due(c->rounds, c->region, page))
		return false;
	/* the tracker is to know exactly what is there, and the guest may be writing */
	if (c->copies)
		bytes = memcpy(copy, bytes, sizeof(copy));
	if (theirs == NULL && !c->is_zero(bytes))
		return false;
	if (theirs) {
		migc_guestmem_page_digest(bytes, c->seed, digest);
		if (memcmp(digest, theirs, sizeof(digest)) != 0)
			return false;
	}
	if (c->copies)
		migc_dirty_sent(c->dirty, c->region, page, theirs ? copy : NULL);
	rounds_have(c->rounds, c->region, page);
	return true;
}

uint64_t inventory_compare(struct rounds *rounds, const struct migc_guestmem *gm,
			   struct migc_dirty *dirty, uint64_t seed, uint64_t *page,
			   const struct migc_msg_holdings *holdings)
{
	const struct comparison c = {
		.rounds = rounds,
		.dirty = dirty,
		.is_zero = migc_page_zero_test(),
		.seed = seed,
		.region = holdings->region,
		.base = migc_guestmem_region(gm, holdings->region)->addr,
		.copies = dirty && migc_dirty_needs_copy(dirty, holdings->region),
	};
	uint64_t same = 0;
	unsigned int held = 0;

	for (; *page < holdings->first; ++*page)
		same += compare(&c, *page, NULL);
	for (unsigned int i = 0; i < holdings->pages; i++, ++*page) {
		bool data = migc_bitmap_test(holdings->data, i);

		same += compare(&c, *page, data ? holdings->digest[held++] : NULL);
	}
	return same;
}
