/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_CONTROL_TELEMETRY_H
#define MIGC_CONTROL_TELEMETRY_H

#include "migc_control.h"

/**
 * @file
 * rte_telemetry: /migcomp/list, /migcomp/status, /migcomp/stats, /migcomp/config, for
 * dpdk-telemetry.py and exporters built on it. What the control socket's queries say, flat:
 * `ram/dirty-sync-count` is `ram_dirty_sync_count`.
 */

/**
 * Let telemetry answer from `control`. After rte_eal_init(); one at a time in a process.
 * @return 0, -errno with a message. EAL without telemetry is no error.
 */
int migc_control_telemetry_start(struct migc_control *control, struct migc_error *err);
/** Telemetry asks no more of it. Commands cannot be taken away: they answer that nothing runs. */
void migc_control_telemetry_stop(void);

#endif
