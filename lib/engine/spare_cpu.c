/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdbool.h>

#include "spare_cpu.h"

/** Ticks are coarse: the first readings count from the same beginning, then a quarter of each. */
#define TOGETHER 4u

void spare_cpu_init(struct spare_cpu *s, const cpu_set_t *cpus)
{
	*s = (struct spare_cpu){.cpus = *cpus};
}

void spare_cpu_read(struct spare_cpu *s, FILE *stat)
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
	if (s->total && total > s->total) {
		uint64_t sample = idle > s->idle ? (idle - s->idle) * 1000 / (total - s->total) : 0;
		bool alone = s->readings++ >= TOGETHER;

		s->per_mille = (uint32_t)(alone ? (3 * s->per_mille + sample) / 4 : sample);
		if (!alone && s->readings < TOGETHER)
			return;
	}
	s->total = total;
	s->idle = idle;
}

void spare_cpu_update(struct spare_cpu *s)
{
	FILE *stat = fopen("/proc/stat", "re");

	if (stat == NULL)
		return;
	spare_cpu_read(s, stat);
	fclose(stat);
}
