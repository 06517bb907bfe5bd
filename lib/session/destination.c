/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "destination_machine.h"

#define NS_PER_MS UINT64_C(1000000)
#define ANSWER_TIMEOUT_MS 30000u
/** How long RUNNING may take once something failed meanwhile, which may be something else. */
#define RUN_GRACE_NS UINT64_C(1000000000)

static const char *const state_names[DESTINATION_STATES] = {
	[DESTINATION_LISTEN] = "LISTEN",       [DESTINATION_HELLO] = "HELLO",
	[DESTINATION_CHECK] = "CHECK",         [DESTINATION_RECEIVE] = "RECEIVE",
	[DESTINATION_INVENTORY] = "INVENTORY", [DESTINATION_APPLY] = "APPLY",
	[DESTINATION_HASH] = "HASH",           [DESTINATION_LOAD] = "LOAD",
	[DESTINATION_READY] = "READY",         [DESTINATION_RUN] = "RUN",
	[DESTINATION_COMMITTED] = "COMMITTED", [DESTINATION_END] = "END",
};

int migc_destination_create(const struct migc_destination_config *config,
			    struct migc_destination **out)
{
	struct migc_destination *d = calloc(1, sizeof(*d));

	*out = d;
	if (d == NULL)
		return -ENOMEM;
	d->answer_timeout_ms = config->answer_timeout_ms ? config->answer_timeout_ms
							 : ANSWER_TIMEOUT_MS;
	return 0;
}

void migc_destination_free(struct migc_destination *d)
{
	free(d);
}

void destination_enter(struct migc_destination *d, enum destination_state state, uint32_t bound_ms)
{
	d->state = state;
	d->deadline_ns = bound_ms ? d->now_ns + NS_PER_MS * bound_ms : 0;
}

static void finish(struct migc_destination *d, enum migc_outcome outcome)
{
	action_queue_add(&d->actions, MIGC_ACTION_CLEAN_UP);
	action_queue_add(&d->actions, MIGC_ACTION_FINISH)->outcome = outcome;
	destination_enter(d, DESTINATION_END, 0);
}

void destination_fail(struct migc_destination *d, enum migc_reason reason, int code,
		      const char *text)
{
	/* COMMIT was taken: the VM is this side's now, whatever else goes wrong */
	if (d->state == DESTINATION_COMMITTED) {
		finish(d, MIGC_OUTCOME_DONE);
		return;
	}
	if (d->state == DESTINATION_RUN)
		return;
	if (d->state == DESTINATION_READY) {
		/* COMMIT may be on its way: the source may take its VM back, we never run it */
		reason = MIGC_REASON_NOT_RUN;
		migc_error_set(
			&d->error, code,
			"%.360s: the source decides what becomes of the VM; it was not started "
			"here",
			text);
	}
	migc_error_set(&d->error, code, "%s", text);
	if (d->connected)
		action_queue_error(&d->actions, reason, text);
	finish(d, MIGC_OUTCOME_FAILED);
}

static void checked(struct migc_destination *d, const struct migc_event *event)
{
	struct migc_msg *msg;

	if (event->ack == NULL) {
		destination_fail(d, event->reason ? event->reason : MIGC_REASON_FAILED,
				 event->error && event->error->code ? event->error->code : -EINVAL,
				 event->error ? event->error->text : "the guests differ");
		return;
	}
	msg = action_queue_send(&d->actions, MIGC_MSG_HELLO_ACK);
	msg->hello_ack = *event->ack;
	d->resumes = d->hello.codecs & event->ack->codecs & MIGC_CODECS_RESUME;
	destination_enter(d, DESTINATION_RECEIVE, 0);
}

static void applied(struct migc_destination *d)
{
	struct migc_msg *msg = action_queue_send(&d->actions, MIGC_MSG_ROUND_DONE);

	msg->round.round = d->round;
	if (d->final && !d->block_failed)
		d->step = STEP_FINAL;
	d->block_failed = false;
	destination_enter(d, DESTINATION_RECEIVE, 0);
}

static void running(struct migc_destination *d)
{
	if (d->connected)
		action_queue_send(&d->actions, MIGC_MSG_COMMITTED);
	destination_enter(d, DESTINATION_COMMITTED, DESTINATION_LINGER_MS);
	if (d->connected)
		return;
	migc_error_set(&d->error, -ECONNRESET,
		       "the VM runs here, but the source could not be told: it stays paused there");
	finish(d, MIGC_OUTCOME_DONE);
}

/** Nobody can tell whether the guest ran: neither side may decide by itself. */
static void run_unknown(struct migc_destination *d, const char *text)
{
	migc_error_set(&d->error, -EINPROGRESS,
		       "%.220s: it is not known whether the VM runs here; it stays paused at the "
		       "source. If it runs here, quit the source's; if it does not, quit QEMU here "
		       "and then continue the source's (QMP: cont)",
		       text);
	if (d->connected)
		action_queue_error(&d->actions, MIGC_REASON_FAILED, text);
	finish(d, MIGC_OUTCOME_UNCONFIRMED);
}

static void run_failed(struct migc_destination *d, const struct migc_error *error)
{
	const char *text = error ? error->text : "no answer from QEMU";

	/* only a refusal says that the guest did not run: without an answer it may have */
	if (error == NULL || error->code != -EREMOTEIO) {
		run_unknown(d, text);
		return;
	}
	migc_error_set(&d->error, error->code, "%s", text);
	if (d->connected)
		action_queue_error(&d->actions, MIGC_REASON_NOT_RUN, text);
	finish(d, MIGC_OUTCOME_FAILED);
}

