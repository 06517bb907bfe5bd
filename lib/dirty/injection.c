/* SPDX-License-Identifier: BSD-3-Clause */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dirty_private.h"

/** How often, and how long in all, a thread may be somewhere else than in a poll. */
#define ATTEMPTS 5000u
#define ATTEMPT_SLEEP_NS 200000
/** Bytes of the instruction `syscall`. */
#define SYSCALL_BYTES 2u
/* what an interrupted system call returns inside the kernel (linux/errno.h, not for user space) */
#define ERESTARTSYS 512
#define ERESTARTNOINTR 513
#define ERESTARTNOHAND 514
#define ERESTART_RESTARTBLOCK 516

/** A thread that we stopped. */
struct tracee {
	pid_t pid, tid;
	struct user_regs_struct saved; /**< inside its interrupted poll */
	uint64_t signals; /**< that came meanwhile: sent again at the end */
};

static int get_registers(pid_t tid, struct user_regs_struct *registers)
{
	struct iovec io = {registers, sizeof(*registers)};

	return ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &io) == 0 ? 0 : -errno;
}

static int set_registers(pid_t tid, const struct user_regs_struct *registers)
{
	struct user_regs_struct copy = *registers;
	struct iovec io = {&copy, sizeof(copy)};

	return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &io) == 0 ? 0 : -errno;
}

static bool was_interrupted(long rax)
{
	return rax == -ERESTARTSYS || rax == -ERESTARTNOINTR || rax == -ERESTARTNOHAND ||
	       rax == -ERESTART_RESTARTBLOCK;
}

/**
 * Only there is a thread at an instruction that we know (the `syscall` just before), with nothing
 * in its registers that the kernel does not bring back, and only there does it expect to be
 * interrupted. Dying between any two of our steps leaves it with a poll that returned early, and
 * perhaps some number: of a poll nobody reads more than the entries that it gave, which
 * epoll_wait's callers would do. (A poll() that was interrupted before is a restart_syscall(),
 * which may be anything; a ppoll(), as QEMU's main loop has it, stays one.)
 */
static bool in_poll(const struct user_regs_struct *registers)
{
	long number = (long)registers->orig_rax;

	return (number == SYS_ppoll || number == SYS_poll) && was_interrupted((long)registers->rax);
}

static int wait_stop(struct tracee *t, int *status)
{
	pid_t rc;

	do {
		rc = waitpid(t->tid, status, __WALL);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return -errno;
	return WIFSTOPPED(*status) ? 0 : -ESRCH;
}

/** Stop the thread where it is; signals on their way to it are let through. */
static int interrupt(struct tracee *t)
{
	int status, rc;

	if (ptrace(PTRACE_INTERRUPT, t->tid, 0, 0) != 0)
		return -errno;
	for (;;) {
		rc = wait_stop(t, &status);
		if (rc != 0 || status >> 16 == PTRACE_EVENT_STOP)
			return rc;
		if (ptrace(PTRACE_CONT, t->tid, 0, (long)WSTOPSIG(status)) != 0)
			return -errno;
	}
}

static int stop_in_poll(struct tracee *t)
{
	const struct timespec sleep = {0, ATTEMPT_SLEEP_NS};

	for (unsigned int i = 0; i < ATTEMPTS; i++) {
		int rc = interrupt(t);

		if (rc == 0)
			rc = get_registers(t->tid, &t->saved);
		if (rc != 0)
			return rc;
		if (in_poll(&t->saved))
			return 0;
		/* it stays stopped when given up: only a stopped thread can be detached from */
		if (i + 1 == ATTEMPTS)
			break;
		if (ptrace(PTRACE_CONT, t->tid, 0, 0) != 0)
			return -errno;
		nanosleep(&sleep, NULL);
	}
	return -ETIMEDOUT;
}

/** Let the thread make one system call with its own instruction. @return what it returned. */
static long run_syscall(struct tracee *t, long number, unsigned long a)
{
	struct user_regs_struct registers = t->saved;
	int rc, status;

	registers.rip = t->saved.rip - SYSCALL_BYTES;
	registers.rax = (unsigned long)number;
	registers.orig_rax = (unsigned long)-1;
	registers.rdi = a;
	registers.rsi = 0;
	registers.rdx = 0;
	rc = set_registers(t->tid, &registers);
	/* two stops: entry and exit */
	for (unsigned int stops = 0; rc == 0 && stops < 2;) {
		if (ptrace(PTRACE_SYSCALL, t->tid, 0, 0) != 0)
			return -errno;
		rc = wait_stop(t, &status);
		if (rc == 0 && WSTOPSIG(status) == (SIGTRAP | 0x80))
			stops++;
		else if (rc == 0 && status >> 16 == 0)
			t->signals |= UINT64_C(1) << (WSTOPSIG(status) - 1);
	}
	if (rc == 0)
		rc = get_registers(t->tid, &registers);
	return rc ? rc : (long)registers.rax;
}

/** Back into the poll: at an exit stop the kernel does not restart it, so it is called again. */
static void resume(struct tracee *t)
{
	struct user_regs_struct registers = t->saved;
	long rax = (long)t->saved.rax;

	registers.rip -= SYSCALL_BYTES;
	registers.rax = rax == -ERESTART_RESTARTBLOCK ? (unsigned long)SYS_restart_syscall
						      : registers.orig_rax;
	registers.orig_rax = (unsigned long)-1;
	set_registers(t->tid, &registers);
}

static void detach(struct tracee *t)
{
	ptrace(PTRACE_DETACH, t->tid, 0, 0);
	for (int signal = 1; signal <= 64; signal++) {
		if (t->signals >> (signal - 1) & 1)
			syscall(SYS_tgkill, t->pid, t->tid, signal);
	}
}

/** Take the descriptor that the process has as `number`. */
static int take_descriptor(pid_t pid, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	int fd, rc;

	if (pidfd < 0)
		return -errno;
	fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	rc = fd < 0 ? -errno : fd;
	close(pidfd);
	return rc;
}

static uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

int dirty_inject_userfaultfd(pid_t pid, unsigned int flags, uint64_t *stop_ns)
{
	struct tracee t = {.pid = pid, .tid = pid};
	uint64_t begin;
	long number;
	int rc;

	if (ptrace(PTRACE_SEIZE, t.tid, 0, PTRACE_O_TRACESYSGOOD) != 0)
		return -errno;
	rc = stop_in_poll(&t);
	if (rc != 0) {
		detach(&t);
		return rc;
	}
	begin = clock_ns();
	number = run_syscall(&t, SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);
	rc = (int)number;
	if (number >= 0) {
		rc = take_descriptor(pid, (int)number);
		/* only ours remains: when we die, the kernel takes the protection away */
		run_syscall(&t, SYS_close, (unsigned long)number);
	}
	resume(&t);
	detach(&t);
	*stop_ns = clock_ns() - begin;
	return rc;
}
