/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "control_path.h"

/** No answer is longer: a report of each of 64 guests. */
#define ANSWER_BYTES_MAX (4u << 20)

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

int migc_control_find(char (*path)[MIGC_CONTROL_PATH_BYTES], unsigned int capacity,
		      unsigned int *count, struct migc_error *err)
{
	char directory[MIGC_CONTROL_PATH_BYTES], one[512];
	const struct dirent *entry;
	int lock, rc = control_directory(directory, sizeof(directory), err);
	DIR *d;

	*count = 0;
	if (rc != 0)
		return rc;
	if (access(directory, F_OK) != 0 && errno == ENOENT)
		return 0;
	lock = control_lock_directory(directory, false, err);
	if (lock < 0)
		return lock;
	control_clean(directory);
	d = opendir(directory);
	while (d && *count < capacity && (entry = readdir(d)) != NULL) {
		int length = snprintf(one, sizeof(one), "%s/%s", directory, entry->d_name);

		if (entry->d_name[0] != '.' && (size_t)length < MIGC_CONTROL_PATH_BYTES)
			memcpy(path[(*count)++], one, (size_t)length + 1);
	}
	if (d)
		closedir(d);
	close(lock);
	qsort(path, *count, sizeof(path[0]), compare);
	return 0;
}

static int late(struct migc_error *err)
{
	return migc_error_set(err, -ETIMEDOUT,
			      "no answer in time: it may be busy with QEMU, or be stopped");
}

static int open_socket(const char *path, unsigned int timeout_ms, struct migc_error *err)
{
	const struct timeval timeout = {.tv_sec = timeout_ms / 1000,
					.tv_usec = timeout_ms % 1000 * 1000};
	struct sockaddr_un address;
	int rc = control_address(path, &address, err), fd;

	if (rc != 0)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* the queue of a process that stands still fills up with those who gave up waiting */
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc == -EAGAIN)
		return late(err);
	if (rc == -ECONNREFUSED)
		return migc_error_set(err, rc, "%s: the process behind it has gone", path);
	if (rc == -EACCES)
		return migc_error_set(err, rc,
				      "%s: not permitted: only root and the user that runs the "
				      "migration may",
				      path);
	return migc_error_set(err, rc, "%s: %s", path, strerror(-rc));
}

static int wait_for(int fd, short events, int64_t deadline_ms, struct migc_error *err)
{
	struct pollfd p = {fd, events, 0};
	int64_t left = deadline_ms - now_ms();
	int n = left > 0 ? poll(&p, 1, (int)left) : 0;

	/* after a signal the caller looks, and waits again */
	return n > 0 || (n < 0 && errno == EINTR) ? 0 : late(err);
}

static int closed(struct migc_error *err)
{
	return migc_error_set(err, -ECONNRESET,
			      "the process closed the connection: the migration may have ended, or "
			      "this user is not let in");
}

static int send_line(int fd, const char *line, int64_t deadline_ms, struct migc_error *err)
{
	size_t length = strlen(line), sent = 0;

	while (sent < length) {
		ssize_t n = send(fd, line + sent, length - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		int rc = 0;

		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EAGAIN || errno == EINTR)
			rc = wait_for(fd, POLLOUT, deadline_ms, err);
		else
			rc = closed(err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/** @param text grows to the line's end, which is cut off */
static int read_line(int fd, char **text, int64_t deadline_ms, struct migc_error *err)
{
	size_t length = 0, capacity = 0;

	for (;;) {
		int rc = wait_for(fd, POLLIN, deadline_ms, err);
		char *bigger = *text;
		ssize_t n;

		if (rc != 0)
			return rc;
		if (length + 1 >= capacity) {
			capacity = capacity ? 2 * capacity : 16384;
			bigger = capacity <= ANSWER_BYTES_MAX ? realloc(*text, capacity) : NULL;
		}
		if (bigger == NULL)
			return migc_error_set(err, -EPROTO, "the answer has no end");
		*text = bigger;
		n = recv(fd, *text + length, capacity - length - 1, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return closed(err);
		length += n > 0 ? (size_t)n : 0;
		(*text)[length] = '\0';
		if (length && (*text)[length - 1] == '\n')
			break;
	}
	(*text)[length - 1] = '\0';
	return 0;
}

int migc_control_ask(const char *path, const char *line, unsigned int timeout_ms, char **answer,
		     struct migc_error *err)
{
	int64_t deadline_ms = now_ms() + timeout_ms;
	int fd = open_socket(path, timeout_ms, err);
	int rc;

	*answer = NULL;
	if (fd < 0)
		return fd;
	rc = send_line(fd, line, deadline_ms, err);
	if (rc == 0)
		rc = send_line(fd, "\n", deadline_ms, err);
	if (rc == 0)
		rc = read_line(fd, answer, deadline_ms, err);
	close(fd);
	if (rc != 0) {
		free(*answer);
		*answer = NULL;
	}
	return rc;
}
