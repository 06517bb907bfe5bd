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

uint64_t inventory_compare(struct rounds *rounds, const struct migc_guestmem *gm,
			   struct migc_dirty *dirty, uint64_t seed,
			   const struct migc_msg_holdings *holdings)
{
	const uint8_t *base = migc_guestmem_region(gm, holdings->region)->addr;
	bool copies = dirty && migc_dirty_needs_copy(dirty, holdings->region);
	uint8_t copy[MIGC_PAGE_BYTES], digest[MIGC_DIGEST_BYTES];
	uint64_t same = 0;
	unsigned int held = 0;

	for (unsigned int i = 0; i < holdings->pages; i++) {
		uint64_t page = holdings->first + (uint64_t)i;
		const uint8_t *bytes = base + page * MIGC_PAGE_BYTES;
		const uint8_t *theirs;

		if (!migc_bitmap_test(holdings->data, i))
			continue;
		theirs = holdings->digest[held++];
		/* what is a hole here is not read, and told as one before the first round */
		if (!rounds_is_due(rounds, holdings->region, page))
			continue;
		/* the tracker is to know exactly what is there, and the guest may be writing */
		if (copies)
			bytes = memcpy(copy, bytes, sizeof(copy));
		migc_guestmem_page_digest(bytes, seed, digest);
		if (memcmp(digest, theirs, sizeof(digest)) != 0)
			continue;
		if (copies)
			migc_dirty_sent(dirty, holdings->region, page, copy);
		rounds_have(rounds, holdings->region, page);
		same++;
	}
	return same;
}
