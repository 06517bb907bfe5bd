/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WORDS_H
#define WORDS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/** @file A command line out of input: a word a line, each in memory of its own. */

#define WORDS_CUT_MAX 200

struct words {
	char *word[WORDS_CUT_MAX + 2];
	int count;
};

static inline void words_cut(struct words *w, const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;

	memset(w, 0, sizeof(*w));
	w->word[w->count++] = strdup("program");
	while (at < end && w->count <= WORDS_CUT_MAX) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((stop ? stop : end) - at);

		w->word[w->count++] = strndup(at, length);
		at += length + 1;
	}
	for (int i = 0; i < w->count; i++) {
		if (w->word[i] == NULL)
			abort();
	}
}

static inline void words_free(struct words *w)
{
	for (int i = 0; i < w->count; i++)
		free(w->word[i]);
}

#endif
