/* SPDX-License-Identifier: BSD-3-Clause */
#include "perf_options.h"

#include <errno.h>
#include <string.h>

#include "migc_parse.h"
#include "perf_words.h"

#define MTU_MIN 1280u
#define MTU_MAX 9000u
#define WINDOW_MIN 8u
#define WINDOW_MAX 15u
#define DELAY_US_MAX 1000000u

const struct option perf_words[PERF_WORDS + 1] = {
	MIGC_WORD_NEEDS(PERF_WORD_PTEST, "ptest"),
	MIGC_WORD_NEEDS(PERF_WORD_DRIVER_NAME, "driver-name"),
	MIGC_WORD_NEEDS(PERF_WORD_INPUT_FILE, "input-file"),
	MIGC_WORD_NEEDS(PERF_WORD_EXTENDED_INPUT_SZ, "extended-input-sz"),
	MIGC_WORD_NEEDS(PERF_WORD_SEG_SZ, "seg-sz"),
	MIGC_WORD_NEEDS(PERF_WORD_BURST_SZ, "burst-sz"),
	MIGC_WORD_NEEDS(PERF_WORD_POOL_SZ, "pool-sz"),
	MIGC_WORD_NEEDS(PERF_WORD_MAX_NUM_SGL_SEGS, "max-num-sgl-segs"),
	MIGC_WORD_NEEDS(PERF_WORD_NUM_ITER, "num-iter"),
	MIGC_WORD_NEEDS(PERF_WORD_OPERATION, "operation"),
	MIGC_WORD_NEEDS(PERF_WORD_HUFFMAN_ENC, "huffman-enc"),
	MIGC_WORD_NEEDS(PERF_WORD_COMPRESS_LEVEL, "compress-level"),
	MIGC_WORD_NEEDS(PERF_WORD_WINDOW_SZ, "window-sz"),
	MIGC_WORD_ALONE(PERF_WORD_EXTERNAL_MBUFS, "external-mbufs"),
	MIGC_WORD_NEEDS(PERF_WORD_CC_DELAY_US, "cc-delay-us"),
	MIGC_WORD_NEEDS(PERF_WORD_CODEC, "codec"),
	MIGC_WORD_NEEDS(PERF_WORD_PAGE_MIX, "page-mix"),
	MIGC_WORD_NEEDS(PERF_WORD_PAGE_MIX_SEED, "page-mix-seed"),
	MIGC_WORD_NEEDS(PERF_WORD_JSON, "json"),
	MIGC_WORD_NEEDS(PERF_WORD_MTU, "mtu"),
	MIGC_WORD_NEEDS(PERF_WORD_RECEIVER_EAL, "receiver-eal"),
};

static const char *const ptests[] = {"throughput",     "verify",   "latency",
				     "pmd-cyclecount", "pipeline", NULL};
/* the value of a word is its place, so "none" has a place that nobody can say */
static const char *const codecs[] = {"", "auto", "raw", "deflate", "lz4", "zstd", NULL};
static const char *const operations[] = {"", "comp", "decomp", "comp_and_decomp", NULL};
static const char *const huffmans[] = {"default", "fixed", "dynamic", NULL};

const char *perf_ptest_text(enum perf_ptest ptest)
{
	return ptests[ptest];
}

const char *perf_codec_text(enum perf_codec codec)
{
	return codec == PERF_CODEC_NONE ? "none" : codecs[codec];
}

static int take_choice(const struct perf_parse *p, enum perf_word word, const char *text,
		       const char *const *list, int *out)
{
	return migc_words_choice(&perf_words[word], text, list, out, p->err);
}

static int take_number(const struct perf_parse *p, enum perf_word word, const char *text,
		       uint64_t min, uint64_t max, uint64_t *out)
{
	return migc_words_number(&perf_words[word], text, min, max, out, p->err);
}

static int take_extended(const struct perf_parse *p, const char *text)
{
	uint64_t n;

	if (migc_parse_size(text, &n) || n == 0 || n > UINT32_MAX)
		return migc_error_set(p->err, -EINVAL,
				      "--extended-input-sz: '%s' is not a size in bytes, 1 to %u "
				      "(suffixes K, M, G)",
				      text, UINT32_MAX);
	p->out->extended_bytes = (uint32_t)n;
	return 0;
}

