/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_CONTROL_H
#define MIGC_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_report.h"
#include "migc_settings.h"

/**
 * @file
 * The operator's hand on running migrations: what each tells of itself, and what it is told to do.
 * A controller publishes and takes orders; the control socket and telemetry, which have threads of
 * their own, read copies and post orders. Nothing of a running migration is ever seen from outside
 * but these copies. doc/guide/operating.md has the protocol.
 */

#define MIGC_CONTROL_GUEST_BYTES 64u
#define MIGC_CONTROL_PATH_BYTES 108u /* of a Unix socket's address */
/** Migrations of one process at a time. */
#define MIGC_CONTROL_SESSIONS_MAX 64u

enum migc_order_type {
	MIGC_ORDER_CANCEL,
	MIGC_ORDER_CONTINUE, /**< out of PAUSE */
	MIGC_ORDER_SET,
};

struct migc_order {
	enum migc_order_type type;
	struct migc_settings_change change; /**< SET */
};

/** A migration as it last said it is. */
struct migc_control_view {
	uint64_t id; /**< of the session within the process, counted from 1 */
	char guest[MIGC_CONTROL_GUEST_BYTES];
	bool source;
	struct migc_settings settings; /**< source */
	struct migc_report report;
	uint64_t wire_bits_per_s; /**< sent over the last second or so */
};

struct migc_control; /**< all of a process */
struct migc_control_session; /**< one migration */

/** @return 0, -errno with a message. */
int migc_control_create(struct migc_control **out, struct migc_error *err);
/** Its sessions were removed, its server and telemetry stopped before. NULL is allowed. */
void migc_control_free(struct migc_control *control);

/* ---- the controller's side: one thread a session ---- */

/**
 * A migration begins.
 * @param guest what it is called by the operator; copied, cut to what fits
 * @return 0, -EEXIST (there is one of that name), -ENOSPC, -ENOMEM.
 */
int migc_control_add(struct migc_control *control, const char *guest, bool source,
		     struct migc_control_session **out);
/** It is over; an order that was not answered is refused. NULL is allowed. */
void migc_control_remove(struct migc_control_session *session);
/** Tell how things are; some times a second, and when the state changes. */
void migc_control_publish(struct migc_control_session *session, const struct migc_report *report,
			  const struct migc_settings *settings, uint64_t now_ns);
/** Is there an order? One at a time, to be answered before the next. No lock while there is none.
 */
bool migc_control_take(struct migc_control_session *session, struct migc_order *out);
/** @param refusal code 0: it is done, or will be */
void migc_control_answer(struct migc_control_session *session, const struct migc_error *refusal);

/* ---- the outside: any thread ---- */

/** A copy of the session that has the lowest id above `after`. @return false: there is none. */
bool migc_control_next(struct migc_control *control, uint64_t after, struct migc_control_view *out);
/**
 * Post an order.
 * @param guest  "": the only one
 * @param ticket for migc_control_answered()
 * @return 0; -ENOENT (none of that name), -EEXIST ("" and there are several), -EBUSY (it has an
 *   order already); with a message.
 */
int migc_control_post(struct migc_control *control, const char *guest,
		      const struct migc_order *order, uint64_t *ticket, struct migc_error *err);
/** @return whether the order was answered; then `refusal` says how, code 0: done. */
bool migc_control_answered(struct migc_control *control, uint64_t ticket,
			   struct migc_error *refusal);
/** Nobody waits for the answer any more. */
void migc_control_forget(struct migc_control *control, uint64_t ticket);

/* ---- the socket ---- */

struct migc_control_server;

/**
 * Offer a Unix socket, with a thread that serves it.
 * @param path NULL: in the default directory, named by role and process
 * @param role "send" or "recv"
 * @return 0; -EADDRINUSE (somebody listens there), -EACCES, -errno, with a message.
 */
int migc_control_serve(struct migc_control *control, const char *path, const char *role,
		       struct migc_control_server **out, struct migc_error *err);
const char *migc_control_server_path(const struct migc_control_server *server);
/** End the thread, remove the socket. NULL is allowed. */
void migc_control_server_stop(struct migc_control_server *server);

/* ---- its client ---- */

/** Sockets of running processes in the default directory; those that nobody listens at go. */
int migc_control_find(char (*path)[MIGC_CONTROL_PATH_BYTES], unsigned int capacity,
		      unsigned int *count, struct migc_error *err);
/**
 * Send a line, wait for the one that answers.
 * @param answer freed with free()
 * @return 0; -ENOENT, -ECONNREFUSED (nobody is there), -EACCES, -ETIMEDOUT, -EPROTO, -errno, with a
 *   message.
 */
int migc_control_ask(const char *path, const char *line, unsigned int timeout_ms, char **answer,
		     struct migc_error *err);

#endif
