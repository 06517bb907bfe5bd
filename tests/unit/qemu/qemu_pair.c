/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "qemu_pair.h"

#define QEMU "/usr/bin/qemu-system-x86_64"
#define SWITCHOVER_S 30

bool vm_available(void)
{
	return access(QEMU, X_OK) == 0;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void second_monitor(const struct vm *vm, char *path, size_t capacity)
{
	snprintf(path, capacity, "%s/test", vm->directory);
}

void vm_start(struct vm *vm, const char *const *words)
{
	char qmp[160], test[96], monitor[160], words_done[32][256];
	const char *argv[48] = {QEMU,   "-nodefaults", "-display", "none",
				"-qmp", qmp,           "-qmp",     monitor};
	unsigned int n = 8, done = 0;

	*vm = (struct vm){0};
	strcpy(vm->directory, "/tmp/migc-qemu-test-XXXXXX");
	if (mkdtemp(vm->directory) == NULL)
		abort();
	snprintf(vm->qmp, sizeof(vm->qmp), "%s/qmp", vm->directory);
	snprintf(vm->memory, sizeof(vm->memory), "/dev/shm/%s", vm->directory + strlen("/tmp/"));
	second_monitor(vm, test, sizeof(test));
	snprintf(qmp, sizeof(qmp), "unix:%s,server=on,wait=off", vm->qmp);
	snprintf(monitor, sizeof(monitor), "unix:%s,server=on,wait=off", test);
	for (; *words && done < 32; words++) {
		const char *mark = strstr(*words, "MEMORY");

		if (mark)
			snprintf(words_done[done], sizeof(words_done[done]), "%.*s%s%s",
				 (int)(mark - *words), *words, vm->memory, mark + 6);
		else
			snprintf(words_done[done], sizeof(words_done[done]), "%s", *words);
		argv[n++] = words_done[done++];
	}
	/* if the words have none, or one that this host has not */
	argv[n++] = "-accel";
	argv[n++] = "tcg";
	argv[n] = NULL;
	vm->pid = fork();
	if (vm->pid == 0) {
		/* a test that crashes leaves no QEMU */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv(QEMU, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	for (int tries = 0; tries < 2000; tries++) {
		int fd = connect_to(test);

		if (fd >= 0) {
			close(fd);
			return;
		}
		if (waitpid(vm->pid, NULL, WNOHANG) == vm->pid) {
			vm->pid = 0;
			return;
		}
		usleep(10000);
	}
}

int vm_open(struct vm *vm, bool destination, struct migc_error *err)
{
	struct migc_qemu_config config = {.qmp_path = vm->qmp, .destination = destination};
	int rc = migc_guestmem_create(&vm->gm);

	return rc ? rc : migc_qemu_open(&config, &vm->qemu, err);
}

void vm_begin(struct vm *vm, const char *const *words, bool destination)
{
	struct migc_error err = {0};

	if (!vm_available()) {
		print_message("SKIPPED: no /usr/bin/qemu-system-x86_64\n");
		skip();
	}
	vm_start(vm, words);
	assert_true(vm->pid > 0);
	if (vm_open(vm, destination, &err) != 0)
		fail_msg("%s", err.text);
}

void vm_discover(struct vm *vm)
{
	struct migc_error err = {0};

	if (migc_qemu_discover(vm->qemu, vm->gm, &err) != 0)
		fail_msg("%s", err.text);
}

void vm_reach_pre_switchover(const struct vm *vm)
{
	struct migc_error err = {0};
	time_t end = time(NULL) + SWITCHOVER_S;
	uint64_t stop_ns = 0;
	int rc = migc_qemu_prepare(vm->qemu, &err);

	if (rc == 0)
		rc = migc_qemu_start_switchover(vm->qemu, &err);
	while (rc == 0 && time(NULL) < end)
		rc = migc_qemu_poll_stopped(vm->qemu, &stop_ns, &err);
	if (rc != 1)
		fail_msg("%s", err.text);
	assert_true(stop_ns > 0);
	assert_false(vm_runs(vm));
}

void vm_kill(struct vm *vm)
{
	if (vm->pid <= 0)
		return;
	kill(vm->pid, SIGKILL);
	waitpid(vm->pid, NULL, 0);
	vm->pid = 0;
}

void vm_end(struct vm *vm)
{
	char test[96];

	if (vm->directory[0] == '\0')
		return;
	/* before the kill: it is to work with a living QEMU */
	migc_qemu_close(vm->qemu);
	if (vm->gm)
		migc_guestmem_free(vm->gm);
	vm_kill(vm);
	second_monitor(vm, test, sizeof(test));
	unlink(test);
	unlink(vm->qmp);
	unlink(vm->memory);
	rmdir(vm->directory);
	*vm = (struct vm){0};
}

/** Read until whole lines with `word` have come. */
static bool read_until(int fd, const char *word, char *all, size_t capacity)
{
	size_t length = 0;

	while (length + 1 < capacity) {
		ssize_t n = recv(fd, all + length, capacity - 1 - length, 0);

		if (n <= 0)
			return false;
		length += (size_t)n;
		all[length] = '\0';
		if (all[length - 1] == '\n' && strstr(all, word))
			return true;
	}
	return false;
}

/** Run one command over the second monitor; `text` gets what was said up to `until`. */
static bool ask(const struct vm *vm, const char *command, const char *until, char *text,
		size_t capacity)
{
	static const char negotiate[] = "{\"execute\":\"qmp_capabilities\"}\n";
	struct timeval timeout = {.tv_sec = 5};
	char path[96];
	bool done;
	int fd;

	second_monitor(vm, path, sizeof(path));
	fd = connect_to(path);
	if (fd < 0)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	done = read_until(fd, "\"QMP\"", text, capacity) &&
	       send(fd, negotiate, sizeof(negotiate) - 1, MSG_NOSIGNAL) > 0 &&
	       read_until(fd, "\"return\"", text, capacity) &&
	       send(fd, command, strlen(command), MSG_NOSIGNAL) > 0 &&
	       read_until(fd, until, text, capacity);
	close(fd);
	return done;
}

bool vm_runs(const struct vm *vm)
{
	char text[16384] = "";

	return ask(vm, "{\"execute\":\"query-status\"}\n", "\"running\": ", text, sizeof(text)) &&
	       strstr(text, "\"running\": true");
}

bool vm_pause(const struct vm *vm)
{
	char text[16384] = "";

	return ask(vm, "{\"execute\":\"stop\",\"id\":7}\n", "\"id\": 7", text, sizeof(text));
}

bool vm_says(const struct vm *vm, const char *command, const char *arguments, const char *word)
{
	char line[1024], text[32768] = "";

	snprintf(line, sizeof(line), "{\"execute\":\"%s\",\"arguments\":%s,\"id\":7}\n", command,
		 arguments);
	return ask(vm, line, "\"id\": 7", text, sizeof(text)) && strstr(text, word);
}
