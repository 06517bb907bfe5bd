/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "migc_cursor.h"
#include "migc_wire.h"
#include "wire_field.h"

/* The part that every header begins with. */
struct fixed_part {
	uint8_t type;
	uint8_t codec;
	uint16_t region;
	uint16_t count;
	uint16_t flags;
	uint32_t payload_bytes;
	uint32_t round;
};

static bool payload_allowed(uint8_t codec, uint32_t payload_bytes, uint32_t pages)
{
	uint32_t raw_bytes = pages * MIGC_PAGE_BYTES;

	if (codec == MIGC_CODEC_RAW)
		return payload_bytes == raw_bytes;
	return payload_bytes >= 1 && payload_bytes < raw_bytes;
}

static bool flags_allowed(const struct fixed_part *f)
{
	if (f->flags == MIGC_BLOCK_FLAG_DELTA)
		return f->type == MIGC_BLOCK_PAGES && f->codec != MIGC_CODEC_RAW;
	return !f->flags;
}

/* @return bytes of the whole header, 0 when the fixed part is not allowed. */
static size_t fixed_part_size(const struct fixed_part *f)
{
	if (!flags_allowed(f) || !f->round || f->region >= MIGC_REGIONS_MAX || !f->count)
		return 0;
	switch (f->type) {
	case MIGC_BLOCK_PAGES:
		if (f->count > MIGC_BLOCK_PAGES_MAX || f->codec >= MIGC_CODEC_COUNT ||
		    !payload_allowed(f->codec, f->payload_bytes, f->count))
			return 0;
		return MIGC_BLOCK_FIXED_BYTES + f->count * sizeof(uint32_t);
	case MIGC_BLOCK_ZERO:
		if (f->count > MIGC_ZERO_RANGES_MAX || f->codec != MIGC_CODEC_RAW ||
		    f->payload_bytes)
			return 0;
		return MIGC_BLOCK_FIXED_BYTES + f->count * 2 * sizeof(uint32_t);
	default:
		return 0;
	}
}

static void fixed_part_read(struct migc_reader *r, struct fixed_part *f)
{
	f->type = migc_read_u8(r);
	f->codec = migc_read_u8(r);
	f->region = migc_read_u16(r);
	f->count = migc_read_u16(r);
	f->flags = migc_read_u16(r);
	f->payload_bytes = migc_read_u32(r);
	f->round = migc_read_u32(r);
}

static void fixed_part_write(struct migc_writer *w, const struct fixed_part *f)
{
	migc_write_u8(w, f->type);
	migc_write_u8(w, f->codec);
	migc_write_u16(w, f->region);
	migc_write_u16(w, f->count);
	migc_write_u16(w, f->flags);
	migc_write_u32(w, f->payload_bytes);
	migc_write_u32(w, f->round);
}

static bool zero_list_allowed(const struct migc_zero_list *z)
{
	struct wire_range_check check = {0};

	for (unsigned int i = 0; i < z->count; i++)
		wire_range_next(&check, z->range[i].first, z->range[i].count);
	return !check.failed;
}

/* @return the size of the header and its fixed part, 0 when any field is not allowed. */
static size_t header_check(const struct migc_block_header *h, struct fixed_part *f)
{
	bool pages = h->type == MIGC_BLOCK_PAGES;
	size_t size;

	if ((unsigned int)h->type > UINT8_MAX || (unsigned int)h->codec > UINT8_MAX)
		return 0;
	f->type = (uint8_t)h->type;
	f->codec = (uint8_t)h->codec;
	f->region = pages ? h->pages.region : h->zero.region;
	f->count = pages ? h->pages.count : h->zero.count;
	f->flags = h->delta ? MIGC_BLOCK_FLAG_DELTA : 0;
	f->payload_bytes = h->payload_bytes;
	f->round = h->round;
	size = fixed_part_size(f);
	if (!size)
		return 0;
	if (pages)
		return wire_pages_allowed(h->pages.page, h->pages.count, MIGC_BLOCK_PAGES_MAX)
			       ? size
			       : 0;
	return zero_list_allowed(&h->zero) ? size : 0;
}

