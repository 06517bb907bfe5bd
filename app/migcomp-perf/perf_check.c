/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>

#include "perf_words.h"

#define DEFLATE_LEVEL_MAX 9u
#define ZSTD_LEVEL_MAX 19u
#define PAGE_BYTES 4096u

static int refuse(const struct perf_parse *p, const enum perf_word *words, size_t count,
		  const char *why)
{
	for (size_t i = 0; i < count; i++) {
		if (perf_seen(p, words[i]))
			return migc_error_set(p->err, -EINVAL, "%s: leave out --%s", why,
					      perf_words[words[i]].name);
	}
	return 0;
}

#define REFUSE(p, words, why) refuse(p, words, sizeof(words) / sizeof((words)[0]), why)

/** What one word makes the default of another. */
static void set_defaults(const struct perf_parse *p)
{
	struct perf_options *o = p->out;

	if (o->ptest == PERF_PIPELINE && o->codec == PERF_CODEC_NONE)
		o->codec = PERF_CODEC_DEFLATE;
	if (o->codec != PERF_CODEC_NONE && !perf_seen(p, PERF_WORD_SEG_SZ))
		o->seg_bytes = PAGE_BYTES;
	if (o->ptest == PERF_LATENCY && !perf_seen(p, PERF_WORD_BURST_SZ))
		o->burst = 1;
	if (perf_seen(p, PERF_WORD_COMPRESS_LEVEL))
		return;
	o->level_count = 0;
	if (o->ptest == PERF_PIPELINE || o->codec == PERF_CODEC_LZ4 || o->codec == PERF_CODEC_ZSTD)
		o->level[o->level_count++] = 1;
	else
		for (uint8_t level = 1; level <= DEFLATE_LEVEL_MAX; level++)
			o->level[o->level_count++] = level;
}

static int check_levels(const struct perf_parse *p)
{
	const struct perf_options *o = p->out;
	unsigned int max = o->codec == PERF_CODEC_ZSTD ? ZSTD_LEVEL_MAX : DEFLATE_LEVEL_MAX;
	unsigned int min = o->codec == PERF_CODEC_NONE ? 0 : 1;

	for (unsigned int i = 0; i < o->level_count; i++) {
		if (o->level[i] < min || o->level[i] > max)
			return migc_error_set(p->err, -EINVAL,
					      "--compress-level: %u is not one of %u to %u%s",
					      o->level[i], min, max, min ? " (with --codec)" : "");
	}
	if (o->ptest == PERF_PIPELINE && o->level_count != 1)
		return migc_error_set(p->err, -EINVAL, "--ptest pipeline runs one level: give one");
	return 0;
}

static bool has_device(const struct perf_options *o)
{
	return o->codec == PERF_CODEC_DEFLATE || o->codec == PERF_CODEC_AUTO;
}

/** Pages through lib/codec: it sets up device, ops and buffers itself, as in a migration. */
static int check_codec(const struct perf_parse *p)
{
	static const enum perf_word ops[] = {
		PERF_WORD_BURST_SZ,  PERF_WORD_POOL_SZ,     PERF_WORD_EXTERNAL_MBUFS,
		PERF_WORD_WINDOW_SZ, PERF_WORD_CC_DELAY_US,
	};
	static const enum perf_word deflate[] = {PERF_WORD_HUFFMAN_ENC, PERF_WORD_DRIVER_NAME};
	static const enum perf_word levels[] = {PERF_WORD_COMPRESS_LEVEL};
	const struct perf_options *o = p->out;

	if (o->seg_bytes != PAGE_BYTES)
		return migc_error_set(p->err, -EINVAL,
				      "--seg-sz: with --codec a segment is a page: say %u or leave "
				      "it out",
				      PAGE_BYTES);
	if (o->segs_max > PERF_BLOCK_PAGES_MAX)
		return migc_error_set(p->err, -EINVAL,
				      "--max-num-sgl-segs: with --codec a block has 1 to %u pages",
				      PERF_BLOCK_PAGES_MAX);
	if ((o->codec == PERF_CODEC_RAW || o->codec == PERF_CODEC_AUTO) &&
	    o->ptest != PERF_PIPELINE)
		return migc_error_set(p->err, -EINVAL,
				      "--codec raw and auto are for --ptest pipeline: there is "
				      "nothing to measure of them alone");
	if (o->ptest == PERF_CYCLECOUNT)
		return migc_error_set(p->err, -EINVAL,
				      "--ptest pmd-cyclecount counts the driver's own calls: leave "
				      "out --codec");
	if (o->ptest != PERF_PIPELINE && o->operation == PERF_OPERATION_DECOMP)
		return migc_error_set(p->err, -EINVAL,
				      "--operation decomp takes a file that is compressed already: "
				      "leave out --codec");
	if (REFUSE(p, ops, "--codec and --ptest pipeline do as a migration does"))
		return -EINVAL;
	if (!has_device(o) && REFUSE(p, deflate, "lz4, zstd and raw use no compressdev"))
		return -EINVAL;
	if (!has_device(o) && o->codec != PERF_CODEC_ZSTD &&
	    REFUSE(p, levels, "lz4 and raw have no levels"))
		return -EINVAL;
	return 0;
}

static int check_ptest(const struct perf_parse *p)
{
	static const enum perf_word pipeline[] = {PERF_WORD_MTU, PERF_WORD_RECEIVER_EAL};
	static const enum perf_word not_pipeline[] = {PERF_WORD_NUM_ITER, PERF_WORD_OPERATION};
	const struct perf_options *o = p->out;

	if (o->ptest != PERF_PIPELINE && REFUSE(p, pipeline, "only --ptest pipeline has a network"))
		return -EINVAL;
	if (o->ptest == PERF_PIPELINE &&
	    REFUSE(p, not_pipeline,
		   "--ptest pipeline moves the input once, there and back to memory (more of it: "
		   "--extended-input-sz)"))
		return -EINVAL;
	if (perf_seen(p, PERF_WORD_PAGE_MIX_SEED) && !perf_seen(p, PERF_WORD_PAGE_MIX))
		return migc_error_set(p->err, -EINVAL,
				      "--page-mix-seed needs --page-mix: without it no page is "
				      "replaced");
	if (o->operation == PERF_OPERATION_DECOMP && perf_seen(p, PERF_WORD_PAGE_MIX))
		return migc_error_set(p->err, -EINVAL,
				      "--operation decomp takes a file that is compressed already: "
				      "leave out --page-mix");
	return 0;
}

int perf_check(const struct perf_parse *p)
{
	const struct perf_options *o = p->out;

	set_defaults(p);
	if (o->input_file == NULL)
		return migc_error_set(p->err, -EINVAL,
				      "--input-file is missing: say what is to be compressed");
	if (o->driver_name == NULL &&
	    (o->codec == PERF_CODEC_NONE || o->codec == PERF_CODEC_DEFLATE))
		return migc_error_set(
			p->err, -EINVAL,
			"--driver-name is missing: say which compression driver, such "
			"as compress_isal");
	if (check_ptest(p) || (o->codec != PERF_CODEC_NONE && check_codec(p)))
		return -EINVAL;
	return check_levels(p);
}
