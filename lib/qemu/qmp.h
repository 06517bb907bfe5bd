/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_QEMU_QMP_H
#define MIGC_QEMU_QMP_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "json_frame.h"
#include "migc_error.h"

/**
 * @file
 * One QMP connection: commands with ids, events, never a wait longer than 1 ms without idle().
 * What the monitor sends is foreign bytes: bounded, and checked before use.
 */

/** An error answer of QEMU to a command, as opposed to no answer (-errno of the connection). */
#define QMP_REFUSED (-EREMOTEIO)

struct qmp {
	int fd; /**< -1: closed */
	struct json_frame in;
	bool greeted; /**< the first message is the greeting, whatever it is */
	uint64_t next_id;
	uint64_t awaited_id; /**< 0: none */
	json_t *answer; /**< of awaited_id */
	struct migc_error broken; /**< why the connection ended */
	unsigned int answer_timeout_ms;
	void (*idle)(void *ctx);
	void *idle_ctx;
	void (*on_event)(void *ctx, const char *name, const json_t *data);
	/** an answer to qmp_post(): `result` is the return value, NULL when refused */
	void (*on_posted)(void *ctx, uint64_t id, const json_t *result);
	void *ctx;
};

uint64_t qmp_now_ns(void);

/**
 * Connect, wait for the greeting, leave negotiation mode. The caller has set everything of `q`
 * but fd, which is -1.
 * @return 0; -errno as migc_qemu_open() has them.
 */
int qmp_connect(struct qmp *q, const char *path, struct migc_error *err);
void qmp_close(struct qmp *q);

/**
 * Run a command and wait for its answer.
 * @param arguments taken over; may be NULL
 * @param result    new reference to the return value; may be NULL
 * @return 0; QMP_REFUSED (err has QEMU's words); -ETIMEDOUT; -ESRCH (closed); -EPROTO.
 */
int qmp_command(struct qmp *q, const char *name, json_t *arguments, json_t **result,
		struct migc_error *err);
/** Send a command without waiting; its answer comes to on_posted(). @return 0; -errno. */
int qmp_post(struct qmp *q, const char *name, uint64_t *id, struct migc_error *err);
/** Run a line of the human monitor; `text` is freed with free(). @return as qmp_command(). */
int qmp_human(struct qmp *q, const char *line, char **text, struct migc_error *err);

/** Handle what has come, without waiting. @return 0; -ESRCH; -EPROTO. */
int qmp_poll(struct qmp *q, struct migc_error *err);
/** idle(), then wait up to 1 ms for something to come, and handle it. @return as qmp_poll(). */
int qmp_wait(struct qmp *q, struct migc_error *err);

#endif
