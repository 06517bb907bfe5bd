/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "perf_pipeline.h"

#define POLL_MS 100
#define STOP_MS 5000u

/** Room for all lcores that EAL can have, each with a comma. */
#define LCORES_BYTES (RTE_MAX_LCORE * 5u)

struct words {
	char report_fd[16], memory_fd[16], mtu[16], main_lcore[32];
	char lcores[LCORES_BYTES];
	char **argv;
};

/**
 * The same lcores, but another one waits: with two, each end's worker has its own. EAL takes a main
 * lcore only together with a list.
 */
static void choose_lcores(const struct perf_pipeline_eal *eal, struct words *w, int *count)
{
	unsigned int last = rte_get_main_lcore();
	size_t used = 0;

	used += (size_t)snprintf(w->lcores, sizeof(w->lcores), "--lcores=");
	for (unsigned int lcore = 0; lcore < RTE_MAX_LCORE; lcore++) {
		if (!rte_lcore_is_enabled(lcore))
			continue;
		used += (size_t)snprintf(w->lcores + used, sizeof(w->lcores) - used, "%u,", lcore);
		if (lcore != rte_get_main_lcore())
			last = lcore;
	}
	w->lcores[used - 1] = '\0';
	snprintf(w->main_lcore, sizeof(w->main_lcore), "--main-lcore=%u", last);
	if (!eal->says_lcores)
		w->argv[(*count)++] = w->lcores;
	w->argv[(*count)++] = w->main_lcore;
}

static int make_words(const struct perf_options *o, const struct perf_pipeline_eal *eal,
		      int report_fd, int memory_fd, struct words *w)
{
	int count = 0;

	/* the port, the lcores, the main one, and the NULL at the end */
	w->argv = calloc((size_t)eal->receiver_argc + PERF_RECEIVER_WORDS + 4, sizeof(char *));
	if (w->argv == NULL)
		return -ENOMEM;
	snprintf(w->report_fd, sizeof(w->report_fd), "%d", report_fd);
	snprintf(w->memory_fd, sizeof(w->memory_fd), "%d", memory_fd);
	snprintf(w->mtu, sizeof(w->mtu), "%u", o->mtu);
	w->argv[count++] = eal->argv[0];
	w->argv[count++] = (char *)(uintptr_t)PERF_RECEIVER_WORD;
	w->argv[count++] = w->report_fd;
	w->argv[count++] = w->memory_fd;
	w->argv[count++] = (char *)(uintptr_t)(o->driver_name ? o->driver_name : "-");
	w->argv[count++] = w->mtu;
	for (int i = 0; i < eal->receiver_argc; i++)
		w->argv[count++] = eal->receiver_argv[i];
	w->argv[count++] = (char *)(uintptr_t)eal->vdev[1];
	if (eal->choose_main_lcore && rte_lcore_count() > 1)
		choose_lcores(eal, w, &count);
	return 0;
}

/** After fork(): only what is safe there. */
static void become(const struct words *w, int parent, int report_fd, int memory_fd)
{
	/* it is of no use without us, and must not stay behind */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(PERF_STATUS_USAGE);
	/* our standard output may be JSON */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	if (fcntl(report_fd, F_SETFD, 0) == 0 && fcntl(memory_fd, F_SETFD, 0) == 0)
		execv("/proc/self/exe", w->argv);
	_exit(PERF_STATUS_USAGE);
}

int perf_receiver_start(const struct perf_options *o, const struct perf_pipeline_eal *eal,
			int memory_fd, struct perf_receiver *out, struct migc_error *err)
{
	struct words words = {0};
	int parent = (int)getpid(), ends[2], rc;

	memset(out, 0, sizeof(*out));
	if (pipe2(ends, O_CLOEXEC) != 0)
		return migc_error_set(err, -errno, "no pipe: %s", strerror(errno));
	rc = make_words(o, eal, ends[1], memory_fd, &words);
	if (rc == 0) {
		out->pid = (int)fork();
		if (out->pid == 0)
			become(&words, parent, ends[1], memory_fd);
		rc = out->pid < 0 ? -errno : 0;
	}
	free(words.argv);
	close(ends[1]);
	if (rc != 0) {
		out->pid = 0;
		close(ends[0]);
		return migc_error_set(err, rc, "the receiving end cannot be started: %s",
				      strerror(-rc));
	}
	out->fd = ends[0];
	return 0;
}

int perf_receiver_listen(const struct perf_receiver *r, unsigned int timeout_ms,
			 const volatile sig_atomic_t *stop, struct perf_receiver_said *out)
{
	struct pollfd readable = {.fd = r->fd, .events = POLLIN};
	uint8_t *at = (uint8_t *)out;
	size_t left = sizeof(*out);

	for (unsigned int ms = 0; left;) {
		int ready;
		ssize_t n;

		if (*stop)
			return -ECANCELED;
		ready = poll(&readable, 1, POLL_MS);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0) {
			ms += POLL_MS;
			if (ms >= timeout_ms)
				return -ETIMEDOUT;
			continue;
		}
		n = read(r->fd, at, left);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -EPIPE;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

void perf_receiver_stop(struct perf_receiver *r)
{
	const struct timespec sleep = {0, POLL_MS * 1000000};
	unsigned int ms = 0;

	if (r->pid == 0)
		return;
	while (waitpid(r->pid, NULL, WNOHANG) == 0) {
		if (ms == 0)
			kill(r->pid, SIGTERM);
		else if (ms >= STOP_MS)
			kill(r->pid, SIGKILL);
		nanosleep(&sleep, NULL);
		ms += POLL_MS;
	}
	close(r->fd);
	r->pid = 0;
}
