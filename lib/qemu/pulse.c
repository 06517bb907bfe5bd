/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "qemu_private.h"

/** Of a pulse: the guest stands for its share of it, and runs for the rest. */
#define PERIOD_NS UINT64_C(200000000)
/** It runs at least so long between two, as with QEMU's auto-converge. */
#define SLICE_NS UINT64_C(10000000)
/** QEMU said no to `stop`: so long until it is asked again. */
#define REFUSED_NS UINT64_C(1000000000)

/** How long the guest stands in one pulse. */
static uint64_t hold_ns(unsigned int percent)
{
	uint64_t with_slice = SLICE_NS * percent / (100 - percent);
	uint64_t of_period = PERIOD_NS * percent / 100;

	return with_slice > of_period ? with_slice : of_period;
}

static void run_until(struct pulse *p, uint64_t until_ns)
{
	p->phase = PULSE_RUNS;
	p->until_ns = until_ns;
}

/** The guest runs again, after having stood for so long: for as much longer as it is due. */
static void runs_again(struct migc_qemu *q, uint64_t now_ns)
{
	struct pulse *p = &q->pulse;
	uint64_t held = now_ns > p->held_ns ? now_ns - p->held_ns : 0;
	uint64_t run = p->percent ? held * (100 - p->percent) / p->percent : 0;

	q->changes->held = false;
	p->stood_ns += held;
	run_until(p, now_ns + (run > SLICE_NS ? run : SLICE_NS));
}

/** Our stop, and nobody else's, is what QEMU answered? */
static void stop_answered(struct migc_qemu *q, uint64_t now_ns)
{
	struct pulse *p = &q->pulse;

	if (q->qmp.begun_rc != 0) {
		q->changes->held = false;
		run_until(p, now_ns + REFUSED_NS);
	} else if (q->qmp.stops == p->stops) {
		/* no STOP event: it had been stopped before, and is not ours to continue */
		q->changes->held = false;
		p->phase = PULSE_FOREIGN;
	} else {
		p->phase = PULSE_HOLDS;
		p->pulses++;
		p->held_ns = q->qmp.stop_ns;
		p->until_ns = p->held_ns + hold_ns(p->percent);
	}
	p->stops = q->qmp.stops;
	p->resumes = q->qmp.resumes;
}

static int begin_stop(struct migc_qemu *q, struct migc_error *err)
{
	struct pulse *p = &q->pulse;
	int rc;

	p->stops = q->qmp.stops;
	p->resumes = q->qmp.resumes;
	/* noted first: whoever looks after the guest when we die must know of it */
	q->changes->held = true;
	rc = qmp_begin(&q->qmp, "stop", err);
	if (rc == 0)
		p->phase = PULSE_STOPPING;
	return rc;
}

static int begin_cont(struct migc_qemu *q, struct migc_error *err)
{
	int rc = qmp_begin(&q->qmp, "cont", err);

	if (rc == 0)
		q->pulse.phase = PULSE_CONTINUES;
	return rc;
}

static int cont_answered(struct migc_qemu *q, uint64_t now_ns, struct migc_error *err)
{
	if (q->qmp.begun_rc != 0) {
		/* the end asks again */
		q->pulse.phase = PULSE_HOLDS;
		return migc_error_set(err, -EIO, "QEMU does not continue the source VM");
	}
	runs_again(q, q->qmp.resumes != q->pulse.resumes ? q->qmp.resume_ns : now_ns);
	q->pulse.resumes = q->qmp.resumes;
	return 0;
}

/** Has somebody else stopped or continued the guest? */
static void look_for_others(struct migc_qemu *q, uint64_t now_ns)
{
	struct pulse *p = &q->pulse;
	bool stopped = q->qmp.stops != p->stops, resumed = q->qmp.resumes != p->resumes;

	p->stops = q->qmp.stops;
	p->resumes = q->qmp.resumes;
	if (p->phase == PULSE_RUNS && stopped && !resumed)
		p->phase = PULSE_FOREIGN;
	else if ((p->phase == PULSE_FOREIGN || p->phase == PULSE_HOLDS) && resumed && !stopped)
		runs_again(q, now_ns);
}

