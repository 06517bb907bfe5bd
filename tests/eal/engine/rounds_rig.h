/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ROUNDS_RIG_H
#define ROUNDS_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "clock.h"
#include "migc_bitmap.h"
#include "rounds.h"
#include "send_path.h"

/**
 * @file
 * Rounds over a guest of versions instead of bytes: a page's version counts its writes. The
 * tracker and the workers are the test's; the guest memory is a real, sparse memfd. Static: see
 * session_rig.h.
 */

#define PAGES 2048u
#define WORKERS 2u
#define SECOND UINT64_C(1000000000)
#define REST_NS (SECOND / 5)

static struct {
	uint64_t written[PAGES / 64]; /**< the kernel's dirty bits */
	unsigned int version[PAGES]; /**< at the source */
	unsigned int arrived[PAGES]; /**< at the destination */
	unsigned int sends[PAGES]; /**< in this round */
	unsigned int sender[PAGES]; /**< worker that sent it last */
	unsigned int room; /**< spans that the rings take now */
	bool full[WORKERS]; /**< a ring that takes nothing now */
	bool deltas; /**< this round has them */
	unsigned int forgotten[PAGES]; /**< 1 + the worker that was told */
	unsigned int scans, given;
	bool busy; /**< a worker has something on its way */
	int scan_error;
	uint64_t rest_ns; /**< I/O may land so long after a scan */
} guest;

static uint8_t *memory;
static struct migc_guestmem *gm;
static struct worker workers[WORKERS];

/* ---- the tracker ---- */

int migc_dirty_scan(struct migc_dirty *d, unsigned int region, uint64_t *words,
		    void (*idle)(void *ctx), void *ctx, struct migc_error *err)
{
	(void)d;
	(void)idle;
	(void)ctx;
	assert_int_equal(region, 0);
	guest.scans++;
	if (guest.scan_error)
		return migc_error_set(err, guest.scan_error, "scan");
	for (unsigned int i = 0; i < PAGES / 64; i++) {
		words[i] |= guest.written[i];
		guest.written[i] = 0;
	}
	return 0;
}

uint64_t migc_dirty_settle_ns(struct migc_dirty *d)
{
	(void)d;
	return guest.rest_ns;
}

/* ---- the workers ---- */

/** What the workers' send paths are: their numbers. */
static char paths[WORKERS];

static inline unsigned int number_of(const struct send_path *path)
{
	return (unsigned int)((const char *)path - paths);
}

void send_path_begin_round(struct send_path *path, uint32_t round, bool final, bool raw,
			   bool deltas)
{
	(void)path;
	(void)round;
	(void) final;
	(void)raw;
	guest.deltas = deltas;
	memset(guest.sends, 0, sizeof(guest.sends));
}

void send_path_forget(struct send_path *path, uint16_t region, uint32_t page)
{
	assert_int_equal(region, 0);
	assert_true(page < PAGES);
	guest.forgotten[page] = 1 + number_of(path);
}

bool send_path_give(struct send_path *path, const struct migc_span *span)
{
	if (guest.room == 0 || guest.full[number_of(path)])
		return false;
	guest.room--;
	guest.given++;
	for (uint64_t i = 0; i < MIGC_SPAN_PAGES; i++) {
		uint64_t page = span->first_page + i;

		if (!migc_bitmap_test(span->mask, i))
			continue;
		assert_true(page < PAGES);
		guest.sends[page]++;
		guest.sender[page] = number_of(path);
		guest.arrived[page] = guest.version[page];
	}
	return true;
}

bool send_path_idle(const struct send_path *path)
{
	(void)path;
	return !guest.busy;
}

uint64_t send_path_blocks(const struct send_path *path)
{
	(void)path;
	return guest.given;
}

/* ---- the guest ---- */

static inline void write_page(uint64_t page)
{
	memory[page * MIGC_PAGE_BYTES] = 1;
	guest.version[page]++;
	migc_bitmap_set(guest.written, page);
}

static inline struct rounds *new_rounds(bool live)
{
	struct migc_error err = {0};
	struct rounds *r;

	/* the tracker is the test's: only whether there is one matters */
	assert_int_equal(rounds_create(gm, live ? (struct migc_dirty *)&guest : NULL, workers,
				       WORKERS, NULL, NULL, &r, &err),
			 0);
	return r;
}

static inline void begin(struct rounds *r, uint32_t number, bool final)
{
	struct migc_error err = {0};

	assert_int_equal(rounds_begin(r, number, final, false, &err), 0);
}

/** As late as wanted, so that nothing has to settle. */
static inline int feed(struct rounds *r)
{
	struct migc_error err = {0};

	return rounds_feed(r, clock_now_ns() + SECOND, &err);
}

static inline int set_up(void **state)
{
	struct migc_error err = {0};
	char path[64];
	int fd = memfd_create("rounds", MFD_CLOEXEC);

	(void)state;
	memset(&guest, 0, sizeof(guest));
	guest.room = UINT32_MAX;
	guest.rest_ns = REST_NS;
	for (unsigned int i = 0; i < WORKERS; i++)
		workers[i].send = (struct send_path *)&paths[i];
	if (fd < 0 || ftruncate(fd, PAGES * MIGC_PAGE_BYTES) != 0)
		return -1;
	memory = mmap(NULL, PAGES * MIGC_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (memory == MAP_FAILED || migc_guestmem_create(&gm) != 0 ||
	    migc_guestmem_add_file(gm, "ram", path, 0, 0, false, &err) != 0)
		return -1;
	close(fd);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	migc_guestmem_free(gm);
	return munmap(memory, PAGES * MIGC_PAGE_BYTES);
}

#endif
