/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_NUMBERS_H
#define PERF_NUMBERS_H

#include "perf_run.h"

/** @file Results to the numbers that are shown. All of them 0 for what did not run. */

/** Plain gigabits (10^9) a second of one worker. */
double perf_gbps(const struct perf_result *r);
/** Of all workers: all bytes, from the first one's begin to the last one's end. */
double perf_total_gbps(const struct perf_run *run, enum perf_direction direction);
/** CPU seconds of the worker's thread a GiB (2^30) of plain bytes. */
double perf_cpu_s_per_gib(const struct perf_result *r);
double perf_total_cpu_s_per_gib(const struct perf_run *run, enum perf_direction direction);
/** Compressed in percent of plain bytes; 0 when nothing was compressed. */
double perf_ratio_percent(const struct perf_worker *w);
/** Cycles to microseconds. */
double perf_us(uint64_t cycles);
/** A count of cycles over all measured ops of the result, for one op. */
uint64_t perf_cycles_per_op(const struct perf_result *r, uint64_t cycles);

#endif
