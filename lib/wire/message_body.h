/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MESSAGE_BODY_H
#define MESSAGE_BODY_H

#include "migc_cursor.h"
#include "migc_wire.h"

/**
 * @file
 * One message type's body. `allowed` holds the rules of the fields for both directions, so that
 * what is written can be read and the other way round; `read` bounds what it stores and leaves the
 * rest to `allowed`.
 */
struct message_body {
	const char *name;
	uint32_t min_bytes, max_bytes;
	/* All three NULL: no body. */
	bool (*allowed)(const struct migc_msg *msg);
	void (*write)(struct migc_writer *w, const struct migc_msg *msg);
	void (*read)(struct migc_reader *r, struct migc_msg *msg);
};

/** @return the body of that type, NULL when there is no such message. */
const struct message_body *message_body_of(unsigned int type);

bool hello_allowed(const struct migc_msg *msg);
void hello_write(struct migc_writer *w, const struct migc_msg *msg);
void hello_read(struct migc_reader *r, struct migc_msg *msg);
bool hello_ack_allowed(const struct migc_msg *msg);
void hello_ack_write(struct migc_writer *w, const struct migc_msg *msg);
void hello_ack_read(struct migc_reader *r, struct migc_msg *msg);

bool inventory_allowed(const struct migc_msg *msg);
void inventory_write(struct migc_writer *w, const struct migc_msg *msg);
void inventory_read(struct migc_reader *r, struct migc_msg *msg);
bool holdings_allowed(const struct migc_msg *msg);
void holdings_write(struct migc_writer *w, const struct migc_msg *msg);
void holdings_read(struct migc_reader *r, struct migc_msg *msg);

/** Bytes of HELLO before its strings: all that stays in every version is the first 8. */
#define HELLO_VERSIONS_BYTES 8u
#define HELLO_ACK_BYTES (4u + MIGC_SESSION_ID_BYTES + 2u + 2u + 4u + 2u)
/** Bytes of HOLDINGS before its bits, and all of the largest. */
#define HOLDINGS_FIXED_BYTES (2u + 4u + 2u)
#define HOLDINGS_BYTES_MAX                                     \
	(HOLDINGS_FIXED_BYTES + MIGC_HOLDINGS_PAGES_MAX / 8u + \
	 MIGC_HOLDINGS_PAGES_MAX * MIGC_DIGEST_BYTES)

#endif
