/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control_answer.h"

void control_peer_open(struct control_peer *p, struct migc_control *control, int fd,
		       uint64_t now_ns)
{
	memset(p, 0, sizeof(*p));
	p->control = control;
	p->fd = fd;
	p->since_ns = now_ns;
}

void control_peer_close(struct control_peer *p)
{
	if (p->fd < 0)
		return;
	if (p->ticket)
		migc_control_forget(p->control, p->ticket);
	json_decref(p->id);
	free(p->out);
	close(p->fd);
	memset(p, 0, sizeof(*p));
	p->fd = -1;
}

short control_peer_events(const struct control_peer *p)
{
	if (p->out)
		return POLLOUT;
	/* one command at a time */
	return p->ticket ? 0 : POLLIN;
}

/** @param text freed when it is written. @return false: there is none, for want of memory. */
static bool answer(struct control_peer *p, char *text)
{
	p->out = text;
	p->out_bytes = text ? strlen(text) : 0;
	p->out_written = 0;
	return text != NULL;
}

static json_t *query(struct migc_control *control, const struct control_request *request,
		     unsigned int *found)
{
	struct migc_control_view *view = malloc(sizeof(*view));
	json_t *all = json_array();
	uint64_t after = 0;
	int rc = view ? 0 : -ENOMEM;

	*found = 0;
	while (rc == 0 && migc_control_next(control, after, view)) {
		after = view->id;
		if (request->guest[0] && strcmp(request->guest, view->guest) != 0)
			continue;
		(*found)++;
		rc = json_array_append_new(all, control_answer_view(request->command, view));
	}
	free(view);
	if (rc == 0)
		return all;
	json_decref(all);
	return NULL;
}

static json_t *names_of_commands(void)
{
	json_t *all = json_array();

	for (unsigned int i = 0; control_request_name(i); i++)
		json_array_append_new(all, json_pack("{s:s}", "name", control_request_name(i)));
	return all;
}

static bool carry_out(struct control_peer *p, const struct control_request *request)
{
	struct migc_error err = {0};
	unsigned int found;
	json_t *value;
	int rc;

	if (request->command == CONTROL_QUERY_COMMANDS)
		return answer(p, control_answer_return(names_of_commands(), request->id));
	if (request->command != CONTROL_ORDER) {
		value = query(p->control, request, &found);
		if (found || request->guest[0] == '\0')
			return answer(p, control_answer_return(value, request->id));
		json_decref(value);
		return answer(p, control_answer_error(CONTROL_DEVICE_NOT_FOUND,
						      "there is no such guest here", request->id));
	}
	rc = migc_control_post(p->control, request->guest, &request->order, &p->ticket, &err);
	if (rc == 0) {
		p->id = json_incref(request->id);
		return true;
	}
	return answer(p, control_answer_error(rc == -ENOENT ? CONTROL_DEVICE_NOT_FOUND
							    : CONTROL_GENERIC_ERROR,
					      err.text, request->id));
}

static bool handle_line(struct control_peer *p, size_t length)
{
	enum control_error_class error_class;
	struct control_request request;
	struct migc_error err = {0};
	bool ok;

	if (control_request_parse(p->in, length, &request, &error_class, &err) == 0)
		ok = carry_out(p, &request);
	else
		ok = answer(p, control_answer_error(error_class, err.text, request.id));
	control_request_free(&request);
	return ok;
}

/** Handle lines that are whole, as far as the one before is answered. */
static bool take_lines(struct control_peer *p)
{
	while (p->out == NULL && p->ticket == 0) {
		char *end = memchr(p->in, '\n', p->in_bytes);
		size_t length = end ? (size_t)(end - p->in) : p->in_bytes;

		if (end == NULL && p->in_bytes == sizeof(p->in))
			/* no way to tell where the next one begins */
			return false;
		/* the last line may lack its newline */
		if (end == NULL && (!p->ended || length == 0))
			return true;
		if (length > 0 && !handle_line(p, length))
			return false;
		length += end != NULL;
		p->in_bytes -= length;
		memmove(p->in, p->in + length, p->in_bytes);
	}
	return true;
}

static bool receive(struct control_peer *p, uint64_t now_ns)
{
	ssize_t n = recv(p->fd, p->in + p->in_bytes, sizeof(p->in) - p->in_bytes, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	p->ended = n == 0;
	p->in_bytes += (size_t)n;
	p->since_ns = now_ns;
	return true;
}

static bool transmit(struct control_peer *p, uint64_t now_ns)
{
	ssize_t n = send(p->fd, p->out + p->out_written, p->out_bytes - p->out_written,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	p->since_ns = now_ns;
	p->out_written += (size_t)n;
	if (p->out_written < p->out_bytes)
		return true;
	free(p->out);
	p->out = NULL;
	return true;
}

static bool look_for_answer(struct control_peer *p)
{
	struct migc_error refusal;
	bool ok;

	if (p->ticket == 0 || !migc_control_answered(p->control, p->ticket, &refusal))
		return true;
	p->ticket = 0;
	if (refusal.code == 0)
		ok = answer(p, control_answer_return(json_object(), p->id));
	else
		ok = answer(p, control_answer_error(CONTROL_GENERIC_ERROR, refusal.text, p->id));
	json_decref(p->id);
	p->id = NULL;
	return ok;
}

bool control_peer_turn(struct control_peer *p, short events, uint64_t now_ns)
{
	bool ok = (events & (POLLERR | POLLNVAL)) == 0;

	if (ok && events & POLLIN && !p->ended)
		ok = receive(p, now_ns);
	else if (ok && events & POLLHUP)
		ok = false;
	ok = ok && look_for_answer(p) && take_lines(p);
	while (ok && p->out) {
		size_t before = p->out_written;

		ok = transmit(p, now_ns);
		/* it takes no more now */
		if (ok && p->out && p->out_written == before)
			break;
		ok = ok && (p->out || take_lines(p));
	}
	if (p->out && now_ns - p->since_ns > CONTROL_PEER_STUCK_NS)
		ok = false;
	return ok && !(p->ended && p->out == NULL && p->ticket == 0);
}
