/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DESTINATION_WAY_H
#define DESTINATION_WAY_H

#include "session_rig.h"

/** @file The way of a destination through all its states, for tests that start at one of them. */

#define SECOND UINT64_C(1000000000)

static uint64_t now_ns = SECOND;
static struct rig_actions last;

static inline void event_of(struct migc_destination *d, struct migc_event e)
{
	e.now_ns = now_ns;
	last = rig_destination(d, &e);
}

static inline void event(struct migc_destination *d, enum migc_event_type type)
{
	static struct migc_msg_block_failed failed = {.round = 1};
	struct migc_event e = rig_event(type);

	e.failed = &failed;
	event_of(d, e);
}

static bool with_qemu = true;

static inline void message_of(struct migc_destination *d, const struct migc_msg *msg)
{
	event_of(d, (struct migc_event){.type = MIGC_EV_MSG, .msg = msg});
}

static inline void message(struct migc_destination *d, enum migc_msg_type type, uint32_t round,
			   bool final)
{
	static struct migc_msg msg;

	memset(&msg, 0, sizeof(msg));
	msg.type = type;
	if (type == MIGC_MSG_HELLO) {
		msg.hello.version_min = MIGC_WIRE_VERSION;
		msg.hello.version_max = MIGC_WIRE_VERSION;
		msg.hello.page_bytes = MIGC_PAGE_BYTES;
		msg.hello.device_state = with_qemu;
		msg.hello.verify = with_qemu;
		msg.hello.codecs = 3 | MIGC_CODECS_RESUME;
		msg.hello.region_count = 1;
		msg.hello.region[0].pages = MIGC_HOLDINGS_PAGES_MAX;
	} else if (type == MIGC_MSG_ROUND_END) {
		msg.round.round = round;
		msg.round.final = final;
		msg.round.blocks = 7;
	} else if (type == MIGC_MSG_DEVICE_STATE) {
		msg.device.data = (const uint8_t *)"x";
		msg.device.length = 1;
	} else if (type == MIGC_MSG_DEVICE_END) {
		msg.device.total = round;
	} else if (type == MIGC_MSG_ERROR) {
		msg.error.reason = MIGC_REASON_FAILED;
		strcpy(msg.error.text, "because");
	}
	message_of(d, &msg);
}

static const char *const way[] = {"LISTEN", "HELLO",   "CHECK",     "RECEIVE", "APPLY",   "RECEIVE",
				  "APPLY",  "RECEIVE", "HASH",      "RECEIVE", "RECEIVE", "LOAD",
				  "READY",  "RUN",     "COMMITTED", "END"};
#define WAY (sizeof(way) / sizeof(way[0]))

static inline void step(struct migc_destination *d, unsigned int to)
{
	static const struct {
		enum migc_action_type action;
		enum migc_msg_type sent;
	} does[WAY] = {
		[2] = {MIGC_ACTION_CHECK_GUEST, 0},
		[3] = {0, MIGC_MSG_HELLO_ACK},
		[4] = {MIGC_ACTION_AWAIT_APPLIED, 0},
		[5] = {0, MIGC_MSG_ROUND_DONE},
		[6] = {MIGC_ACTION_AWAIT_APPLIED, 0},
		[7] = {0, MIGC_MSG_ROUND_DONE},
		[8] = {MIGC_ACTION_HASH, 0},
		[9] = {0, MIGC_MSG_DIGESTS},
		[10] = {MIGC_ACTION_WRITE_DEVICES, 0},
		[11] = {MIGC_ACTION_LOAD_DEVICES, 0},
		[12] = {0, MIGC_MSG_READY},
		[13] = {MIGC_ACTION_RUN_GUEST, 0},
		[14] = {0, MIGC_MSG_COMMITTED},
		[15] = {MIGC_ACTION_FINISH, 0},
	};

	switch (to) {
	case 1:
		event(d, MIGC_EV_CONNECTED);
		break;
	case 2:
		message(d, MIGC_MSG_HELLO, 0, false);
		break;
	case 3:
		event(d, MIGC_EV_CHECKED);
		break;
	case 4:
		message(d, MIGC_MSG_ROUND_END, 1, false);
		break;
	case 5:
	case 7:
		event(d, MIGC_EV_APPLIED);
		break;
	case 6:
		message(d, MIGC_MSG_ROUND_END, 2, true);
		break;
	case 8:
		message(d, MIGC_MSG_VERIFY, 0, false);
		break;
	case 9:
		event(d, MIGC_EV_HASHED);
		break;
	case 10:
		message(d, MIGC_MSG_DEVICE_STATE, 0, false);
		break;
	case 11:
		message(d, MIGC_MSG_DEVICE_END, 1, false);
		break;
	case 12:
		event(d, MIGC_EV_LOADED);
		break;
	case 13:
		message(d, MIGC_MSG_COMMIT, 0, false);
		break;
	case 14:
		event(d, MIGC_EV_RUNNING);
		break;
	default:
		event(d, MIGC_EV_DISCONNECTED);
		assert_int_equal(rig_outcome(&last), MIGC_OUTCOME_DONE);
		break;
	}
	if (does[to].action)
		assert_true(rig_did(&last, does[to].action));
	if (does[to].sent)
		assert_true(rig_sent(&last, does[to].sent));
	assert_string_equal(migc_destination_state(d), way[to]);
}

static inline struct migc_destination *at(unsigned int place)
{
	struct migc_destination_config config = {0};
	struct migc_destination *d;

	with_qemu = true;
	assert_int_equal(migc_destination_create(&config, &d), 0);
	for (unsigned int i = 1; i <= place; i++)
		step(d, i);
	return d;
}

/** What comes before the first round when a source resumes. */
static inline struct migc_destination *at_inventory(void)
{
	struct migc_destination *d = at(3);

	message(d, MIGC_MSG_INVENTORY, 0, false);
	assert_true(rig_did(&last, MIGC_ACTION_TAKE_INVENTORY));
	assert_string_equal(migc_destination_state(d), "INVENTORY");
	return d;
}

#endif