int qemu_pulse_poll(struct migc_qemu *q, uint64_t now_ns, struct migc_error *err)
{
	struct pulse *p = &q->pulse;
	int rc = qmp_poll(&q->qmp, err);

	if (rc != 0 || p->phase == PULSE_OFF)
		return rc;
	if (p->phase == PULSE_STOPPING || p->phase == PULSE_CONTINUES) {
		if (q->qmp.begun_id)
			return 0;
		if (p->phase == PULSE_CONTINUES)
			return cont_answered(q, now_ns, err);
		stop_answered(q, now_ns);
		return 0;
	}
	look_for_others(q, now_ns);
	if (now_ns < p->until_ns)
		return 0;
	if (p->phase == PULSE_RUNS)
		return begin_stop(q, err);
	return p->phase == PULSE_HOLDS ? begin_cont(q, err) : 0;
}

int qemu_pulse_start(struct migc_qemu *q, unsigned int percent, struct migc_error *err)
{
	struct pulse *p = &q->pulse;
	char status[64];
	int rc;

	p->percent = percent;
	if (p->phase != PULSE_OFF)
		return 0;
	rc = qemu_run_state(q, status, sizeof(status), err);
	p->stops = q->qmp.stops;
	p->resumes = q->qmp.resumes;
	run_until(p, 0);
	if (strcmp(status, "running") != 0)
		p->phase = PULSE_FOREIGN;
	return rc;
}

/** Wait until what was said is answered. */
static int settle(struct migc_qemu *q, struct migc_error *err)
{
	struct pulse *p = &q->pulse;
	int rc = 0;

	if (p->phase != PULSE_STOPPING && p->phase != PULSE_CONTINUES)
		return 0;
	rc = qmp_finish(&q->qmp, err);
	if (rc != 0 && rc != -EREMOTEIO)
		return rc;
	if (p->phase == PULSE_CONTINUES)
		return cont_answered(q, qmp_now_ns(), err);
	stop_answered(q, qmp_now_ns());
	return 0;
}

/** The guest runs, unless somebody else has stopped it. */
static int let_go(struct migc_qemu *q, struct migc_error *err)
{
	int rc = settle(q, err);

	if (rc == 0)
		look_for_others(q, qmp_now_ns());
	if (rc == 0 && q->pulse.phase == PULSE_HOLDS)
		rc = begin_cont(q, err);
	return rc == 0 ? settle(q, err) : rc;
}

int qemu_pulse_reconnected(struct migc_qemu *q, struct migc_error *err)
{
	struct pulse *p = &q->pulse;
	char status[64];
	int rc;

	if (p->phase == PULSE_OFF)
		return 0;
	rc = qemu_run_state(q, status, sizeof(status), err);
	if (rc != 0)
		return rc;
	p->stops = q->qmp.stops;
	p->resumes = q->qmp.resumes;
	p->phase = q->changes->held && strcmp(status, "paused") == 0 ? PULSE_HOLDS : PULSE_RUNS;
	return 0;
}

int qemu_pulse_end(struct migc_qemu *q, struct migc_error *err)
{
	int rc;

	if (q->pulse.phase == PULSE_OFF)
		return 0;
	/* nobody there, and nothing of ours that would have to be undone */
	if (q->qmp.closed && !q->changes->held) {
		q->pulse.phase = PULSE_OFF;
		return 0;
	}
	rc = let_go(q, err);
	if (rc == 0) {
		q->pulse.phase = PULSE_OFF;
		q->changes->held = false;
	}
	return rc;
}

int qemu_pulse_hold(struct migc_qemu *q, bool *held, struct migc_error *err)
{
	struct pulse *p = &q->pulse;
	uint64_t until;
	int rc;

	*held = false;
	if (p->phase == PULSE_OFF)
		return 0;
	/* what it stood before is of a pulse; what it stands from now on is downtime */
	rc = settle(q, err);
	if (rc == 0 && p->phase == PULSE_HOLDS) {
		rc = let_go(q, err);
		until = qmp_now_ns() + SLICE_NS;
		while (rc == 0 && qmp_now_ns() < until) {
			rc = qmp_poll(&q->qmp, err);
			qmp_idle(&q->qmp);
		}
	}
	if (rc == 0)
		look_for_others(q, qmp_now_ns());
	if (rc == 0 && p->phase == PULSE_RUNS)
		rc = begin_stop(q, err);
	if (rc == 0)
		rc = settle(q, err);
	if (rc == 0) {
		*held = p->phase == PULSE_HOLDS;
		p->phase = PULSE_OFF;
	}
	return rc;
}
