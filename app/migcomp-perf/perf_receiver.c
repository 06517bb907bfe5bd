/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "migc_engine.h"
#include "perf_pipeline.h"

#define NAME "dpdk-test-migcomp-perf (receiving end)"

/** The receiving end, in its own process. */
struct receiving {
	int fd;
	bool began, ended; /**< to receive */
	uint64_t cpu_ns;
	struct perf_receiver_said said;
};

uint64_t perf_process_cpu_ns(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_SELF, &usage) != 0)
		return 0;
	return ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) *
		       UINT64_C(1000000000) +
	       ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000;
}

static void say(struct receiving *r)
{
	const uint8_t *at = (const uint8_t *)&r->said;
	size_t left = sizeof(r->said);

	while (left) {
		ssize_t n = write(r->fd, at, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return; /* the sending end is gone: nobody is there to be told */
		at += n;
		left -= (size_t)n;
	}
}

static void on_listening(void *ctx, const struct migc_addr *addr)
{
	(void)addr;
	say(ctx);
}

static void on_state(void *ctx, const char *name)
{
	struct receiving *r = ctx;
	bool receives = strcmp(name, "RECEIVE") == 0 || strcmp(name, "APPLY") == 0;

	if (receives && !r->began) {
		r->began = true;
		r->cpu_ns = perf_process_cpu_ns();
	} else if (!receives && r->began && !r->ended) {
		r->ended = true;
		r->cpu_ns = perf_process_cpu_ns() - r->cpu_ns;
	}
}

static void on_log(void *ctx, enum migc_log_level level, const char *text)
{
	(void)ctx;
	(void)level;
	fprintf(stderr, NAME ": %s\n", text);
}

static bool has_word(int argc, char **argv, const char *word)
{
	for (int i = PERF_RECEIVER_WORDS; i < argc; i++) {
		if (strcmp(argv[i], word) == 0)
			return true;
	}
	return false;
}

/** @return the words for EAL: those given, and what keeps its files apart from the sending end's.
 */
static char **eal_words(int argc, char **argv, int *count)
{
	static char no_files[] = "--no-shconf", no_huge_files[] = "--in-memory";
	char *apart = has_word(argc, argv, "--no-huge") ? no_files : no_huge_files;
	char **words = calloc((size_t)argc + 2, sizeof(char *));

	if (words == NULL)
		return NULL;
	words[(*count)++] = argv[0];
	for (int i = PERF_RECEIVER_WORDS; i < argc; i++)
		words[(*count)++] = argv[i];
	/* each excludes the other's --no-huge; neither leaves anything behind. DPDK 25.11 takes no
	 * word twice */
	if (!has_word(argc, argv, apart))
		words[(*count)++] = apart;
	return words;
}

static enum migc_outcome receive(struct receiving *r, char **argv, struct migc_credentials *c,
				 const volatile sig_atomic_t *stop)
{
	const struct migc_log log = {.write = on_log, .level = MIGC_LOG_WARNING};
	char path[64];
	const struct migc_engine_mem mem = {.name = PERF_PIPELINE_REGION, .path = path};
	struct migc_engine_config config = {
		.mem = &mem,
		.mem_count = 1,
		.ethdev = PERF_PIPELINE_PORT,
		.address = {.ip = PERF_PIPELINE_RECEIVER, .length = PERF_PIPELINE_PREFIX},
		.udp_port = PERF_PIPELINE_UDP_PORT,
		.mtu = (uint16_t)strtoul(argv[5], NULL, 10),
		.credentials = c,
		.compressdev = strcmp(argv[4], "-") != 0 ? argv[4] : NULL,
		.codec.level = 1,
		.cancel = stop,
		.listening = on_listening,
		.state = on_state,
		.ctx = r,
		.log = &log,
	};

	snprintf(path, sizeof(path), "/proc/self/fd/%s", argv[3]);
	return migc_engine_run(&config, &r->said.report, &r->said.err);
}

int perf_receiver_main(int argc, char **argv, const volatile sig_atomic_t *stop)
{
	struct migc_credentials *credentials = NULL;
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;
	struct receiving *r;
	int count = 0;
	char **words;

	if (argc < PERF_RECEIVER_WORDS)
		return PERF_STATUS_USAGE;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return PERF_STATUS_USAGE;
	r->fd = (int)strtol(argv[2], NULL, 10);
	words = eal_words(argc, argv, &count);
	if (words == NULL || rte_eal_init(count, words) < 0)
		migc_error_set(&r->said.err, -EIO, "EAL does not start there: %s",
			       rte_strerror(rte_errno));
	else if (migc_credentials_insecure(true, &credentials, &r->said.err) == 0)
		outcome = receive(r, argv, credentials, stop);
	r->said.ended = true;
	r->said.outcome = (int)outcome;
	r->said.cpu_ns = r->ended ? r->cpu_ns : 0;
	say(r);
	migc_credentials_free(credentials);
	free(words);
	free(r);
	return (int)outcome;
}
