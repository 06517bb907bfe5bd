/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SOURCE_MACHINE_H
#define SOURCE_MACHINE_H

#include "action_queue.h"
#include "migc_session.h"

/** @file The source's machine, shared by its two files. States as in doc/design/states.md. */

enum source_state {
	SOURCE_CONNECT,
	SOURCE_HELLO,
	SOURCE_ATTACH,
	SOURCE_PREPARE,
	SOURCE_INVENTORY, /**< resuming: hearing what the destination holds */
	SOURCE_ROUND, /**< blocks are being sent */
	SOURCE_APPLY, /**< waiting for ROUND_DONE */
	SOURCE_SCAN,
	SOURCE_STOP, /**< the guest is being stopped */
	SOURCE_PUNCH,
	SOURCE_VERIFY,
	SOURCE_PAUSE, /**< all RAM is there: waiting for the operator */
	SOURCE_SAVE,
	SOURCE_READY, /**< waiting for READY */
	SOURCE_COMMIT, /**< COMMIT is out: no way back */
	SOURCE_RESUME, /**< failed: the guest is being made to run again */
	SOURCE_END,
	SOURCE_STATES
};

struct migc_source {
	struct migc_source_config config;
	struct action_queue actions;
	enum source_state state;
	struct migc_error error;
	struct migc_msg_hello_ack ack;
	uint64_t now_ns, deadline_ns; /**< deadline 0: none */
	bool connected; /**< the peer can be told things */
	struct migc_msg current; /**< the message that an action points to */
	uint16_t inventory_region; /**< asked for, */
	uint64_t inventory_page; /**< and where the next HOLDINGS may begin */
	bool stopped; /**< the guest was asked to stop: it must be resumed on failure */
	struct migc_error
		meanwhile; /**< what failed in COMMIT, or in RESUME: an answer may still come */
	uint32_t round;
	bool final;
	bool retried; /**< failed blocks of the final round were sent once more */
	uint64_t failed_pages; /**< of the final round */
	/* the last round worth measuring by */
	uint64_t sent_ns, sending_ns, round_pages;
	uint64_t before_pages, before_ns; /**< of the round before that could be measured */
	struct migc_converge_input converge;
	struct migc_throttle throttle;
	uint32_t expected_downtime_ms;
	struct migc_msg_digests own, theirs;
	bool have_own, have_theirs;
	void (*mark)(void *ctx, const struct migc_page_list *pages);
	void *mark_ctx;
};

/** Enter a state; `answer` times the answer timeout until it is a failure, 0: no bound. */
void source_enter(struct migc_source *s, enum source_state state, unsigned int answer);
/** Something failed: what follows depends on the state. Keeps the first error. */
void source_fail(struct migc_source *s, enum migc_reason reason, int code, const char *text);
/** Ask for what the destination holds of the region inventory_region. */
void source_ask_inventory(struct migc_source *s);
/** What is due is known: the first round, or what comes before it. */
void source_begin(struct migc_source *s);
/** Begin a round. */
void source_begin_round(struct migc_source *s, bool final);
/** After the last round, the holes and the comparison: PAUSE if the operator wants it, else SAVE.
 */
void source_ram_complete(struct migc_source *s);
/** A control message came in (not ERROR). source_messages.c */
void source_message(struct migc_source *s, const struct migc_msg *msg);
/** When both digests are there: compare. source_messages.c */
void source_compare(struct migc_source *s);

#endif
