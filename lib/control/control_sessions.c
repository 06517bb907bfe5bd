/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "control_sessions.h"

/** Time over which the rate is measured. */
#define RATE_NS UINT64_C(1000000000)

enum order_state {
	ORDER_NONE,
	ORDER_POSTED,
	ORDER_TAKEN,
	ORDER_ANSWERED,
};

struct migc_control_session {
	struct migc_control *control;
	struct migc_control_view view;
	struct {
		uint64_t bytes, ns; /**< where the measured time began */
	} rate;
	enum order_state state;
	uint32_t posted; /**< ORDER_POSTED, to be seen without the lock */
	uint64_t ticket;
	struct migc_order order;
	struct migc_error refusal;
};

/**
 * The lock is held for a copy of some KiB at most. Neither a worker nor its lcore ever takes it,
 * but for the main lcore where that runs the worker as well.
 */
struct migc_control {
	pthread_mutex_t lock;
	int wake_fd; /**< an eventfd: something was answered */
	uint64_t next_id, next_ticket;
	struct migc_control_session *session[MIGC_CONTROL_SESSIONS_MAX]; /**< by rising id */
	unsigned int count;
};

int migc_control_create(struct migc_control **out, struct migc_error *err)
{
	struct migc_control *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (c == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for the control socket");
	c->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->wake_fd < 0) {
		int rc = -errno;

		free(c);
		return migc_error_set(err, rc, "no eventfd for the control socket: %s",
				      strerror(-rc));
	}
	pthread_mutex_init(&c->lock, NULL);
	*out = c;
	return 0;
}

void migc_control_free(struct migc_control *control)
{
	if (control == NULL)
		return;
	close(control->wake_fd);
	pthread_mutex_destroy(&control->lock);
	free(control);
}

int control_wake_fd(const struct migc_control *control)
{
	return control->wake_fd;
}

