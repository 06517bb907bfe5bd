/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPARE_CPU_H
#define SPARE_CPU_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/**
 * @file
 * How much of some CPUs nobody uses: not only we run there, and what a worker leaves free may not
 * be free. As the kernel's cpuidle counts it, in microseconds; where there is none, /proc/stat, in
 * clock ticks. Main lcore.
 */

struct spare_cpu {
	cpu_set_t cpus;
	bool ticks; /**< there is no cpuidle */
	uint64_t total, idle; /**< from which the next reading counts */
	unsigned int readings; /**< since the first */
	uint32_t per_mille; /**< of late; 0 before there are two readings, of ticks four */
};

/** Begin, or begin anew: what was before counts no more. */
void spare_cpu_init(struct spare_cpu *s, const cpu_set_t *cpus);
/** Take the time of all the CPUs since they started, and how much of it they were idle. */
void spare_cpu_count(struct spare_cpu *s, uint64_t total, uint64_t idle);
/** Take the ticks of /proc/stat's text. */
void spare_cpu_read_stat(struct spare_cpu *s, FILE *stat);
/**
 * Take what cpuidle has below a directory as /sys/devices/system/cpu.
 * @return -ENOENT: one of the CPUs has no idle states, and nothing was taken.
 */
int spare_cpu_read_idle(struct spare_cpu *s, const char *directory, uint64_t now_ns);
/** Take the system's own. Where it cannot be read, nothing changes. */
void spare_cpu_update(struct spare_cpu *s, uint64_t now_ns);
/** From one reading to the next: the finer they are and the fewer files, the sooner. */
uint64_t spare_cpu_period_ns(const struct spare_cpu *s);

#endif
