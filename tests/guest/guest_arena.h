/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GUEST_ARENA_H
#define GUEST_ARENA_H

#include <pthread.h>
#include <stdint.h>

/**
 * @file
 * Memory of the test guest whose every page says what it must hold. The content of a page is a
 * function of its number and its version; the version is kept beside, so that a page that was
 * lost, misplaced, torn or is out of date differs from what it must be.
 *
 * The mix is that of a working machine: of eight pages three are incompressible, three are text,
 * two are zero (and one of these comes and goes as it is rewritten).
 *
 * A page that is not zero can be rewritten sparsely: in some of its words only, as most pages of a
 * working machine are. Their places follow from the page's number, what they hold from the number
 * of times that this was done. Each GUEST_STROKES_MAX times the page is rewritten whole.
 */

#define GUEST_PAGE_BYTES 4096u
#define GUEST_STROKES_MAX 8u

struct guest_arena {
	uint8_t *memory;
	uint32_t *versions;
	uint32_t *strokes; /**< sparse rewrites since the last whole one */
	unsigned int
		sparse_words; /**< of a sparse rewrite; 0: pages are rewritten whole. Constant */
	uint64_t pages; /**< filled so far */
	uint64_t pages_max; /**< address space reserved */
	uint64_t set_pages; /**< the first so many are rewritten; 0: all */
	uint64_t cursor; /**< next to be rewritten */
	uint8_t *text, *noise; /**< what pages are cut from */
	pthread_mutex_t lock; /**< verification sees no half-written page */
};

/** Reserve address space for pages_max pages. @return 0, -errno. */
int guest_arena_init(struct guest_arena *arena, uint64_t pages_max, unsigned int sparse_words);
/** Fill `pages` more pages. @return 0, -ENOSPC over pages_max. */
int guest_arena_grow(struct guest_arena *arena, uint64_t pages);
/** Rewrite the next `count` pages of the working set. */
void guest_arena_dirty(struct guest_arena *arena, uint64_t count);
/** Compare all pages with what they must hold. @return pages that differ; the first one's number
 * in *first. */
uint64_t guest_arena_verify(struct guest_arena *arena, uint64_t *first);

#endif
