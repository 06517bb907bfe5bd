/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_BITMAP_H
#define MIGC_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * Page bitmaps: bit i of word i/64 stands for page i. The words are the caller's. Bits past the
 * page count in the last word are kept zero by the caller (every function here keeps them so).
 */

#define MIGC_BITMAP_NONE UINT64_MAX

/** @return words needed for `pages` bits. */
static inline size_t migc_bitmap_words(uint64_t pages)
{
	return (size_t)((pages + 63) / 64);
}

static inline bool migc_bitmap_test(const uint64_t *words, uint64_t page)
{
	return (words[page / 64] >> (page % 64)) & 1;
}

static inline void migc_bitmap_set(uint64_t *words, uint64_t page)
{
	words[page / 64] |= UINT64_C(1) << (page % 64);
}

static inline void migc_bitmap_clear(uint64_t *words, uint64_t page)
{
	words[page / 64] &= ~(UINT64_C(1) << (page % 64));
}

/** @return zeroed words for `pages` bits (at least one word), or NULL. Freed with free(). */
uint64_t *migc_bitmap_alloc(uint64_t pages);
void migc_bitmap_set_range(uint64_t *words, uint64_t first, uint64_t count);
void migc_bitmap_clear_range(uint64_t *words, uint64_t first, uint64_t count);
void migc_bitmap_zero(uint64_t *words, uint64_t pages);
uint64_t migc_bitmap_count(const uint64_t *words, uint64_t pages);
/** dst |= src */
void migc_bitmap_or(uint64_t *dst, const uint64_t *src, uint64_t pages);
/** dst &= ~src */
void migc_bitmap_andnot(uint64_t *dst, const uint64_t *src, uint64_t pages);
/** @return the first set bit at or after `from`, or MIGC_BITMAP_NONE. */
uint64_t migc_bitmap_next(const uint64_t *words, uint64_t pages, uint64_t from);
/** @return the first clear bit at or after `from`, or `pages`. */
uint64_t migc_bitmap_next_clear(const uint64_t *words, uint64_t pages, uint64_t from);

#endif
