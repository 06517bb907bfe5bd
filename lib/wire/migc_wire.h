/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_WIRE_H
#define MIGC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_page.h"

/**
 * @file
 * The migration wire format: block headers on the block streams, messages on the control stream.
 * doc/design/wire-format.md is normative; this is its implementation. All parsing is bounds
 * checked, takes memory from nobody and accepts only what the document allows.
 */

#define MIGC_WIRE_VERSION 1u
#define MIGC_WIRE_ALPN "dpdk-migcomp/1"
#define MIGC_REGIONS_MAX 64u
#define MIGC_REGION_NAME_BYTES 128u
#define MIGC_SESSION_ID_BYTES 16u
#define MIGC_DIGEST_BYTES 16u
#define MIGC_GUEST_TEXT_BYTES 128u

/* ---- blocks ---- */

enum migc_codec_id {
	MIGC_CODEC_RAW = 0,
	MIGC_CODEC_DEFLATE = 1,
	MIGC_CODEC_LZ4 = 2,
	MIGC_CODEC_ZSTD = 3,
	MIGC_CODEC_COUNT
};
/** Bit of `codecs` in HELLO and HELLO_ACK, besides those of the codecs: DELTA blocks. */
#define MIGC_CODECS_DELTA (UINT32_C(1) << 31)
/** ... the source wants to resume; the destination answers INVENTORY. */
#define MIGC_CODECS_RESUME (UINT32_C(1) << 30)
/** @return "raw", "deflate", ...; "?" for what is none. */
const char *migc_codec_text(enum migc_codec_id codec);

enum migc_block_type {
	MIGC_BLOCK_PAGES = 1, /**< count pages, payload in `codec` */
	MIGC_BLOCK_ZERO = 2, /**< count ranges of zero pages (or holes), no payload */
};

#define MIGC_BLOCK_FIXED_BYTES 16u
#define MIGC_BLOCK_HEADER_BYTES_MAX (MIGC_BLOCK_FIXED_BYTES + 8u * MIGC_ZERO_RANGES_MAX)
/** Largest payload: raw pages. */
#define MIGC_BLOCK_PAYLOAD_BYTES_MAX (MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)

/** Flag of PAGES: the payload is XORed onto what the pages hold. */
#define MIGC_BLOCK_FLAG_DELTA 1u

/** A parsed block header. */
struct migc_block_header {
	enum migc_block_type type;
	enum migc_codec_id codec; /**< of PAGES; RAW for ZERO */
	bool delta; /**< MIGC_BLOCK_FLAG_DELTA: only of PAGES, not with RAW */
	uint32_t round; /**< the round it belongs to, from 1 */
	uint32_t payload_bytes; /**< RAW: exactly count * 4096; else 1..count * 4096 - 1; ZERO: 0 */
	struct migc_page_list pages; /**< of PAGES: strictly ascending */
	struct migc_zero_list zero; /**< of ZERO: ascending, disjoint, none empty */
};

/** @return bytes of the header of `h`, or 0 when its fields are not allowed. */
size_t migc_block_header_size(const struct migc_block_header *h);
/** Write a header. @return its length, or -EINVAL (field not allowed), -ENOSPC. */
int migc_block_header_encode(const struct migc_block_header *h, uint8_t *out, size_t capacity);
/**
 * How long the header is whose first bytes are given.
 * @return its length; 0 when fewer than MIGC_BLOCK_FIXED_BYTES are given; -EBADMSG when no block
 *   begins like this.
 */
int migc_block_header_length(const uint8_t *data, size_t length);
/**
 * Parse a header of exactly `length` bytes (as migc_block_header_length says) and check it
 * against the regions of the session: the region exists and every page lies inside it.
 *
 * @param region_pages pages of each region
 * @param regions      number of regions
 * @param block_pages  largest number of pages agreed on
 * @return 0, -EBADMSG.
 */
int migc_block_header_decode(const uint8_t *data, size_t length, const uint64_t *region_pages,
			     unsigned int regions, unsigned int block_pages,
			     struct migc_block_header *out);

/* ---- control messages ---- */

enum migc_msg_type {
	MIGC_MSG_HELLO = 1, /**< source: who I am and what I will send */
	MIGC_MSG_HELLO_ACK = 2, /**< destination: agreed, with its limits */
	MIGC_MSG_ATTACH =
		3, /**< source, on each further connection: this belongs to that session */
	MIGC_MSG_ATTACH_ACK = 4, /**< destination, on that connection */
	MIGC_MSG_ROUND_END = 5, /**< source: so many blocks sent since the session began */
	MIGC_MSG_ROUND_DONE = 6, /**< destination: all of them were applied (or reported failed) */
	MIGC_MSG_BLOCK_FAILED = 7, /**< destination: these pages were not applied */
	MIGC_MSG_PUNCH = 8, /**< source: these ranges became holes */
	MIGC_MSG_VERIFY = 9, /**< source: hash your RAM */
	MIGC_MSG_DIGESTS = 10, /**< destination: the hashes */
	MIGC_MSG_DEVICE_STATE = 11, /**< source: a piece of QEMU's device state */
	MIGC_MSG_DEVICE_END = 12, /**< source: that was all of it */
	MIGC_MSG_READY = 13, /**< destination: could run now */
	MIGC_MSG_COMMIT = 14, /**< source: run */
	MIGC_MSG_COMMITTED = 15, /**< destination: it runs */
	MIGC_MSG_ERROR = 16, /**< either: given up, because */
	MIGC_MSG_INVENTORY = 17, /**< source: what do you hold of this region? */
	MIGC_MSG_HOLDINGS = 18, /**< destination: of these pages, this */
};

