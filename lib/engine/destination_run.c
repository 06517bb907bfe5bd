/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "clock.h"
#include "destination_memory.h"
#include "engine.h"
#include "event_queue.h"
#include "inventory.h"

#define TICK_NS UINT64_C(50000000)
#define QEMU_POLL_NS UINT64_C(100000000)
#define SECOND_NS UINT64_C(1000000000)
/** HOLDINGS in a turn: some milliseconds' work. */
#define HOLDINGS_A_TURN 16u

/** The controller of a destination: carries out what its session asks for. */
struct destination {
	struct engine *e;
	struct migc_destination *session;
	struct event_queue events;
	struct migc_msg_hello_ack ack;
	struct migc_msg_digests digests;
	struct migc_msg_block_failed failed;
	bool connected, disconnected;
	bool awaiting; /**< AWAIT_APPLIED */
	uint64_t await_blocks;
	bool telling; /**< TAKE_INVENTORY */
	unsigned int inventory_region;
	uint64_t inventory_page; /**< to be told next */
	struct migc_msg_holdings holdings;
	struct map_ahead ahead;
	uint64_t lost_ns, deadline_ns; /**< a session was lost: how long to listen; 0: none was */
	struct migc_error cause;
	bool loading;
	bool incoming; /**< QEMU was told to listen for device state */
	bool finished;
	enum migc_outcome outcome;
	uint64_t tick_ns;
};

static void fail(struct destination *d, const struct migc_error *error)
{
	event_queue_error(&d->events, MIGC_EV_FAILED, error);
}

/* ---- does the source's guest fit ours? ---- */

static void recovered(struct destination *d)
{
	d->deadline_ns = 0;
	d->e->recoveries++;
	d->e->lost_ns += clock_now_ns() - d->lost_ns;
}

static void check_guest(struct destination *d)
{
	const struct migc_msg_hello *hello = migc_destination_hello(d->session);
	struct migc_error error = {0};
	struct engine *e = d->e;
	struct migc_event *event;
	int rc = destination_memory_check(e, hello, &error);

	if (rc == 0 && e->qemu)
		rc = migc_qemu_prepare(e->qemu, &error);
	if (rc != 0) {
		event_queue_error(&d->events, MIGC_EV_CHECKED, &error);
		event = &d->events.event[(d->events.first + d->events.count - 1) % EVENT_QUEUE_MAX];
		event->reason = rc == -ESTALE ? MIGC_REASON_MISMATCH : MIGC_REASON_FAILED;
		return;
	}
	d->ack.version = MIGC_WIRE_VERSION;
	if (getrandom(d->ack.session_id, sizeof(d->ack.session_id), 0) !=
	    sizeof(d->ack.session_id)) {
		event_queue_text(&d->events, MIGC_EV_FAILED, -EIO,
				 "the kernel gives no random bytes");
		return;
	}
	d->ack.block_pages = (uint16_t)RTE_MIN(hello->block_pages,
					       migc_codec_block_pages(e->devices, MIGC_CODEC_RAW));
	d->ack.deflate_pages = (uint16_t)RTE_MIN(
		d->ack.block_pages, migc_codec_block_pages(e->devices, MIGC_CODEC_DEFLATE));
	d->ack.codecs = hello->codecs & (engine_codecs(e) | MIGC_CODECS_DELTA | MIGC_CODECS_RESUME);
	d->ack.workers = hello->workers < e->worker_count ? hello->workers
							  : (uint16_t)e->worker_count;
	e->connections = d->ack.workers;
	e->shared.block_pages = d->ack.block_pages;
	e->shared.deflate_pages = d->ack.deflate_pages;
	e->shared.codecs = d->ack.codecs;
	e->shared.round = 1;
	receive_path_admit(e->workers[0].receive);
	if (e->setup_end_ns == 0)
		e->setup_end_ns = clock_now_ns();
	if (d->deadline_ns)
		recovered(d);
	event_queue_add(&d->events, MIGC_EV_CHECKED)->ack = &d->ack;
}

/** A further connection says which session it belongs to. */
static void poll_attach(struct destination *d)
{
	struct engine *e = d->e;

	for (unsigned int i = 1; i < e->connections; i++) {
		int rc = engine_receive(e, i);

		if (rc == 0)
			continue;
		if (rc < 0 || e->msg.type != MIGC_MSG_ATTACH || e->msg.attach.worker != i ||
		    memcmp(e->msg.attach.session_id, d->ack.session_id, MIGC_SESSION_ID_BYTES) !=
			    0) {
			event_queue_text(&d->events, MIGC_EV_FAILED, -EBADMSG,
					 "a connection does not belong to this session");
			return;
		}
		receive_path_admit(e->workers[i].receive);
		e->msg.type = MIGC_MSG_ATTACH_ACK;
		engine_send(e, i, &e->msg);
	}
}

