/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_FAULT_H
#define MIGC_FAULT_H

#include <stdint.h>

/**
 * @file
 * Faults by name (--inject, testing only): each strikes once, at a place that a run comes to. A
 * place is a state of the session (READY, as in doc/design/states.md) or a QMP command
 * (migrate-continue); where a fault strikes is one such name, or several joined by '/' that are
 * come to in this order: STOP/ROUND is the first ROUND after STOP. Pure.
 */

#define MIGC_FAULTS_MAX 32u
#define MIGC_FAULT_WHERE_BYTES 64u

enum migc_fault_kind {
	MIGC_FAULT_STOP, /**< the process stops itself (SIGSTOP), until SIGCONT */
	MIGC_FAULT_CUT, /**< all frames are dropped, both ways */
	MIGC_FAULT_QMP_CLOSE, /**< the QMP socket closes */
	MIGC_FAULT_QMP_ERROR, /**< QEMU answers the command with an error */
};

struct migc_fault {
	enum migc_fault_kind kind;
	char where[MIGC_FAULT_WHERE_BYTES];
	uint8_t awaited; /**< offset in `where` of the name that is to come next; past it: struck */
	uint32_t seconds; /**< CUT: how long; 0: for ever */
};

struct migc_faults {
	struct migc_fault fault[MIGC_FAULTS_MAX];
	unsigned int count;
};

/**
 * Add `kind=value`: stop=WHERE, cut=WHERE[:SECONDS], qmp-close=WHERE, qmp-error=WHERE. The last
 * name of a cut is a state, that of a qmp-error a command.
 * @return 0; -ENOENT (no fault is called so), -EINVAL (the value is not of that form), -ENOSPC.
 */
int migc_fault_parse(const char *kind, const char *value, struct migc_faults *faults);

/**
 * The run is at `name` now.
 * @return the faults that strike here, bit per place in faults->fault.
 */
uint32_t migc_faults_reach(struct migc_faults *faults, const char *name);

/**
 * A name in any fault that is a state and not among `states` (as returned by its index, NULL past
 * the last), so that a word that can never strike is told. @return the name's fault, or NULL.
 */
const struct migc_fault *migc_faults_unknown(const struct migc_faults *faults,
					     const char *(*states)(unsigned int index));

#endif
