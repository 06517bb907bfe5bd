/* SPDX-License-Identifier: BSD-3-Clause */
#include "message_body.h"

#include <string.h>

#include "wire_field.h"

/* ATTACH */

static bool attach_allowed(const struct migc_msg *msg)
{
	return msg->attach.worker >= 1;
}

static void attach_write(struct migc_writer *w, const struct migc_msg *msg)
{
	migc_write_bytes(w, msg->attach.session_id, sizeof(msg->attach.session_id));
	migc_write_u16(w, msg->attach.worker);
}

static void attach_read(struct migc_reader *r, struct migc_msg *msg)
{
	const uint8_t *id = migc_read_bytes(r, sizeof(msg->attach.session_id));

	if (id)
		memcpy(msg->attach.session_id, id, sizeof(msg->attach.session_id));
	msg->attach.worker = migc_read_u16(r);
}

/* ROUND_END, ROUND_DONE */

static bool round_allowed(const struct migc_msg *msg)
{
	return msg->round.round >= 1;
}

static void round_end_write(struct migc_writer *w, const struct migc_msg *msg)
{
	migc_write_u32(w, msg->round.round);
	wire_write_bool(w, msg->round.final);
	migc_write_u64(w, msg->round.blocks);
}

static void round_end_read(struct migc_reader *r, struct migc_msg *msg)
{
	msg->round.round = migc_read_u32(r);
	msg->round.final = wire_read_bool(r);
	msg->round.blocks = migc_read_u64(r);
}

static void round_done_write(struct migc_writer *w, const struct migc_msg *msg)
{
	migc_write_u32(w, msg->round.round);
}

static void round_done_read(struct migc_reader *r, struct migc_msg *msg)
{
	msg->round.round = migc_read_u32(r);
}

/* BLOCK_FAILED */

static bool block_failed_allowed(const struct migc_msg *msg)
{
	const struct migc_page_list *pages = &msg->block_failed.pages;

	return msg->block_failed.round >= 1 && pages->region < MIGC_REGIONS_MAX &&
	       wire_pages_allowed(pages->page, pages->count, MIGC_BLOCK_PAGES_MAX);
}

static void block_failed_write(struct migc_writer *w, const struct migc_msg *msg)
{
	const struct migc_page_list *pages = &msg->block_failed.pages;

	migc_write_u32(w, msg->block_failed.round);
	migc_write_u16(w, pages->region);
	migc_write_u16(w, pages->count);
	for (unsigned int i = 0; i < pages->count; i++)
		migc_write_u32(w, pages->page[i]);
}

static void block_failed_read(struct migc_reader *r, struct migc_msg *msg)
{
	struct migc_page_list *pages = &msg->block_failed.pages;

	msg->block_failed.round = migc_read_u32(r);
	pages->region = migc_read_u16(r);
	pages->count = migc_read_u16(r);
	if (pages->count > MIGC_BLOCK_PAGES_MAX) {
		r->failed = true;
		return;
	}
	for (unsigned int i = 0; i < pages->count; i++)
		pages->page[i] = migc_read_u32(r);
}

/* PUNCH */

static bool punch_allowed(const struct migc_msg *msg)
{
	const struct migc_msg_punch *p = &msg->punch;
	struct wire_range_check check = {0};

	if (p->region >= MIGC_REGIONS_MAX || p->count < 1 || p->count > MIGC_MSG_PUNCH_RANGES_MAX)
		return false;
	for (unsigned int i = 0; i < p->count; i++)
		wire_range_next(&check, p->range[i].first, p->range[i].count);
	return !check.failed;
}

static void punch_write(struct migc_writer *w, const struct migc_msg *msg)
{
	const struct migc_msg_punch *p = &msg->punch;

	migc_write_u16(w, p->region);
	migc_write_u16(w, p->count);
	for (unsigned int i = 0; i < p->count; i++) {
		migc_write_u32(w, p->range[i].first);
		migc_write_u32(w, p->range[i].count);
	}
}

static void punch_read(struct migc_reader *r, struct migc_msg *msg)
{
	struct migc_msg_punch *p = &msg->punch;

	p->region = migc_read_u16(r);
	p->count = migc_read_u16(r);
	if (p->count > MIGC_MSG_PUNCH_RANGES_MAX) {
		r->failed = true;
		return;
	}
	for (unsigned int i = 0; i < p->count; i++) {
		p->range[i].first = migc_read_u32(r);
		p->range[i].count = migc_read_u32(r);
	}
}

/* DIGESTS */

static bool digests_allowed(const struct migc_msg *msg)
{
	return msg->digests.region_count >= 1 && msg->digests.region_count <= MIGC_REGIONS_MAX;
}

static void digests_write(struct migc_writer *w, const struct migc_msg *msg)
{
	migc_write_u16(w, msg->digests.region_count);
	migc_write_bytes(w, msg->digests.digest,
			 (size_t)msg->digests.region_count * MIGC_DIGEST_BYTES);
}

static void digests_read(struct migc_reader *r, struct migc_msg *msg)
{
	struct migc_msg_digests *d = &msg->digests;
	const uint8_t *bytes;

	d->region_count = migc_read_u16(r);
	if (d->region_count > MIGC_REGIONS_MAX) {
		r->failed = true;
		return;
	}
	bytes = migc_read_bytes(r, (size_t)d->region_count * MIGC_DIGEST_BYTES);
	if (bytes)
		memcpy(d->digest, bytes, (size_t)d->region_count * MIGC_DIGEST_BYTES);
}

/* DEVICE_STATE, DEVICE_END */

