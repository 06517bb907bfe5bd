/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "qat_rig.h"

/**
 * @file
 * A corpus, block by block, from devices like QAT to compress_isal, compress_zlib and devices like
 * QAT, and back: each byte comes back. usage: qat_corpus_test FILE (qat_corpus_test.py has one).
 */

struct way {
	const char *from, *to;
	unsigned int generation;
	unsigned int pages; /**< of a block: most that both take */
};

static struct way ways[] = {
	{"compress_qat", "compress_isal1", 1, 12},
	{"compress_qat", "compress_zlib1", 2, 12},
	{"compress_isal0", "compress_qat", 3, 16},
	{"compress_zlib0", "compress_qat", 5, 15},
	{"0000:6b:00.0_qat_comp", "0000:6b:00.1_qat_comp", 4, 12},
};

static const char *path;

static struct rig_packed packed;

struct transfer {
	struct rig_engine compressor, decompressor;
	uint64_t blocks, raw, bytes, packed_bytes;
};

static int reset(void **state)
{
	(void)state;
	rig_reset();
	return qatlike_configure(NULL);
}

static void open_way(const struct way *way, struct transfer *t)
{
	struct migc_codec_devices_config in = qat_config(true), out = qat_config(false);
	char text[64];

	snprintf(text, sizeof(text), "gen=%u,devices=2", way->generation);
	assert_int_equal(qatlike_configure(text), 0);
	memset(t, 0, sizeof(*t));
	in.compressdev = way->from;
	out.compressdev = way->to;
	in.no_fallback = true;
	out.no_fallback = true;
	rig_open(&t->compressor, &in);
	rig_open(&t->decompressor, &out);
}

/** The next block of the file. @return its whole pages; 0: there is none. */
static unsigned int read_block(FILE *f, const struct way *way, struct rig_pages *pages)
{
	unsigned int count = 0;

	while (count < way->pages &&
	       fread(pages->page[count], 1, MIGC_PAGE_BYTES, f) == MIGC_PAGE_BYTES)
		count++;
	return count;
}

static void there_and_back(struct transfer *t, const struct rig_pages *pages,
			   const struct rig_pages *copy)
{
	rig_compress(&t->compressor, pages, &packed);
	t->blocks++;
	t->bytes += (uint64_t)pages->count * MIGC_PAGE_BYTES;
	if (packed.status == -ENOSPC) {
		t->raw++;
		t->packed_bytes += (uint64_t)pages->count * MIGC_PAGE_BYTES;
		return;
	}
	assert_int_equal(packed.status, 0);
	t->packed_bytes += packed.bytes;
	/* by zlib itself, as well */
	assert_true(qat_zlib_is(pages, packed.data, packed.bytes));
	for (unsigned int i = 0; i < copy->count; i++)
		memset(copy->page[i], 0xa5, MIGC_PAGE_BYTES);
	assert_int_equal(rig_decompress(&t->decompressor, copy, packed.data, packed.bytes), 0);
	for (unsigned int i = 0; i < pages->count; i++)
		assert_memory_equal(copy->page[i], pages->page[i], MIGC_PAGE_BYTES);
}

static void the_corpus_comes_back_byte_for_byte(void **state)
{
	const struct way *way = *state;
	struct rig_pages pages, copy;
	struct qatlike_stats stats;
	struct transfer t;
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	open_way(way, &t);
	rig_pages_create(&pages, way->pages);
	rig_pages_create(&copy, way->pages);
	while ((pages.count = read_block(f, way, &pages)) != 0) {
		copy.count = pages.count;
		there_and_back(&t, &pages, &copy);
	}
	fclose(f);
	pages.count = way->pages;
	copy.count = way->pages;
	rig_pages_free(&pages);
	rig_pages_free(&copy);
	print_message("%s to %s: %" PRIu64 " blocks, %" PRIu64 " raw, %" PRIu64
		      " bytes became %" PRIu64 "\n",
		      way->from, way->to, t.blocks, t.raw, t.bytes, t.packed_bytes);
	assert_true(t.blocks > 100 && t.raw < t.blocks);
	assert_int_equal(rig_stats(&t.compressor).errors + rig_stats(&t.decompressor).errors, 0);
	stats = qatlike_stats();
	assert_int_equal(stats.split + stats.fixed_silently + stats.reallocations, 0);
	rig_close(&t.compressor);
	rig_close(&t.decompressor);
}

int main(int argc, char **argv)
{
	struct CMUnitTest tests[RTE_DIM(ways)];
	static char names[RTE_DIM(ways)][96];

	if (argc != 2)
		return 1;
	path = argv[1];
	for (unsigned int i = 0; i < RTE_DIM(ways); i++) {
		snprintf(names[i], sizeof(names[i]), "the_corpus_comes_back_from_%s_to_%s",
			 ways[i].from, ways[i].to);
		tests[i] = (struct CMUnitTest){
			.name = names[i],
			.test_func = the_corpus_comes_back_byte_for_byte,
			.teardown_func = reset,
			.initial_state = &ways[i],
		};
	}
	if (rig_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