#define MIGC_MSG_HEADER_BYTES 8u
/** Largest body of a message. */
#define MIGC_MSG_BODY_BYTES_MAX 32768u
#define MIGC_DEVICE_CHUNK_BYTES_MAX 32000u
#define MIGC_MSG_PUNCH_RANGES_MAX 2048u
#define MIGC_HOLDINGS_PAGES_MAX 1024u

struct migc_wire_region {
	char name[MIGC_REGION_NAME_BYTES];
	uint64_t pages; /**< of MIGC_PAGE_BYTES, 1..2^32 */
	uint32_t backing_page_bytes; /**< 4096, 2 MiB, 1 GiB; for messages, not compared */
};

struct migc_msg_hello {
	uint32_t version_min, version_max;
	uint32_t page_bytes; /**< MIGC_PAGE_BYTES */
	uint16_t workers; /**< connections the source will make, 1.. */
	uint16_t block_pages; /**< largest block it would like to send */
	uint32_t codecs; /**< bit per migc_codec_id it may use, and MIGC_CODECS_ */
	bool device_state; /**< a QEMU is behind it; false: plain memory */
	bool verify;
	char guest[MIGC_GUEST_TEXT_BYTES]; /**< machine type and QEMU version, for messages */
	char machine[MIGC_GUEST_TEXT_BYTES]; /**< machine type, compared when both are non-empty */
	uint64_t data_pages; /**< pages that are not holes: what the destination needs room for */
	uint16_t region_count;
	struct migc_wire_region region[MIGC_REGIONS_MAX];
};

struct migc_msg_hello_ack {
	uint32_t version;
	uint8_t session_id[MIGC_SESSION_ID_BYTES];
	uint16_t block_pages; /**< largest block the source may send */
	uint16_t deflate_pages; /**< largest of DEFLATE, 1 to block_pages */
	uint32_t codecs; /**< bit per codec the destination can decode, and MIGC_CODECS_ */
	uint16_t workers; /**< connections the destination takes */
};

struct migc_msg_attach {
	uint8_t session_id[MIGC_SESSION_ID_BYTES];
	uint16_t worker; /**< 1.. */
};

struct migc_msg_round {
	uint32_t round; /**< from 1 */
	bool final; /**< ROUND_END: the guest is stopped */
	uint64_t blocks; /**< ROUND_END: blocks sent since the session began, all connections */
};

struct migc_msg_punch {
	uint16_t region;
	uint16_t count;
	struct {
		uint32_t first;
		uint32_t count;
	} range[MIGC_MSG_PUNCH_RANGES_MAX];
};

struct migc_msg_block_failed {
	uint32_t round;
	struct migc_page_list pages;
};

struct migc_msg_digests {
	uint16_t region_count;
	uint8_t digest[MIGC_REGIONS_MAX][MIGC_DIGEST_BYTES];
};

struct migc_msg_inventory {
	uint16_t region;
};

struct migc_msg_holdings {
	uint16_t region;
	uint16_t pages; /**< 1..MIGC_HOLDINGS_PAGES_MAX */
	uint32_t first;
	uint64_t data[MIGC_HOLDINGS_PAGES_MAX / 64]; /**< bit per page: not a hole */
	uint8_t digest[MIGC_HOLDINGS_PAGES_MAX][MIGC_DIGEST_BYTES]; /**< of those, in order */
};

struct migc_msg_device {
	const uint8_t *data; /**< DEVICE_STATE: inside the message's bytes */
	uint32_t length; /**< DEVICE_STATE: bytes of data, 1.. */
	uint64_t total; /**< DEVICE_END: bytes of all pieces */
};

enum migc_reason {
	MIGC_REASON_FAILED = 1, /**< something broke; the text says what */
	MIGC_REASON_CANCELLED = 2,
	MIGC_REASON_VERSION = 3,
	MIGC_REASON_MISMATCH = 4, /**< the guests differ */
	MIGC_REASON_BUSY = 5,
	MIGC_REASON_NOT_RUN =
		6, /**< destination, after COMMIT: it could not be started, and is not */
};

struct migc_msg_error {
	uint16_t reason; /**< enum migc_reason */
	char text[256];
};

/** One control message, parsed. */
struct migc_msg {
	enum migc_msg_type type;
	union {
		struct migc_msg_hello hello;
		struct migc_msg_hello_ack hello_ack;
		struct migc_msg_attach attach;
		struct migc_msg_round round; /* ROUND_END, ROUND_DONE */
		struct migc_msg_punch punch;
		struct migc_msg_block_failed block_failed;
		struct migc_msg_digests digests;
		struct migc_msg_device device;
		struct migc_msg_error error;
		struct migc_msg_inventory inventory;
		struct migc_msg_holdings holdings;
	};
};

/** @return bytes written (header and body), -EINVAL (a field is not allowed), -ENOSPC. */
int migc_msg_encode(const struct migc_msg *msg, uint8_t *out, size_t capacity);
/**
 * How long the message is whose first bytes are given.
 * @return its length with the header; 0 when fewer than MIGC_MSG_HEADER_BYTES are given;
 *   -EBADMSG when no message begins like this.
 */
int migc_msg_length(const uint8_t *data, size_t length);
/** Parse one whole message. @return 0, -EBADMSG. Device data points into `data`. */
int migc_msg_decode(const uint8_t *data, size_t length, struct migc_msg *out);
/** @return the message type's name in the document, "?" for none. */
const char *migc_msg_name(enum migc_msg_type type);

#endif