static bool device_state_allowed(const struct migc_msg *msg)
{
	return msg->device.data && msg->device.length >= 1 &&
	       msg->device.length <= MIGC_DEVICE_CHUNK_BYTES_MAX;
}

static void device_state_write(struct migc_writer *w, const struct migc_msg *msg)
{
	migc_write_bytes(w, msg->device.data, msg->device.length);
}

static void device_state_read(struct migc_reader *r, struct migc_msg *msg)
{
	msg->device.length = (uint32_t)migc_reader_left(r);
	msg->device.data = migc_read_bytes(r, msg->device.length);
}

static bool device_end_allowed(const struct migc_msg *msg)
{
	(void)msg;
	return true;
}

static void device_end_write(struct migc_writer *w, const struct migc_msg *msg)
{
	migc_write_u64(w, msg->device.total);
}

static void device_end_read(struct migc_reader *r, struct migc_msg *msg)
{
	msg->device.total = migc_read_u64(r);
}

/* ERROR */

static bool error_allowed(const struct migc_msg *msg)
{
	return msg->error.reason >= MIGC_REASON_FAILED &&
	       msg->error.reason <= MIGC_REASON_NOT_RUN &&
	       memchr(msg->error.text, 0, sizeof(msg->error.text));
}

static void error_write(struct migc_writer *w, const struct migc_msg *msg)
{
	char text[sizeof(msg->error.text)];
	size_t length = strnlen(msg->error.text, sizeof(text) - 1);

	/*
	 * The text comes from many places, QEMU among them. That it holds an odd byte must not
	 * keep the peer from hearing of the error.
	 */
	for (size_t i = 0; i < length; i++) {
		char byte = msg->error.text[i];

		text[i] = '?';
		if (wire_byte_printable(byte))
			text[i] = byte;
	}
	text[length] = '\0';
	migc_write_u16(w, msg->error.reason);
	migc_write_string(w, text);
}

static void error_read(struct migc_reader *r, struct migc_msg *msg)
{
	msg->error.reason = migc_read_u16(r);
	migc_read_string(r, msg->error.text, sizeof(msg->error.text));
	if (!wire_string_allowed(msg->error.text, sizeof(msg->error.text), 0))
		r->failed = true;
}

static const struct message_body bodies[] = {
	[MIGC_MSG_HELLO] = {"HELLO", HELLO_VERSIONS_BYTES, MIGC_MSG_BODY_BYTES_MAX, hello_allowed,
			    hello_write, hello_read},
	[MIGC_MSG_HELLO_ACK] = {"HELLO_ACK", HELLO_ACK_BYTES, HELLO_ACK_BYTES, hello_ack_allowed,
				hello_ack_write, hello_ack_read},
	[MIGC_MSG_ATTACH] = {"ATTACH", MIGC_SESSION_ID_BYTES + 2, MIGC_SESSION_ID_BYTES + 2,
			     attach_allowed, attach_write, attach_read},
	[MIGC_MSG_ATTACH_ACK] = {"ATTACH_ACK", 0, 0, NULL, NULL, NULL},
	[MIGC_MSG_ROUND_END] = {"ROUND_END", 13, 13, round_allowed, round_end_write,
				round_end_read},
	[MIGC_MSG_ROUND_DONE] = {"ROUND_DONE", 4, 4, round_allowed, round_done_write,
				 round_done_read},
	[MIGC_MSG_BLOCK_FAILED] = {"BLOCK_FAILED", 8 + 4, 8 + 4 * MIGC_BLOCK_PAGES_MAX,
				   block_failed_allowed, block_failed_write, block_failed_read},
	[MIGC_MSG_PUNCH] = {"PUNCH", 4 + 8, 4 + 8 * MIGC_MSG_PUNCH_RANGES_MAX, punch_allowed,
			    punch_write, punch_read},
	[MIGC_MSG_VERIFY] = {"VERIFY", 0, 0, NULL, NULL, NULL},
	[MIGC_MSG_DIGESTS] = {"DIGESTS", 2 + MIGC_DIGEST_BYTES,
			      2 + MIGC_DIGEST_BYTES *MIGC_REGIONS_MAX, digests_allowed,
			      digests_write, digests_read},
	[MIGC_MSG_DEVICE_STATE] = {"DEVICE_STATE", 1, MIGC_DEVICE_CHUNK_BYTES_MAX,
				   device_state_allowed, device_state_write, device_state_read},
	[MIGC_MSG_DEVICE_END] = {"DEVICE_END", 8, 8, device_end_allowed, device_end_write,
				 device_end_read},
	[MIGC_MSG_READY] = {"READY", 0, 0, NULL, NULL, NULL},
	[MIGC_MSG_COMMIT] = {"COMMIT", 0, 0, NULL, NULL, NULL},
	[MIGC_MSG_COMMITTED] = {"COMMITTED", 0, 0, NULL, NULL, NULL},
	[MIGC_MSG_ERROR] = {"ERROR", 4, 4 + 255, error_allowed, error_write, error_read},
	[MIGC_MSG_INVENTORY] = {"INVENTORY", 2, 2, inventory_allowed, inventory_write,
				inventory_read},
	[MIGC_MSG_HOLDINGS] = {"HOLDINGS", HOLDINGS_FIXED_BYTES + 1, HOLDINGS_BYTES_MAX,
			       holdings_allowed, holdings_write, holdings_read},
};

const struct message_body *message_body_of(unsigned int type)
{
	if (type >= sizeof(bodies) / sizeof(bodies[0]) || !bodies[type].name)
		return NULL;
	return &bodies[type];
}
