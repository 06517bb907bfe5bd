/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/mman.h>

#include <xxhash.h>

#include "migc_page.h"
#include "sent_hash.h"

static const uint8_t zero_page[MIGC_PAGE_BYTES];

int sent_hash_create(struct sent_hash *h, uint64_t pages)
{
	void *memory = mmap(NULL, pages * sizeof(h->entry[0]), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	/* pages of the table come as pages of the guest are sent */
	if (memory == MAP_FAILED)
		return -ENOMEM;
	h->entry = memory;
	h->pages = pages;
	return 0;
}

void sent_hash_free(struct sent_hash *h)
{
	if (h->entry)
		munmap(h->entry, h->pages * sizeof(h->entry[0]));
	h->entry = NULL;
}

void sent_hash_put(struct sent_hash *h, uint64_t page, const void *bytes)
{
	XXH128_hash_t hash = XXH3_128bits(bytes ? bytes : zero_page, MIGC_PAGE_BYTES);

	h->entry[page][0] = hash.low64;
	h->entry[page][1] = hash.high64;
}

bool sent_hash_differs(const struct sent_hash *h, uint64_t page, const void *bytes)
{
	XXH128_hash_t hash = XXH3_128bits(bytes, MIGC_PAGE_BYTES);

	return h->entry[page][0] != hash.low64 || h->entry[page][1] != hash.high64;
}
