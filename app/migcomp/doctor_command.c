/* SPDX-License-Identifier: BSD-3-Clause */
#include "doctor_command.h"

#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

#include "migc_doctor.h"
#include "options.h"

enum {
	STATUS_WORKS = 0,
	STATUS_USAGE = 1,
	STATUS_MISSING = 2,
};

struct words {
	const char *qmp, *report;
	bool help;
};

static int parse(int argc, char **argv, struct words *out)
{
	static const struct option list[] = {
		{"qmp", required_argument, NULL, 'q'},
		{"report", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int value;

	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, argv, "+:", list, NULL)) != -1) {
		if (value == 'q')
			out->qmp = optarg;
		else if (value == 'r')
			out->report = optarg;
		else if (value == 'h')
			out->help = true;
		else
			break;
	}
	if (value == -1 && optind == argc)
		return 0;
	fprintf(stderr,
		"dpdk-migcomp: doctor: '%s': there are --qmp PATH and --report FILE (EAL's options "
		"go before a `--`)\n",
		value == -1 ? argv[optind] : argv[optind - 1]);
	return -1;
}

/** The first CPU that we may run on. */
static unsigned int first_cpu(void)
{
	cpu_set_t set;

	for (unsigned int i = 0; sched_getaffinity(0, sizeof(set), &set) == 0 && i < CPU_SETSIZE;
	     i++) {
		if (CPU_ISSET(i, &set))
			return i;
	}
	return 0;
}

/** EAL as little as it gets: no huge pages, devices or files. */
static int start_least_eal(void)
{
	char words[][32] = {"dpdk-migcomp",
			    "--no-huge",
			    "-m",
			    "128",
			    "--no-pci",
			    "--iova-mode=va",
			    "--no-telemetry",
			    "--no-shconf",
			    "--log-level=3",
			    "--lcores",
			    "0@0"};
	char *argv[sizeof(words) / sizeof(words[0])];
	const size_t count = sizeof(words) / sizeof(words[0]);

	for (size_t i = 0; i < count; i++)
		argv[i] = words[i];
	snprintf(argv[count - 1], sizeof(words[0]), "0@%u", first_cpu());
	return rte_eal_init((int)count, argv);
}

/** What EAL prints is no part of ours. */
static bool start_eal(int argc, char **argv)
{
	int saved = dup(STDOUT_FILENO);
	bool runs;

	fflush(stdout);
	if (saved >= 0)
		dup2(STDERR_FILENO, STDOUT_FILENO);
	runs = (argc ? rte_eal_init(argc, argv) : start_least_eal()) >= 0;
	fflush(stdout);
	if (saved >= 0) {
		dup2(saved, STDOUT_FILENO);
		close(saved);
	}
	return runs;
}

static void print(const struct migc_doctor *d, FILE *out)
{
	for (unsigned int i = 0; i < d->count; i++) {
		const struct migc_doctor_finding *f = &d->finding[i];

		fprintf(out, "%-8s %-15s %s%s%s\n", migc_doctor_level_name(f->level), f->what,
			f->text, f->remedy[0] ? "; do: " : "", f->remedy);
	}
	fprintf(out, "%s\n",
		migc_doctor_works(d) ? "a migration will work from this host"
				     : "a migration will not work from this host: see what is "
				       "missing");
}

static void look(struct migc_doctor *d, const struct words *words, int eal_argc, char **eal_argv)
{
	struct migc_doctor_answers answers;
	bool runs;

	migc_doctor_ask(&answers);
	migc_doctor_host(d, &answers);
	runs = start_eal(eal_argc, eal_argv);
	migc_doctor_devices(d, runs ? NULL : rte_strerror(rte_errno));
	if (runs && eal_argc)
		migc_doctor_ethdevs(d);
	/* with devices the kernel takes all back better: see end() in main.c */
	if (runs && !eal_argc)
		rte_eal_cleanup();
	if (words->qmp)
		migc_doctor_qemu(d, words->qmp);
}

int doctor_command(int argc, char **argv, int eal_argc, char **eal_argv)
{
	struct migc_doctor *d = calloc(1, sizeof(*d));
	struct migc_error err = {0};
	struct words words = {0};
	int status = STATUS_USAGE;

	if (d == NULL || parse(argc, argv, &words) != 0)
		goto out;
	if (words.help) {
		fputs(options_usage(), stdout);
		status = STATUS_WORKS;
		goto out;
	}
	migc_doctor_init(d, "");
	look(d, &words, eal_argc, eal_argv);
	/* standard output is the report's when it is asked for there */
	print(d, words.report && strcmp(words.report, "-") == 0 ? stderr : stdout);
	status = migc_doctor_works(d) ? STATUS_WORKS : STATUS_MISSING;
	if (words.report && migc_doctor_write(d, words.report, &err) != 0) {
		fprintf(stderr, "dpdk-migcomp: %s\n", err.text);
		status = STATUS_USAGE;
	}
out:
	free(d);
	return status;
}
