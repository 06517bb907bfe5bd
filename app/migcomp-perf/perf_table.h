/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_TABLE_H
#define PERF_TABLE_H

#include <stdbool.h>
#include <stdio.h>

#include "perf_run.h"

/** @file Results for a person, and for scripts that know dpdk-test-compress-perf. */

struct perf_table {
	FILE *out;
	bool headed; /**< the header was printed */
	/** Throughput: CPU seconds a GiB of each level, for a line of its own at the end. */
	struct {
		unsigned int level;
		double s_per_gib[PERF_DIRECTIONS];
	} cpu[PERF_LEVELS_MAX];
	unsigned int cpu_count;
};

/** What is measured with; once, before the first level. */
void perf_table_begin(struct perf_table *table, const struct perf_run *run);
/** Rows of the level that was run. */
void perf_table_level(struct perf_table *table, const struct perf_run *run);
/** What comes after the last level's rows. */
void perf_table_end(struct perf_table *table);

#endif
