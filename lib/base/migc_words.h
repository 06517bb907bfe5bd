/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_WORDS_H
#define MIGC_WORDS_H

#include <getopt.h>
#include <stdint.h>

#include "migc_error.h"

/**
 * @file
 * A command line of long options, each spelled out, its value behind it. What is wrong with it is
 * said in one line, with what to do.
 */

/** getopt_long() values: above all characters, so that short options cannot be taken for them. */
#define MIGC_WORD_VALUE 256
/** Entries of a table of options, at the place `word`; the last one is all zero. */
#define MIGC_WORD_NEEDS(word, text) \
	[word] = {text, required_argument, NULL, MIGC_WORD_VALUE + (word)}
#define MIGC_WORD_ALONE(word, text) [word] = {text, no_argument, NULL, MIGC_WORD_VALUE + (word)}

/**
 * All of argv[1..].
 *
 * @param table of MIGC_WORD_NEEDS() and MIGC_WORD_ALONE()
 * @param take  called for each in turn with its place in the table and its value, which is not
 *              empty (NULL: it takes none); not 0: it has set the error, and is called no more
 * @return 0, -EINVAL
 */
int migc_words_parse(int argc, char **argv, const struct option *table,
		     int (*take)(void *ctx, unsigned int word, const char *value), void *ctx,
		     struct migc_error *err);
/** The value of a word as a number within [min, max]. @return 0, -EINVAL. */
int migc_words_number(const struct option *word, const char *value, uint64_t min, uint64_t max,
		      uint64_t *out, struct migc_error *err);
/**
 * The value of a word as one of a list, which ends with NULL; places with "" cannot be said.
 *
 * @param out its place in the list; left untouched when it is none of them
 * @return 0, -EINVAL
 */
int migc_words_choice(const struct option *word, const char *value, const char *const *list,
		      int *out, struct migc_error *err);

#endif
