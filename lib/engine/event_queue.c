/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "event_queue.h"

struct migc_event *event_queue_add(struct event_queue *q, enum migc_event_type type)
{
	unsigned int at = (q->first + q->count) % EVENT_QUEUE_MAX;

	/* the oldest are the cause of what came later: keep them, drop the newest */
	if (q->count == EVENT_QUEUE_MAX)
		at = (at + EVENT_QUEUE_MAX - 1) % EVENT_QUEUE_MAX;
	else
		q->count++;
	memset(&q->event[at], 0, sizeof(q->event[at]));
	memset(&q->error[at], 0, sizeof(q->error[at]));
	q->event[at].type = type;
	return &q->event[at];
}

void event_queue_error(struct event_queue *q, enum migc_event_type type,
		       const struct migc_error *error)
{
	struct migc_event *event = event_queue_add(q, type);

	q->error[event - q->event] = *error;
	event->error = &q->error[event - q->event];
}

void event_queue_text(struct event_queue *q, enum migc_event_type type, int code, const char *text)
{
	struct migc_event *event = event_queue_add(q, type);

	migc_error_set(&q->error[event - q->event], code, "%s", text);
	event->error = &q->error[event - q->event];
}

bool event_queue_take(struct event_queue *q, struct migc_event *out)
{
	if (q->count == 0)
		return false;
	*out = q->event[q->first];
	q->first = (q->first + 1) % EVENT_QUEUE_MAX;
	q->count--;
	return true;
}
