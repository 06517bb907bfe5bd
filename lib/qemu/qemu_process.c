/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "qemu_process.h"

#define COMMAND_LINE_BYTES_MAX (4u << 20)

/** A line of /proc/PID/status: its last number of up to four. */
static int status_number(pid_t pid, const char *key, unsigned int *out)
{
	char path[64], line[256];
	size_t length = strlen(key);
	int rc = -ENOENT;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (f == NULL)
		return -errno;
	while (rc != 0 && fgets(line, sizeof(line), f)) {
		unsigned int n[4];
		int count;

		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		count = sscanf(line + length + 1, "%u %u %u %u", &n[0], &n[1], &n[2], &n[3]);
		rc = count > 0 ? 0 : -EPROTO;
		if (rc == 0)
			*out = n[count - 1];
	}
	fclose(f);
	return rc;
}

int qemu_process_owner(pid_t pid, uid_t *uid, gid_t *gid)
{
	int rc = status_number(pid, "Uid", uid);

	return rc ? rc : status_number(pid, "Gid", gid);
}

int qemu_process_find(int qmp_fd, pid_t vcpu_thread, pid_t *pid)
{
	struct ucred peer;
	socklen_t length = sizeof(peer);
	char path[64];
	unsigned int group;

	if (getsockopt(qmp_fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) != 0)
		return -errno;
	*pid = peer.pid;
	if (vcpu_thread <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)peer.pid, (int)vcpu_thread);
	/* a QEMU in a container has thread numbers of its own: then the listener is all we know */
	if (access(path, F_OK) != 0 && status_number(vcpu_thread, "Tgid", &group) == 0)
		*pid = (pid_t)group;
	return 0;
}

int qemu_process_command_line(pid_t pid, char **text, size_t *length)
{
	char path[64];
	size_t capacity = 65536, n = 0;
	char *data = malloc(capacity);
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	f = fopen(path, "re");
	if (f == NULL || data == NULL) {
		int rc = f ? -ENOMEM : -errno;

		if (f)
			fclose(f);
		free(data);
		return rc;
	}
	while (!feof(f) && !ferror(f)) {
		n += fread(data + n, 1, capacity - n - 1, f);
		if (n + 1 == capacity) {
			char *grown = capacity < COMMAND_LINE_BYTES_MAX
					      ? realloc(data, capacity * 2)
					      : NULL;

			if (grown == NULL)
				break;
			data = grown;
			capacity *= 2;
		}
	}
	fclose(f);
	data[n] = '\0';
	*text = data;
	*length = n;
	return 0;
}

/** QEMU takes -x and --x alike. */
static bool is_option(const char *word, const char *name)
{
	return word[0] == '-' && strcmp(word + (word[1] == '-' ? 2 : 1), name) == 0;
}

void qemu_process_words(const char *text, size_t length, struct qemu_words *out)
{
	*out = (struct qemu_words){0};
	for (size_t at = 0; at < length; at += strlen(text + at) + 1) {
		const char *word = text + at;
		size_t next = at + strlen(word) + 1;

		if (is_option(word, "S"))
			out->stopped = true;
		else if (is_option(word, "incoming") && next < length)
			out->incoming = text + next;
	}
}
