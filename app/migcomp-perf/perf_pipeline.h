/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_PIPELINE_H
#define PERF_PIPELINE_H

#include <signal.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_report.h"
#include "perf_json.h"
#include "perf_run.h"
#include "perf_table.h"

/**
 * @file
 * --ptest pipeline: the whole way of a page, through two ports. The sending end is this process,
 * the receiving end is this program again, in a process of its own (an engine takes all of EAL's
 * lcores); a private memif is between them. lib/engine is what runs on both, as in dpdk-migcomp.
 */

/** First word of the receiving end, which only perf_pipeline() starts. */
#define PERF_RECEIVER_WORD "--receiving-end"
/** Then: descriptor to report to, descriptor of the memory, driver or "-", MTU; EAL's words. */
#define PERF_RECEIVER_WORDS 6

#define PERF_PIPELINE_PORT "net_memif_perf"
#define PERF_PIPELINE_REGION "memory"
#define PERF_PIPELINE_SENDER 0x0a6d0001u /* 10.109.0.1 and .2: nobody else is on this network */
#define PERF_PIPELINE_RECEIVER 0x0a6d0002u
#define PERF_PIPELINE_PREFIX 24
#define PERF_PIPELINE_UDP_PORT 4433

/** What the receiving end tells: once when it listens, once at its end. */
struct perf_receiver_said {
	bool ended;
	int outcome; /**< enum migc_outcome */
	uint64_t cpu_ns; /**< of the process, while it received */
	struct migc_error err;
	struct migc_report report;
};

/** EAL's words of the two ends. */
struct perf_pipeline_eal {
	int argc;
	char **argv; /**< ours; with the port, for the pipeline */
	int receiver_argc;
	char **receiver_argv; /**< the other's, without the port; NULL: no pipeline */
	char *receiver_copy; /**< of --receiver-eal, cut at blanks */
	bool choose_main_lcore; /**< the other end gets our last lcore as its main one */
	bool says_lcores; /**< its words say which lcores it has */
	char directory[64]; /**< of the memif's socket; empty: removed */
	char vdev[2][192]; /**< sender's and receiver's */
};

/**
 * Make the words. For the pipeline, also a directory for the memif's socket.
 * @param argv,count words of the command line before `--`, the program's name first
 * @return 0, -errno with a message
 */
int perf_pipeline_eal(const struct perf_options *o, char **argv, int count,
		      struct perf_pipeline_eal *out, struct migc_error *err);
/** Free, and remove the directory if it is still there. */
void perf_pipeline_eal_free(struct perf_pipeline_eal *eal);
/** The socket's file is not needed once both ends are connected. */
void perf_pipeline_remove_socket(struct perf_pipeline_eal *eal);

/** A receiving end. */
struct perf_receiver {
	int pid; /**< 0: none */
	int fd; /**< what it tells */
};

/** @param memory_fd what it receives into. @return 0, -errno with a message. */
int perf_receiver_start(const struct perf_options *o, const struct perf_pipeline_eal *eal,
			int memory_fd, struct perf_receiver *out, struct migc_error *err);
/** The next thing that it tells. @return 0, -ECANCELED, -ETIMEDOUT, -EPIPE (it is gone). */
int perf_receiver_listen(const struct perf_receiver *r, unsigned int timeout_ms,
			 const volatile sig_atomic_t *stop, struct perf_receiver_said *out);
/** End it, if it does not end by itself within some seconds, and wait for it. */
void perf_receiver_stop(struct perf_receiver *r);
/** The receiving end's main(). @return exit status. */
int perf_receiver_main(int argc, char **argv, const volatile sig_atomic_t *stop);

/** CPU time of this process so far. */
uint64_t perf_process_cpu_ns(void);

/** Move the input and check it. @return exit status. */
int perf_pipeline(struct perf_run *run, struct perf_table *table, struct perf_json *json,
		  struct perf_pipeline_eal *eal, struct migc_error *err);

#endif
