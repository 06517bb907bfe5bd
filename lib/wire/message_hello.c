/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "message_body.h"
#include "wire_field.h"

#define CODEC_RAW_BIT (UINT32_C(1) << MIGC_CODEC_RAW)
#define REGION_PAGES_MAX (UINT64_C(1) << 32)
#define BACKING_PAGE_BYTES_MAX (UINT32_C(1) << 30)

/* Of a later version only: what follows the versions has a layout that is not known here. */
static bool layout_unknown(const struct migc_msg_hello *h)
{
	return h->version_min > MIGC_WIRE_VERSION;
}

static bool block_pages_allowed(uint16_t pages)
{
	return pages >= 1 && pages <= MIGC_BLOCK_PAGES_MAX;
}

static bool region_allowed(const struct migc_wire_region *region)
{
	uint32_t backing = region->backing_page_bytes;

	return wire_string_allowed(region->name, sizeof(region->name), 1) && region->pages >= 1 &&
	       region->pages <= REGION_PAGES_MAX && backing >= MIGC_PAGE_BYTES &&
	       backing <= BACKING_PAGE_BYTES_MAX && !(backing & (backing - 1));
}

static bool regions_allowed(const struct migc_msg_hello *h)
{
	uint64_t pages = 0;

	if (h->region_count < 1 || h->region_count > MIGC_REGIONS_MAX)
		return false;
	for (unsigned int i = 0; i < h->region_count; i++) {
		if (!region_allowed(&h->region[i]))
			return false;
		for (unsigned int j = 0; j < i; j++) {
			if (!strcmp(h->region[i].name, h->region[j].name))
				return false;
		}
		pages += h->region[i].pages;
	}
	return h->data_pages <= pages;
}

bool hello_allowed(const struct migc_msg *msg)
{
	const struct migc_msg_hello *h = &msg->hello;

	if (h->version_min < 1 || h->version_max < h->version_min)
		return false;
	if (layout_unknown(h))
		return true;
	return h->page_bytes == MIGC_PAGE_BYTES && h->workers >= 1 &&
	       block_pages_allowed(h->block_pages) && (h->codecs & CODEC_RAW_BIT) &&
	       wire_string_allowed(h->guest, sizeof(h->guest), 0) &&
	       wire_string_allowed(h->machine, sizeof(h->machine), 0) && regions_allowed(h);
}

void hello_write(struct migc_writer *w, const struct migc_msg *msg)
{
	const struct migc_msg_hello *h = &msg->hello;

	migc_write_u32(w, h->version_min);
	migc_write_u32(w, h->version_max);
	if (layout_unknown(h))
		return;
	migc_write_u32(w, h->page_bytes);
	migc_write_u16(w, h->workers);
	migc_write_u16(w, h->block_pages);
	migc_write_u32(w, h->codecs);
	wire_write_bool(w, h->device_state);
	wire_write_bool(w, h->verify);
	migc_write_string(w, h->guest);
	migc_write_string(w, h->machine);
	migc_write_u64(w, h->data_pages);
	migc_write_u16(w, h->region_count);
	for (unsigned int i = 0; i < h->region_count; i++) {
		migc_write_string(w, h->region[i].name);
		migc_write_u64(w, h->region[i].pages);
		migc_write_u32(w, h->region[i].backing_page_bytes);
	}
}

void hello_read(struct migc_reader *r, struct migc_msg *msg)
{
	struct migc_msg_hello *h = &msg->hello;

	h->version_min = migc_read_u32(r);
	h->version_max = migc_read_u32(r);
	if (layout_unknown(h)) {
		migc_read_bytes(r, migc_reader_left(r));
		return;
	}
	h->page_bytes = migc_read_u32(r);
	h->workers = migc_read_u16(r);
	h->block_pages = migc_read_u16(r);
	h->codecs = migc_read_u32(r);
	h->device_state = wire_read_bool(r);
	h->verify = wire_read_bool(r);
	migc_read_string(r, h->guest, sizeof(h->guest));
	migc_read_string(r, h->machine, sizeof(h->machine));
	h->data_pages = migc_read_u64(r);
	h->region_count = migc_read_u16(r);
	if (h->region_count > MIGC_REGIONS_MAX) {
		r->failed = true;
		return;
	}
	for (unsigned int i = 0; i < h->region_count; i++) {
		migc_read_string(r, h->region[i].name, sizeof(h->region[i].name));
		h->region[i].pages = migc_read_u64(r);
		h->region[i].backing_page_bytes = migc_read_u32(r);
	}
}

bool hello_ack_allowed(const struct migc_msg *msg)
{
	const struct migc_msg_hello_ack *a = &msg->hello_ack;

	return a->version == MIGC_WIRE_VERSION && block_pages_allowed(a->block_pages) &&
	       a->deflate_pages >= 1 && a->deflate_pages <= a->block_pages &&
	       (a->codecs & CODEC_RAW_BIT) && a->workers >= 1;
}

void hello_ack_write(struct migc_writer *w, const struct migc_msg *msg)
{
	const struct migc_msg_hello_ack *a = &msg->hello_ack;

	migc_write_u32(w, a->version);
	migc_write_bytes(w, a->session_id, sizeof(a->session_id));
	migc_write_u16(w, a->block_pages);
	migc_write_u16(w, a->deflate_pages);
	migc_write_u32(w, a->codecs);
	migc_write_u16(w, a->workers);
}

void hello_ack_read(struct migc_reader *r, struct migc_msg *msg)
{
	struct migc_msg_hello_ack *a = &msg->hello_ack;
	const uint8_t *id;

	a->version = migc_read_u32(r);
	id = migc_read_bytes(r, sizeof(a->session_id));
	if (id)
		memcpy(a->session_id, id, sizeof(a->session_id));
	a->block_pages = migc_read_u16(r);
	a->deflate_pages = migc_read_u16(r);
	a->codecs = migc_read_u32(r);
	a->workers = migc_read_u16(r);
}
