/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>

#include "clock.h"
#include "engine.h"

#define NS_PER_SECOND UINT64_C(1000000000)

int engine_inject_check(struct engine *e, struct migc_error *err)
{
	const struct migc_fault *unknown;

	e->faults = e->config->inject.faults;
	unknown = migc_faults_unknown(&e->faults, e->config->source ? migc_source_state_name
								    : migc_destination_state_name);
	return unknown ? migc_error_set(err, -EINVAL,
					"--inject: %s is no way that a %s goes: see "
					"the states in doc/design/states.md",
					unknown->where, e->config->source ? "sender" : "receiver")
		       : 0;
}

static void cut(struct engine *e, uint32_t seconds)
{
	uint64_t until = seconds ? clock_now_ns() + seconds * NS_PER_SECOND : UINT64_MAX;

	for (unsigned int i = 0; i < e->lanes->count; i++) {
		migc_inject_cut(&e->lanes->lane[i].inject_rx, until);
		migc_inject_cut(&e->lanes->lane[i].inject_tx, until);
	}
}

static enum migc_qemu_fault strike(struct engine *e, const struct migc_fault *fault)
{
	migc_log(e->config->log, MIGC_LOG_INFO, "injected: at %s", fault->where);
	switch (fault->kind) {
	case MIGC_FAULT_STOP:
		raise(SIGSTOP);
		break;
	case MIGC_FAULT_CUT:
		cut(e, fault->seconds);
		break;
	case MIGC_FAULT_QMP_CLOSE:
		return MIGC_QEMU_FAULT_CLOSE;
	case MIGC_FAULT_QMP_ERROR:
		return MIGC_QEMU_FAULT_ERROR;
	}
	return MIGC_QEMU_FAULT_NONE;
}

/** @return what is to happen to QEMU's socket. */
static enum migc_qemu_fault reach(struct engine *e, const char *place)
{
	uint32_t faults = migc_faults_reach(&e->faults, place);
	enum migc_qemu_fault qemu = MIGC_QEMU_FAULT_NONE;

	for (unsigned int i = 0; i < e->faults.count; i++) {
		enum migc_qemu_fault fault = MIGC_QEMU_FAULT_NONE;

		if (faults >> i & 1)
			fault = strike(e, &e->faults.fault[i]);
		if (fault != MIGC_QEMU_FAULT_NONE)
			qemu = fault;
	}
	return qemu;
}

void engine_inject_enter(struct engine *e, const char *state)
{
	if (e->faults.count == 0 || state == e->state_entered)
		return;
	e->state_entered = state;
	if (reach(e, state) == MIGC_QEMU_FAULT_CLOSE && e->qemu)
		migc_qemu_hang_up(e->qemu);
}

enum migc_qemu_fault engine_inject_command(void *engine, const char *command)
{
	return reach(engine, command);
}
