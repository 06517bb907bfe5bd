/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QMP_H
#define QMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "migc_error.h"
#include "migc_qemu.h"

/**
 * @file
 * A QMP client: one JSON object a line over a unix socket (QEMU's docs/interop/qmp-spec). Commands
 * wait for their answer; events that come meanwhile are kept.
 */

struct qmp {
	int fd;
	pid_t pid; /**< of the peer, SO_PEERCRED */
	uid_t uid;
	unsigned int timeout_ms;
	void (*idle)(void *ctx);
	void *idle_ctx;
	enum migc_qemu_fault (*fault)(void *ctx, const char *command);
	void *fault_ctx;
	char *buffer; /**< bytes received and not parsed yet */
	size_t length, capacity;
	size_t searched; /**< of them, without an end of line */
	uint64_t next_id;
	uint64_t stop_ns; /**< CLOCK_MONOTONIC when the last STOP event came; 0: none */
	uint64_t resume_ns; /**< ... RESUME */
	unsigned int stops, resumes, migrations; /**< events so far */
	uint64_t begun_id; /**< of the command that qmp_begin() gave; 0: none is on its way */
	int begun_rc; /**< of the last that was answered: 0, -EREMOTEIO */
	bool closed;
};

/** Connect, take the greeting, leave negotiation mode. */
int qmp_open(struct qmp *q, const char *path, struct migc_error *err);
void qmp_close(struct qmp *q);
/**
 * Once more, after the socket closed: QEMU takes the next client as soon as it has seen the end of
 * the last. What `q` is set to is kept. @return as qmp_open(); -ENOENT, -ECONNREFUSED: QEMU has
 * gone.
 */
int qmp_open_again(struct qmp *q, const char *path, struct migc_error *err);
/**
 * Run a command.
 * @param arguments stolen; NULL: none
 * @param result    the "return" value, to be json_decref()ed; NULL: not wanted
 * @return 0; -EREMOTEIO (QEMU answered an error: its description is the message), -ESRCH (QEMU has
 *   gone), -ETIMEDOUT, -EPROTO.
 */
int qmp_execute(struct qmp *q, const char *command, json_t *arguments, json_t **result,
		struct migc_error *err);
/** getfd: QEMU has the file under that name until a command uses it. @return as qmp_execute(). */
int qmp_give_fd(struct qmp *q, const char *name, int fd, struct migc_error *err);
/**
 * Give a command and do not wait: begun_id is 0 when it was answered, which qmp_poll() or any other
 * command notices. One at a time.
 * @return 0, -EBUSY, -ESRCH, -ETIMEDOUT.
 */
int qmp_begin(struct qmp *q, const char *command, struct migc_error *err);
/** Wait for the answer to what was begun, if anything was. @return begun_rc; else as above. */
int qmp_finish(struct qmp *q, struct migc_error *err);
/** A line of the human monitor. @param text freed with free() */
int qmp_hmp(struct qmp *q, const char *line, char **text, struct migc_error *err);
/** Read events that are there. @return 0, -ESRCH. */
int qmp_poll(struct qmp *q, struct migc_error *err);
/** Wait at most a millisecond, usefully. */
void qmp_idle(const struct qmp *q);
uint64_t qmp_now_ns(void);

#endif
