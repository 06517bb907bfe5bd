/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_ladder.h"

/*
 * Order-0 collisions: of n bytes drawn evenly, n(n-1)/256 ordered pairs are equal, with a deviation
 * of n*sqrt(2)/16; English text has 16 times as many. See doc/design/auto-codec.md.
 */
#define LINE_BYTES 64u
#define LINES 16u
#define SAMPLE_BYTES (LINE_BYTES * LINES)
/** An eighth over the mean of random bytes: 5.6 deviations. */
#define PAIRS_MAX (SAMPLE_BYTES * (SAMPLE_BYTES - 1) / 256 * 9 / 8)
/** Lines are looked at in another place of each page: prime to the lines a page has. */
#define LINE_STRIDE 37u
/** Counters are four tables, so that equal bytes in a row do not wait for each other. */
#define TABLES 4u

static void count_line(uint16_t count[TABLES][256], const uint8_t *line)
{
	for (unsigned int i = 0; i < LINE_BYTES; i += TABLES) {
		count[0][line[i]]++;
		count[1][line[i + 1]]++;
		count[2][line[i + 2]]++;
		count[3][line[i + 3]]++;
	}
}

bool migc_ladder_looks_incompressible(const uint8_t *const *page, unsigned int pages)
{
	uint16_t count[TABLES][256] = {{0}};
	uint32_t pairs = 0;

	for (unsigned int i = 0; i < LINES; i++) {
		const uint8_t *from = page[i * pages / LINES];
		unsigned int line = (i * LINE_STRIDE + 11) % (MIGC_PAGE_BYTES / LINE_BYTES);

		count_line(count, from + (size_t)line * LINE_BYTES);
	}
	for (unsigned int i = 0; i < 256; i++) {
		uint32_t n = (uint32_t)count[0][i] + count[1][i] + count[2][i] + count[3][i];

		pairs += n * n;
	}
	/* sum of n^2 less n for each byte */
	return pairs - SAMPLE_BYTES <= PAIRS_MAX;
}
