/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "qmp.h"

static int say_unreachable(const char *path, int code, struct migc_error *err)
{
	switch (code) {
	case -ENOENT:
		return migc_error_set(err, code,
				      "%s: no such socket (start QEMU with -qmp "
				      "unix:%s,server=on,wait=off)",
				      path, path);
	case -ECONNREFUSED:
		return migc_error_set(err, code, "%s: nobody listens there (has QEMU exited?)",
				      path);
	case -EACCES:
		return migc_error_set(
			err, code, "%s: permission denied (run as root or as QEMU's user)", path);
	case -EPROTOTYPE:
		return migc_error_set(err, -EPROTO, "%s: not a stream socket, so not QMP", path);
	default:
		return migc_error_set(err, code, "%s: %s", path, strerror(-code));
	}
}

static int say_held(const char *path, struct migc_error *err)
{
	return migc_error_set(err, -ETIMEDOUT,
			      "%s: no greeting from QEMU (another client holds this socket: give "
			      "QEMU a second -qmp for us; or it is no QMP socket)",
			      path);
}

static int open_socket(struct qmp *q, const char *path, uint64_t deadline_ns,
		       struct migc_error *err)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int rc = 0;

	if (strlen(path) >= sizeof(addr.sun_path))
		return migc_error_set(err, -ENAMETOOLONG, "%s: longer than a socket path can be",
				      path);
	strcpy(addr.sun_path, path);
	q->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (q->fd < 0)
		return migc_error_set(err, -errno, "no socket: %s", strerror(errno));
	while (connect(q->fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
		rc = -errno;
		/* EAGAIN: QEMU's backlog is full of others who wait for the same monitor */
		if (rc != -EAGAIN && rc != -EINTR)
			return say_unreachable(path, rc, err);
		if (qmp_now_ns() > deadline_ns)
			return say_held(path, err);
		if (q->idle)
			q->idle(q->idle_ctx);
		usleep(1000);
	}
	return 0;
}

static int wait_greeting(struct qmp *q, const char *path, uint64_t deadline_ns,
			 struct migc_error *err)
{
	const json_t *greeting;
	struct migc_error cause = {0};
	int rc;

	while (q->answer == NULL) {
		rc = qmp_wait(q, &cause);
		if (q->answer)
			break;
		if (rc != 0)
			return migc_error_set(err, rc == -ESRCH ? -EPROTO : rc, "%s: %s", path,
					      rc == -ESRCH ? "closed without a QMP greeting (is "
							     "it a QMP socket?)"
							   : cause.text);
		if (qmp_now_ns() > deadline_ns)
			return say_held(path, err);
	}
	greeting = json_object_get(q->answer, "QMP");
	rc = json_is_object(greeting)
		     ? 0
		     : migc_error_set(err, -EPROTO, "%s: its greeting is not that of QMP", path);
	json_decref(q->answer);
	q->answer = NULL;
	return rc;
}

int qmp_connect(struct qmp *q, const char *path, struct migc_error *err)
{
	uint64_t deadline_ns = qmp_now_ns() + (uint64_t)q->answer_timeout_ms * 1000000;
	int rc = open_socket(q, path, deadline_ns, err);

	if (rc == 0)
		rc = wait_greeting(q, path, deadline_ns, err);
	if (rc == 0)
		rc = qmp_command(q, "qmp_capabilities", NULL, NULL, err);
	if (rc != 0)
		qmp_close(q);
	return rc;
}