/* ---- actions ---- */

static void punch(struct destination *d, const struct migc_msg_punch *punch)
{
	struct migc_error error = {0};

	if (destination_memory_punch(d->e, punch, &error) != 0)
		fail(d, &error);
}

static void write_devices(struct destination *d, const struct migc_msg_device *device)
{
	struct migc_error error = {0};
	int rc = 0;

	if (d->e->qemu == NULL) {
		event_queue_text(&d->events, MIGC_EV_FAILED, -EBADMSG,
				 "device state for plain memory makes no sense");
		return;
	}
	/* not before it is needed: until then this QEMU can serve another try */
	if (!d->incoming) {
		rc = migc_qemu_begin_incoming(d->e->qemu, &error);
		d->incoming = true;
	}
	if (rc == 0)
		rc = migc_qemu_write_state(d->e->qemu, device->data, device->length, &error);
	if (rc != 0)
		fail(d, &error);
}

static void load_devices(struct destination *d)
{
	struct migc_error error = {0};

	if (!d->incoming)
		event_queue_text(&d->events, MIGC_EV_FAILED, -EBADMSG,
				 "the source sent no device state");
	else if (migc_qemu_end_state(d->e->qemu, &error) != 0)
		fail(d, &error);
	else
		d->loading = true;
}

static void run_guest(struct destination *d)
{
	struct migc_error error = {0};

	if (d->e->qemu && migc_qemu_run(d->e->qemu, &error) != 0)
		event_queue_error(&d->events, MIGC_EV_RUN_FAILED, &error);
	else
		event_queue_add(&d->events, MIGC_EV_RUNNING);
}

static void hash(struct destination *d)
{
	int rc = engine_hash(d->e, &d->digests);

	if (rc != 0)
		event_queue_text(&d->events, MIGC_EV_FAILED, rc, "cannot hash the guest's RAM");
	else
		event_queue_add(&d->events, MIGC_EV_HASHED)->digests = &d->digests;
}

static void act(struct destination *d, const struct migc_action *action)
{
	struct migc_error lost = {0};
	int rc;

	switch (action->type) {
	case MIGC_ACTION_SEND:
		/* COMMIT would follow: what was written may be in nobody's memory */
		if (action->msg->type == MIGC_MSG_READY &&
		    migc_guestmem_check_intact(d->e->gm, &lost) != 0) {
			fail(d, &lost);
			break;
		}
		if (action->msg->type == MIGC_MSG_ROUND_DONE)
			/* the source begins the next round only after this message */
			__atomic_store_n(&d->e->shared.round, action->msg->round.round + 1,
					 __ATOMIC_RELAXED);
		rc = engine_send(d->e, 0, action->msg);
		/* of a connection that is over poll_peer() tells, with the reason */
		if (rc != 0 && rc != -ECONNRESET && !d->disconnected)
			event_queue_text(&d->events, MIGC_EV_FAILED, -ETIMEDOUT,
					 "the source takes no control messages");
		break;
	case MIGC_ACTION_CHECK_GUEST:
		check_guest(d);
		break;
	case MIGC_ACTION_TAKE_INVENTORY:
		d->inventory_region = action->msg->inventory.region;
		d->inventory_page = 0;
		d->telling = true;
		break;
	case MIGC_ACTION_AWAIT_APPLIED:
		d->await_blocks = action->blocks;
		d->awaiting = true;
		break;
	case MIGC_ACTION_PUNCH_RANGES:
		punch(d, &action->msg->punch);
		break;
	case MIGC_ACTION_WRITE_DEVICES:
		write_devices(d, &action->msg->device);
		break;
	case MIGC_ACTION_LOAD_DEVICES:
		load_devices(d);
		break;
	case MIGC_ACTION_HASH:
		hash(d);
		break;
	case MIGC_ACTION_RUN_GUEST:
		run_guest(d);
		break;
	case MIGC_ACTION_CLEAN_UP:
		if (d->e->qemu)
			migc_qemu_restore(d->e->qemu);
		break;
	case MIGC_ACTION_FINISH:
		d->outcome = action->outcome;
		d->finished = true;
		break;
	default:
		break;
	}
}

/* ---- a session that was lost ---- */

static void listen_for_source(struct destination *d)
{
	for (unsigned int i = 0; i < d->e->worker_count; i++)
		engine_start_worker(d->e, i);
}

