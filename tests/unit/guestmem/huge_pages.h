/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HUGE_PAGES_H
#define HUGE_PAGES_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/**
 * @file
 * Huge pages for a test. There is one pool a machine: whoever changes it holds the lock that
 * tests/system/run.py takes for all of a run.
 */

#define HUGE_PAGES_FILE "/proc/sys/vm/nr_hugepages"
/** A run takes minutes: who cannot have the lock soon goes without. */
#define HUGE_PAGES_WAIT_MS 5000u

struct huge_pages {
	int lock; /**< -1: nothing was taken */
	long before;
};

static inline long huge_pages_count(void)
{
	FILE *file = fopen(HUGE_PAGES_FILE, "re");
	long value = -1;

	if (file && fscanf(file, "%ld", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	return value;
}

static inline bool huge_pages_set(long value)
{
	FILE *file = fopen(HUGE_PAGES_FILE, "we");
	bool ok = file && fprintf(file, "%ld\n", value) > 0;

	if (file && fclose(file) != 0)
		ok = false;
	return ok && huge_pages_count() == value;
}

/** Put back what there was. Nothing happens when nothing was taken. */
static inline void huge_pages_give_back(struct huge_pages *h)
{
	if (h->lock < 0)
		return;
	huge_pages_set(h->before);
	/* not only closed: a child may have it open */
	flock(h->lock, LOCK_UN);
	close(h->lock);
	h->lock = -1;
}

/** So many more. @return whether they are there. */
static inline bool huge_pages_take(struct huge_pages *h, long more)
{
	const struct timespec millisecond = {0, 1000000};
	unsigned int waited_ms = 0;

	h->lock = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (h->lock >= 0 && flock(h->lock, LOCK_EX | LOCK_NB) != 0) {
		if (++waited_ms > HUGE_PAGES_WAIT_MS) {
			close(h->lock);
			h->lock = -1;
		}
		nanosleep(&millisecond, NULL);
	}
	if (h->lock < 0)
		return false;
	h->before = huge_pages_count();
	if (h->before >= 0 && huge_pages_set(h->before + more))
		return true;
	huge_pages_give_back(h);
	return false;
}

#endif
