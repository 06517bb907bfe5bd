/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SOURCE_WAY_H
#define SOURCE_WAY_H

#include "session_rig.h"

/** @file The way of a source through all its states, for tests that start at one of them. */

#define SECOND UINT64_C(1000000000)

static uint64_t now_ns = SECOND;
static struct rig_actions last;

static inline void event(struct migc_source *s, enum migc_event_type type)
{
	struct migc_event e = rig_event(type);

	e.now_ns = now_ns;
	last = rig_source(s, &e);
}

static inline void event_of(struct migc_source *s, struct migc_event e)
{
	e.now_ns = now_ns;
	last = rig_source(s, &e);
}

/** A message with the fields that an honest destination would give it. */
static inline void message(struct migc_source *s, enum migc_msg_type type, uint32_t round)
{
	static struct migc_msg msg;
	struct migc_event e = {.type = MIGC_EV_MSG, .now_ns = now_ns, .msg = &msg};

	memset(&msg, 0, sizeof(msg));
	msg.type = type;
	switch (type) {
	case MIGC_MSG_HELLO_ACK:
		msg.hello_ack = rig_ack;
		break;
	case MIGC_MSG_ROUND_DONE:
		msg.round.round = round;
		break;
	case MIGC_MSG_BLOCK_FAILED:
		msg.block_failed.round = round;
		msg.block_failed.pages.count = 2;
		break;
	case MIGC_MSG_HOLDINGS:
		msg.holdings.pages = MIGC_HOLDINGS_PAGES_MAX; /* all of the region */
		break;
	case MIGC_MSG_DIGESTS:
		msg.digests.region_count = 1;
		break;
	case MIGC_MSG_ERROR:
		msg.error.reason = (uint16_t)round;
		strcpy(msg.error.text, "because");
		break;
	default:
		break;
	}
	last = rig_source(s, &e);
}

static inline void scanned(struct migc_source *s, uint64_t pages)
{
	event_of(s, (struct migc_event){.type = MIGC_EV_SCANNED, .pages = pages});
}

static inline void round_sent(struct migc_source *s)
{
	event_of(s, (struct migc_event){
			    .type = MIGC_EV_ROUND_SENT, .blocks = 64, .pages = 1024, .ns = SECOND});
}

/** The way of a whole live migration with --verify and a pause: each step leads to the next state.
 */
static const char *const way[] = {"CONNECT", "HELLO", "ATTACH", "PREPARE", "ROUND", "APPLY",
				  "SCAN",    "STOP",  "ROUND",  "APPLY",   "PUNCH", "VERIFY",
				  "PAUSE",   "SAVE",  "READY",  "COMMIT",  "END"};
#define WAY (sizeof(way) / sizeof(way[0]))

static inline void step(struct migc_source *s, unsigned int to)
{
	switch (to) {
	case 1:
		event(s, MIGC_EV_CONNECTED);
		assert_true(rig_sent(&last, MIGC_MSG_HELLO));
		break;
	case 2:
		message(s, MIGC_MSG_HELLO_ACK, 0);
		assert_true(rig_did(&last, MIGC_ACTION_ATTACH));
		break;
	case 3:
		event(s, MIGC_EV_ATTACHED);
		assert_true(rig_did(&last, MIGC_ACTION_PREPARE));
		break;
	case 4:
		event(s, MIGC_EV_PREPARED);
		assert_true(rig_did(&last, MIGC_ACTION_ROUND));
		assert_int_equal(last.action[0].round, 1);
		assert_false(last.action[0].final);
		break;
	case 5:
	case 9:
		round_sent(s);
		assert_true(rig_sent(&last, MIGC_MSG_ROUND_END));
		break;
	case 6:
		message(s, MIGC_MSG_ROUND_DONE, 1);
		assert_true(rig_did(&last, MIGC_ACTION_SCAN));
		break;
	case 7:
		scanned(s, 10);
		assert_true(rig_did(&last, MIGC_ACTION_STOP_GUEST));
		break;
	case 8:
		event(s, MIGC_EV_GUEST_STOPPED);
		assert_true(rig_did(&last, MIGC_ACTION_ROUND));
		assert_true(last.action[0].final);
		break;
	case 10:
		message(s, MIGC_MSG_ROUND_DONE, 2);
		assert_true(rig_did(&last, MIGC_ACTION_PUNCH));
		break;
	case 11:
		event(s, MIGC_EV_PUNCHED);
		assert_true(rig_sent(&last, MIGC_MSG_VERIFY));
		assert_true(rig_did(&last, MIGC_ACTION_HASH));
		break;
	case 12:
		event(s, MIGC_EV_HASHED);
		assert_int_equal(last.count, 0);
		message(s, MIGC_MSG_DIGESTS, 0);
		assert_int_equal(last.count, 0);
		assert_true(migc_source_paused(s));
		break;
	case 13:
		event(s, MIGC_EV_CONTINUE);
		assert_true(rig_did(&last, MIGC_ACTION_SAVE_DEVICES));
		break;
	case 14:
		event(s, MIGC_EV_DEVICES_SAVED);
		assert_true(rig_sent(&last, MIGC_MSG_DEVICE_END));
		break;
	case 15:
		message(s, MIGC_MSG_READY, 0);
		assert_true(rig_sent(&last, MIGC_MSG_COMMIT));
		break;
	default:
		message(s, MIGC_MSG_COMMITTED, 0);
		assert_true(rig_did(&last, MIGC_ACTION_CLEAN_UP));
		assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_DONE);
		break;
	}
	assert_string_equal(migc_source_state(s), way[to]);
}

static inline struct migc_source *at(unsigned int place)
{
	struct migc_source *s = rig_new_source(true, true, true);

	migc_source_set_pause(s, true);
	for (unsigned int i = 1; i <= place; i++)
		step(s, i);
	return s;
}

/** A session that takes over from a lost one: PREPARE leads to INVENTORY. */
static inline struct migc_source *at_inventory(void)
{
	struct migc_source *s = rig_resuming_source();

	for (unsigned int i = 1; i <= 3; i++)
		step(s, i);
	event(s, MIGC_EV_PREPARED);
	assert_true(rig_sent(&last, MIGC_MSG_INVENTORY));
	assert_string_equal(migc_source_state(s), "INVENTORY");
	return s;
}

#endif
