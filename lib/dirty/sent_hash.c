/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "migc_page.h"
#include "migc_xxh3.h"
#include "sent_hash.h"

static const uint8_t zero_page[MIGC_PAGE_BYTES];

static void hash_page(const void *bytes, uint64_t out[2])
{
	XXH128_hash_t hash = XXH3_128bits(bytes, MIGC_PAGE_BYTES);

	out[0] = hash.low64;
	out[1] = hash.high64;
}

int sent_hash_create(struct sent_hash *h, uint64_t pages)
{
	void *memory = mmap(NULL, pages * sizeof(h->entry[0]), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	/* pages of the table come as pages of the guest are sent */
	if (memory == MAP_FAILED)
		return -ENOMEM;
	h->entry = memory;
	h->pages = pages;
	hash_page(zero_page, h->zero);
	return 0;
}

void sent_hash_free(struct sent_hash *h)
{
	if (h->entry)
		munmap(h->entry, h->pages * sizeof(h->entry[0]));
	h->entry = NULL;
}

void sent_hash_forget(struct sent_hash *h)
{
	/* private anonymous memory: given back, it reads as zeros */
	if (h->entry && madvise(h->entry, h->pages * sizeof(h->entry[0]), MADV_DONTNEED) != 0)
		memset(h->entry, 0, h->pages * sizeof(h->entry[0]));
}

void sent_hash_put(struct sent_hash *h, uint64_t page, const void *bytes)
{
	hash_page(bytes ? bytes : zero_page, h->entry[page]);
}

bool sent_hash_is_data(const struct sent_hash *h, uint64_t page)
{
	const uint64_t *e = h->entry[page];

	return (e[0] || e[1]) && (e[0] != h->zero[0] || e[1] != h->zero[1]);
}

bool sent_hash_differs(const struct sent_hash *h, uint64_t page, const void *bytes)
{
	uint64_t now[2];

	hash_page(bytes, now);
	return h->entry[page][0] != now[0] || h->entry[page][1] != now[1];
}
