/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source_machine.h"

#define NS_PER_MS UINT64_C(1000000)
#define ANSWER_TIMEOUT_MS 30000u
/** How long COMMITTED or RESUMED may take once something failed meanwhile, which may be something
 * else. */
#define GRACE_NS UINT64_C(1000000000)
/** A round that says less than this says nothing about the rate. */
#define ROUND_PAGES_MEASURED 256u

static const char *const state_names[SOURCE_STATES] = {
	[SOURCE_CONNECT] = "CONNECT",
	[SOURCE_HELLO] = "HELLO",
	[SOURCE_ATTACH] = "ATTACH",
	[SOURCE_PREPARE] = "PREPARE",
	[SOURCE_INVENTORY] = "INVENTORY",
	[SOURCE_ROUND] = "ROUND",
	[SOURCE_APPLY] = "APPLY",
	[SOURCE_SCAN] = "SCAN",
	[SOURCE_STOP] = "STOP",
	[SOURCE_PUNCH] = "PUNCH",
	[SOURCE_VERIFY] = "VERIFY",
	[SOURCE_PAUSE] = "PAUSE",
	[SOURCE_SAVE] = "SAVE",
	[SOURCE_READY] = "READY",
	[SOURCE_COMMIT] = "COMMIT",
	[SOURCE_RESUME] = "RESUME",
	[SOURCE_END] = "END",
};

int migc_source_create(const struct migc_source_config *config, struct migc_source **out)
{
	struct migc_source *s = calloc(1, sizeof(*s));

	*out = s;
	if (s == NULL)
		return -ENOMEM;
	s->config = *config;
	if (s->config.answer_timeout_ms == 0)
		s->config.answer_timeout_ms = ANSWER_TIMEOUT_MS;
	s->expected_downtime_ms = UINT32_MAX;
	s->converge.fixed_cost_ms = config->fixed_cost_ms;
	s->converge.downtime_limit_ms = config->downtime_limit_ms;
	return 0;
}

void migc_source_free(struct migc_source *s)
{
	free(s);
}

void source_enter(struct migc_source *s, enum source_state state, unsigned int answer)
{
	s->state = state;
	s->deadline_ns = answer ? s->now_ns + NS_PER_MS * answer * s->config.answer_timeout_ms : 0;
}

static void finish(struct migc_source *s, enum migc_outcome outcome)
{
	action_queue_add(&s->actions, MIGC_ACTION_CLEAN_UP);
	action_queue_add(&s->actions, MIGC_ACTION_FINISH)->outcome = outcome;
	source_enter(s, SOURCE_END, 0);
}

/** COMMIT may have arrived: the source must not run again by itself. */
static void unconfirmed(struct migc_source *s, const char *text)
{
	if (s->config.hello.device_state)
		migc_error_set(&s->error, -EINPROGRESS,
			       "%.220s, after the receiver was told to start the VM: the source VM "
			       "stays paused. Look at the destination: if the VM runs there, quit "
			       "this one; if it does not, quit QEMU there and then continue this "
			       "one (QMP: cont)",
			       text);
	else
		migc_error_set(&s->error, -EINPROGRESS,
			       "%.220s, after the receiver was told that all is there: it did not "
			       "confirm. See whether it says that it is done; if not, copy again",
			       text);
	finish(s, MIGC_OUTCOME_UNCONFIRMED);
}

static void resume(struct migc_source *s)
{
	if (!s->stopped) {
		finish(s, MIGC_OUTCOME_FAILED);
		return;
	}
	memset(&s->meanwhile, 0, sizeof(s->meanwhile));
	action_queue_add(&s->actions, MIGC_ACTION_RESUME_GUEST);
	source_enter(s, SOURCE_RESUME, 1);
}

/** The guest does not run again: say both why it was stopped and what to do. */
static void resume_failed(struct migc_source *s)
{
	const char *text = s->meanwhile.code ? s->meanwhile.text : "no answer from QEMU in time";
	struct migc_error first = s->error;

	memset(&s->error, 0, sizeof(s->error));
	migc_error_set(&s->error, first.code,
		       "%.180s; and the source VM could not be continued (%.160s): it is paused, "
		       "continue it by hand (QMP: cont)",
		       first.text, text);
	finish(s, MIGC_OUTCOME_UNCONFIRMED);
}

