/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "clock.h"
#include "source_run.h"

#define TICK_NS UINT64_C(50000000)
#define QEMU_POLL_NS UINT64_C(100000000)

static void fail(struct source *s, const struct migc_error *error)
{
	event_queue_error(&s->events, MIGC_EV_FAILED, error);
}

/* ---- actions ---- */

static int send_holes(struct source *s, bool at_start)
{
	int rc;

	s->msg.type = MIGC_MSG_PUNCH;
	while ((rc = rounds_next_holes(s->e->rounds, at_start, &s->msg.punch)) == 1) {
		rc = engine_send(s->e, 0, &s->msg);
		if (rc != 0)
			return rc;
	}
	return rc;
}

static void begin_round(struct source *s, const struct migc_action *action)
{
	struct migc_error error = {0};
	bool retry = s->final && s->failed_in_final;
	int rc;

	s->final = action->final;
	rc = rounds_begin(s->e->rounds, action->round, action->final, retry, &error);
	if (rc == 0 && action->round == 1) {
		if (s->e->setup_end_ns == 0)
			s->e->setup_end_ns = clock_now_ns();
		/* what was spare while there was nothing to send says nothing */
		spare_cpu_init(&s->e->spare, &s->e->spare.cpus);
		migc_foot_init(&s->e->foot);
		rc = send_holes(s, true);
		/* poll_peer() will see why */
		if (rc == -ECONNRESET)
			return;
		if (rc != 0)
			migc_error_set(&error, rc, "cannot tell the receiver of holes");
	}
	if (rc != 0)
		fail(s, &error);
	else
		s->feeding = true;
}

static void stop_guest(struct source *s)
{
	struct migc_error error = {0}, ignored = {0};
	struct engine *e = s->e;

	if (e->qemu == NULL) {
		event_queue_add(&s->events, MIGC_EV_GUEST_STOPPED);
		return;
	}
	/* asked while the guest still runs: to look for such holes takes 10 ms a GiB */
	if (e->dirty && migc_qemu_discards_memory(e->qemu, &s->may_lose_pages, &ignored) != 0)
		s->may_lose_pages = true;
	if (migc_qemu_check_unchanged(e->qemu, &error) != 0 ||
	    migc_qemu_start_switchover(e->qemu, &error) != 0)
		fail(s, &error);
	else
		s->stopping = true;
}

static void hash(struct source *s)
{
	int rc = engine_hash(s->e, &s->digests);

	if (rc != 0)
		event_queue_text(&s->events, MIGC_EV_FAILED, rc, "cannot hash the guest's RAM");
	else
		event_queue_add(&s->events, MIGC_EV_HASHED)->digests = &s->digests;
}

static void resume_guest(struct source *s)
{
	struct migc_error error = {0};

	s->stopping = false;
	s->saving = false;
	if (s->e->qemu && migc_qemu_resume(s->e->qemu, &error) != 0)
		fail(s, &error);
	else
		event_queue_add(&s->events, MIGC_EV_RESUMED);
}

static void clean_up(struct source *s)
{
	s->feeding = false;
	if (s->e->dirty)
		migc_dirty_disarm(s->e->dirty);
	if (s->e->qemu)
		migc_qemu_restore(s->e->qemu);
}

