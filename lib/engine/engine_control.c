/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "engine.h"

/** @file What the operator wants, from signals and the control socket, becomes events. */

void engine_control_publish(struct engine *e, uint64_t now_ns)
{
	if (e->config->control)
		migc_control_publish(e->config->control, e->report, &e->settings, now_ns);
}

static void cancel(struct engine *e, struct event_queue *events)
{
	if (!e->cancelled)
		event_queue_add(events, MIGC_EV_CANCEL);
	e->cancelled = true;
}

static void poll_signal(struct engine *e, struct event_queue *events)
{
	if (*e->config->cancel && !e->cancelled)
		cancel(e, events);
}

static void set(struct engine *e, const struct migc_settings_change *change)
{
	migc_settings_change(&e->settings, change);
	if (migc_settings_given(change, MIGC_SETTING_MAX_BANDWIDTH))
		engine_limit_bandwidth(e, e->settings.max_bandwidth_bits);
	/* there may be more time again, or something else to be done when there is none */
	if (migc_settings_given(change, MIGC_SETTING_TIMEOUT) ||
	    migc_settings_given(change, MIGC_SETTING_TIMEOUT_ACTION))
		e->timed_out = false;
	for (unsigned int i = 0; i < MIGC_SETTINGS; i++) {
		if (migc_settings_given(change, (enum migc_setting)i))
			migc_log(e->config->log, MIGC_LOG_INFO,
				 "%s was changed over the control socket",
				 migc_setting_name((enum migc_setting)i));
	}
}

/** The machine would leave the source paused, status 3: the end is near anyway. */
static bool committed(const struct migc_source *session)
{
	return strcmp(migc_source_state(session), "COMMIT") == 0;
}

/** @return whether all is over and done: nothing is left to cancel. */
static bool ended(const char *state, struct migc_error *refusal)
{
	if (strcmp(state, "END") != 0)
		return false;
	migc_error_set(refusal, -EBUSY, "too late: this migration has just ended");
	return true;
}

static void obey_source(struct engine *e, struct migc_source *session, struct event_queue *events,
			const struct migc_order *order, struct migc_error *refusal)
{
	const char *state = migc_source_state(session);

	switch (order->type) {
	case MIGC_ORDER_CANCEL:
		if (committed(session))
			migc_error_set(
				refusal, -EBUSY,
				"too late: the receiver was told to start the VM; wait, within "
				"30 s it is known whether it did");
		else if (!ended(state, refusal))
			cancel(e, events);
		break;
	case MIGC_ORDER_CONTINUE:
		if (migc_source_paused(session))
			event_queue_add(events, MIGC_EV_CONTINUE);
		else
			migc_error_set(refusal, -EINVAL,
				       "Migration not in expected state: pre-switchover (it is in "
				       "%s)",
				       state);
		break;
	default:
		set(e, &order->change);
		break;
	}
}

/** --timeout counts from the start, whenever it was set. */
static void poll_timeout(struct engine *e, const struct migc_source *session,
			 struct event_queue *events, uint64_t now_ns)
{
	uint64_t timeout_ns = (uint64_t)e->settings.timeout_s * UINT64_C(1000000000);

	if (timeout_ns == 0 || e->timed_out || now_ns - e->begin_ns <= timeout_ns)
		return;
	/* as with cancel: the answer has a bound of its own */
	if (committed(session))
		return;
	e->timed_out = true;
	if (!e->settings.timeout_suspends)
		event_queue_add(events, MIGC_EV_TIMEOUT);
}

void engine_control_source(struct engine *e, struct migc_source *session,
			   struct event_queue *events, uint64_t now_ns)
{
	struct migc_error refusal = {0};
	struct migc_order order;

	poll_signal(e, events);
	if (e->config->control && migc_control_take(e->config->control, &order)) {
		obey_source(e, session, events, &order, &refusal);
		engine_control_publish(e, now_ns);
		migc_control_answer(e->config->control, &refusal);
	}
	poll_timeout(e, session, events, now_ns);
	migc_source_set_downtime_limit(session,
				       e->timed_out ? UINT32_MAX : e->settings.downtime_limit_ms);
	migc_source_set_pause(session, e->settings.pause_before_switchover);
}

static void obey_destination(struct engine *e, const char *state, struct event_queue *events,
			     const struct migc_order *order, struct migc_error *refusal)
{
	if (order->type != MIGC_ORDER_CANCEL)
		migc_error_set(refusal, -EINVAL,
			       "this is the receiver: the sender decides, ask it there");
	/* the machine would let it pass: COMMIT was taken */
	else if (strcmp(state, "RUN") == 0 || strcmp(state, "COMMITTED") == 0)
		migc_error_set(refusal, -EBUSY,
			       "too late: the sender said to start the VM, and it is started here");
	else if (!ended(state, refusal))
		cancel(e, events);
}

void engine_control_destination(struct engine *e, const char *state, struct event_queue *events)
{
	struct migc_error refusal = {0};
	struct migc_order order;

	poll_signal(e, events);
	if (e->config->control == NULL || !migc_control_take(e->config->control, &order))
		return;
	obey_destination(e, state, events, &order, &refusal);
	migc_control_answer(e->config->control, &refusal);
}