static int take_chosen(const struct perf_parse *p, enum perf_word word, const char *text)
{
	struct perf_options *o = p->out;
	int i = 0, rc;

	switch (word) {
	case PERF_WORD_PTEST:
		rc = take_choice(p, word, text, ptests, &i);
		o->ptest = (enum perf_ptest)i;
		return rc;
	case PERF_WORD_OPERATION:
		rc = take_choice(p, word, text, operations, &i);
		o->operation = (enum perf_operation)i;
		return rc;
	case PERF_WORD_HUFFMAN_ENC:
		rc = take_choice(p, word, text, huffmans, &i);
		o->huffman = (enum perf_huffman)i;
		return rc;
	default:
		rc = take_choice(p, word, text, codecs, &i);
		o->codec = (enum perf_codec)i;
		return rc;
	}
}

static int take_plain_number(const struct perf_parse *p, enum perf_word word, const char *text)
{
	struct perf_options *o = p->out;
	uint64_t n = 0;
	int rc;

	switch (word) {
	case PERF_WORD_SEG_SZ:
		rc = take_number(p, word, text, PERF_SEG_MIN, PERF_SEG_MAX, &n);
		o->seg_bytes = (uint16_t)n;
		return rc;
	case PERF_WORD_BURST_SZ:
		rc = take_number(p, word, text, 1, UINT16_MAX, &n);
		o->burst = (uint16_t)n;
		return rc;
	case PERF_WORD_POOL_SZ:
		rc = take_number(p, word, text, 1, UINT32_MAX, &n);
		o->pool = (uint32_t)n;
		return rc;
	case PERF_WORD_MAX_NUM_SGL_SEGS:
		rc = take_number(p, word, text, 1, UINT16_MAX, &n);
		o->segs_max = (uint16_t)n;
		return rc;
	case PERF_WORD_NUM_ITER:
		rc = take_number(p, word, text, 1, UINT32_MAX, &n);
		o->num_iter = (uint32_t)n;
		return rc;
	case PERF_WORD_WINDOW_SZ:
		rc = take_number(p, word, text, WINDOW_MIN, WINDOW_MAX, &n);
		o->window = (uint8_t)n;
		return rc;
	case PERF_WORD_CC_DELAY_US:
		rc = take_number(p, word, text, 0, DELAY_US_MAX, &n);
		o->cc_delay_us = (uint32_t)n;
		return rc;
	case PERF_WORD_PAGE_MIX_SEED:
		return take_number(p, word, text, 0, UINT64_MAX, &o->mix_seed);
	default:
		rc = take_number(p, word, text, MTU_MIN, MTU_MAX, &n);
		o->mtu = (uint16_t)n;
		return rc;
	}
}

static int take_word(void *ctx, unsigned int place, const char *text)
{
	enum perf_word word = (enum perf_word)place;
	struct perf_parse *p = ctx;
	struct perf_options *o = p->out;

	p->seen |= UINT64_C(1) << word;
	switch (word) {
	case PERF_WORD_PTEST:
	case PERF_WORD_OPERATION:
	case PERF_WORD_HUFFMAN_ENC:
	case PERF_WORD_CODEC:
		return take_chosen(p, word, text);
	case PERF_WORD_EXTENDED_INPUT_SZ:
		return take_extended(p, text);
	case PERF_WORD_COMPRESS_LEVEL:
		return perf_parse_levels(p, text);
	case PERF_WORD_PAGE_MIX:
		return perf_parse_mix(p, text);
	case PERF_WORD_DRIVER_NAME:
		o->driver_name = text;
		return 0;
	case PERF_WORD_INPUT_FILE:
		o->input_file = text;
		return 0;
	case PERF_WORD_JSON:
		o->json = text;
		return 0;
	case PERF_WORD_RECEIVER_EAL:
		o->receiver_eal = text;
		return 0;
	case PERF_WORD_EXTERNAL_MBUFS:
		o->external_mbufs = true;
		return 0;
	default:
		return take_plain_number(p, word, text);
	}
}

int perf_options_parse(int argc, char **argv, struct perf_options *out, struct migc_error *err)
{
	struct perf_parse p = {.out = out, .err = err};

	*out = (struct perf_options){
		.seg_bytes = 2048,
		.burst = 32,
		.pool = 8192,
		.segs_max = 16,
		.num_iter = 10000,
		.operation = PERF_OPERATION_BOTH,
		.huffman = PERF_HUFFMAN_DYNAMIC,
		.cc_delay_us = 500,
		.mix_seed = 1,
		.mtu = MTU_MAX,
	};
	for (int i = 1; i < argc; i++) {
		out->help |= !strcmp(argv[i], "--help") || !strcmp(argv[i], "-h");
		out->version |= !strcmp(argv[i], "--version");
	}
	if (out->help || out->version)
		return 0;
	if (migc_words_parse(argc, argv, perf_words, take_word, &p, err) || perf_check(&p))
		return -EINVAL;
	return 0;
}
