/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "guestmem_private.h"
#include "migc_bitmap.h"
#include "migc_xxh3.h"

/** Pages between two calls of idle: a millisecond's work or so. */
#define IDLE_PAGES 1024u

int migc_guestmem_digest(const struct migc_guestmem *gm, unsigned int index,
			 void (*idle)(void *ctx), void *ctx, uint8_t digest[MIGC_DIGEST_BYTES])
{
	const struct migc_region *region = &gm->region[index];
	static const uint8_t zeros[MIGC_PAGE_BYTES];
	XXH128_hash_t zero = XXH3_128bits(zeros, sizeof(zeros));
	uint64_t *words = migc_bitmap_alloc(region->pages);
	XXH3_state_t *state = XXH3_createState();
	XXH128_canonical_t canonical;
	int rc = words && state ? 0 : -ENOMEM;

	if (rc == 0)
		rc = migc_guestmem_still_map(gm, index, words);
	if (rc == 0) {
		XXH3_128bits_reset(state);
		for (uint64_t page = 0; page < region->pages; page++) {
			XXH128_hash_t hash = zero;

			/* a hole is not read: reading would fill it */
			if (migc_bitmap_test(words, page))
				hash = XXH3_128bits(region->addr + page * MIGC_PAGE_BYTES,
						    MIGC_PAGE_BYTES);
			XXH128_canonicalFromHash(&canonical, hash);
			XXH3_128bits_update(state, &canonical, sizeof(canonical));
			if (idle && page % IDLE_PAGES == 0)
				idle(ctx);
		}
		XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state));
		memcpy(digest, &canonical, MIGC_DIGEST_BYTES);
	}
	XXH3_freeState(state);
	free(words);
	return rc;
}

void migc_guestmem_page_digest(const void *page, uint64_t seed, uint8_t digest[MIGC_DIGEST_BYTES])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(page, MIGC_PAGE_BYTES, seed));
	memcpy(digest, &canonical, MIGC_DIGEST_BYTES);
}
