/* SPDX-License-Identifier: BSD-3-Clause */
#include "pacer.h"

#define NS_PER_S UINT64_C(1000000000)
#define US_PER_S UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)
/** A window is long enough for the scheduler's slices, and for some round trips. */
#define WINDOW_NS UINT64_C(25000000)
#define WINDOW_ROUND_TRIPS 4u
#define WINDOW_SAMPLES 8u
/** A queue is one when even the fastest packet of a window waited so long in it. */
#define QUEUE_NS UINT64_C(1500000)
/** To begin with a longer one, for longer: ends that share CPUs with others look like 2 ms of one.
 */
#define FIRST_QUEUE_NS UINT64_C(5000000)
#define FIRST_QUEUED_WINDOWS 4u
/** Bytes a second of a connection: above it CPUs are the limit here, and pacing gained nothing. */
#define SLOW_LINK UINT64_C(160000000)
/** Windows with a queue, in a row, before anything is done about it. */
#define QUEUED_WINDOWS 2u
/** Draining for so many without the queue growing shorter: it is somebody else's. Let alone. */
#define HELPLESS_WINDOWS 6u
/** Corrected so often without rest: no link is like that, a peer that waits for a CPU is. */
#define CORRECTIONS_MAX 4u
#define HELPLESS_NS (5 * NS_PER_S)
#define CRUISE_WINDOWS 80u
#define PROBE_WINDOWS 2u
/** What was not sent between two turns may be caught up on, as far as a token bucket of 1 ms goes.
 */
#define CATCH_UP_NS UINT64_C(1000000)
/** But a turn so late did not sleep, it waited for a CPU: all of that is caught up on, to a limit.
 */
#define LATE_NS UINT64_C(2000000)
#define LATE_CATCH_UP_NS UINT64_C(50000000)

static void begin_window(struct pacer *p, uint64_t delivered_bytes, uint64_t now_ns)
{
	p->begin_ns = now_ns;
	p->begin_delivered_bytes = delivered_bytes;
	p->rtt_min_ns = UINT64_MAX;
	p->gap_max_ns = 0;
	p->samples = 0;
	p->starved = false;
}

void pacer_init(struct pacer *p, uint64_t now_ns)
{
	*p = (struct pacer){.phase = PACER_OFF, .turn_ns = now_ns, .heard_ns = now_ns};
	begin_window(p, 0, now_ns);
}

static void enter(struct pacer *p, enum pacer_phase phase)
{
	p->phase = phase;
	p->windows = 0;
	switch (phase) {
	case PACER_OFF:
		p->rate = 0;
		p->queued = 0;
		break;
	case PACER_DRAIN:
		p->rate = p->link - p->link / 4;
		p->drain_ns = UINT64_MAX;
		break;
	case PACER_CRUISE:
		p->rate = p->link - p->link / 64;
		p->mean = 0;
		break;
	case PACER_PROBE:
		p->rate = p->link + p->link / 8;
		break;
	}
	/* a rate of 0 would be none */
	if (phase != PACER_OFF && p->rate == 0)
		p->rate = 1;
}

/** A window of PROBE is over. */
static void probed(struct pacer *p, uint64_t queue_ns, uint64_t delivered)
{
	/* the first packets of it found no queue yet */
	if (p->windows < PROBE_WINDOWS)
		return;
	if (queue_ns) {
		enter(p, PACER_DRAIN);
	} else if (delivered > p->link + p->link / 16) {
		/* there is more: and more still? */
		p->link = delivered;
		enter(p, p->link <= SLOW_LINK ? PACER_PROBE : PACER_OFF);
	} else {
		enter(p, PACER_CRUISE);
	}
}

/** Pacing does not help: what looks like a queue is none of ours. */
static void give_up(struct pacer *p, uint64_t now_ns)
{
	p->corrections = 0;
	p->off_until_ns = now_ns + HELPLESS_NS;
	enter(p, PACER_OFF);
}

/** A window of DRAIN is over. */
static void drained(struct pacer *p, uint64_t queue_ns, uint64_t now_ns)
{
	if (queue_ns == 0) {
		enter(p, PACER_CRUISE);
		return;
	}
	if (queue_ns + queue_ns / 8 < p->drain_ns) {
		p->drain_ns = queue_ns;
		p->windows = 0;
	} else if (p->windows >= HELPLESS_WINDOWS) {
		give_up(p, now_ns);
	}
}

