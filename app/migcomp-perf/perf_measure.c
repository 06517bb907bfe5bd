/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>

#include "perf_json.h"
#include "perf_run.h"
#include "perf_table.h"

/* The main lcore may have its CPU in common with a worker: it sleeps. */
#define MAIN_SLEEP_NS 1000000

static uint64_t thread_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/** All begin at the same time, or what each does would depend on how many still check. */
static void meet(struct perf_run *run)
{
	/* release: nothing of the check is left for later; acquire: nothing measured comes before
	 */
	__atomic_add_fetch(&run->arrived, 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&run->arrived, __ATOMIC_ACQUIRE) < run->worker_count)
		rte_pause();
}

static enum perf_pass measured_pass(enum perf_ptest ptest)
{
	switch (ptest) {
	case PERF_LATENCY:
		return PERF_PASS_LATENCY;
	case PERF_CYCLECOUNT:
		return PERF_PASS_CYCLES;
	default:
		return PERF_PASS_PLAIN;
	}
}

static int measure(struct perf_worker *w, enum perf_direction direction)
{
	const struct perf_options *o = w->run->options;
	const struct perf_path *path = w->run->path;
	struct perf_result *r = &w->result[direction];
	enum perf_pass pass = measured_pass(o->ptest);
	uint64_t cpu_ns;
	int rc = 0;

	if (o->ptest == PERF_CYCLECOUNT) {
		uint64_t begin = rte_rdtsc_precise();

		for (uint32_t i = 0; rc == 0 && i < o->num_iter; i++)
			rc = path->setup_pass(w, direction);
		r->setup_cycles = rte_rdtsc_precise() - begin;
	}
	cpu_ns = thread_cpu_ns();
	r->begin_tsc = rte_rdtsc_precise();
	for (uint32_t i = 0; rc == 0 && i < o->num_iter; i++)
		rc = path->pass(w, direction, pass);
	r->end_tsc = rte_rdtsc_precise();
	r->cpu_ns = thread_cpu_ns() - cpu_ns;
	r->passes = o->num_iter;
	return rc;
}

/** One worker, one direction: check, then measure, then check what was measured. */
static int worker_main(void *worker)
{
	struct perf_worker *w = worker;
	struct perf_run *run = w->run;
	enum perf_direction direction = run->direction;
	bool compares = direction == PERF_DECOMPRESS &&
			run->options->operation == PERF_OPERATION_BOTH;

	w->rc = run->path->pass(w, direction, PERF_PASS_CHECK);
	if (w->rc == 0 && compares)
		w->rc = run->path->compare(w);
	meet(run);
	if (w->rc == 0 && run->options->ptest != PERF_VERIFY) {
		w->rc = measure(w, direction);
		if (w->rc == 0 && compares)
			w->rc = run->path->compare(w);
	}
	w->result[direction].ran = w->rc == 0;
	return w->rc;
}

static int launch(struct perf_run *run, struct migc_error *err)
{
	const struct timespec sleep = {0, MAIN_SLEEP_NS};
	int rc = 0;

	run->arrived = 0;
	if (run->worker_count == 1 && run->workers[0].lcore == rte_get_main_lcore())
		worker_main(&run->workers[0]);
	else
		for (unsigned int i = 0; i < run->worker_count; i++) {
			if (rte_eal_remote_launch(worker_main, &run->workers[i],
						  run->workers[i].lcore) == 0)
				continue;
			run->workers[i].rc = migc_error_set(&run->workers[i].err, -EBUSY,
							    "EAL says the lcore is busy");
			__atomic_add_fetch(&run->arrived, 1, __ATOMIC_ACQ_REL);
		}
	for (unsigned int i = 0; i < run->worker_count; i++) {
		struct perf_worker *w = &run->workers[i];

		while (w->lcore != rte_get_main_lcore() &&
		       rte_eal_get_lcore_state(w->lcore) == RUNNING)
			nanosleep(&sleep, NULL);
		rte_eal_wait_lcore(w->lcore);
		if (w->rc != 0 && rc == 0) {
			rc = w->rc;
			migc_error_set(err, rc, "lcore %u, level %u, %s: %s", w->lcore, run->level,
				       run->direction == PERF_COMPRESS ? "compression"
								       : "decompression",
				       w->err.text);
		}
	}
	return rc;
}

static int run_direction(struct perf_run *run, enum perf_direction direction,
			 struct migc_error *err)
{
	int status = PERF_STATUS_USAGE;

	run->direction = direction;
	if (run->path->begin(run, direction, err) == 0)
		status = launch(run, err) == 0 ? PERF_STATUS_DONE : PERF_STATUS_FAILED;
	run->path->end(run);
	return status;
}

static int run_level(struct perf_run *run, struct migc_error *err)
{
	static const enum perf_operation asked[] = {PERF_OPERATION_COMP, PERF_OPERATION_DECOMP};
	int status = PERF_STATUS_DONE;

	for (unsigned int i = 0; i < run->worker_count; i++)
		memset(run->workers[i].result, 0, sizeof(run->workers[i].result));
	for (unsigned int d = 0; d < PERF_DIRECTIONS && status == PERF_STATUS_DONE; d++) {
		if (run->options->operation & asked[d])
			status = run_direction(run, (enum perf_direction)d, err);
	}
	return status;
}

int perf_measure(struct perf_run *run, struct perf_table *table, struct perf_json *json,
		 struct migc_error *err)
{
	const struct perf_options *o = run->options;
	int status = PERF_STATUS_DONE;

	if (run->path->open(run, err) != 0) {
		run->path->close(run);
		return PERF_STATUS_USAGE;
	}
	perf_table_begin(table, run);
	perf_json_begin(json, run);
	for (unsigned int i = 0; i < o->level_count && status == PERF_STATUS_DONE; i++) {
		run->level = o->level[i];
		status = run_level(run, err);
		if (status == PERF_STATUS_DONE) {
			perf_table_level(table, run);
			perf_json_level(json, run);
		}
	}
	perf_table_end(table);
	run->path->close(run);
	return status;
}