static void act(struct source *s, const struct migc_action *action)
{
	struct migc_error error = {0};
	int rc;

	switch (action->type) {
	case MIGC_ACTION_SEND:
		if (action->msg->type == MIGC_MSG_COMMIT && s->e->qemu)
			migc_qemu_commit(s->e->qemu);
		rc = engine_send(s->e, 0, action->msg);
		/* of a connection that is over poll_peer() tells, with the reason */
		if (rc != 0 && rc != -ECONNRESET && !s->disconnected)
			event_queue_text(&s->events, MIGC_EV_FAILED, -ETIMEDOUT,
					 "the receiver takes no control messages");
		break;
	case MIGC_ACTION_ATTACH:
		source_attach(s);
		break;
	case MIGC_ACTION_PREPARE:
		source_prepare(s);
		break;
	case MIGC_ACTION_COMPARE:
		source_compare_pages(s, &action->msg->holdings);
		break;
	case MIGC_ACTION_ROUND:
		begin_round(s, action);
		break;
	case MIGC_ACTION_SCAN:
		source_scan(s);
		break;
	case MIGC_ACTION_THROTTLE:
		source_throttle(s, action->percent);
		break;
	case MIGC_ACTION_STOP_GUEST:
		stop_guest(s);
		break;
	case MIGC_ACTION_PUNCH:
		rc = s->may_lose_pages ? send_holes(s, false) : 0;
		if (rc != 0 && rc != -ECONNRESET)
			event_queue_text(&s->events, MIGC_EV_FAILED, -EIO,
					 "cannot tell the receiver of holes");
		else if (rc == 0)
			event_queue_add(&s->events, MIGC_EV_PUNCHED);
		break;
	case MIGC_ACTION_HASH:
		hash(s);
		break;
	case MIGC_ACTION_SAVE_DEVICES:
		if (migc_qemu_continue(s->e->qemu, &error) != 0)
			fail(s, &error);
		else
			s->saving = true;
		break;
	case MIGC_ACTION_RESUME_GUEST:
		resume_guest(s);
		break;
	case MIGC_ACTION_CLEAN_UP:
		clean_up(s);
		break;
	case MIGC_ACTION_FINISH:
		s->outcome = action->outcome;
		s->finished = true;
		break;
	default:
		break;
	}
}

/* ---- what goes on between actions ---- */

static void poll_feeding(struct source *s, uint64_t now_ns)
{
	struct migc_error error = {0};
	struct migc_event *event;
	int rc = rounds_feed(s->e->rounds, now_ns, &error);

	if (rc == 0)
		return;
	s->feeding = false;
	if (rc < 0) {
		fail(s, &error);
		return;
	}
	event = event_queue_add(&s->events, MIGC_EV_ROUND_SENT);
	event->blocks = rounds_blocks(s->e->rounds);
	event->pages = rounds_pages(s->e->rounds);
	event->ns = rounds_sending_ns(s->e->rounds, now_ns);
}

static void poll_stopping(struct source *s)
{
	struct migc_error error = {0};
	int rc = migc_qemu_poll_stopped(s->e->qemu, &s->e->stop_ns, &error);

	if (rc == 0)
		return;
	s->stopping = false;
	if (rc < 0)
		fail(s, &error);
	else
		event_queue_add(&s->events, MIGC_EV_GUEST_STOPPED);
}

static void poll_saving(struct source *s)
{
	struct migc_error error = {0};
	int rc, sent = 0;

	while (sent == 0 &&
	       (rc = migc_qemu_read_state(s->e->qemu, s->device, sizeof(s->device), &error)) > 0) {
		s->msg.type = MIGC_MSG_DEVICE_STATE;
		s->msg.device.data = s->device;
		s->msg.device.length = (uint32_t)rc;
		s->device_bytes += (uint64_t)rc;
		sent = engine_send(s->e, 0, &s->msg);
	}
	if (sent == 0 && rc == 0)
		return;
	s->saving = false;
	/* poll_peer() will see why */
	if (sent == -ECONNRESET)
		return;
	if (sent == 0 && rc == -ENODATA) {
		event_queue_add(&s->events, MIGC_EV_DEVICES_SAVED)->bytes = s->device_bytes;
		return;
	}
	if (sent != 0)
		migc_error_set(&error, sent, "the receiver takes no device state");
	fail(s, &error);
}

static void poll_peer(struct source *s)
{
	const struct migc_error *failure;
	int rc;

	if (!s->connected && engine_worker_state(s->e, 0) == MIGC_TRANSPORT_CONNECTED) {
		s->connected = true;
		s->e->connected_ns = s->e->begin_ns;
		event_queue_add(&s->events, MIGC_EV_CONNECTED);
	}
	/* messages first: the peer may have said why before it closed */
	rc = engine_receive(s->e, 0);
	if (rc == 1)
		event_queue_add(&s->events, MIGC_EV_MSG)->msg = &s->e->msg;
	else if (rc < 0)
		event_queue_text(&s->events, MIGC_EV_FAILED, rc,
				 "the receiver sent a message that is not allowed");
	failure = engine_failure(s->e);
	if (rc == 0 && failure && !s->disconnected) {
		s->disconnected = true;
		event_queue_error(&s->events, MIGC_EV_DISCONNECTED, failure);
	}
}

