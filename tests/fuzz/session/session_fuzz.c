/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two state machines, fed with a peer's messages and with what may happen at this end, in any
 * order. The first byte: 1: the destination, 2: no device state, 4: --verify, 8: not live,
 * 16: pause before the switchover. Then
 * steps: a byte whose low 5 bits name an event; MSG is followed by a message, others by nothing.
 *
 * In no case is there a second VM that runs: the source asks for its guest again after COMMIT only
 * when the receiver said that it did not start it, and the destination runs only after a COMMIT.
 */
#include <stdlib.h>
#include <string.h>

#include "migc_cursor.h"
#include "migc_session.h"

#define ACTIONS_MAX 16u

/* New ones go to the end: inputs name them by their place. */
static const enum migc_event_type events[] = {
	MIGC_EV_CONNECTED, MIGC_EV_MSG,          MIGC_EV_DISCONNECTED,  MIGC_EV_FAILED,
	MIGC_EV_CANCEL,    MIGC_EV_TIMEOUT,      MIGC_EV_TICK,          MIGC_EV_ATTACHED,
	MIGC_EV_PREPARED,  MIGC_EV_ROUND_SENT,   MIGC_EV_SCANNED,       MIGC_EV_GUEST_STOPPED,
	MIGC_EV_PUNCHED,   MIGC_EV_HASHED,       MIGC_EV_DEVICES_SAVED, MIGC_EV_RESUMED,
	MIGC_EV_CHECKED,   MIGC_EV_BLOCK_FAILED, MIGC_EV_APPLIED,       MIGC_EV_LOADED,
	MIGC_EV_RUNNING,   MIGC_EV_RUN_FAILED,   MIGC_EV_CONTINUE,      MIGC_EV_HELD,
};

#define EVENTS (sizeof(events) / sizeof(events[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
	struct migc_source *source; /**< or */
	struct migc_destination *destination;
	bool committed; /**< COMMIT was sent, or came */
	bool not_run; /**< the receiver said so after COMMIT */
	bool finished;
	uint64_t now_ns;
};

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void check(struct run *run, const struct migc_action *action)
{
	require(!run->finished && action->type != MIGC_ACTION_NONE);
	switch (action->type) {
	case MIGC_ACTION_SEND:
		require(strcmp(migc_msg_name(action->msg->type), "?") != 0);
		run->committed |= action->msg->type == MIGC_MSG_COMMIT;
		break;
	case MIGC_ACTION_RESUME_GUEST:
		require(run->source && (!run->committed || run->not_run));
		break;
	case MIGC_ACTION_RUN_GUEST:
		require(run->destination && run->committed);
		break;
	case MIGC_ACTION_FINISH:
		run->finished = true;
		require(action->outcome != MIGC_OUTCOME_DONE || run->committed);
		break;
	default:
		break;
	}
}

static void feed(struct run *run, const struct migc_event *event)
{
	struct migc_action action;
	unsigned int actions = 0;

	if (event->type == MIGC_EV_MSG && event->msg->type == MIGC_MSG_ERROR && run->source)
		run->not_run |= run->committed && event->msg->error.reason == MIGC_REASON_NOT_RUN;
	if (event->type == MIGC_EV_MSG && event->msg->type == MIGC_MSG_COMMIT && run->destination)
		run->committed = true;
	if (run->source)
		migc_source_event(run->source, event);
	else
		migc_destination_event(run->destination, event);
	while (run->source ? migc_source_action(run->source, &action)
			   : migc_destination_action(run->destination, &action)) {
		require(++actions <= ACTIONS_MAX);
		check(run, &action);
	}
}

static void start(struct run *run, uint8_t how)
{
	struct migc_source_config config = {.live = !(how & 8), .downtime_limit_ms = 300};
	struct migc_destination_config destination = {0};

	config.pause_before_switchover = how & 16;
	config.hello.version_min = MIGC_WIRE_VERSION;
	config.hello.version_max = MIGC_WIRE_VERSION;
	config.hello.page_bytes = MIGC_PAGE_BYTES;
	config.hello.workers = 2;
	config.hello.block_pages = 16;
	config.hello.codecs = 3;
	config.hello.verify = how & 4;
	config.hello.device_state = !(how & 2);
	config.hello.region_count = 1;
	strcpy(config.hello.region[0].name, "ram");
	config.hello.region[0].pages = 1024;
	require(how & 1 ? migc_destination_create(&destination, &run->destination) == 0
			: migc_source_create(&config, &run->source) == 0);
}

/** @return whether there is an event to feed. */
static bool next(struct migc_reader *r, struct migc_msg *msg, struct migc_event *event)
{
	static const struct migc_error error = {.code = -5, .text = "broken"};
	static const struct migc_error refused = {.code = -121, .text = "refused"};
	static const struct migc_msg_digests digests = {.region_count = 1};
	static const struct migc_msg_hello_ack ack = {
		.version = 1, .block_pages = 16, .deflate_pages = 16, .codecs = 3, .workers = 1};
	static const struct migc_msg_block_failed failed = {.round = 1};
	static const struct migc_msg_holdings holdings = {.pages = 1024};
	uint8_t step = migc_read_u8(r);
	int length;

	if ((step & 0x1f) >= EVENTS)
		return false;
	event->type = events[step & 0x1f];
	event->error = step & 0x80 ? &refused : &error;
	event->digests = &digests;
	event->ack = step & 0x40 ? NULL : &ack;
	event->failed = &failed;
	event->holdings = &holdings;
	event->blocks = event->pages = event->bytes = 1;
	event->ns = 1000000;
	if (event->type != MIGC_EV_MSG)
		return true;
	length = migc_msg_length(r->data + r->offset_bytes, migc_reader_left(r));
	if (length <= 0 || (size_t)length > migc_reader_left(r))
		return false;
	event->msg = msg;
	return migc_msg_decode(migc_read_bytes(r, (size_t)length), (size_t)length, msg) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = {.now_ns = 1000000000};
	struct migc_reader r;

	migc_reader_init(&r, data, size);
	start(&run, migc_read_u8(&r));
	while (migc_reader_left(&r)) {
		struct migc_msg msg;
		struct migc_event event = {.now_ns = run.now_ns};

		if (next(&r, &msg, &event))
			feed(&run, &event);
		/* a TICK is a quarter of the time that an answer may take */
		run.now_ns += event.type == MIGC_EV_TICK ? UINT64_C(8000000000) : 1000000;
	}
	migc_source_free(run.source);
	migc_destination_free(run.destination);
	return 0;
}
