/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef EVENT_QUEUE_H
#define EVENT_QUEUE_H

#include <stdbool.h>

#include "migc_session.h"

/** @file Events that wait for the session, in order. Bounded: a controller makes few at a time. */

#define EVENT_QUEUE_MAX 32u

struct event_queue {
	struct migc_event event[EVENT_QUEUE_MAX];
	struct migc_error error[EVENT_QUEUE_MAX]; /**< what event[i].error points to */
	unsigned int first, count;
};

/** @return the new event, to be filled; a full queue gives a place that is thrown away. */
struct migc_event *event_queue_add(struct event_queue *q, enum migc_event_type type);
/** An event with a copy of an error. */
void event_queue_error(struct event_queue *q, enum migc_event_type type,
		       const struct migc_error *error);
void event_queue_text(struct event_queue *q, enum migc_event_type type, int code, const char *text);
/** The event stays valid until EVENT_QUEUE_MAX more were added. */
bool event_queue_take(struct event_queue *q, struct migc_event *out);

#endif
