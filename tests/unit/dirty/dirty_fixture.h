/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DIRTY_FIXTURE_H
#define DIRTY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../guestmem/huge_pages.h"
#include "guest_child.h"
#include "migc_bitmap.h"
#include "migc_dirty.h"

/** @file A child that plays the guest, and a tracker of its memory. Static: see session_rig.h. */

#define PAGES 256u
#define HUGE_BYTES (UINT64_C(2) << 20)

struct fixture {
	struct guest_child child;
	struct migc_guestmem *gm;
	struct migc_dirty *dirty;
	struct migc_error err;
	uint64_t words[1024 / 64];
	struct huge_pages huge_pages;
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->huge_pages.lock = -1;
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	migc_dirty_free(f->dirty);
	migc_guestmem_free(f->gm);
	guest_stop(&f->child);
	huge_pages_give_back(&f->huge_pages);
	free(f);
	return 0;
}

static inline int add_memory(struct fixture *f, struct migc_guestmem **gm)
{
	assert_int_equal(migc_guestmem_create(gm), 0);
	return migc_guestmem_add_process(*gm, "ram", f->child.pid, f->child.addr, f->child.bytes,
					 false, &f->err);
}

static inline void start_with(struct fixture *f, enum migc_dirty_kind kind, uint64_t bytes,
			      unsigned int memfd_flags)
{
	struct migc_dirty_features features;

	migc_dirty_probe(&features);
	if (kind == MIGC_DIRTY_PAGEMAP && features.missing[0]) {
		print_message("skipped: this kernel lacks %s\n", features.missing);
		skip();
	}
	assert_int_equal(guest_start(&f->child, bytes, memfd_flags, true), 0);
	if (add_memory(f, &f->gm) != 0)
		fail_msg("%s", f->err.text);
	if (migc_dirty_create(kind, f->gm, NULL, &f->dirty, &f->err) != 0)
		fail_msg("%s", f->err.text);
}

static inline void start(struct fixture *f, enum migc_dirty_kind kind)
{
	start_with(f, kind, PAGES * MIGC_PAGE_BYTES, 0);
}

static inline void arm(struct fixture *f)
{
	if (migc_dirty_arm(f->dirty, &f->err) != 0)
		fail_msg("%s", f->err.text);
}

/** @return pages that the scan reported; their bits are in words. */
static inline uint64_t scan(struct fixture *f)
{
	memset(f->words, 0, sizeof(f->words));
	if (migc_dirty_scan(f->dirty, 0, f->words, NULL, NULL, &f->err) != 0)
		fail_msg("%s", f->err.text);
	return migc_bitmap_count(f->words, migc_guestmem_region(f->gm, 0)->pages);
}

static inline const uint8_t *page_of(const struct fixture *f, uint64_t page)
{
	return migc_guestmem_region(f->gm, 0)->addr + page * MIGC_PAGE_BYTES;
}

#endif