/** What was going on with the lost session ends. The operator's word is not the session's. */
static void forget_session(struct destination *d)
{
	d->events.count = 0;
	if (d->e->cancelled)
		event_queue_add(&d->events, MIGC_EV_CANCEL);
	d->e->memory_lost = false;
	d->connected = false;
	d->disconnected = false;
	d->awaiting = false;
	d->telling = false;
	d->e->connections = 1;
	engine_hurry(d->e, false);
}

/**
 * The source is gone. @return whether another session is listened for: then this event is not the
 * machine's, which is gone. What was received stays.
 */
static bool listen_again(struct destination *d, const struct migc_error *cause, uint64_t now_ns)
{
	const struct migc_engine_config *config = d->e->config;
	struct migc_destination_config fresh = {0};
	struct migc_destination *lost = d->session;

	/* a peer that says why it closes, or breaks the rules, is not lost */
	if (config->recover_timeout_s == 0 || cause->code != -ETIMEDOUT ||
	    !migc_destination_may_listen_again(lost) ||
	    migc_destination_create(&fresh, &d->session) != 0) {
		d->session = lost;
		return false;
	}
	migc_destination_free(lost);
	if (d->deadline_ns == 0) {
		d->cause = *cause;
		d->lost_ns = now_ns;
		d->deadline_ns = now_ns + config->recover_timeout_s * SECOND_NS;
	}
	migc_log(config->log, MIGC_LOG_WARNING,
		 "%s: listening again for up to %u s (--recover-timeout)", cause->text,
		 config->recover_timeout_s);
	engine_drop_workers(d->e);
	destination_memory_free(d->e);
	forget_session(d);
	if (engine_renew_workers(d->e, &d->cause) != 0)
		event_queue_error(&d->events, MIGC_EV_FAILED, &d->cause);
	else
		listen_for_source(d);
	return true;
}

/** Nobody came: it is a failure, as without --recover-timeout. */
static void poll_listening(struct destination *d, uint64_t now_ns)
{
	struct migc_error error = {0};

	if (now_ns < d->deadline_ns || d->connected || d->disconnected)
		return;
	migc_error_set(&error, -ECONNRESET, "%.200s; no source within %u s (--recover-timeout)",
		       d->cause.text, d->e->config->recover_timeout_s);
	d->disconnected = true;
	event_queue_error(&d->events, MIGC_EV_DISCONNECTED, &error);
}

/* ---- what goes on between actions ---- */

static bool handle_event(struct destination *d)
{
	struct migc_action action;
	struct migc_event event;

	if (d->finished || !event_queue_take(&d->events, &event))
		return false;
	event.now_ns = clock_now_ns();
	if (event.type == MIGC_EV_DISCONNECTED && listen_again(d, event.error, event.now_ns))
		return true;
	if (event.type == MIGC_EV_MSG && event.msg->type == MIGC_MSG_ROUND_END)
		engine_hurry(d->e, event.msg->round.final);
	migc_destination_event(d->session, &event);
	engine_inject_enter(d->e, migc_destination_state(d->session));
	while (!d->finished && migc_destination_action(d->session, &action))
		act(d, &action);
	engine_tell(d->e, migc_destination_state(d->session));
	return true;
}

static void poll_applied(struct destination *d)
{
	struct engine *e = d->e;
	uint64_t applied = 0;

	for (unsigned int i = 0; i < e->worker_count; i++)
		applied += receive_path_applied(e->workers[i].receive);
	/* failures were put into the rings before they were counted as applied */
	for (unsigned int i = 0; i < e->worker_count; i++) {
		while (receive_path_failed(e->workers[i].receive, &d->failed)) {
			event_queue_add(&d->events, MIGC_EV_BLOCK_FAILED)->failed = &d->failed;
			handle_event(d);
		}
	}
	if (applied == d->await_blocks) {
		d->awaiting = false;
		event_queue_add(&d->events, MIGC_EV_APPLIED)->blocks = applied;
	} else if (applied > d->await_blocks) {
		d->awaiting = false;
		event_queue_text(&d->events, MIGC_EV_FAILED, -EBADMSG,
				 "the source sent more blocks than it says");
	}
}

/** @return whether there was something to tell, and room for it. */
static bool poll_inventory(struct destination *d)
{
	struct engine *e = d->e;
	const struct byte_fifo *fifo = &e->workers[0].to_peer;
	uint64_t seed = inventory_seed(d->ack.session_id);
	unsigned int told = 0;

	while (d->telling && told < HOLDINGS_A_TURN && engine_failure(e) == NULL &&
	       byte_fifo_room(fifo) >= MIGC_MSG_HEADER_BYTES + MIGC_MSG_BODY_BYTES_MAX) {
		d->telling = !inventory_tell(&e->shared, d->inventory_region, seed,
					     &d->inventory_page, &d->holdings);
		event_queue_add(&d->events, MIGC_EV_HELD)->holdings = &d->holdings;
		while (handle_event(d))
			;
		told++;
	}
	return told > 0;
}

