/* SPDX-License-Identifier: BSD-3-Clause */
/* Block headers: whatever decodes is what the document allows, and encodes to the same bytes. */
#include <stdlib.h>
#include <string.h>

#include "migc_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define BLOCK_PAGES 16u

static const uint64_t region_pages[] = {1000, UINT64_C(1) << 32};

#define REGIONS ((unsigned int)(sizeof(region_pages) / sizeof(region_pages[0])))

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void require_pages_inside(const struct migc_block_header *h)
{
	require(h->pages.region < REGIONS);
	require(h->pages.count >= 1 && h->pages.count <= BLOCK_PAGES);
	for (unsigned int i = 0; i < h->pages.count; i++) {
		require(h->pages.page[i] < region_pages[h->pages.region]);
		require(i == 0 || h->pages.page[i] > h->pages.page[i - 1]);
	}
	require(h->payload_bytes >= 1 && h->payload_bytes <= h->pages.count * MIGC_PAGE_BYTES);
}

static void require_ranges_inside(const struct migc_block_header *h)
{
	uint64_t end = 0;

	require(h->zero.region < REGIONS);
	require(h->zero.count >= 1 && h->zero.count <= MIGC_ZERO_RANGES_MAX);
	for (unsigned int i = 0; i < h->zero.count; i++) {
		require(h->zero.range[i].count >= 1 && h->zero.range[i].first >= end);
		end = (uint64_t)h->zero.range[i].first + h->zero.range[i].count;
	}
	require(end <= region_pages[h->zero.region]);
	require(h->payload_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t again[MIGC_BLOCK_HEADER_BYTES_MAX];
	struct migc_block_header h;
	int length = migc_block_header_length(data, size);

	require((length == 0) == (size < MIGC_BLOCK_FIXED_BYTES));
	if (length <= 0 || (size_t)length > size) {
		require(migc_block_header_decode(data, size, region_pages, REGIONS, BLOCK_PAGES,
						 &h) != 0);
		return 0;
	}
	require((size_t)length <= MIGC_BLOCK_HEADER_BYTES_MAX);
	if (migc_block_header_decode(data, (size_t)length, region_pages, REGIONS, BLOCK_PAGES, &h))
		return 0;
	require(h.round >= 1);
	require(!h.delta || (h.type == MIGC_BLOCK_PAGES && h.codec != MIGC_CODEC_RAW));
	if (h.type == MIGC_BLOCK_PAGES)
		require_pages_inside(&h);
	else
		require_ranges_inside(&h);
	require(migc_block_header_size(&h) == (size_t)length);
	require(migc_block_header_encode(&h, again, sizeof(again)) == length);
	require(!memcmp(again, data, (size_t)length));
	return 0;
}
