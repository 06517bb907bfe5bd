/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OPTIONS_WORDS_H
#define OPTIONS_WORDS_H

#include "migc_words.h"
#include "options.h"

/** @file The words themselves, and a parse under way: shared by parsing and checking. */

enum word {
	WORD_CONNECT,
	WORD_IP,
	WORD_GATEWAY,
	WORD_PORT,
	WORD_MTU,
	WORD_ETHDEV,
	WORD_QMP,
	WORD_MEM,
	WORD_TLS_CREDS,
	WORD_TLS_HOSTNAME,
	WORD_PSK,
	WORD_INSECURE,
	WORD_CODEC,
	WORD_LEVEL,
	WORD_HUFFMAN,
	WORD_COMPRESSDEV,
	WORD_NO_FALLBACK,
	WORD_BLOCK_PAGES,
	WORD_DELTA_CACHE,
	WORD_GUEST_READ,
	WORD_DIRTY,
	WORD_DOWNTIME_LIMIT,
	WORD_MAX_BANDWIDTH,
	WORD_TIMEOUT,
	WORD_TIMEOUT_ACTION,
	WORD_RECOVER_TIMEOUT,
	WORD_THROTTLE,
	WORD_PAUSE,
	WORD_VERIFY,
	WORD_PROGRESS,
	WORD_REPORT,
	WORD_CONTROL,
	WORD_INJECT,
	WORDS
};

/** By enum word. */
extern const struct option options_words[WORDS + 1];

struct options_parse {
	struct options *out;
	struct migc_error *err;
	uint64_t seen; /**< bit per word */
};

static inline bool options_seen(const struct options_parse *p, enum word word)
{
	return p->seen >> word & 1;
}

/** Do the words fit each other? @return 0, -EINVAL with a message. */
int options_check(const struct options_parse *p);

#endif
