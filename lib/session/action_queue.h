/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ACTION_QUEUE_H
#define ACTION_QUEUE_H

#include <stdbool.h>

#include "migc_session.h"

/** @file What a machine wants done, in order, with the messages it wants sent. */

#define ACTION_QUEUE_MAX 8u
#define ACTION_QUEUE_MESSAGES 4u

struct action_queue {
	struct migc_action action[ACTION_QUEUE_MAX];
	unsigned int first, count;
	struct migc_msg msg[ACTION_QUEUE_MESSAGES];
	unsigned int msg_count;
};

/** At the begin of an event: messages of actions that were taken are no longer needed. */
void action_queue_begin(struct action_queue *q);
/** @return the new action. One event makes fewer than ACTION_QUEUE_MAX (asserted). */
struct migc_action *action_queue_add(struct action_queue *q, enum migc_action_type type);
/** A SEND action. @return its message, all zero but for the type. */
struct migc_msg *action_queue_send(struct action_queue *q, enum migc_msg_type type);
/** A SEND of ERROR. */
void action_queue_error(struct action_queue *q, enum migc_reason reason, const char *text);
bool action_queue_take(struct action_queue *q, struct migc_action *out);

#endif
