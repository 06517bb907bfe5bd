/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SESSION_RIG_H
#define SESSION_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "migc_session.h"

/** @file Machines with what they did, for tests. Static: a test's file is its own program. */

#define RIG_ACTIONS 16u

/** What one event made a machine do. */
struct rig_actions {
	struct migc_action action[RIG_ACTIONS];
	enum migc_msg_type sent[RIG_ACTIONS]; /**< of SEND actions, in order */
	uint16_t reason; /**< of an ERROR that was sent */
	unsigned int count, sends;
};

static inline bool rig_did(const struct rig_actions *a, enum migc_action_type type)
{
	for (unsigned int i = 0; i < a->count; i++) {
		if (a->action[i].type == type)
			return true;
	}
	return false;
}

static inline bool rig_sent(const struct rig_actions *a, enum migc_msg_type type)
{
	for (unsigned int i = 0; i < a->sends; i++) {
		if (a->sent[i] == type)
			return true;
	}
	return false;
}

static inline int rig_outcome(const struct rig_actions *a)
{
	for (unsigned int i = 0; i < a->count; i++) {
		if (a->action[i].type == MIGC_ACTION_FINISH)
			return (int)a->action[i].outcome;
	}
	return -1;
}

static inline void rig_note(struct rig_actions *a, const struct migc_action *action)
{
	assert_true(a->count < RIG_ACTIONS);
	a->action[a->count++] = *action;
	if (action->type != MIGC_ACTION_SEND)
		return;
	a->sent[a->sends++] = action->msg->type;
	if (action->msg->type == MIGC_MSG_ERROR)
		a->reason = action->msg->error.reason;
}

/** What an honest destination answers to HELLO. */
static const struct migc_msg_hello_ack rig_ack = {.version = MIGC_WIRE_VERSION,
						  .block_pages = 16,
						  .deflate_pages = 16,
						  .codecs = 3 | MIGC_CODECS_RESUME,
						  .workers = 1};

/** An event of a controller's, with all that any of its actions may lead to. */
static inline struct migc_event rig_event(enum migc_event_type type)
{
	static const struct migc_msg_digests digests = {.region_count = 1};
	static const struct migc_msg_holdings holdings = {.pages = MIGC_HOLDINGS_PAGES_MAX};

	return (struct migc_event){
		.type = type, .digests = &digests, .ack = &rig_ack, .holdings = &holdings};
}

static inline struct rig_actions rig_source(struct migc_source *s, const struct migc_event *event)
{
	struct rig_actions a = {0};
	struct migc_action action;

	migc_source_event(s, event);
	while (migc_source_action(s, &action))
		rig_note(&a, &action);
	return a;
}

static inline struct rig_actions rig_destination(struct migc_destination *d,
						 const struct migc_event *event)
{
	struct rig_actions a = {0};
	struct migc_action action;

	migc_destination_event(d, event);
	while (migc_destination_action(d, &action))
		rig_note(&a, &action);
	return a;
}

static inline struct migc_source *rig_new_source_of(bool live, bool verify, bool device_state,
						    uint32_t codecs)
{
	struct migc_source_config config = {.live = live, .downtime_limit_ms = 300};
	struct migc_source *s;

	config.hello.version_min = MIGC_WIRE_VERSION;
	config.hello.version_max = MIGC_WIRE_VERSION;
	config.hello.page_bytes = MIGC_PAGE_BYTES;
	config.hello.workers = 2;
	config.hello.block_pages = 16;
	config.hello.codecs = codecs;
	config.hello.verify = verify;
	config.hello.device_state = device_state;
	config.hello.region_count = 1;
	strcpy(config.hello.region[0].name, "ram");
	config.hello.region[0].pages = 1024;
	assert_int_equal(migc_source_create(&config, &s), 0);
	return s;
}

static inline struct migc_source *rig_new_source(bool live, bool verify, bool device_state)
{
	return rig_new_source_of(live, verify, device_state, 3);
}

/** Of a guest, after a session was lost. */
static inline struct migc_source *rig_resuming_source(void)
{
	return rig_new_source_of(true, true, true, 3 | MIGC_CODECS_RESUME);
}

#endif
