/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "perf_json.h"
#include "perf_pipeline.h"
#include "perf_run.h"
#include "perf_table.h"

#define NAME "dpdk-test-migcomp-perf"

static volatile sig_atomic_t stopped;

static void on_stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void install_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_stop;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

static void name_worker(struct perf_run *run, unsigned int lcore)
{
	struct perf_worker *w = &run->workers[run->worker_count];

	w->run = run;
	w->index = run->worker_count++;
	w->lcore = lcore;
	w->socket = (int)rte_lcore_to_socket_id(lcore);
}

/** One worker an lcore besides the main one; none besides: the main one is the worker. */
static int make_workers(struct perf_run *run, struct migc_error *err)
{
	unsigned int count = rte_lcore_count() > 1 ? rte_lcore_count() - 1 : 1, lcore;

	if (count > PERF_WORKERS_MAX)
		return migc_error_set(err, -EINVAL, "%u worker lcores are too many: at most %u",
				      count, PERF_WORKERS_MAX);
	run->workers = calloc(count, sizeof(run->workers[0]));
	if (run->workers == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for workers");
	for (lcore = 0; lcore < RTE_MAX_LCORE; lcore++) {
		if (rte_lcore_is_enabled(lcore) && lcore != rte_get_main_lcore())
			name_worker(run, lcore);
	}
	if (run->worker_count == 0)
		name_worker(run, rte_get_main_lcore());
	return 0;
}

static int run_test(struct perf_run *run, struct perf_table *table, struct perf_json *json,
		    struct perf_pipeline_eal *eal, struct migc_error *err)
{
	if (perf_input_load(run->options, &run->input, err) != 0 || make_workers(run, err) != 0)
		return PERF_STATUS_USAGE;
	if (run->options->ptest == PERF_PIPELINE)
		return perf_pipeline(run, table, json, eal, err);
	run->path = run->options->codec == PERF_CODEC_NONE ? &perf_path_compressdev
							   : &perf_path_codec;
	return perf_measure(run, table, json, err);
}

static int run_all(const struct perf_options *o, struct perf_pipeline_eal *eal)
{
	bool json_to_stdout = o->json && strcmp(o->json, "-") == 0;
	struct perf_table table = {.out = json_to_stdout ? stderr : stdout};
	struct perf_run run = {.options = o, .stop = &stopped};
	struct migc_error err = {0}, json_err = {0};
	struct perf_json *json = NULL;
	int status = PERF_STATUS_USAGE;

	if (o->json && perf_json_create(o, &json) != 0)
		migc_error_set(&err, -ENOMEM, "no memory for JSON");
	else
		status = run_test(&run, &table, json, eal, &err);
	if (status != PERF_STATUS_DONE)
		fprintf(stderr, NAME ": %s\n", err.text);
	if (json && perf_json_write(json, o->json, &err, &json_err) != 0) {
		fprintf(stderr, NAME ": %s\n", json_err.text);
		status = status ? status : PERF_STATUS_FAILED;
	}
	perf_json_free(json);
	perf_input_free(&run.input);
	free(run.workers);
	return status;
}

/** The place of "--" in argv: what comes after is ours, what comes before is EAL's. */
static int find_separator(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0)
			return i;
	}
	return -1;
}

/** @return status, or -1 to go on */
static int parse(int argc, char **argv, int separator, struct perf_options *o)
{
	struct migc_error err = {0};

	if (separator < 0) {
		if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
			fputs(perf_usage(), stdout);
			return PERF_STATUS_DONE;
		}
		fprintf(stderr, NAME ": no `--`: EAL's options go before it, the others after (see "
				     "--help)\n");
		return PERF_STATUS_USAGE;
	}
	if (perf_options_parse(argc - separator, argv + separator, o, &err) != 0) {
		fprintf(stderr, NAME ": %s\n", err.text);
		return PERF_STATUS_USAGE;
	}
	if (o->help || o->version) {
		fputs(o->help ? perf_usage() : NAME " " MIGC_VERSION "\n", stdout);
		return PERF_STATUS_DONE;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct perf_pipeline_eal eal = {0};
	struct perf_options options;
	struct migc_error err = {0};
	int separator, status;

	if (argc > 1 && strcmp(argv[1], PERF_RECEIVER_WORD) == 0) {
		install_signals();
		status = perf_receiver_main(argc, argv, &stopped);
		fflush(NULL);
		_exit(status);
	}
	separator = find_separator(argc, argv);
	status = parse(argc, argv, separator, &options);
	if (status >= 0)
		return status;
	if (perf_pipeline_eal(&options, argv, separator, &eal, &err) != 0) {
		fprintf(stderr, NAME ": %s\n", err.text);
		return PERF_STATUS_USAGE;
	}
	/* before EAL, which takes its time: an early signal stops the test in order, too */
	install_signals();
	if (rte_eal_init(eal.argc, eal.argv) < 0) {
		fprintf(stderr, NAME ": EAL does not start: %s (see its messages above)\n",
			rte_strerror(rte_errno));
		perf_pipeline_eal_free(&eal);
		return PERF_STATUS_USAGE;
	}
	status = run_all(&options, &eal);
	perf_pipeline_eal_free(&eal);
	if (options.ptest == PERF_PIPELINE) {
		/* memif and rte_eal_cleanup(): see app/migcomp/main.c */
		fflush(NULL);
		_exit(status);
	}
	rte_eal_cleanup();
	return status;
}
