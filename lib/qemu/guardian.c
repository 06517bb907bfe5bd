/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migc_guardian.h"
#include "qemu_private.h"

static void say(const char *text)
{
	fprintf(stderr, "dpdk-migcomp: the sender has ended unexpectedly: %s\n", text);
}

/** Nobody else knows of it. */
static void say_paused(const struct migc_error *why)
{
	char text[sizeof(why->text) + 128];

	snprintf(text, sizeof(text),
		 "the source VM may be paused (%s): if it is, continue it by hand (QMP: "
		 "migrate_cancel, then cont)",
		 why->text);
	say(text);
}

static bool nothing_changed(const struct qemu_changes *changes)
{
	return changes->phase != GUARDIAN_RESUME && !changes->held && !changes->dirty_limited &&
	       changes->capabilities == 0 && !changes->bandwidth_changed &&
	       changes->tls_creds[0] == '\0' && changes->directory[0] == '\0';
}

/** Undo what the sender had done. */
static void rescue(const char *path, struct qemu_changes *changes)
{
	enum guardian_phase phase = changes->phase;
	bool stands = phase == GUARDIAN_RESUME || (phase != GUARDIAN_COMMITTED && changes->held);
	struct migc_qemu q = {.qmp.fd = -1, .listen_fd = -1, .state_fd = -1, .changes = changes};
	struct migc_error error = {0};
	int rc;

	if (phase == GUARDIAN_COMMITTED)
		say("after it had told the receiver to start the VM; look at the destination "
		    "before continuing this one");
	if (nothing_changed(changes))
		return;
	if (phase == GUARDIAN_COMMITTED || qmp_open_again(&q.qmp, path, &error) != 0) {
		if (stands)
			say_paused(&error);
		qemu_remove_directory(&q);
		return;
	}
	q.info.running = true;
	if (phase == GUARDIAN_RESUME)
		q.switchover = SWITCHOVER_MIGRATING;
	rc = stands ? migc_qemu_resume(&q, &error) : 0;
	migc_qemu_restore(&q);
	qemu_remove_directory(&q);
	qmp_close(&q.qmp);
	/* last: nobody may be reading */
	if (stands && rc == 0)
		say("the source VM runs on");
	else if (stands)
		say_paused(&error);
}

static void __attribute__((noreturn))
watch(int pipe_fd, const char *path, struct qemu_changes *changes)
{
	char byte;
	ssize_t n;

	/* out of the terminal's group: what ends the sender by a key must not end us */
	setsid();
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	/* who read our words may have died with the sender: what is to be done comes first */
	signal(SIGPIPE, SIG_IGN);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	do {
		n = read(pipe_fd, &byte, 1);
	} while (n > 0 || (n < 0 && errno == EINTR));
	rescue(path, changes);
	_exit(0);
}

int migc_guardian_start(const char *qmp_path, struct migc_guardian **out, struct migc_error *err)
{
	struct migc_guardian *g = calloc(1, sizeof(*g));
	int ends[2] = {-1, -1};

	*out = NULL;
	if (g == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a guardian");
	g->changes = mmap(NULL, sizeof(*g->changes), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (g->changes == MAP_FAILED || pipe(ends) != 0 || (g->pid = fork()) < 0) {
		int rc = -errno;

		if (g->changes != MAP_FAILED)
			munmap(g->changes, sizeof(*g->changes));
		if (ends[0] >= 0) {
			close(ends[0]);
			close(ends[1]);
		}
		free(g);
		return migc_error_set(err, rc, "no guardian for the source VM: %s", strerror(-rc));
	}
	if (g->pid == 0) {
		struct qemu_changes *changes = g->changes;

		free(g);
		close(ends[1]);
		watch(ends[0], qmp_path, changes);
	}
	close(ends[0]);
	g->pipe_fd = ends[1];
	*out = g;
	return 0;
}

void migc_guardian_stop(struct migc_guardian *g)
{
	if (g == NULL)
		return;
	/* who says goodbye has told the operator how it ended */
	if (g->changes->phase == GUARDIAN_COMMITTED)
		g->changes->phase = GUARDIAN_WATCH;
	close(g->pipe_fd);
	waitpid(g->pid, NULL, 0);
	munmap(g->changes, sizeof(*g->changes));
	free(g);
}
