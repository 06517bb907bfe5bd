/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_WORDS_H
#define PERF_WORDS_H

#include "migc_words.h"
#include "perf_options.h"

/** @file The words themselves, and a parse under way: shared by parsing and checking. */

enum perf_word {
	PERF_WORD_PTEST,
	PERF_WORD_DRIVER_NAME,
	PERF_WORD_INPUT_FILE,
	PERF_WORD_EXTENDED_INPUT_SZ,
	PERF_WORD_SEG_SZ,
	PERF_WORD_BURST_SZ,
	PERF_WORD_POOL_SZ,
	PERF_WORD_MAX_NUM_SGL_SEGS,
	PERF_WORD_NUM_ITER,
	PERF_WORD_OPERATION,
	PERF_WORD_HUFFMAN_ENC,
	PERF_WORD_COMPRESS_LEVEL,
	PERF_WORD_WINDOW_SZ,
	PERF_WORD_EXTERNAL_MBUFS,
	PERF_WORD_CC_DELAY_US,
	PERF_WORD_CODEC,
	PERF_WORD_PAGE_MIX,
	PERF_WORD_PAGE_MIX_SEED,
	PERF_WORD_JSON,
	PERF_WORD_MTU,
	PERF_WORD_RECEIVER_EAL,
	PERF_WORDS
};

/** By enum perf_word. */
extern const struct option perf_words[PERF_WORDS + 1];

struct perf_parse {
	struct perf_options *out;
	struct migc_error *err;
	uint64_t seen; /**< bit per word */
};

static inline bool perf_seen(const struct perf_parse *p, enum perf_word word)
{
	return p->seen >> word & 1;
}

/** --compress-level: N, a list N,N,... or a range MIN:INC:MAX. @return 0, -EINVAL. */
int perf_parse_levels(const struct perf_parse *p, const char *text);
/** --page-mix: zero=F,same=F,random=F. @return 0, -EINVAL. */
int perf_parse_mix(const struct perf_parse *p, const char *text);
/** Defaults that depend on other words, then: do the words fit each other? @return 0, -EINVAL. */
int perf_check(const struct perf_parse *p);

#endif
