/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_RECEIVER_H
#define MIGC_RECEIVER_H

#include "migc_engine.h"

/**
 * @file
 * One receiver for several guests: each has its own session, memory, QMP and controller thread;
 * all share the port, its lanes (lcores) and the compression devices. Guest i listens on UDP port
 * config->udp_port + i * lanes. What becomes of one touches no other.
 */

#define MIGC_RECEIVER_GUESTS_MAX 32u

struct migc_receiver_guest {
	const char *qmp_path;
	const struct migc_log *log; /**< of this guest; called from its thread */
	void *ctx; /**< of the callbacks in the configuration, which its thread calls */
	struct migc_control_session *control; /**< the operator's hand on it; or NULL */
	struct migc_report *report; /**< filled as far as it got */
	/* set when it has ended */
	enum migc_outcome outcome;
	struct migc_error error; /**< why, when not DONE */
};

/**
 * Serve all guests to their end. Main lcore. With one lcore it runs the lane in turn with nothing.
 *
 * @param config of a destination; qmp_path, mem and ctx are not looked at; log is for what
 *               concerns all
 * @param ended  called in a guest's thread when it has ended; the report is complete
 * @param err    when nothing could be begun at all (then the outcome is USAGE)
 * @return the worst outcome: UNCONFIRMED before FAILED before USAGE before DONE
 */
enum migc_outcome migc_receiver_run(const struct migc_engine_config *config,
				    struct migc_receiver_guest *guests, unsigned int count,
				    void (*ended)(struct migc_receiver_guest *guest),
				    struct migc_error *err);

#endif
