/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "destination_machine.h"

static void protocol_error(struct migc_destination *d, const char *text)
{
	destination_fail(d, MIGC_REASON_FAILED, -EPROTO, text);
}

static void hello(struct migc_destination *d, const struct migc_msg_hello *h)
{
	if (h->version_min > MIGC_WIRE_VERSION || h->version_max < MIGC_WIRE_VERSION) {
		destination_fail(
			d, MIGC_REASON_VERSION, -EPROTO,
			"this receiver speaks another version of the migration protocol: run "
			"the same dpdk-migcomp at both ends");
		return;
	}
	if (h->page_bytes != MIGC_PAGE_BYTES) {
		destination_fail(d, MIGC_REASON_MISMATCH, -EPROTO, "the page sizes differ");
		return;
	}
	d->hello = *h;
	action_queue_add(&d->actions, MIGC_ACTION_CHECK_GUEST);
	destination_enter(d, DESTINATION_CHECK, 0);
}

/** @return whether the source may ask for that now. */
static bool inventory(struct migc_destination *d, const struct migc_msg *msg)
{
	if (!d->resumes || msg->inventory.region != d->inventory_region ||
	    msg->inventory.region >= d->hello.region_count)
		return false;
	d->current = *msg;
	action_queue_add(&d->actions, MIGC_ACTION_TAKE_INVENTORY)->msg = &d->current;
	destination_enter(d, DESTINATION_INVENTORY, 0);
	return true;
}

static void round_end(struct migc_destination *d, const struct migc_msg_round *round)
{
	if (round->round != d->round + 1 || (d->final && !round->final) || d->step > STEP_FINAL) {
		protocol_error(d, "the source ends a round that is not open");
		return;
	}
	d->resumes = false;
	d->round = round->round;
	d->final = round->final;
	action_queue_add(&d->actions, MIGC_ACTION_AWAIT_APPLIED)->blocks = round->blocks;
	destination_enter(d, DESTINATION_APPLY, 0);
}

/** Is the memory complete, and compared if that was promised? */
static bool devices_have_place(const struct migc_destination *d)
{
	return d->step >= (d->hello.verify ? STEP_VERIFIED : STEP_FINAL);
}

static void device_state(struct migc_destination *d, const struct migc_msg *msg)
{
	d->step = STEP_DEVICES;
	d->device_bytes += msg->device.length;
	d->current = *msg;
	action_queue_add(&d->actions, MIGC_ACTION_WRITE_DEVICES)->msg = &d->current;
}

static void device_end(struct migc_destination *d, const struct migc_msg_device *device)
{
	if (device->total != d->device_bytes) {
		protocol_error(d, "device state is missing");
		return;
	}
	if (d->hello.device_state) {
		action_queue_add(&d->actions, MIGC_ACTION_LOAD_DEVICES);
		destination_enter(d, DESTINATION_LOAD, d->answer_timeout_ms);
		return;
	}
	action_queue_send(&d->actions, MIGC_MSG_READY);
	destination_enter(d, DESTINATION_READY, d->answer_timeout_ms);
}

/** @return whether ranges may become holes now: before any block of theirs, or after all. */
static bool punch(struct migc_destination *d, const struct migc_msg *msg)
{
	if (d->round > 0 && d->step != STEP_FINAL && d->step != STEP_PUNCHED)
		return false;
	d->resumes = false;
	if (d->round > 0)
		d->step = STEP_PUNCHED;
	d->current = *msg;
	action_queue_add(&d->actions, MIGC_ACTION_PUNCH_RANGES)->msg = &d->current;
	return true;
}

/** In RECEIVE. @return whether the message has a place there. */
static bool receive(struct migc_destination *d, const struct migc_msg *msg)
{
	switch (msg->type) {
	case MIGC_MSG_INVENTORY:
		return inventory(d, msg);
	case MIGC_MSG_ROUND_END:
		round_end(d, &msg->round);
		return true;
	case MIGC_MSG_PUNCH:
		return punch(d, msg);
	case MIGC_MSG_VERIFY:
		if (!d->hello.verify || (d->step != STEP_FINAL && d->step != STEP_PUNCHED))
			return false;
		action_queue_add(&d->actions, MIGC_ACTION_HASH);
		destination_enter(d, DESTINATION_HASH, 0);
		return true;
	case MIGC_MSG_DEVICE_STATE:
		if (!devices_have_place(d) || !d->hello.device_state)
			return false;
		device_state(d, msg);
		return true;
	case MIGC_MSG_DEVICE_END:
		if (!devices_have_place(d))
			return false;
		device_end(d, &msg->device);
		return true;
	default:
		return false;
	}
}

static void commit(struct migc_destination *d)
{
	if (d->hello.device_state) {
		action_queue_add(&d->actions, MIGC_ACTION_RUN_GUEST);
		destination_enter(d, DESTINATION_RUN, d->answer_timeout_ms);
		return;
	}
	action_queue_send(&d->actions, MIGC_MSG_COMMITTED);
	destination_enter(d, DESTINATION_COMMITTED, DESTINATION_LINGER_MS);
}

void destination_message(struct migc_destination *d, const struct migc_msg *msg)
{
	bool known = false;

	if (d->state == DESTINATION_HELLO && msg->type == MIGC_MSG_HELLO) {
		hello(d, &msg->hello);
		known = true;
	} else if (d->state == DESTINATION_RECEIVE) {
		known = receive(d, msg);
	} else if (d->state == DESTINATION_READY && msg->type == MIGC_MSG_COMMIT) {
		commit(d);
		known = true;
	}
	if (!known)
		protocol_error(d, "the source sent a message that has no place here");
}