static void poll_operator(struct source *s, uint64_t now_ns)
{
	engine_control_source(s->e, s->session, &s->events, now_ns);
	if (now_ns - s->tick_ns >= TICK_NS) {
		s->tick_ns = now_ns;
		event_queue_add(&s->events, MIGC_EV_TICK);
	}
}

static void poll_qemu(struct source *s, uint64_t now_ns)
{
	struct migc_error error = {0};

	if (s->e->qemu == NULL || now_ns - s->e->qemu_poll_ns < QEMU_POLL_NS)
		return;
	s->e->qemu_poll_ns = now_ns;
	if (migc_qemu_poll(s->e->qemu, &error) != 0)
		fail(s, &error);
}

static void handle_events(struct source *s)
{
	struct migc_error lost = {0};
	struct migc_action action;
	struct migc_event event;

	while (!s->finished && event_queue_take(&s->events, &event)) {
		event.now_ns = clock_now_ns();
		if (event.type == MIGC_EV_DISCONNECTED && source_lost(s, event.error, event.now_ns))
			continue;
		if (event.type == MIGC_EV_MSG && event.msg->type == MIGC_MSG_ROUND_DONE &&
		    s->e->rounds)
			rounds_close(s->e->rounds, event.now_ns, engine_wire_bytes(s->e));
		if (event.type == MIGC_EV_MSG && event.msg->type == MIGC_MSG_COMMITTED)
			s->e->resumed_ns = event.now_ns;
		if (event.type == MIGC_EV_MSG && event.msg->type == MIGC_MSG_READY) {
			s->e->verified = s->e->config->verify;
			/* the answer is COMMIT: what was read may have been nobody's memory */
			if (migc_guestmem_check_intact(s->e->gm, &lost) != 0) {
				s->e->verified = false;
				event.type = MIGC_EV_FAILED;
				event.error = &lost;
			}
		}
		migc_source_event(s->session, &event);
		engine_inject_enter(s->e, migc_source_state(s->session));
		while (!s->finished && migc_source_action(s->session, &action))
			act(s, &action);
		s->e->expected_downtime_ms = migc_source_expected_downtime_ms(s->session);
		if (event.type == MIGC_EV_SCANNED)
			source_scanned(s);
		engine_tell(s->e, source_state(s));
	}
}

static void run(struct source *s)
{
	engine_inject_enter(s->e, migc_source_state(s->session));
	engine_start_worker(s->e, 0);
	while (!s->finished) {
		uint64_t now = clock_now_ns();

		engine_hurry(s->e, s->stopping || (s->e->stop_ns && !s->feeding &&
						   !migc_source_paused(s->session)));
		engine_pump(s->e);
		lanes_mind_port(s->e->lanes, now);
		poll_peer(s);
		handle_events(s);
		if (s->recovery.on)
			source_poll_recovery(s, now);
		if (s->attaching)
			source_attach_more(s);
		if (s->settling)
			source_poll_settling(s, now);
		if (s->feeding)
			poll_feeding(s, now);
		if (s->stopping)
			poll_stopping(s);
		if (s->saving)
			poll_saving(s);
		poll_qemu(s, now);
		source_poll_throttle(s, now);
		/* with the guest stopped there is no time for trials; a copy that never runs has
		 * all */
		engine_advise_ladders(s->e, now, s->feeding && !(s->final && s->e->dirty));
		engine_share_bandwidth(s->e, now);
		engine_poll_memory(s->e, &s->events);
		poll_operator(s, now);
		handle_events(s);
		engine_tell(s->e, source_state(s));
	}
}

enum migc_outcome source_run(struct engine *e, struct migc_error *err)
{
	struct source *s = calloc(1, sizeof(*s));
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;

	if (s == NULL) {
		migc_error_set(err, -ENOMEM, "no memory");
		return outcome;
	}
	s->e = e;
	if (source_open_session(s, err) == 0) {
		run(s);
		outcome = s->outcome;
		if (outcome != MIGC_OUTCOME_DONE)
			*err = *migc_source_error(s->session);
		engine_disconnect(e, outcome == MIGC_OUTCOME_DONE ? "done" : err->text, false);
	}
	migc_source_free(s->session);
	free(s);
	return outcome;
}
