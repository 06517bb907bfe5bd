/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control_path.h"
#include "control_peer.h"
#include "control_sessions.h"

/** Clients at a time. */
#define PEERS_MAX 8u
/** How often it is looked whether a client reads its answer. */
#define LOOK_EVERY_MS 1000

struct migc_control_server {
	struct migc_control *control;
	pthread_t thread;
	bool runs;
	int listen_fd;
	int stop_fd; /**< an eventfd */
	struct control_peer peer[PEERS_MAX];
	char path[MIGC_CONTROL_PATH_BYTES]; /**< "": nothing to remove */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* ---- the thread ---- */

/** Root, and whose process this is. The file's mode says the same, where it was not changed. */
static bool is_allowed(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

/** A free place, or that of the client that has been silent for longest. */
static struct control_peer *place(struct migc_control_server *server)
{
	struct control_peer *oldest = NULL;

	for (unsigned int i = 0; i < PEERS_MAX; i++) {
		struct control_peer *p = &server->peer[i];

		if (p->fd < 0)
			return p;
		if (p->ticket == 0 && (oldest == NULL || p->since_ns < oldest->since_ns))
			oldest = p;
	}
	if (oldest)
		control_peer_close(oldest);
	return oldest;
}

static void take_peer(struct migc_control_server *server)
{
	int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct control_peer *p;

	if (fd < 0)
		return;
	p = is_allowed(fd) ? place(server) : NULL;
	if (p)
		control_peer_open(p, server->control, fd, now_ns());
	else
		close(fd);
}

static void drain(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) > 0)
		;
}

static void *serve(void *arg)
{
	struct migc_control_server *server = arg;
	struct pollfd fds[3 + PEERS_MAX] = {
		{.fd = server->stop_fd, .events = POLLIN},
		{.fd = control_wake_fd(server->control), .events = POLLIN},
		{.fd = server->listen_fd, .events = POLLIN},
	};

	for (;;) {
		int timeout = -1;

		for (unsigned int i = 0; i < PEERS_MAX; i++) {
			if (server->peer[i].out)
				timeout = LOOK_EVERY_MS;
			fds[3 + i].fd = server->peer[i].fd;
			fds[3 + i].events = control_peer_events(&server->peer[i]);
			fds[3 + i].revents = 0;
		}
		if (poll(fds, 3 + PEERS_MAX, timeout) < 0)
			continue;
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents)
			drain(fds[1].fd);
		for (unsigned int i = 0; i < PEERS_MAX; i++) {
			struct control_peer *p = &server->peer[i];

			if (p->fd >= 0 && !control_peer_turn(p, fds[3 + i].revents, now_ns()))
				control_peer_close(p);
		}
		/* last: a place that is taken now has no events of this turn */
		if (fds[2].revents)
			take_peer(server);
	}
}

/* ---- begin and end ---- */

/** A socket that only this user can connect to, whatever the umask. */
static int bind_socket(struct migc_control_server *server, const char *path, struct migc_error *err)
{
	struct sockaddr_un address;
	int rc = control_address(path, &address, err);

	if (rc != 0)
		return rc;
	if (control_stale(path))
		unlink(path);
	server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* before bind(), which gives the file the socket's mode */
	if (server->listen_fd < 0 || fchmod(server->listen_fd, 0600) != 0 ||
	    bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		return migc_error_set(err, -errno, "no control socket at %s: %s", path,
				      errno == EADDRINUSE ? "it is there already"
							  : strerror(errno));
	snprintf(server->path, sizeof(server->path), "%s", path);
	if (listen(server->listen_fd, PEERS_MAX) != 0)
		return migc_error_set(err, -errno, "no control socket at %s: %s", path,
				      strerror(errno));
	return 0;
}

static int bind_default(struct migc_control_server *server, const char *role,
			struct migc_error *err)
{
	char directory[MIGC_CONTROL_PATH_BYTES], path[2 * MIGC_CONTROL_PATH_BYTES];
	int lock, rc = control_directory(directory, sizeof(directory), err);

	if (rc != 0)
		return rc;
	lock = control_lock_directory(directory, true, err);
	if (lock < 0)
		return lock;
	control_clean(directory);
	snprintf(path, sizeof(path), "%s/%s-%d.sock", directory, role, (int)getpid());
	rc = bind_socket(server, path, err);
	close(lock);
	return rc;
}

static int start_thread(struct migc_control_server *server, struct migc_error *err)
{
	sigset_t all, before;
	int rc;

	server->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (server->stop_fd < 0)
		return migc_error_set(err, -errno, "no eventfd for the control socket: %s",
				      strerror(errno));
	/* signals are the main thread's */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&server->thread, NULL, serve, server);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	server->runs = rc == 0;
	if (server->runs)
		pthread_setname_np(server->thread, "migc-control");
	return rc ? migc_error_set(err, rc, "no thread for the control socket: %s", strerror(-rc))
		  : 0;
}

int migc_control_serve(struct migc_control *control, const char *path, const char *role,
		       struct migc_control_server **out, struct migc_error *err)
{
	struct migc_control_server *server = calloc(1, sizeof(*server));
	int rc;

	*out = NULL;
	if (server == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for the control socket");
	server->control = control;
	server->listen_fd = -1;
	server->stop_fd = -1;
	for (unsigned int i = 0; i < PEERS_MAX; i++)
		server->peer[i].fd = -1;
	rc = path ? bind_socket(server, path, err) : bind_default(server, role, err);
	if (rc == 0)
		rc = start_thread(server, err);
	if (rc == 0)
		*out = server;
	else
		migc_control_server_stop(server);
	return rc;
}

const char *migc_control_server_path(const struct migc_control_server *server)
{
	return server->path;
}

void migc_control_server_stop(struct migc_control_server *server)
{
	const uint64_t one = 1;

	if (server == NULL)
		return;
	if (server->runs && write(server->stop_fd, &one, sizeof(one)) > 0)
		pthread_join(server->thread, NULL);
	if (server->path[0])
		unlink(server->path);
	for (unsigned int i = 0; i < PEERS_MAX; i++)
		control_peer_close(&server->peer[i]);
	if (server->listen_fd >= 0)
		close(server->listen_fd);
	if (server->stop_fd >= 0)
		close(server->stop_fd);
	free(server);
}
