/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_bitmap.h"
#include "migc_page.h"

int migc_span_take(uint64_t *words, uint64_t pages, uint64_t *cursor, struct migc_span *span)
{
	uint64_t page = migc_bitmap_next(words, pages, *cursor);
	size_t words_all = migc_bitmap_words(pages);
	size_t word;

	if (page == MIGC_BITMAP_NONE)
		return 0;
	span->first_page = page - page % MIGC_SPAN_PAGES;
	word = (size_t)(span->first_page / 64);
	for (size_t i = 0; i < MIGC_SPAN_WORDS; i++) {
		span->mask[i] = 0;
		if (word + i < words_all) {
			span->mask[i] = words[word + i];
			words[word + i] = 0;
		}
	}
	*cursor = span->first_page + MIGC_SPAN_PAGES;
	return 1;
}
