/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "clock.h"
#include "source_run.h"

#define SECOND_NS UINT64_C(1000000000)
/** A try that has not connected after this is given up for another: its packets have become rare.
 */
#define TRY_NS (3 * SECOND_NS)
#define BETWEEN_TRIES_NS SECOND_NS

/** Silence is what a lost connection is; a peer that speaks, or breaks the rules, is none. */
static bool is_lost(const struct source *s, const struct migc_error *cause)
{
	if (cause->code == -ETIMEDOUT)
		return true;
	/* it has not noticed yet that we were gone, or was started in the middle of the handshake
	 */
	return s->recovery.on && (cause->code == -EBUSY || cause->code == -ECONNREFUSED);
}

/** What was going on with the lost session ends. The operator's word is not the session's. */
static void forget_session(struct source *s)
{
	s->events.count = 0;
	if (s->e->cancelled)
		event_queue_add(&s->events, MIGC_EV_CANCEL);
	if (s->e->timed_out && !s->e->settings.timeout_suspends)
		event_queue_add(&s->events, MIGC_EV_TIMEOUT);
	s->e->memory_lost = false;
	s->connected = false;
	s->disconnected = false;
	s->attaching = false;
	s->settling = false;
	s->feeding = false;
	s->final = false;
	s->failed_in_final = false;
	s->attach_sent = 0;
	s->inventory_page = 0;
	s->recovery.connecting = false;
}

/** Another machine, and no workers until it is time to connect. */
static int begin_anew(struct source *s, struct migc_error *err)
{
	struct migc_source *lost = s->session;
	int rc = source_open_session(s, err);

	if (rc != 0) {
		s->session = lost;
		return rc;
	}
	migc_source_free(lost);
	engine_drop_workers(s->e);
	forget_session(s);
	return 0;
}

static void begin_recovery(struct source *s, const struct migc_error *cause, uint64_t now_ns)
{
	const struct migc_engine_config *config = s->e->config;
	struct source_recovery *r = &s->recovery;

	r->on = true;
	r->cause = *cause;
	r->lost_ns = now_ns;
	r->deadline_ns = now_ns + config->recover_timeout_s * SECOND_NS;
	r->try_ns = now_ns;
	migc_log(config->log, MIGC_LOG_WARNING,
		 "%s: connecting again for up to %u s (--recover-timeout)", cause->text,
		 config->recover_timeout_s);
}

bool source_lost(struct source *s, const struct migc_error *cause, uint64_t now_ns)
{
	struct migc_error error = {0};

	if (s->e->config->recover_timeout_s == 0 || !is_lost(s, cause) ||
	    !migc_source_may_recover(s->session))
		return false;
	if (!s->recovery.on)
		begin_recovery(s, cause, now_ns);
	else
		s->recovery.try_ns = now_ns + BETWEEN_TRIES_NS;
	if (begin_anew(s, &error) != 0) {
		s->recovery.on = false;
		return false;
	}
	/* no reason to slow the guest down while nothing is sent */
	if (s->e->throttle_percent)
		source_throttle(s, 0);
	return true;
}

/** The time is over: it is a failure, as without --recover-timeout. */
static void give_up(struct source *s)
{
	struct migc_error error = {0};

	migc_error_set(&error, -ECONNRESET, "%.200s; no receiver within %u s (--recover-timeout)",
		       s->recovery.cause.text, s->e->config->recover_timeout_s);
	s->recovery.on = false;
	s->disconnected = true;
	event_queue_error(&s->events, MIGC_EV_DISCONNECTED, &error);
}

static void connect_again(struct source *s, uint64_t now_ns)
{
	struct migc_error error = {0};

	if (engine_renew_workers(s->e, &error) != 0) {
		event_queue_error(&s->events, MIGC_EV_FAILED, &error);
		return;
	}
	s->recovery.connecting = true;
	s->recovery.try_ns = now_ns + TRY_NS;
	engine_start_worker(s->e, 0);
}

void source_poll_recovery(struct source *s, uint64_t now_ns)
{
	struct source_recovery *r = &s->recovery;
	struct migc_error slow = {-ETIMEDOUT, "no answer"};

	if (now_ns >= r->deadline_ns)
		give_up(s);
	else if (!r->connecting && now_ns >= r->try_ns)
		connect_again(s, now_ns);
	else if (r->connecting && !s->connected && now_ns >= r->try_ns)
		source_lost(s, &slow, now_ns);
}

void source_recovered(struct source *s, uint64_t now_ns)
{
	s->recovery.on = false;
	s->e->recoveries++;
	s->e->lost_ns += now_ns - s->recovery.lost_ns;
	migc_log(s->e->config->log, MIGC_LOG_INFO,
		 "connected again after %.1f s: what the receiver does not hold is sent",
		 (double)(now_ns - s->recovery.lost_ns) / (double)SECOND_NS);
}

const char *source_state(const struct source *s)
{
	const char *state = migc_source_state(s->session);

	return s->recovery.on && strcmp(state, "CONNECT") == 0 ? "RECOVER" : state;
}