void source_fail(struct migc_source *s, enum migc_reason reason, int code, const char *text)
{
	if (s->state == SOURCE_COMMIT) {
		unconfirmed(s, text);
		return;
	}
	if (s->state == SOURCE_RESUME)
		return;
	migc_error_set(&s->error, code, "%s", text);
	if (s->connected)
		action_queue_error(&s->actions, reason, text);
	resume(s);
}

void source_begin_round(struct migc_source *s, bool final)
{
	struct migc_action *action = action_queue_add(&s->actions, MIGC_ACTION_ROUND);

	s->round++;
	s->final = final;
	s->failed_pages = 0;
	action->round = s->round;
	action->final = final;
	source_enter(s, SOURCE_ROUND, 0);
}

static void stop_guest(struct migc_source *s)
{
	s->stopped = true;
	action_queue_add(&s->actions, MIGC_ACTION_STOP_GUEST);
	source_enter(s, SOURCE_STOP, 1);
}

/** Device state, or straight to its end. */
static void save(struct migc_source *s)
{
	if (s->config.hello.device_state) {
		action_queue_add(&s->actions, MIGC_ACTION_SAVE_DEVICES);
		source_enter(s, SOURCE_SAVE, 1);
		return;
	}
	action_queue_send(&s->actions, MIGC_MSG_DEVICE_END);
	source_enter(s, SOURCE_READY, 1);
}

void source_ram_complete(struct migc_source *s)
{
	if (s->config.pause_before_switchover)
		source_enter(s, SOURCE_PAUSE, 0);
	else
		save(s);
}

static void round_sent(struct migc_source *s, const struct migc_event *event)
{
	struct migc_msg *msg = action_queue_send(&s->actions, MIGC_MSG_ROUND_END);

	msg->round.round = s->round;
	msg->round.final = s->final;
	msg->round.blocks = event->blocks;
	s->sent_ns = s->now_ns;
	s->sending_ns = event->ns;
	s->round_pages = event->pages;
	/* what is in the transport still has to cross the link: bounded by the transport's own
	 * timeouts, and by this */
	source_enter(s, SOURCE_APPLY, 10);
}

/**
 * How fast pages go: as in the slower of the last two rounds. Data and machine differ from one to
 * the next, and a guest that stands still longer than it may is worse than one round more.
 */
static void measure(struct migc_source *s)
{
	struct migc_converge_input *in = &s->converge;
	bool slower;

	if (s->round_pages < ROUND_PAGES_MEASURED && in->last_pages)
		return;
	slower = s->before_pages == 0 || s->round_pages == 0 ||
		 s->sending_ns / s->round_pages >= s->before_ns / s->before_pages;
	in->last_pages = slower ? s->round_pages : s->before_pages;
	in->last_ns = slower ? s->sending_ns : s->before_ns;
	s->before_pages = s->round_pages;
	s->before_ns = s->sending_ns;
}

static void scanned(struct migc_source *s, const struct migc_event *event)
{
	struct migc_converge_input *in = &s->converge;

	/* what the guest writes until it stands still has to go as well */
	in->dirty_pages = event->pages + event->more_pages;
	in->rounds = s->round;
	measure(s);
	s->expected_downtime_ms = migc_converge_downtime_ms(in);
	if (in->downtime_limit_ms == UINT32_MAX ||
	    s->expected_downtime_ms <= in->downtime_limit_ms) {
		stop_guest(s);
		return;
	}
	if (s->config.throttle && migc_throttle_round(&s->throttle, s->round_pages, event->pages))
		action_queue_add(&s->actions, MIGC_ACTION_THROTTLE)->percent = s->throttle.percent;
	source_begin_round(s, false);
}

static void after_punch(struct migc_source *s)
{
	if (!s->config.hello.verify) {
		source_ram_complete(s);
		return;
	}
	action_queue_send(&s->actions, MIGC_MSG_VERIFY);
	action_queue_add(&s->actions, MIGC_ACTION_HASH);
	source_enter(s, SOURCE_VERIFY, 4);
}

