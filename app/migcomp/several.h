/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SEVERAL_H
#define SEVERAL_H

#include <signal.h>

#include "control_offer.h"
#include "migc_engine.h"
#include "options.h"

/** @file A receiver of several guests (recv --qmp A --qmp B): each tells of itself by its name. */

/**
 * Serve all guests of the options to their end; print and report what became of each.
 * @param config complete but for what is a guest's own
 * @param asked  counts SIGUSR1
 * @return the exit status: the worst of all
 */
int several_run(const struct options *o, struct migc_engine_config *config,
		struct control_offer *control, const volatile sig_atomic_t *asked);

#endif
