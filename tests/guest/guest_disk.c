/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>

#define BLOCK_BYTES 4096u
#define BLOCK_WORDS (BLOCK_BYTES / sizeof(uint64_t))
#define REQUEST_BLOCKS 64u
#define REQUEST_BYTES (REQUEST_BLOCKS * BLOCK_BYTES)
#define SLOTS 16u /* a buffer stays untouched for this many requests, then is checked again */
#define POISON 0xa5

/* The same function is in tests/system/disk_image.py. */
static uint64_t block_word(uint64_t block, uint64_t word)
{
	return (block + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ word;
}

static bool block_is_right(const uint64_t *words, uint64_t block)
{
	for (uint64_t i = 0; i < BLOCK_WORDS; i++) {
		if (words[i] != block_word(block, i))
			return false;
	}
	return true;
}

static void check_request(struct guest_disk *disk, const uint8_t *buffer, uint64_t first)
{
	uint64_t words[BLOCK_WORDS];

	for (uint64_t i = 0; i < REQUEST_BLOCKS; i++) {
		memcpy(words, buffer + i * BLOCK_BYTES, sizeof(words));
		if (block_is_right(words, first + i))
			continue;
		if (atomic_fetch_add(&disk->bad_blocks, 1) == 0)
			atomic_store(&disk->first_bad, first + i + 1);
	}
}

static void sleep_ns(uint64_t ns)
{
	const struct timespec time = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};

	nanosleep(&time, NULL);
}

static void *read_forever(void *arg)
{
	struct guest_disk *disk = arg;
	uint64_t requests = disk->blocks / REQUEST_BLOCKS;
	uint64_t next = atomic_fetch_add(&disk->thread_count, 1) * requests / GUEST_DISK_THREADS;
	uint64_t held[SLOTS];
	uint8_t *buffers = mmap(NULL, SLOTS * REQUEST_BYTES, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buffers == MAP_FAILED)
		return NULL;
	for (uint64_t turn = 0;; turn++) {
		uint8_t *buffer = buffers + turn % SLOTS * REQUEST_BYTES;
		uint64_t first = next++ % requests * REQUEST_BLOCKS;
		unsigned int rate = atomic_load(&disk->mib_per_second);

		while (rate == 0) {
			sleep_ns(20000000);
			rate = atomic_load(&disk->mib_per_second);
		}
		sleep_ns(UINT64_C(1000000000) * GUEST_DISK_THREADS / 4 / rate);
		if (turn >= SLOTS)
			check_request(disk, buffer, held[turn % SLOTS]);
		memset(buffer, POISON, REQUEST_BYTES);
		if (pread(disk->fd, buffer, REQUEST_BYTES, (off_t)(first * BLOCK_BYTES)) !=
		    (ssize_t)REQUEST_BYTES)
			atomic_fetch_add(&disk->failed_reads, 1);
		check_request(disk, buffer, first);
		held[turn % SLOTS] = first;
		atomic_fetch_add(&disk->read_blocks, REQUEST_BLOCKS);
	}
}

int guest_disk_start(struct guest_disk *disk, const char *path)
{
	uint64_t bytes = 0;

	memset(disk, 0, sizeof(*disk));
	disk->fd = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (disk->fd < 0)
		return -errno;
	if (ioctl(disk->fd, BLKGETSIZE64, &bytes) != 0 || bytes < REQUEST_BYTES) {
		close(disk->fd);
		return -EINVAL;
	}
	disk->blocks = bytes / BLOCK_BYTES;
	for (int i = 0; i < GUEST_DISK_THREADS; i++) {
		pthread_t thread;
		int rc = pthread_create(&thread, NULL, read_forever, disk);

		if (rc != 0)
			return -rc;
		pthread_detach(thread);
	}
	return 0;
}