/** A window of CRUISE is over. */
static void cruised(struct pacer *p, uint64_t delivered, uint64_t now_ns)
{
	if (delivered)
		p->mean = p->mean ? p->mean - p->mean / 8 + delivered / 8 : delivered;
	if (p->queued >= QUEUED_WINDOWS && p->mean) {
		if (++p->corrections > CORRECTIONS_MAX) {
			give_up(p, now_ns);
			return;
		}
		/* more than the link has: it was too much, or has become slower, or has others on
		 * it. A mean, for a single window gets more or less of what several share */
		if (p->mean < p->link)
			p->link = p->mean;
		enter(p, PACER_DRAIN);
	} else if (p->windows >= CRUISE_WINDOWS && delivered) {
		p->corrections = 0;
		enter(p, PACER_PROBE);
	}
}

/**
 * @param queue_ns  how long the fastest packet waited; 0: there is no queue
 * @param delivered bytes a second in the window; 0: it says nothing
 */
static void window_over(struct pacer *p, uint64_t queue_ns, uint64_t delivered, uint64_t now_ns)
{
	p->windows++;
	p->queued = queue_ns ? p->queued + 1 : 0;
	switch (p->phase) {
	case PACER_OFF:
		if (p->queued >= FIRST_QUEUED_WINDOWS && delivered && delivered <= SLOW_LINK &&
		    now_ns >= p->off_until_ns) {
			p->link = delivered;
			enter(p, PACER_DRAIN);
		}
		break;
	case PACER_DRAIN:
		drained(p, queue_ns, now_ns);
		break;
	case PACER_CRUISE:
		cruised(p, delivered, now_ns);
		break;
	case PACER_PROBE:
		probed(p, queue_ns, delivered);
		break;
	}
}

void pacer_acknowledged(struct pacer *p, uint64_t rtt_ns, uint64_t base_rtt_ns,
			uint64_t delivered_bytes, uint64_t now_ns)
{
	uint64_t spent_ns = now_ns - p->begin_ns, delivered = 0, queue_ns = 0;
	uint64_t window_ns = base_rtt_ns * WINDOW_ROUND_TRIPS;

	if (rtt_ns < p->rtt_min_ns)
		p->rtt_min_ns = rtt_ns;
	if (now_ns - p->heard_ns > p->gap_max_ns)
		p->gap_max_ns = now_ns - p->heard_ns;
	p->heard_ns = now_ns;
	p->samples++;
	if (window_ns < WINDOW_NS)
		window_ns = WINDOW_NS;
	if (spent_ns < window_ns || p->samples < WINDOW_SAMPLES)
		return;
	if (!p->starved && delivered_bytes > p->begin_delivered_bytes)
		delivered = (delivered_bytes - p->begin_delivered_bytes) * US_PER_S /
			    (spent_ns / NS_PER_US);
	if (p->rtt_min_ns >
	    base_rtt_ns + base_rtt_ns / 8 + (p->phase == PACER_OFF ? FIRST_QUEUE_NS : QUEUE_NS))
		queue_ns = p->rtt_min_ns - base_rtt_ns;
	/* who waits for an end that has no CPU waits no longer than that end is silent */
	if (queue_ns < p->gap_max_ns)
		queue_ns = 0;
	window_over(p, queue_ns, delivered, now_ns);
	begin_window(p, delivered_bytes, now_ns);
}

void pacer_starved(struct pacer *p)
{
	p->starved = true;
}

bool pacer_holds(const struct pacer *p, uint64_t now_ns)
{
	return p->rate && p->next_ns > now_ns;
}

/** Time has passed: how far behind it may the sending be? */
static void go_on(struct pacer *p, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - p->turn_ns;

	p->turn_ns = now_ns;
	if (passed_ns > LATE_NS)
		p->credit_ns += passed_ns;
	else
		p->credit_ns -= passed_ns < p->credit_ns ? passed_ns : p->credit_ns;
	if (p->credit_ns < CATCH_UP_NS)
		p->credit_ns = CATCH_UP_NS;
	if (p->credit_ns > LATE_CATCH_UP_NS)
		p->credit_ns = LATE_CATCH_UP_NS;
	if (p->next_ns + p->credit_ns < now_ns)
		p->next_ns = now_ns - p->credit_ns;
}

bool pacer_allows(struct pacer *p, uint64_t now_ns)
{
	if (now_ns > p->turn_ns)
		go_on(p, now_ns);
	return !pacer_holds(p, now_ns);
}

void pacer_charge(struct pacer *p, uint64_t bytes)
{
	if (p->rate)
		p->next_ns += bytes * NS_PER_S / p->rate;
}
