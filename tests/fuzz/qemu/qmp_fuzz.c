/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whatever a QMP socket sends, from the greeting through discovery, switchover and the way back.
 * Each line of the input is sent when the program waits; an @ in it stands for the id of its last
 * command. After the last line the socket closes. The "guest" is this process, with one MiB of
 * shared memory where the text of gpa2hva may well point to.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "migc_guestmem.h"
#include "migc_qemu.h"

#define RAM_ADDRESS 0x200000000000
#define RAM_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char directory[] = "/tmp/migc-qmp-fuzz-XXXXXX";
static char path[sizeof(directory) + 8];
static int listen_fd;

/** The other end of the socket. */
struct script {
	const char *at, *end;
	unsigned int commands; /**< seen: ids count from 1 */
	int fd; /**< -1: not connected yet, or closed */
	bool sent; /**< a line, at the last call */
	bool over;
};

static void remove_socket(void)
{
	unlink(path);
	rmdir(directory);
}

static void begin_listening(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memcpy(address.sun_path, path, sizeof(path));
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listen_fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(listen_fd, 4) != 0)
		abort();
}

static void set_up(void)
{
	int ram = memfd_create("ram", MFD_CLOEXEC);

	if (mkdtemp(directory) == NULL || atexit(remove_socket) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/qmp", directory);
	if (ftruncate(ram, RAM_BYTES) != 0 ||
	    mmap((void *)RAM_ADDRESS, RAM_BYTES, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED_NOREPLACE, ram, 0) != (void *)RAM_ADDRESS)
		abort();
}

/** One command a line. */
static void read_commands(struct script *s)
{
	char text[4096];
	ssize_t n;

	while ((n = recv(s->fd, text, sizeof(text), MSG_DONTWAIT)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			s->commands += text[i] == '\n';
	}
}

static void put(struct script *s, const char *text, size_t length)
{
	/* what does not fit into the socket is lost: nobody waits for it */
	(void)!send(s->fd, text, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/** QEMU has gone: nobody connects again. */
static void end(struct script *s)
{
	if (s->over)
		return;
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
	unlink(path);
	close(listen_fd);
	s->over = true;
}

/** The program waits: it gets the next line. */
static void send_line(void *ctx)
{
	struct script *s = ctx;
	const char *stop;

	if (s->over)
		return;
	if (s->fd < 0)
		s->fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	if (s->fd < 0)
		abort();
	read_commands(s);
	/* whoever has read something is here too: what comes next is for who still waits */
	s->sent = !s->sent;
	if (!s->sent)
		return;
	if (s->at == s->end) {
		end(s);
		return;
	}
	stop = memchr(s->at, '\n', (size_t)(s->end - s->at));
	if (stop == NULL)
		stop = s->end;
	while (s->at < stop) {
		const char *mark = memchr(s->at, '@', (size_t)(stop - s->at));
		const char *to = mark ? mark : stop;
		char id[16];

		put(s, s->at, (size_t)(to - s->at));
		s->at = to;
		if (mark == NULL)
			break;
		put(s, id, (size_t)snprintf(id, sizeof(id), "%u", s->commands));
		s->at++;
	}
	put(s, "\n", 1);
	s->at += s->at < s->end;
}

static void switch_over(struct migc_qemu *q)
{
	struct migc_error err = {0};
	uint8_t state[256];
	uint64_t stop_ns;
	int rc = migc_qemu_prepare(q, &err);

	if (rc == 0)
		rc = migc_qemu_start_switchover(q, &err);
	for (unsigned int i = 0; rc == 0 && i < 8; i++)
		rc = migc_qemu_poll_stopped(q, &stop_ns, &err);
	if (rc == 1) {
		rc = migc_qemu_continue(q, &err);
		for (unsigned int i = 0; rc >= 0 && i < 8; i++)
			rc = migc_qemu_read_state(q, state, sizeof(state), &err);
	}
	memset(&err, 0, sizeof(err));
	rc = migc_qemu_resume(q, &err);
	if (rc != 0 && !err.text[0])
		abort();
}

static void use(struct migc_qemu *q)
{
	struct migc_guestmem *gm;
	struct migc_error err = {0};
	bool discards;
	int rc;

	if (migc_guestmem_create(&gm) != 0)
		abort();
	rc = migc_qemu_discover(q, gm, &err);
	if (rc == 0) {
		if (migc_guestmem_regions(gm) == 0)
			abort();
		(void)migc_qemu_check_unchanged(q, &err);
		(void)migc_qemu_discards_memory(q, &discards, &err);
		switch_over(q);
	} else if (rc > 0 || !err.text[0]) {
		abort();
	}
	migc_guestmem_free(gm);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct script script = {
		.at = (const char *)data, .end = (const char *)data + size, .fd = -1};
	struct migc_qemu_config config = {.qmp_path = path, .idle = send_line, .idle_ctx = &script};
	struct migc_error err = {0};
	struct migc_qemu *q = NULL;
	int rc;

	if (!ready)
		set_up();
	ready = true;
	begin_listening();
	rc = migc_qemu_open(&config, &q, &err);
	if (rc > 0 || (rc == 0) != (q != NULL) || (rc < 0 && !err.text[0]))
		abort();
	if (q)
		use(q);
	migc_qemu_close(q);
	end(&script);
	return 0;
}
