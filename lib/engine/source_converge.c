/* SPDX-License-Identifier: BSD-3-Clause */
#include "clock.h"
#include "source_run.h"

/**
 * From a scan to a guest that has stopped: QEMU begins a migration first, unless the guest stands
 * for a part of its time anyway and is only held (doc/design/convergence.md).
 */
#define STOP_MS 50u
#define STOP_HELD_MS 15u
/** Pages of the last scan below which it is worth to look again before deciding. */
#define SCAN_ENOUGH_BYTES (64u << 20)

/** Pages that the guest will have written when it stands still, at the rate of while it runs. */
static uint64_t pages_until_stop(const struct engine *e)
{
	uint64_t rate = rounds_dirty_rate(e->rounds);
	struct migc_qemu_throttle throttle = {0};

	if (e->qemu)
		migc_qemu_throttle_stats(e->qemu, &throttle);
	if (throttle.method != MIGC_QEMU_THROTTLE_PULSES || e->throttle_percent == 0)
		return rate * STOP_MS / 1000;
	return rate * 100 / (100 - e->throttle_percent) * STOP_HELD_MS / 1000;
}

void source_scan(struct source *s)
{
	struct migc_error error = {0};
	struct migc_event *event;
	uint64_t pages;
	int rc = rounds_scan(s->e->rounds, clock_now_ns(), SCAN_ENOUGH_BYTES / MIGC_PAGE_BYTES,
			     &pages, &error);

	if (rc != 0) {
		event_queue_error(&s->events, MIGC_EV_FAILED, &error);
		return;
	}
	event = event_queue_add(&s->events, MIGC_EV_SCANNED);
	event->pages = pages;
	event->more_pages = pages_until_stop(s->e);
}

void source_scanned(struct source *s)
{
	rounds_note(s->e->rounds, s->e->expected_downtime_ms, s->e->throttle_percent);
}

void source_throttle(struct source *s, unsigned int percent)
{
	uint64_t rate = rounds_dirty_rate(s->e->rounds) * MIGC_PAGE_BYTES;
	struct migc_error error = {0};

	if (s->e->qemu == NULL)
		return;
	if (s->e->throttle_percent == 0 && percent)
		migc_log(s->e->config->log, MIGC_LOG_INFO,
			 "the guest writes faster than its pages can be sent: it is slowed down");
	s->e->throttle_percent = percent;
	if (migc_qemu_throttle(s->e->qemu, percent, rate, &error) != 0)
		event_queue_error(&s->events, MIGC_EV_FAILED, &error);
}

void source_poll_throttle(struct source *s, uint64_t now_ns)
{
	struct migc_error error = {0};

	/* the operator's word may have changed */
	migc_source_set_throttle(s->session, s->e->settings.throttle);
	if (s->e->throttle_percent && !s->e->settings.throttle)
		source_throttle(s, 0);
	if (s->e->throttle_percent && migc_qemu_throttle_poll(s->e->qemu, now_ns, &error) != 0) {
		s->e->throttle_percent = 0;
		event_queue_error(&s->events, MIGC_EV_FAILED, &error);
	}
}
