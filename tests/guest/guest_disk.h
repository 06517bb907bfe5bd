/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GUEST_DISK_H
#define GUEST_DISK_H

#include <stdatomic.h>
#include <stdint.h>

/**
 * @file
 * Threads that read /dev/vda with O_DIRECT all the time: the host's DMA writes guest memory behind
 * the back of the CPU. Each 4 KiB block of the disk says its own number, so data that landed
 * nowhere, elsewhere, or that a migration left behind is found: right after the read, and again
 * before the buffer is used the next time.
 */

#define GUEST_DISK_THREADS 4

struct guest_disk {
	int fd;
	uint64_t blocks; /**< of 4 KiB */
	atomic_uint mib_per_second; /**< of all threads together; 0: pause */
	atomic_ulong read_blocks, bad_blocks, failed_reads;
	atomic_ulong first_bad; /**< block number + 1 */
	atomic_uint thread_count;
};

/** Open the disk and start the threads (paused). @return 0, -errno (no such disk). */
int guest_disk_start(struct guest_disk *disk, const char *path);

#endif