static void poll_loading(struct destination *d)
{
	struct migc_error error = {0};
	int rc = migc_qemu_poll_loaded(d->e->qemu, &error);

	if (rc == 0)
		return;
	d->loading = false;
	if (rc < 0)
		fail(d, &error);
	else
		event_queue_add(&d->events, MIGC_EV_LOADED);
}

/** @return whether there was a message. */
static bool poll_peer(struct destination *d)
{
	const struct migc_error *failure;
	int rc = 0;

	if (!d->connected && engine_worker_state(d->e, 0) == MIGC_TRANSPORT_CONNECTED) {
		d->connected = true;
		if (d->e->connected_ns == 0)
			d->e->connected_ns = clock_now_ns();
		event_queue_add(&d->events, MIGC_EV_CONNECTED);
	}
	while (handle_event(d))
		;
	/* one message at a time: it stays in place until it was handled */
	if (!d->finished)
		rc = engine_receive(d->e, 0);
	if (rc == 1)
		event_queue_add(&d->events, MIGC_EV_MSG)->msg = &d->e->msg;
	else if (rc < 0)
		event_queue_text(&d->events, MIGC_EV_FAILED, rc,
				 "the source sent a message that is not allowed");
	handle_event(d);
	failure = engine_failure(d->e);
	if (rc == 0 && failure && !d->disconnected) {
		d->disconnected = true;
		event_queue_error(&d->events, MIGC_EV_DISCONNECTED, failure);
	}
	return rc == 1;
}

static void poll_outside(struct destination *d, uint64_t now_ns)
{
	struct migc_error error = {0};

	engine_poll_memory(d->e, &d->events);
	engine_control_destination(d->e, migc_destination_state(d->session), &d->events);
	if (now_ns - d->tick_ns >= TICK_NS) {
		d->tick_ns = now_ns;
		event_queue_add(&d->events, MIGC_EV_TICK);
	}
	if (d->e->qemu && now_ns - d->e->qemu_poll_ns >= QEMU_POLL_NS) {
		d->e->qemu_poll_ns = now_ns;
		if (migc_qemu_poll(d->e->qemu, &error) != 0)
			fail(d, &error);
	}
}

static void run(struct destination *d)
{
	const struct migc_engine_config *config = d->e->config;
	struct migc_addr listening = {config->address.ip, lanes_udp_port(d->e->lanes, d->e->slot)};
	bool busy = false;

	listen_for_source(d);
	if (config->listening)
		config->listening(config->ctx, &listening);
	engine_inject_enter(d->e, migc_destination_state(d->session));
	while (!d->finished) {
		if (!d->connected && destination_memory_map_ahead(d->e, &d->ahead))
			engine_idle(d->e);
		/* no sleep between the many messages that device state is */
		else if (!busy || d->e->lanes->single)
			engine_pump(d->e);
		/* of several guests' lanes the receiver takes care */
		if (!d->e->shares)
			lanes_mind_port(d->e->lanes, clock_now_ns());
		busy = poll_peer(d);
		if (d->deadline_ns)
			poll_listening(d, clock_now_ns());
		if (d->telling)
			busy |= poll_inventory(d);
		poll_attach(d);
		if (d->awaiting)
			poll_applied(d);
		if (d->loading)
			poll_loading(d);
		poll_outside(d, clock_now_ns());
		while (handle_event(d))
			;
		engine_tell(d->e, migc_destination_state(d->session));
	}
}

enum migc_outcome destination_run(struct engine *e, struct migc_error *err)
{
	struct migc_destination_config config = {0};
	struct destination *d = calloc(1, sizeof(*d));
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;

	if (d == NULL) {
		migc_error_set(err, -ENOMEM, "no memory");
		return outcome;
	}
	d->e = e;
	e->connections = 1;
	if (migc_destination_create(&config, &d->session) != 0) {
		migc_error_set(err, -ENOMEM, "no memory for a session");
	} else {
		run(d);
		outcome = d->outcome;
		if (outcome != MIGC_OUTCOME_DONE)
			*err = *migc_destination_error(d->session);
		/* the source does when it has heard that the guest runs here */
		engine_disconnect(e, outcome == MIGC_OUTCOME_DONE ? "done" : err->text,
				  outcome == MIGC_OUTCOME_DONE);
		destination_memory_free(e);
	}
	migc_destination_free(d->session);
	free(d);
	return outcome;
}
