/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What runs in the test guest, as its only process. Parameters come from the kernel command line:
 *   workload.mib=N   memory to fill            workload.rate=N  MiB/s to rewrite
 *   workload.set=N   working set in MiB, 0: all workload.disk=N  MiB/s to read from /dev/vda
 *   workload.sparse=N  words of a page that are rewritten, 0: all
 * Commands come over the serial port, one a line, and are answered by one line:
 *   verify           VERIFY OK pages=N | VERIFY FAIL bad=N first=PAGE
 *   rate N, set N    RATE N, SET N
 *   grow N           GROWN pages=N: N MiB more (memory was plugged in)
 *   disk N           DISK rate=N
 *   disk             DISK OK blocks=N | DISK FAIL bad=N first=BLOCK failed=N
 * A heartbeat goes out every 100 ms: HB seq=N up=S pages=N rate=R gap=MS (the longest time that
 * the rewriting thread was away).
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "guest_arena.h"
#include "guest_disk.h"

#define PAGES_PER_MIB (1048576u / GUEST_PAGE_BYTES)
#define HEARTBEAT_NS UINT64_C(100000000)
#define DIRTY_STEP_NS UINT64_C(2000000)

struct workload {
	struct guest_arena arena;
	struct guest_disk disk;
	int disk_status;
	atomic_uint mib_per_second;
	atomic_ulong dirtied_pages;
	atomic_ulong longest_gap_ns;
};

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void sleep_until(uint64_t when_ns)
{
	const struct timespec time = {(time_t)(when_ns / 1000000000), (long)(when_ns % 1000000000)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

static unsigned int parameter(const char *name, unsigned int otherwise)
{
	char line[2048] = "";
	FILE *file = fopen("/proc/cmdline", "re");
	const char *found;

	if (file == NULL)
		return otherwise;
	if (fgets(line, sizeof(line), file) == NULL)
		line[0] = '\0';
	fclose(file);
	found = strstr(line, name);
	return found == NULL ? otherwise : (unsigned int)strtoul(found + strlen(name), NULL, 10);
}

static void *dirty_forever(void *arg)
{
	struct workload *work = arg;
	uint64_t last = now_ns();
	uint64_t owed = 0; /* pages times 10^9 */

	for (;;) {
		uint64_t now, gap, pages;

		sleep_until(last + DIRTY_STEP_NS);
		now = now_ns();
		gap = now - last;
		last = now;
		if (gap > atomic_load(&work->longest_gap_ns))
			atomic_store(&work->longest_gap_ns, gap);
		/* after a pause the lost time is not made up for */
		if (gap > HEARTBEAT_NS)
			gap = HEARTBEAT_NS;
		owed += gap * atomic_load(&work->mib_per_second) * PAGES_PER_MIB;
		pages = owed / 1000000000;
		owed %= 1000000000;
		guest_arena_dirty(&work->arena, pages);
		atomic_fetch_add(&work->dirtied_pages, pages);
	}
	return NULL;
}

static void *beat_forever(void *arg)
{
	struct workload *work = arg;
	unsigned long before = 0;
	uint64_t next = now_ns();

	for (unsigned long seq = 0;; seq++) {
		unsigned long dirtied = atomic_load(&work->dirtied_pages);
		uint64_t now = now_ns();

		printf("HB seq=%lu up=%.3f pages=%lu rate=%.1f gap=%.1f\n", seq, (double)now / 1e9,
		       dirtied, (double)(dirtied - before) * 1e9 / HEARTBEAT_NS / PAGES_PER_MIB,
		       (double)atomic_exchange(&work->longest_gap_ns, 0) / 1e6);
		before = dirtied;
		next += HEARTBEAT_NS;
		if (next < now)
			next = now + HEARTBEAT_NS;
		sleep_until(next);
	}
	return NULL;
}

static void answer_disk(struct workload *work, const char *rate)
{
	struct guest_disk *disk = &work->disk;
	unsigned long bad;

	if (work->disk_status != 0) {
		printf("DISK NONE %s\n", strerror(-work->disk_status));
		return;
	}
	if (*rate != '\0') {
		atomic_store(&disk->mib_per_second, (unsigned int)strtoul(rate, NULL, 10));
		printf("DISK rate=%u\n", atomic_load(&disk->mib_per_second));
		return;
	}
	bad = atomic_load(&disk->bad_blocks);
	if (bad == 0 && atomic_load(&disk->failed_reads) == 0)
		printf("DISK OK blocks=%lu\n", atomic_load(&disk->read_blocks));
	else
		printf("DISK FAIL bad=%lu first=%lu failed=%lu\n", bad,
		       atomic_load(&disk->first_bad) - 1, atomic_load(&disk->failed_reads));
}

static void answer_verify(struct workload *work)
{
	uint64_t first = 0;
	uint64_t bad = guest_arena_verify(&work->arena, &first);

	if (bad == 0)
		printf("VERIFY OK pages=%lu\n", work->arena.pages);
	else
		printf("VERIFY FAIL bad=%lu first=%lu\n", bad, first);
}

static void answer(struct workload *work, const char *line)
{
	unsigned int number = 0;

	if (strcmp(line, "verify") == 0) {
		answer_verify(work);
	} else if (sscanf(line, "rate %u", &number) == 1) {
		atomic_store(&work->mib_per_second, number);
		printf("RATE %u\n", number);
	} else if (sscanf(line, "set %u", &number) == 1) {
		pthread_mutex_lock(&work->arena.lock);
		work->arena.set_pages = (uint64_t)number * PAGES_PER_MIB;
		pthread_mutex_unlock(&work->arena.lock);
		printf("SET %u\n", number);
	} else if (sscanf(line, "grow %u", &number) == 1) {
		if (guest_arena_grow(&work->arena, (uint64_t)number * PAGES_PER_MIB) == 0)
			printf("GROWN pages=%lu\n", work->arena.pages);
		else
			printf("GROWN no room\n");
	} else if (strncmp(line, "disk", 4) == 0) {
		answer_disk(work, line[4] == ' ' ? line + 5 : "");
	} else if (*line != '\0') {
		printf("WHAT? %s\n", line);
	}
}

static void start_thread(void *(*run)(void *), struct workload *work)
{
	pthread_t thread;
	int rc = pthread_create(&thread, NULL, run, work);

	if (rc != 0)
		printf("WORKLOAD cannot start a thread: %s\n", strerror(rc));
}

int main(void)
{
	static struct workload work;
	struct termios tty;
	char line[128];

	setvbuf(stdout, NULL, _IOLBF, 4096);
	if (tcgetattr(STDIN_FILENO, &tty) == 0) {
		tty.c_lflag &= (tcflag_t) ~(ECHO | ECHONL);
		tcsetattr(STDIN_FILENO, TCSANOW, &tty);
	}
	atomic_init(&work.mib_per_second, parameter("workload.rate=", 10));
	if (guest_arena_init(&work.arena, (uint64_t)64 * 1024 * PAGES_PER_MIB,
			     parameter("workload.sparse=", 0)) != 0) {
		printf("WORKLOAD cannot reserve memory\n");
		return 1;
	}
	work.arena.set_pages = (uint64_t)parameter("workload.set=", 0) * PAGES_PER_MIB;
	guest_arena_grow(&work.arena, (uint64_t)parameter("workload.mib=", 64) * PAGES_PER_MIB);
	work.disk_status = guest_disk_start(&work.disk, "/dev/vda");
	atomic_store(&work.disk.mib_per_second, parameter("workload.disk=", 0));
	printf("WORKLOAD ready pages=%lu disk=%s\n", work.arena.pages,
	       work.disk_status == 0 ? "yes" : "no");
	start_thread(dirty_forever, &work);
	start_thread(beat_forever, &work);
	while (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		answer(&work, line);
	}
	printf("WORKLOAD serial port closed\n");
	for (;;)
		pause();
}