void source_begin(struct migc_source *s)
{
	if (s->config.live)
		source_begin_round(s, false);
	else
		stop_guest(s);
}

void source_ask_inventory(struct migc_source *s)
{
	action_queue_send(&s->actions, MIGC_MSG_INVENTORY)->inventory.region = s->inventory_region;
	source_enter(s, SOURCE_INVENTORY, 1);
}

static void prepared(struct migc_source *s)
{
	if (s->ack.codecs & MIGC_CODECS_RESUME)
		source_ask_inventory(s);
	else
		source_begin(s);
}

/** What the controller reports of its own actions, each only where it was asked for. */
static void own_event(struct migc_source *s, const struct migc_event *event)
{
	struct migc_msg *msg;

	switch (event->type) {
	case MIGC_EV_CONNECTED:
		if (s->state != SOURCE_CONNECT)
			return;
		s->connected = true;
		msg = action_queue_send(&s->actions, MIGC_MSG_HELLO);
		msg->hello = s->config.hello;
		source_enter(s, SOURCE_HELLO, 1);
		break;
	case MIGC_EV_ATTACHED:
		if (s->state != SOURCE_ATTACH)
			return;
		action_queue_add(&s->actions, MIGC_ACTION_PREPARE);
		source_enter(s, SOURCE_PREPARE, 0);
		break;
	case MIGC_EV_PREPARED:
		if (s->state == SOURCE_PREPARE)
			prepared(s);
		break;
	case MIGC_EV_ROUND_SENT:
		if (s->state == SOURCE_ROUND)
			round_sent(s, event);
		break;
	case MIGC_EV_SCANNED:
		if (s->state == SOURCE_SCAN)
			scanned(s, event);
		break;
	case MIGC_EV_GUEST_STOPPED:
		if (s->state == SOURCE_STOP)
			source_begin_round(s, true);
		break;
	case MIGC_EV_PUNCHED:
		if (s->state == SOURCE_PUNCH)
			after_punch(s);
		break;
	case MIGC_EV_HASHED:
		if (s->state != SOURCE_VERIFY)
			return;
		s->own = *event->digests;
		s->have_own = true;
		source_compare(s);
		break;
	case MIGC_EV_CONTINUE:
		if (s->state == SOURCE_PAUSE)
			save(s);
		break;
	case MIGC_EV_DEVICES_SAVED:
		if (s->state != SOURCE_SAVE)
			return;
		msg = action_queue_send(&s->actions, MIGC_MSG_DEVICE_END);
		msg->device.total = event->bytes;
		source_enter(s, SOURCE_READY, 1);
		break;
	case MIGC_EV_RESUMED:
		if (s->state != SOURCE_RESUME)
			return;
		s->stopped = false;
		finish(s, MIGC_OUTCOME_FAILED);
		break;
	default:
		break;
	}
}

static void peer_error(struct migc_source *s, const struct migc_msg_error *error)
{
	char text[sizeof(error->text) + 32];

	snprintf(text, sizeof(text), "the receiver: %s", error->text);
	/* whoever gave up does not want to hear of it */
	s->connected = false;
	if (s->state == SOURCE_COMMIT && error->reason == MIGC_REASON_NOT_RUN) {
		migc_error_set(&s->error, -ECANCELED, "%s", text);
		resume(s);
		return;
	}
	source_fail(s, MIGC_REASON_FAILED, -ECONNABORTED, text);
}

static void tick(struct migc_source *s)
{
	char text[96];

	if (s->deadline_ns == 0 || s->now_ns < s->deadline_ns)
		return;
	if (s->state == SOURCE_RESUME) {
		resume_failed(s);
		return;
	}
	if (s->meanwhile.code != 0) {
		source_fail(s, MIGC_REASON_FAILED, s->meanwhile.code, s->meanwhile.text);
		return;
	}
	snprintf(text, sizeof(text), "no answer in time in state %s", state_names[s->state]);
	source_fail(s, MIGC_REASON_FAILED, -ETIMEDOUT, text);
}

