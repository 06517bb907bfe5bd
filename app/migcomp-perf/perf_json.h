/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_JSON_H
#define PERF_JSON_H

#include "migc_report.h"
#include "perf_run.h"

/** @file --json FILE: all results, for programs. Main lcore. */

struct perf_json;

/** A pipeline's result; bytes and times of the part between set-up and the end of all rounds. */
struct perf_pipeline_result {
	uint64_t guest_bytes;
	uint64_t wire_bytes;
	uint64_t ns;
	uint64_t send_cpu_ns, receive_cpu_ns;
	struct migc_report sender, receiver;
};

/** @return 0, -ENOMEM. */
int perf_json_create(const struct perf_options *o, struct perf_json **out);
void perf_json_free(struct perf_json *json);
/** What is measured with. */
void perf_json_begin(struct perf_json *json, const struct perf_run *run);
/** Results of the level that was run. */
void perf_json_level(struct perf_json *json, const struct perf_run *run);
void perf_json_pipeline(struct perf_json *json, const struct perf_pipeline_result *result);
/**
 * Write it.
 * @param error what the run failed with; NULL or without a code: nothing
 * @return 0, -errno with a message
 */
int perf_json_write(struct perf_json *json, const char *path, const struct migc_error *error,
		    struct migc_error *err);

#endif
