/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DESTINATION_MACHINE_H
#define DESTINATION_MACHINE_H

#include "action_queue.h"
#include "migc_session.h"

/** @file The destination's machine, shared by its two files. States as in doc/design/states.md. */

enum destination_state {
	DESTINATION_LISTEN,
	DESTINATION_HELLO, /**< connected, waiting for HELLO */
	DESTINATION_CHECK,
	DESTINATION_RECEIVE,
	DESTINATION_INVENTORY, /**< telling what is held of a region */
	DESTINATION_APPLY, /**< a round ended: waiting until its blocks are applied */
	DESTINATION_HASH,
	DESTINATION_LOAD,
	DESTINATION_READY, /**< waiting for COMMIT */
	DESTINATION_RUN, /**< COMMIT was taken */
	DESTINATION_COMMITTED,
	DESTINATION_END,
	DESTINATION_STATES
};

/** Steps within RECEIVE, in their order. */
enum destination_step {
	STEP_ROUNDS,
	STEP_FINAL, /**< a final round was applied as a whole */
	STEP_PUNCHED,
	STEP_VERIFIED,
	STEP_DEVICES
};

/** How long COMMITTED may take to be acknowledged by the source's closing. */
#define DESTINATION_LINGER_MS 2000u

struct migc_destination {
	uint32_t answer_timeout_ms;
	struct action_queue actions;
	enum destination_state state;
	struct migc_error error;
	struct migc_msg_hello hello;
	struct migc_msg current; /**< the message that an action points to */
	uint64_t now_ns, deadline_ns; /**< deadline 0: none */
	bool connected;
	bool resumes; /**< HELLO and HELLO_ACK have RESUME, and it is time for INVENTORY */
	uint16_t inventory_region; /**< that INVENTORY may name next */
	uint32_t round; /**< last one that ended */
	bool final; /**< it was final: so are all that follow */
	bool block_failed; /**< since the last ROUND_DONE */
	enum destination_step step;
	struct migc_error run_error; /**< what went wrong while the guest was being run */
	uint64_t device_bytes;
};

/** Enter a state, for at most `bound_ms` (0: no bound). */
void destination_enter(struct migc_destination *d, enum destination_state state, uint32_t bound_ms);
/** Something failed: what follows depends on the state. Keeps the first error. */
void destination_fail(struct migc_destination *d, enum migc_reason reason, int code,
		      const char *text);
/** A control message came in (not ERROR). destination_messages.c */
void destination_message(struct migc_destination *d, const struct migc_msg *msg);

#endif
