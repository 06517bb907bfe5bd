/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_bitmap.h"

#include <stdlib.h>
#include <string.h>

uint64_t *migc_bitmap_alloc(uint64_t pages)
{
	size_t words = migc_bitmap_words(pages);

	return calloc(words ? words : 1, sizeof(uint64_t));
}

/* Bits [from, to) of one word; 0 <= from < to <= 64. */
static uint64_t word_mask(unsigned int from, unsigned int to)
{
	return (UINT64_MAX << from) & (UINT64_MAX >> (64 - to));
}

static void change_range(uint64_t *words, uint64_t first, uint64_t count, bool set)
{
	while (count) {
		unsigned int from = (unsigned int)(first % 64);
		unsigned int bits = count < 64 - from ? (unsigned int)count : 64 - from;
		uint64_t mask = word_mask(from, from + bits);

		if (set)
			words[first / 64] |= mask;
		else
			words[first / 64] &= ~mask;
		first += bits;
		count -= bits;
	}
}

void migc_bitmap_set_range(uint64_t *words, uint64_t first, uint64_t count)
{
	change_range(words, first, count, true);
}

void migc_bitmap_clear_range(uint64_t *words, uint64_t first, uint64_t count)
{
	change_range(words, first, count, false);
}

void migc_bitmap_zero(uint64_t *words, uint64_t pages)
{
	memset(words, 0, migc_bitmap_words(pages) * sizeof(*words));
}

uint64_t migc_bitmap_count(const uint64_t *words, uint64_t pages)
{
	size_t n = migc_bitmap_words(pages);
	uint64_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += (uint64_t)__builtin_popcountll(words[i]);
	return count;
}

void migc_bitmap_or(uint64_t *dst, const uint64_t *src, uint64_t pages)
{
	size_t n = migc_bitmap_words(pages);

	for (size_t i = 0; i < n; i++)
		dst[i] |= src[i];
}

void migc_bitmap_andnot(uint64_t *dst, const uint64_t *src, uint64_t pages)
{
	size_t n = migc_bitmap_words(pages);

	for (size_t i = 0; i < n; i++)
		dst[i] &= ~src[i];
}

/* First bit at or after `from` that is set in (word ^ flip), or `pages`. */
static uint64_t find(const uint64_t *words, uint64_t pages, uint64_t from, uint64_t flip)
{
	while (from < pages) {
		uint64_t word = (words[from / 64] ^ flip) & (UINT64_MAX << (from % 64));

		if (word) {
			uint64_t bit = (from & ~UINT64_C(63)) + (uint64_t)__builtin_ctzll(word);

			return bit < pages ? bit : pages;
		}
		from = (from | 63) + 1;
	}
	return pages;
}

uint64_t migc_bitmap_next(const uint64_t *words, uint64_t pages, uint64_t from)
{
	uint64_t bit = find(words, pages, from, 0);

	return bit < pages ? bit : MIGC_BITMAP_NONE;
}

uint64_t migc_bitmap_next_clear(const uint64_t *words, uint64_t pages, uint64_t from)
{
	return find(words, pages, from, UINT64_MAX);
}
