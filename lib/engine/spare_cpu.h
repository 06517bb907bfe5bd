/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPARE_CPU_H
#define SPARE_CPU_H

#include <sched.h>
#include <stdint.h>
#include <stdio.h>

/**
 * @file
 * How much of some CPUs nobody uses, as /proc/stat counts it: not only we run there, and what a
 * worker leaves free may not be free. Main lcore.
 */

struct spare_cpu {
	cpu_set_t cpus;
	uint64_t total, idle; /**< clock ticks, from which the next reading counts */
	unsigned int readings; /**< since the first */
	uint32_t per_mille; /**< of late; 0 before there are two readings */
};

/** Begin, or begin anew: what was before counts no more. */
void spare_cpu_init(struct spare_cpu *s, const cpu_set_t *cpus);
/** Take the ticks of /proc/stat's text. */
void spare_cpu_read(struct spare_cpu *s, FILE *stat);
/** The same of the system's own. Where it cannot be read, nothing changes. */
void spare_cpu_update(struct spare_cpu *s);

#endif