static void held(struct migc_destination *d, const struct migc_msg_holdings *holdings)
{
	uint64_t end = holdings->first + (uint64_t)holdings->pages;

	action_queue_send(&d->actions, MIGC_MSG_HOLDINGS)->holdings = *holdings;
	if (end < d->hello.region[d->inventory_region].pages)
		return;
	d->inventory_region++;
	destination_enter(d, DESTINATION_RECEIVE, 0);
}

/** What the controller reports of its own actions, each only where it was asked for. */
static void own_event(struct migc_destination *d, const struct migc_event *event)
{
	switch (event->type) {
	case MIGC_EV_CONNECTED:
		if (d->state != DESTINATION_LISTEN)
			return;
		d->connected = true;
		destination_enter(d, DESTINATION_HELLO, d->answer_timeout_ms);
		break;
	case MIGC_EV_CHECKED:
		if (d->state == DESTINATION_CHECK)
			checked(d, event);
		break;
	case MIGC_EV_HELD:
		if (d->state == DESTINATION_INVENTORY)
			held(d, event->holdings);
		break;
	case MIGC_EV_BLOCK_FAILED:
		if (d->state != DESTINATION_APPLY && d->state != DESTINATION_RECEIVE)
			return;
		d->block_failed = true;
		action_queue_send(&d->actions, MIGC_MSG_BLOCK_FAILED)->block_failed =
			*event->failed;
		break;
	case MIGC_EV_APPLIED:
		if (d->state == DESTINATION_APPLY)
			applied(d);
		break;
	case MIGC_EV_HASHED:
		if (d->state != DESTINATION_HASH)
			return;
		action_queue_send(&d->actions, MIGC_MSG_DIGESTS)->digests = *event->digests;
		d->step = STEP_VERIFIED;
		destination_enter(d, DESTINATION_RECEIVE, 0);
		break;
	case MIGC_EV_LOADED:
		if (d->state != DESTINATION_LOAD)
			return;
		action_queue_send(&d->actions, MIGC_MSG_READY);
		destination_enter(d, DESTINATION_READY, d->answer_timeout_ms);
		break;
	case MIGC_EV_RUNNING:
		if (d->state == DESTINATION_RUN)
			running(d);
		break;
	case MIGC_EV_RUN_FAILED:
		if (d->state == DESTINATION_RUN)
			run_failed(d, event->error);
		break;
	default:
		break;
	}
}

static void peer_error(struct migc_destination *d, const struct migc_msg_error *error)
{
	char text[sizeof(error->text) + 32];

	snprintf(text, sizeof(text), "the source: %s", error->text);
	d->connected = false;
	destination_fail(d, MIGC_REASON_FAILED, -ECONNABORTED, text);
}

static void tick(struct migc_destination *d)
{
	char text[96];

	if (d->deadline_ns == 0 || d->now_ns < d->deadline_ns)
		return;
	if (d->state == DESTINATION_RUN) {
		run_unknown(d,
			    d->run_error.code ? d->run_error.text : "no answer from QEMU in time");
		return;
	}
	snprintf(text, sizeof(text), "no answer in time in state %s", state_names[d->state]);
	destination_fail(d, MIGC_REASON_FAILED, -ETIMEDOUT, text);
}

static void failed(struct migc_destination *d, const struct migc_event *event, const char *text)
{
	int code = event->error && event->error->code ? event->error->code : -EIO;

	if (d->state != DESTINATION_RUN) {
		destination_fail(d, MIGC_REASON_FAILED, code, text);
		return;
	}
	if (d->run_error.code == 0 && d->deadline_ns > d->now_ns + RUN_GRACE_NS)
		d->deadline_ns = d->now_ns + RUN_GRACE_NS;
	migc_error_set(&d->run_error, code, "%s", text);
}

void migc_destination_event(struct migc_destination *d, const struct migc_event *event)
{
	const char *text = event->error && event->error->text[0] ? event->error->text : "failed";

	d->now_ns = event->now_ns;
	action_queue_begin(&d->actions);
	if (d->state == DESTINATION_END)
		return;
	switch (event->type) {
	case MIGC_EV_MSG:
		if (event->msg->type == MIGC_MSG_ERROR)
			peer_error(d, &event->msg->error);
		else
			destination_message(d, event->msg);
		break;
	case MIGC_EV_DISCONNECTED:
		d->connected = false;
		destination_fail(d, MIGC_REASON_FAILED, -ECONNRESET, text);
		break;
	case MIGC_EV_FAILED:
		failed(d, event, text);
		break;
	case MIGC_EV_CANCEL:
	case MIGC_EV_TIMEOUT:
		destination_fail(d, MIGC_REASON_CANCELLED, -ECANCELED,
				 "cancelled at the destination");
		break;
	case MIGC_EV_TICK:
		tick(d);
		break;
	default:
		own_event(d, event);
		break;
	}
}

bool migc_destination_action(struct migc_destination *d, struct migc_action *out)
{
	return action_queue_take(&d->actions, out);
}

const char *migc_destination_state(const struct migc_destination *d)
{
	return state_names[d->state];
}

bool migc_destination_may_listen_again(const struct migc_destination *d)
{
	return d->state <= DESTINATION_HASH && d->step < STEP_DEVICES;
}

const char *migc_destination_state_name(unsigned int index)
{
	return index < DESTINATION_STATES ? state_names[index] : NULL;
}

const struct migc_error *migc_destination_error(const struct migc_destination *d)
{
	return &d->error;
}

const struct migc_msg_hello *migc_destination_hello(const struct migc_destination *d)
{
	return &d->hello;
}
