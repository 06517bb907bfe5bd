/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_QEMU_PROCESS_H
#define MIGC_QEMU_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/** @file QEMU's process, by /proc. */

/**
 * Which process answers on a QMP socket: the one that listened on it, unless that one has no
 * thread `vcpu_thread` (libvirt and systemd listen first and pass the socket on).
 * @param vcpu_thread of query-cpus-fast; 0: not known
 */
int qemu_process_find(int qmp_fd, pid_t vcpu_thread, pid_t *pid);
/** Whose files QEMU can open: its file system user and group. */
int qemu_process_owner(pid_t pid, uid_t *uid, gid_t *gid);

/** What the command line of a destination says. */
struct qemu_words {
	bool stopped; /**< -S */
	const char *incoming; /**< argument of -incoming inside the text; NULL: none */
};

/** Words of /proc/PID/cmdline (each ended by NUL). */
void qemu_process_words(const char *text, size_t length, struct qemu_words *out);
/** @return bytes of the command line, NUL-ended words, in a buffer freed with free(); -errno. */
int qemu_process_command_line(pid_t pid, char **text, size_t *length);

#endif
