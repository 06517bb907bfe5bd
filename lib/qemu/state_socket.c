/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "qemu_process.h"
#include "state_socket.h"

void state_socket_init(struct state_socket *s)
{
	*s = (struct state_socket){.listen_fd = -1, .fd = -1};
}

void state_socket_unlink(struct state_socket *s)
{
	if (s->directory[0] == '\0')
		return;
	unlink(s->path);
	rmdir(s->directory);
	s->directory[0] = '\0';
}

void state_socket_close(struct state_socket *s)
{
	state_socket_unlink(s);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->fd >= 0)
		close(s->fd);
	state_socket_init(s);
}

static int address_of(const struct state_socket *s, struct sockaddr_un *addr)
{
	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(s->path) >= sizeof(addr->sun_path))
		return -ENAMETOOLONG;
	strcpy(addr->sun_path, s->path);
	return 0;
}

/** /run first: QEMU may have a /tmp of its own (PrivateTmp). */
static int make_directory(struct state_socket *s)
{
	static const char *const templates[] = {"/run/migcomp-XXXXXX", "/tmp/migcomp-XXXXXX"};
	int rc = 0;

	for (unsigned int i = 0; i < sizeof(templates) / sizeof(templates[0]); i++) {
		snprintf(s->directory, sizeof(s->directory), "%s", templates[i]);
		if (mkdtemp(s->directory))
			return 0;
		rc = -errno;
	}
	s->directory[0] = '\0';
	return rc;
}

int state_socket_make(struct state_socket *s, pid_t qemu, struct migc_error *err)
{
	uid_t uid;
	gid_t gid;
	int rc;

	state_socket_close(s);
	rc = make_directory(s);
	if (rc != 0)
		return migc_error_set(err, rc,
				      "no directory for the device state's socket in /run or "
				      "/tmp: %s",
				      strerror(-rc));
	snprintf(s->path, sizeof(s->path), "%s/state", s->directory);
	rc = qemu_process_owner(qemu, &uid, &gid);
	/* root keeps its way in as owner or not; anyone else can only share with itself */
	if (rc == 0 && uid != geteuid() && chown(s->directory, uid, gid) != 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	state_socket_unlink(s);
	return migc_error_set(err, rc,
			      "cannot share a socket with QEMU's user: %s (run as root or as "
			      "QEMU's user)",
			      strerror(-rc));
}

int state_socket_listen(struct state_socket *s, pid_t qemu, struct migc_error *err)
{
	struct sockaddr_un addr;
	uid_t uid;
	gid_t gid;
	int rc = state_socket_make(s, qemu, err);

	if (rc != 0)
		return rc;
	rc = address_of(s, &addr);
	s->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (rc == 0 && (s->listen_fd < 0 ||
			bind(s->listen_fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0 ||
			chmod(s->path, 0600) != 0))
		rc = -errno;
	if (rc == 0)
		rc = qemu_process_owner(qemu, &uid, &gid);
	if (rc == 0 && uid != geteuid() && chown(s->path, uid, gid) != 0)
		rc = -errno;
	if (rc == 0 && listen(s->listen_fd, 1) != 0)
		rc = -errno;
	if (rc == 0)
		return 0;
	migc_error_set(err, rc, "cannot listen on %s: %s", s->path, strerror(-rc));
	state_socket_close(s);
	return rc;
}

int state_socket_accept(struct state_socket *s, struct migc_error *err)
{
	if (s->fd >= 0)
		return 1;
	if (s->listen_fd < 0)
		return migc_error_set(err, -ENOTCONN, "the device state's socket is closed");
	s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (s->fd < 0) {
		int rc = -errno;

		if (rc == -EAGAIN || rc == -EINTR || rc == -ECONNABORTED)
			return 0;
		return migc_error_set(err, rc, "cannot accept QEMU's device state: %s",
				      strerror(-rc));
	}
	state_socket_unlink(s);
	close(s->listen_fd);
	s->listen_fd = -1;
	return 1;
}

int state_socket_connect(struct state_socket *s, struct migc_error *err)
{
	struct sockaddr_un addr;
	int rc = address_of(s, &addr);

	s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (rc == 0 &&
	    (s->fd < 0 || connect(s->fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0))
		rc = -errno;
	if (rc != 0) {
		migc_error_set(err, rc, "cannot connect to %s, where QEMU is to listen: %s",
			       s->path, strerror(-rc));
		state_socket_close(s);
		return rc;
	}
	state_socket_unlink(s);
	return 0;
}
