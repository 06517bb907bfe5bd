/* SPDX-License-Identifier: BSD-3-Clause */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest_child.h"
#include "migc_page.h"
#include "migc_random.h"

struct order {
	enum guest_command command;
	int byte;
	uint64_t number;
};

static struct {
	const char *path;
	int flags;
} source = {"/dev/urandom", O_RDONLY};

void guest_reads_from(const char *path, int flags)
{
	source.path = path;
	source.flags = flags;
}

static volatile sig_atomic_t released;

static void release(int signal)
{
	(void)signal;
	released = 1;
}

/** Wait as QEMU's main loop does: what poll() returns is looked at only where it says so. */
static void wait_for_order(const struct guest_child *g, int fd, bool use_ppoll)
{
	for (;;) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		if (use_ppoll)
			ppoll(&p, 1, NULL, NULL);
		else
			poll(&p, 1, -1);
		if (p.revents)
			return;
		++*g->early;
	}
}

static void obey(const struct order *o, uint8_t *memory, uint64_t bytes, int answer)
{
	uint8_t *page = memory + o->number * MIGC_PAGE_BYTES;
	struct migc_random r;
	int fd;

	switch (o->command) {
	case GUEST_PING:
		break;
	case GUEST_WRITE:
		page[o->byte * 16] = (uint8_t)o->byte;
		break;
	case GUEST_KERNEL_WRITE:
		fd = open(source.path, source.flags);
		if (read(fd, page, MIGC_PAGE_BYTES) != MIGC_PAGE_BYTES)
			_exit(1);
		close(fd);
		break;
	case GUEST_READ:
		if (*(volatile uint8_t *)page == 255)
			_exit(1);
		break;
	case GUEST_WRITE_RANDOMLY:
		migc_random_seed(&r, o->number);
		for (uint64_t i = 0; i < o->number; i++) {
			uint64_t value = migc_random_next(&r);

			memory[value % bytes] = (uint8_t)(value >> 40);
		}
		break;
	case GUEST_SPIN:
		released = 0;
		signal(SIGUSR1, release);
		if (write(answer, "", 1) != 1)
			_exit(1);
		while (!released)
			;
		break;
	case GUEST_EXIT:
		_exit(0);
	}
}

static void serve(const struct guest_child *g, uint8_t *memory, int orders, int answers,
		  bool use_ppoll)
{
	struct order o;

	for (;;) {
		wait_for_order(g, orders, use_ppoll);
		if (read(orders, &o, sizeof(o)) != sizeof(o))
			_exit(0);
		obey(&o, memory, g->bytes, answers);
		if (write(answers, "", 1) != 1)
			_exit(1);
	}
}

int guest_start(struct guest_child *g, uint64_t bytes, unsigned int memfd_flags, bool use_ppoll)
{
	int orders[2], answers[2];
	uint8_t *memory;

	memset(g, 0, sizeof(*g));
	g->bytes = bytes;
	g->memory_fd = memfd_create("guest-ram", memfd_flags | MFD_CLOEXEC);
	if (g->memory_fd < 0)
		return -errno;
	if (ftruncate(g->memory_fd, (off_t)bytes) != 0)
		return -errno;
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, g->memory_fd, 0);
	g->early = mmap(NULL, sizeof(*g->early), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (memory == MAP_FAILED || g->early == MAP_FAILED || pipe2(orders, O_CLOEXEC) != 0 ||
	    pipe2(answers, O_CLOEXEC) != 0)
		return -errno;
	g->addr = (uintptr_t)memory;
	g->to = orders[1];
	g->from = answers[0];
	g->pid = fork();
	if (g->pid < 0)
		return -errno;
	if (g->pid == 0) {
		/* a test that dies leaves nobody behind */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(orders[1]);
		close(answers[0]);
		serve(g, memory, orders[0], answers[1], use_ppoll);
	}
	close(orders[0]);
	close(answers[1]);
	/* only the child has it where QEMU would */
	munmap(memory, bytes);
	return 0;
}

void guest_stop(struct guest_child *g)
{
	if (g->pid > 0) {
		kill(g->pid, SIGKILL);
		waitpid(g->pid, NULL, 0);
	}
	if (g->early)
		munmap(g->early, sizeof(*g->early));
	if (g->memory_fd > 0)
		close(g->memory_fd);
	if (g->to > 0)
		close(g->to);
	if (g->from > 0)
		close(g->from);
	memset(g, 0, sizeof(*g));
}

void guest_tell(const struct guest_child *g, enum guest_command command, uint64_t number, int byte)
{
	struct order o = {command, byte, number};

	if (write(g->to, &o, sizeof(o)) != sizeof(o))
		abort();
}

bool guest_answers_now(const struct guest_child *g)
{
	struct pollfd p = {.fd = g->from, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

bool guest_answered(const struct guest_child *g)
{
	struct pollfd p = {.fd = g->from, .events = POLLIN};
	char c;

	/* one that hangs is as bad as one that is gone */
	return poll(&p, 1, 20000) == 1 && read(g->from, &c, 1) == 1;
}

bool guest_do(const struct guest_child *g, enum guest_command command, uint64_t number, int byte)
{
	guest_tell(g, command, number, byte);
	return guest_answered(g);
}

unsigned int guest_userfaultfds(const struct guest_child *g)
{
	char path[320], target[64];
	struct dirent *entry;
	unsigned int count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)g->pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)) != NULL) {
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/fd/%s", (int)g->pid, entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n > 0) {
			target[n] = '\0';
			count += strstr(target, "userfaultfd") != NULL;
		}
	}
	if (dir)
		closedir(dir);
	return count;
}

bool guest_is_traced(const struct guest_child *g)
{
	char path[64], line[128];
	int tracer = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)g->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "TracerPid:", 10) == 0)
			tracer = atoi(line + 10);
	}
	if (f)
		fclose(f);
	return tracer != 0;
}