static void wake(const struct migc_control *c)
{
	const uint64_t one = 1;

	/* it cannot fail but by being full, and then it wakes as well */
	if (write(c->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- the controller's side ---- */

static struct migc_control_session *find(const struct migc_control *c, const char *guest)
{
	for (unsigned int i = 0; i < c->count; i++) {
		if (strcmp(c->session[i]->view.guest, guest) == 0)
			return c->session[i];
	}
	return NULL;
}

/** It is shown, typed and sent as JSON: what is not plain text would get in the way. */
static void set_guest(struct migc_control_session *s, const char *guest)
{
	snprintf(s->view.guest, sizeof(s->view.guest), "%s", guest);
	for (char *c = s->view.guest; *c; c++) {
		if (*c < 0x21 || *c > 0x7e)
			*c = '_';
	}
}

int migc_control_add(struct migc_control *control, const char *guest, bool source,
		     struct migc_control_session **out)
{
	struct migc_control_session *s = calloc(1, sizeof(*s));
	int rc = 0;

	*out = NULL;
	if (s == NULL)
		return -ENOMEM;
	s->control = control;
	s->view.source = source;
	set_guest(s, guest);
	snprintf(s->view.report.status, sizeof(s->view.report.status), "setup");
	s->view.report.source = source;
	pthread_mutex_lock(&control->lock);
	if (control->count == MIGC_CONTROL_SESSIONS_MAX)
		rc = -ENOSPC;
	else if (find(control, s->view.guest))
		rc = -EEXIST;
	else
		control->session[control->count++] = s;
	s->view.id = ++control->next_id;
	pthread_mutex_unlock(&control->lock);
	if (rc != 0)
		free(s);
	else
		*out = s;
	return rc;
}

void migc_control_remove(struct migc_control_session *session)
{
	struct migc_control *c;
	unsigned int i = 0;

	if (session == NULL)
		return;
	c = session->control;
	pthread_mutex_lock(&c->lock);
	while (c->session[i] != session)
		i++;
	c->count--;
	memmove(&c->session[i], &c->session[i + 1], (c->count - i) * sizeof(c->session[0]));
	pthread_mutex_unlock(&c->lock);
	/* whoever waits for it looks, and finds it gone */
	wake(c);
	free(session);
}

static void measure_rate(struct migc_control_session *s, uint64_t bytes, uint64_t now_ns)
{
	uint64_t ns = now_ns - s->rate.ns;

	if (s->rate.ns && ns < RATE_NS)
		return;
	if (s->rate.ns && bytes >= s->rate.bytes)
		s->view.wire_bits_per_s = (bytes - s->rate.bytes) * 8000 / (ns / 1000000);
	s->rate.bytes = bytes;
	s->rate.ns = now_ns;
}

void migc_control_publish(struct migc_control_session *session, const struct migc_report *report,
			  const struct migc_settings *settings, uint64_t now_ns)
{
	pthread_mutex_lock(&session->control->lock);
	measure_rate(session, report->network.wire_bytes, now_ns);
	session->view.report = *report;
	session->view.settings = *settings;
	pthread_mutex_unlock(&session->control->lock);
}

bool migc_control_take(struct migc_control_session *session, struct migc_order *out)
{
	/* a hint: the lock orders the rest */
	if (!__atomic_load_n(&session->posted, __ATOMIC_RELAXED))
		return false;
	pthread_mutex_lock(&session->control->lock);
	*out = session->order;
	session->state = ORDER_TAKEN;
	__atomic_store_n(&session->posted, 0, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&session->control->lock);
	return true;
}

void migc_control_answer(struct migc_control_session *session, const struct migc_error *refusal)
{
	pthread_mutex_lock(&session->control->lock);
	session->refusal = *refusal;
	/* nobody waits any more: nobody would take the answer away */
	session->state = session->ticket ? ORDER_ANSWERED : ORDER_NONE;
	pthread_mutex_unlock(&session->control->lock);
	wake(session->control);
}

/* ---- the outside ---- */

bool migc_control_next(struct migc_control *control, uint64_t after, struct migc_control_view *out)
{
	bool found = false;

	pthread_mutex_lock(&control->lock);
	for (unsigned int i = 0; i < control->count && !found; i++) {
		found = control->session[i]->view.id > after;
		if (found)
			*out = control->session[i]->view;
	}
	pthread_mutex_unlock(&control->lock);
	return found;
}

static int choose(const struct migc_control *c, const char *guest,
		  struct migc_control_session **out, struct migc_error *err)
{
	if (guest[0] == '\0' && c->count > 1)
		return migc_error_set(err, -EEXIST, "there are %u guests here: say which",
				      c->count);
	if (guest[0] == '\0' && c->count == 0)
		return migc_error_set(err, -ENOENT, "no migration is under way here");
	*out = guest[0] ? find(c, guest) : c->session[0];
	return *out ? 0 : migc_error_set(err, -ENOENT, "there is no guest '%s' here", guest);
}

int migc_control_post(struct migc_control *control, const char *guest,
		      const struct migc_order *order, uint64_t *ticket, struct migc_error *err)
{
	struct migc_control_session *s = NULL;
	int rc;

	pthread_mutex_lock(&control->lock);
	rc = choose(control, guest, &s, err);
	if (s && s->state != ORDER_NONE) {
		rc = migc_error_set(err, -EBUSY, "another command is being carried out: try again");
	} else if (s) {
		s->order = *order;
		s->state = ORDER_POSTED;
		s->ticket = ++control->next_ticket;
		*ticket = s->ticket;
		__atomic_store_n(&s->posted, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&control->lock);
	return rc;
}

static struct migc_control_session *of_ticket(const struct migc_control *c, uint64_t ticket)
{
	for (unsigned int i = 0; i < c->count; i++) {
		if (c->session[i]->ticket == ticket)
			return c->session[i];
	}
	return NULL;
}

bool migc_control_answered(struct migc_control *control, uint64_t ticket,
			   struct migc_error *refusal)
{
	struct migc_control_session *s;
	bool answered = true;

	pthread_mutex_lock(&control->lock);
	s = of_ticket(control, ticket);
	if (s == NULL) {
		*refusal = (struct migc_error){0};
		migc_error_set(refusal, -ESRCH, "the migration has ended meanwhile");
	} else if (s->state == ORDER_ANSWERED) {
		*refusal = s->refusal;
		s->state = ORDER_NONE;
		s->ticket = 0;
	} else {
		answered = false;
	}
	pthread_mutex_unlock(&control->lock);
	return answered;
}

void migc_control_forget(struct migc_control *control, uint64_t ticket)
{
	struct migc_control_session *s;

	pthread_mutex_lock(&control->lock);
	s = of_ticket(control, ticket);
	if (s) {
		s->ticket = 0;
		if (s->state == ORDER_ANSWERED)
			s->state = ORDER_NONE;
	}
	pthread_mutex_unlock(&control->lock);
}
