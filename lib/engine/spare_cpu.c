/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>

#include "spare_cpu.h"

/**
 * Ticks are coarse: readings count from the same beginning, then a quarter of each. What the first
 * two say would last, and CPUs wait for the congestion windows to open meanwhile: they do not
 * count.
 */
#define OPENING 2u
#define TOGETHER 4u
#define TICKS_EVERY_NS UINT64_C(50000000) /* five ticks of 100 Hz */
#define FIRST_NS UINT64_C(20000000) /* until there are two readings: nobody goes denser */
/** Microseconds: half of each reading. Some ten files for these many CPUs. */
#define EXACT_EVERY_NS UINT64_C(20000000)
#define EXACT_CPUS 4u
#define STATES_MAX 16u

void spare_cpu_init(struct spare_cpu *s, const cpu_set_t *cpus)
{
	*s = (struct spare_cpu){.cpus = *cpus};
}

/** @return whether the next reading counts from this one. */
static bool weigh(struct spare_cpu *s, uint32_t sample)
{
	unsigned int before = s->readings++;

	if (!s->ticks) {
		s->per_mille = before ? (s->per_mille + sample) / 2 : sample;
		return true;
	}
	if (before >= OPENING + TOGETHER)
		s->per_mille = (3 * s->per_mille + sample) / 4;
	else if (before >= OPENING)
		s->per_mille = sample;
	return s->readings == OPENING || s->readings >= OPENING + TOGETHER;
}

void spare_cpu_count(struct spare_cpu *s, uint64_t total, uint64_t idle)
{
	if (s->total && total > s->total) {
		uint64_t sample = idle > s->idle ? (idle - s->idle) * 1000 / (total - s->total) : 0;

		if (!weigh(s, (uint32_t)(sample < 1000 ? sample : 1000)))
			return;
	}
	s->total = total;
	s->idle = idle;
}

void spare_cpu_read_stat(struct spare_cpu *s, FILE *stat)
{
	uint64_t total = 0, idle = 0, v[8];
	unsigned int cpu;
	char line[512];

	/* user nice system idle iowait irq softirq steal: proc(5) */
	while (fgets(line, sizeof(line), stat)) {
		if (sscanf(line,
			   "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
			   " %" SCNu64 " %" SCNu64 " %" SCNu64,
			   &cpu, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) != 9 ||
		    cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &s->cpus))
			continue;
		for (unsigned int i = 0; i < 8; i++)
			total += v[i];
		idle += v[3] + v[4];
	}
	spare_cpu_count(s, total, idle);
}

/** @return whether the CPU has that state; then the time in it is added. */
static bool add_state(const char *directory, unsigned int cpu, unsigned int state, uint64_t *us)
{
	uint64_t time = 0;
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/cpu%u/cpuidle/state%u/time", directory, cpu, state);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fscanf(f, "%" SCNu64, &time) == 1)
		*us += time;
	fclose(f);
	return true;
}

int spare_cpu_read_idle(struct spare_cpu *s, const char *directory, uint64_t now_ns)
{
	uint64_t idle_us = 0, cpus = 0;

	for (unsigned int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		unsigned int state = 0;

		if (!CPU_ISSET(cpu, &s->cpus))
			continue;
		while (state < STATES_MAX && add_state(directory, cpu, state, &idle_us))
			state++;
		if (state == 0)
			return -ENOENT;
		cpus++;
	}
	spare_cpu_count(s, cpus * (now_ns / 1000), idle_us);
	return 0;
}

void spare_cpu_update(struct spare_cpu *s, uint64_t now_ns)
{
	FILE *stat;

	if (!s->ticks && spare_cpu_read_idle(s, "/sys/devices/system/cpu", now_ns) == 0)
		return;
	s->ticks = true;
	stat = fopen("/proc/stat", "re");
	if (stat == NULL)
		return;
	spare_cpu_read_stat(s, stat);
	fclose(stat);
}

uint64_t spare_cpu_period_ns(const struct spare_cpu *s)
{
	if (s->ticks)
		return s->readings ? TICKS_EVERY_NS : FIRST_NS;
	return EXACT_EVERY_NS * (1 + (unsigned int)CPU_COUNT(&s->cpus) / EXACT_CPUS);
}
