/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "message_body.h"

#define PAGES_MAX (UINT64_C(1) << 32)
#define BITS_A_WORD 64u

static unsigned int bit_bytes(const struct migc_msg_holdings *h)
{
	return (h->pages + 7u) / 8u;
}

static unsigned int data_pages(const struct migc_msg_holdings *h)
{
	unsigned int pages = 0;

	for (unsigned int i = 0; i < MIGC_HOLDINGS_PAGES_MAX / BITS_A_WORD; i++)
		pages += (unsigned int)__builtin_popcountll(h->data[i]);
	return pages;
}

/** Is a bit set behind the last page? */
static bool bits_behind(const struct migc_msg_holdings *h)
{
	unsigned int word = h->pages / BITS_A_WORD;

	if (h->pages % BITS_A_WORD && h->data[word++] >> h->pages % BITS_A_WORD)
		return true;
	for (; word < MIGC_HOLDINGS_PAGES_MAX / BITS_A_WORD; word++) {
		if (h->data[word])
			return true;
	}
	return false;
}

bool inventory_allowed(const struct migc_msg *msg)
{
	return msg->inventory.region < MIGC_REGIONS_MAX;
}

void inventory_write(struct migc_writer *w, const struct migc_msg *msg)
{
	migc_write_u16(w, msg->inventory.region);
}

void inventory_read(struct migc_reader *r, struct migc_msg *msg)
{
	msg->inventory.region = migc_read_u16(r);
}

bool holdings_allowed(const struct migc_msg *msg)
{
	const struct migc_msg_holdings *h = &msg->holdings;

	return h->region < MIGC_REGIONS_MAX && h->pages >= 1 &&
	       h->pages <= MIGC_HOLDINGS_PAGES_MAX && h->first + (uint64_t)h->pages <= PAGES_MAX &&
	       !bits_behind(h);
}

void holdings_write(struct migc_writer *w, const struct migc_msg *msg)
{
	const struct migc_msg_holdings *h = &msg->holdings;
	uint8_t bits[MIGC_HOLDINGS_PAGES_MAX / 8];

	for (unsigned int i = 0; i < sizeof(bits); i++)
		bits[i] = (uint8_t)(h->data[i / 8] >> i % 8 * 8);
	migc_write_u16(w, h->region);
	migc_write_u32(w, h->first);
	migc_write_u16(w, h->pages);
	migc_write_bytes(w, bits, bit_bytes(h));
	migc_write_bytes(w, h->digest, (size_t)data_pages(h) * MIGC_DIGEST_BYTES);
}

void holdings_read(struct migc_reader *r, struct migc_msg *msg)
{
	struct migc_msg_holdings *h = &msg->holdings;
	const uint8_t *bytes;
	size_t length;

	h->region = migc_read_u16(r);
	h->first = migc_read_u32(r);
	h->pages = migc_read_u16(r);
	if (h->pages > MIGC_HOLDINGS_PAGES_MAX) {
		r->failed = true;
		return;
	}
	bytes = migc_read_bytes(r, bit_bytes(h));
	for (unsigned int i = 0; bytes && i < bit_bytes(h); i++)
		h->data[i / 8] |= (uint64_t)bytes[i] << i % 8 * 8;
	length = (size_t)data_pages(h) * MIGC_DIGEST_BYTES;
	bytes = migc_read_bytes(r, length);
	if (bytes)
		memcpy(h->digest, bytes, length);
}