size_t migc_block_header_size(const struct migc_block_header *h)
{
	struct fixed_part f;

	return header_check(h, &f);
}

int migc_block_header_encode(const struct migc_block_header *h, uint8_t *out, size_t capacity)
{
	struct migc_writer w;
	struct fixed_part f;
	size_t size = header_check(h, &f);

	if (!size)
		return -EINVAL;
	if (size > capacity)
		return -ENOSPC;
	migc_writer_init(&w, out, size);
	fixed_part_write(&w, &f);
	if (h->type == MIGC_BLOCK_PAGES) {
		for (unsigned int i = 0; i < h->pages.count; i++)
			migc_write_u32(&w, h->pages.page[i]);
	} else {
		for (unsigned int i = 0; i < h->zero.count; i++) {
			migc_write_u32(&w, h->zero.range[i].first);
			migc_write_u32(&w, h->zero.range[i].count);
		}
	}
	return (int)size;
}

int migc_block_header_length(const uint8_t *data, size_t length)
{
	struct migc_reader r;
	struct fixed_part f;
	size_t size;

	if (length < MIGC_BLOCK_FIXED_BYTES)
		return 0;
	migc_reader_init(&r, data, length);
	fixed_part_read(&r, &f);
	size = fixed_part_size(&f);
	return size ? (int)size : -EBADMSG;
}

static bool read_pages(struct migc_reader *r, const struct fixed_part *f, uint64_t region_pages,
		       struct migc_page_list *out)
{
	out->region = f->region;
	out->count = f->count;
	for (unsigned int i = 0; i < f->count; i++)
		out->page[i] = migc_read_u32(r);
	/* They ascend: the last is the largest. */
	return !r->failed && wire_pages_allowed(out->page, out->count, MIGC_BLOCK_PAGES_MAX) &&
	       out->page[out->count - 1] < region_pages;
}

static bool read_zero(struct migc_reader *r, const struct fixed_part *f, uint64_t region_pages,
		      struct migc_zero_list *out)
{
	struct wire_range_check check = {0};
	uint64_t pages = 0;

	out->region = f->region;
	out->count = f->count;
	for (unsigned int i = 0; i < f->count; i++) {
		out->range[i].first = migc_read_u32(r);
		out->range[i].count = migc_read_u32(r);
		wire_range_next(&check, out->range[i].first, out->range[i].count);
		pages += out->range[i].count;
	}
	/* All of a region of 2^32 pages is one more than the sum can hold: it saturates. */
	out->pages = pages > UINT32_MAX ? UINT32_MAX : (uint32_t)pages;
	return !r->failed && !check.failed && check.end <= region_pages;
}

int migc_block_header_decode(const uint8_t *data, size_t length, const uint64_t *region_pages,
			     unsigned int regions, unsigned int block_pages,
			     struct migc_block_header *out)
{
	struct migc_reader r;
	struct fixed_part f;
	bool allowed;

	migc_reader_init(&r, data, length);
	fixed_part_read(&r, &f);
	if (r.failed || fixed_part_size(&f) != length || f.region >= regions)
		return -EBADMSG;
	out->type = (enum migc_block_type)f.type;
	out->codec = (enum migc_codec_id)f.codec;
	out->delta = f.flags == MIGC_BLOCK_FLAG_DELTA;
	out->round = f.round;
	out->payload_bytes = f.payload_bytes;
	out->pages.count = 0;
	out->zero.count = 0;
	out->zero.pages = 0;
	if (f.type == MIGC_BLOCK_PAGES)
		allowed = f.count <= block_pages &&
			  read_pages(&r, &f, region_pages[f.region], &out->pages);
	else
		allowed = read_zero(&r, &f, region_pages[f.region], &out->zero);
	return allowed ? 0 : -EBADMSG;
}

const char *migc_codec_text(enum migc_codec_id codec)
{
	static const char *const names[MIGC_CODEC_COUNT] = {
		[MIGC_CODEC_RAW] = "raw",
		[MIGC_CODEC_DEFLATE] = "deflate",
		[MIGC_CODEC_LZ4] = "lz4",
		[MIGC_CODEC_ZSTD] = "zstd",
	};

	return codec < MIGC_CODEC_COUNT ? names[codec] : "?";
}
