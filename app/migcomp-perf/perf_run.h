/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_RUN_H
#define PERF_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "migc_error.h"
#include "perf_histogram.h"
#include "perf_input.h"
#include "perf_options.h"

/**
 * @file
 * A run: workers (one an lcore), levels, and both directions. What is compressed with is behind
 * struct perf_path: ops on a compressdev (perf_compressdev.c) or the project's codec engine
 * (perf_codec.c).
 */

#define PERF_WORKERS_MAX 128u
#define PERF_DEVICE_NAME_BYTES 64u

enum perf_direction {
	PERF_COMPRESS,
	PERF_DECOMPRESS,
	PERF_DIRECTIONS,
};

/** What is taken note of in a pass. */
enum perf_pass {
	PERF_PASS_CHECK, /**< the first one: its output is what is checked */
	PERF_PASS_PLAIN,
	PERF_PASS_LATENCY, /**< of each op */
	PERF_PASS_CYCLES, /**< of the driver's calls */
};

/** One direction of one worker at one level. */
struct perf_result {
	bool ran;
	uint64_t passes; /**< measured ones, behind the check */
	uint64_t ops; /**< of one pass */
	uint64_t bytes; /**< of one pass: plain bytes; of --operation decomp compressed ones */
	uint64_t begin_tsc, end_tsc;
	uint64_t cpu_ns;
	uint64_t setup_cycles, enqueue_cycles, dequeue_cycles;
	uint64_t enqueue_retries, dequeue_retries;
	struct perf_histogram latency; /**< cycles */
};

struct perf_run;

struct perf_worker {
	struct perf_run *run;
	unsigned int index;
	unsigned int lcore;
	int socket;
	char device[PERF_DEVICE_NAME_BYTES];
	uint16_t queue_pair;
	void *path; /**< the path's own */
	struct perf_result result[PERF_DIRECTIONS];
	uint64_t ops;
	uint64_t packed_bytes; /**< of one pass; blocks that did not shrink count in full */
	uint64_t raw_blocks; /**< that did not shrink */
	int rc;
	struct migc_error err;
};

/** Of one worker, all on its lcore except where it is said. */
struct perf_path {
	/** What all levels share. Main lcore. @return 0; -errno that exit status 1 is for. */
	int (*open)(struct perf_run *run, struct migc_error *err);
	/** Main lcore. */
	void (*close)(struct perf_run *run);
	/** Make ready for one direction at run->level. Main lcore. */
	int (*begin)(struct perf_run *run, enum perf_direction direction, struct migc_error *err);
	/** Main lcore; also after a begin() that failed. */
	void (*end)(struct perf_run *run);
	/** Once over all of the input. @return 0; -errno with worker->err. */
	int (*pass)(struct perf_worker *worker, enum perf_direction direction, enum perf_pass pass);
	/** What pmd-cyclecount calls setup: all of a pass but the driver. NULL: there is none. */
	int (*setup_pass)(struct perf_worker *worker, enum perf_direction direction);
	/** Did the last decompression make the input again? @return 0; -EBADMSG. */
	int (*compare)(struct perf_worker *worker);
};

struct perf_run {
	const struct perf_options *options;
	struct perf_input input;
	const struct perf_path *path;
	void *own; /**< the path's own */
	struct perf_worker *workers;
	unsigned int worker_count;
	unsigned int level;
	enum perf_direction direction;
	uint32_t arrived; /**< workers behind the check: they begin to measure together */
	const volatile sig_atomic_t *stop;
};

/** Ops on mbuf chains, as dpdk-test-compress-perf gives them. */
extern const struct perf_path perf_path_compressdev;
/** Pages through lib/codec, as dpdk-migcomp gives them. */
extern const struct perf_path perf_path_codec;

#define PERF_STATUS_DONE 0
#define PERF_STATUS_USAGE 1 /**< usage or configuration: nothing was measured */
#define PERF_STATUS_FAILED 2 /**< a test failed, or was interrupted */

struct perf_table;
struct perf_json;

/**
 * All levels, both directions; fills the table, and the JSON where there is one. Main lcore.
 * @return exit status
 */
int perf_measure(struct perf_run *run, struct perf_table *table, struct perf_json *json,
		 struct migc_error *err);

#endif
