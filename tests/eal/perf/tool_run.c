/* SPDX-License-Identifier: BSD-3-Clause */
#include "tool_run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void take(const char *path, char *out)
{
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(out, 1, TOOL_OUTPUT_BYTES - 1, f) : 0;

	out[n] = '\0';
	if (f)
		fclose(f);
	unlink(path);
}

int tool_run(char *const *argv, const char *directory, int signal, unsigned int after_ms,
	     struct tool_run *out)
{
	char out_path[256], err_path[256];
	int status;
	pid_t pid;

	snprintf(out_path, sizeof(out_path), "%s/out", directory);
	snprintf(err_path, sizeof(err_path), "%s/err", directory);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int out_fd = open(out_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
		int err_fd = open(err_path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

		if (dup2(out_fd, STDOUT_FILENO) >= 0 && dup2(err_fd, STDERR_FILENO) >= 0)
			execv(argv[0], argv);
		_exit(127);
	}
	if (signal) {
		const struct timespec wait = {after_ms / 1000, (long)(after_ms % 1000) * 1000000};

		nanosleep(&wait, NULL);
		kill(pid, signal);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	out->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	take(out_path, out->out);
	take(err_path, out->err);
	return 0;
}
