/* SPDX-License-Identifier: BSD-3-Clause */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "action_queue.h"

void action_queue_begin(struct action_queue *q)
{
	if (q->count == 0)
		q->msg_count = 0;
}

struct migc_action *action_queue_add(struct action_queue *q, enum migc_action_type type)
{
	struct migc_action *action;

	assert(q->count < ACTION_QUEUE_MAX);
	action = &q->action[(q->first + q->count++) % ACTION_QUEUE_MAX];
	memset(action, 0, sizeof(*action));
	action->type = type;
	return action;
}

struct migc_msg *action_queue_send(struct action_queue *q, enum migc_msg_type type)
{
	struct migc_msg *msg;

	assert(q->msg_count < ACTION_QUEUE_MESSAGES);
	msg = &q->msg[q->msg_count++];
	memset(msg, 0, sizeof(*msg));
	msg->type = type;
	action_queue_add(q, MIGC_ACTION_SEND)->msg = msg;
	return msg;
}

void action_queue_error(struct action_queue *q, enum migc_reason reason, const char *text)
{
	struct migc_msg *msg = action_queue_send(q, MIGC_MSG_ERROR);

	msg->error.reason = (uint16_t)reason;
	snprintf(msg->error.text, sizeof(msg->error.text), "%s", text);
}

bool action_queue_take(struct action_queue *q, struct migc_action *out)
{
	if (q->count == 0)
		return false;
	*out = q->action[q->first];
	q->first = (q->first + 1) % ACTION_QUEUE_MAX;
	q->count--;
	return true;
}