static void failed(struct migc_source *s, const struct migc_event *event, const char *text)
{
	int code = event->error && event->error->code ? event->error->code : -EIO;

	/* in these what counts is an answer that this says nothing of: a QEMU that has gone here
	 * does not keep the receiver from saying that the guest runs there */
	if (s->state != SOURCE_COMMIT && s->state != SOURCE_RESUME) {
		source_fail(s, MIGC_REASON_FAILED, code, text);
		return;
	}
	if (s->meanwhile.code == 0 && s->deadline_ns > s->now_ns + GRACE_NS)
		s->deadline_ns = s->now_ns + GRACE_NS;
	migc_error_set(&s->meanwhile, code, "%s", text);
}

void migc_source_event(struct migc_source *s, const struct migc_event *event)
{
	const char *text = event->error && event->error->text[0] ? event->error->text : "failed";

	s->now_ns = event->now_ns;
	action_queue_begin(&s->actions);
	if (s->state == SOURCE_END)
		return;
	switch (event->type) {
	case MIGC_EV_MSG:
		if (event->msg->type == MIGC_MSG_ERROR)
			peer_error(s, &event->msg->error);
		else
			source_message(s, event->msg);
		break;
	case MIGC_EV_DISCONNECTED:
		s->connected = false;
		source_fail(s, MIGC_REASON_FAILED, -ECONNRESET, text);
		break;
	case MIGC_EV_FAILED:
		failed(s, event, text);
		break;
	case MIGC_EV_CANCEL:
		source_fail(s, MIGC_REASON_CANCELLED, -ECANCELED, "cancelled by the operator");
		break;
	case MIGC_EV_TIMEOUT:
		source_fail(s, MIGC_REASON_CANCELLED, -ETIMEDOUT,
			    "cancelled: not done within --timeout");
		break;
	case MIGC_EV_TICK:
		tick(s);
		break;
	default:
		own_event(s, event);
		break;
	}
}

bool migc_source_action(struct migc_source *s, struct migc_action *out)
{
	return action_queue_take(&s->actions, out);
}

const char *migc_source_state(const struct migc_source *s)
{
	return state_names[s->state];
}

const char *migc_source_state_name(unsigned int index)
{
	return index < SOURCE_STATES ? state_names[index] : NULL;
}

const struct migc_error *migc_source_error(const struct migc_source *s)
{
	return &s->error;
}

const struct migc_msg_hello_ack *migc_source_ack(const struct migc_source *s)
{
	return &s->ack;
}

void migc_source_on_failed(struct migc_source *s,
			   void (*mark)(void *ctx, const struct migc_page_list *pages), void *ctx)
{
	s->mark = mark;
	s->mark_ctx = ctx;
}

uint32_t migc_source_expected_downtime_ms(const struct migc_source *s)
{
	return s->expected_downtime_ms;
}

bool migc_source_guest_stopped(const struct migc_source *s)
{
	return s->stopped;
}

bool migc_source_may_recover(const struct migc_source *s)
{
	bool guest = s->config.hello.device_state;

	if (s->state >= SOURCE_COMMIT || (guest && (s->stopped || !s->config.live)))
		return false;
	/* a first session that cannot be made is none that was lost */
	return s->state >= SOURCE_PREPARE || s->config.hello.codecs & MIGC_CODECS_RESUME;
}

void migc_source_set_downtime_limit(struct migc_source *s, uint32_t downtime_limit_ms)
{
	s->converge.downtime_limit_ms = downtime_limit_ms;
}

void migc_source_set_throttle(struct migc_source *s, bool throttle)
{
	if (s->config.throttle == throttle)
		return;
	s->config.throttle = throttle;
	s->throttle = (struct migc_throttle){0};
}

void migc_source_set_pause(struct migc_source *s, bool pause_before_switchover)
{
	s->config.pause_before_switchover = pause_before_switchover;
}

bool migc_source_paused(const struct migc_source *s)
{
	return s->state == SOURCE_PAUSE;
}
