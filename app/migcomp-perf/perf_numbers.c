/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_numbers.h"

#include <rte_cycles.h>

#define GIB 1073741824.0

static double all_bytes(const struct perf_result *r)
{
	return (double)r->bytes * (double)r->passes;
}

static double gbps(double bytes, uint64_t cycles)
{
	if (cycles == 0)
		return 0;
	return bytes * 8 * (double)rte_get_tsc_hz() / (double)cycles / 1e9;
}

double perf_gbps(const struct perf_result *r)
{
	return r->ran ? gbps(all_bytes(r), r->end_tsc - r->begin_tsc) : 0;
}

double perf_total_gbps(const struct perf_run *run, enum perf_direction direction)
{
	uint64_t begin = UINT64_MAX, end = 0;
	double bytes = 0;

	for (unsigned int i = 0; i < run->worker_count; i++) {
		const struct perf_result *r = &run->workers[i].result[direction];

		if (!r->ran)
			return 0;
		bytes += all_bytes(r);
		if (r->begin_tsc < begin)
			begin = r->begin_tsc;
		if (r->end_tsc > end)
			end = r->end_tsc;
	}
	return gbps(bytes, end > begin ? end - begin : 0);
}

static double cpu(double ns, double bytes)
{
	return bytes > 0 ? ns / 1e9 / (bytes / GIB) : 0;
}

double perf_cpu_s_per_gib(const struct perf_result *r)
{
	return r->ran ? cpu((double)r->cpu_ns, all_bytes(r)) : 0;
}

double perf_total_cpu_s_per_gib(const struct perf_run *run, enum perf_direction direction)
{
	double ns = 0, bytes = 0;

	for (unsigned int i = 0; i < run->worker_count; i++) {
		ns += (double)run->workers[i].result[direction].cpu_ns;
		bytes += all_bytes(&run->workers[i].result[direction]);
	}
	return cpu(ns, bytes);
}

double perf_ratio_percent(const struct perf_worker *w)
{
	const struct perf_result *r = &w->result[PERF_COMPRESS];

	return r->ran && r->bytes ? (double)w->packed_bytes * 100 / (double)r->bytes : 0;
}

double perf_us(uint64_t cycles)
{
	return (double)cycles * 1e6 / (double)rte_get_tsc_hz();
}

uint64_t perf_cycles_per_op(const struct perf_result *r, uint64_t cycles)
{
	uint64_t ops = r->ops * r->passes;

	return ops ? cycles / ops : 0;
}
