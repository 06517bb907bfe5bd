/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_log.h>

#include "codec_rig.h"

/**
 * @file
 * Defects of compress_isal 22.11, each with the rule that avoids it. Where "raw" is in a name, the
 * device itself is shown to have the defect still: the day that fails, the rule can go.
 */

#define PAGES_MAX 32u
/** Room for as many, and for a page between each. */
#define BYTES (2u * PAGES_MAX * MIGC_PAGE_BYTES)
/** What is between pages. */
#define BETWEEN 0xee

static struct rig_packed packed;

static int reset(void **state)
{
	(void)state;
	rig_reset();
	return 0;
}

/** Pages of which `run` at a time are neighbours: what one would like to give as one segment. */
static void neighbours(struct rig_pages *p, unsigned int count, unsigned int run)
{
	p->memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p->memory, MAP_FAILED);
	memset(p->memory, BETWEEN, BYTES);
	p->count = count;
	for (unsigned int i = 0; i < count; i++)
		p->page[i] = p->memory + (size_t)(i + i / run) * MIGC_PAGE_BYTES;
}

static void fill_neighbours(struct rig_pages *p)
{
	struct rig_pages content;

	rig_pages_create(&content, p->count);
	rig_fill(&content, RIG_BINARY, 4);
	for (unsigned int i = 0; i < p->count; i++)
		memcpy(p->page[i], content.page[i], MIGC_PAGE_BYTES);
	rig_pages_free(&content);
}

/** What the ops that went to a device looked like. */
struct seen {
	unsigned int ops, segments, unequal, offset, stale, no_scratch, no_tail;
};

static void look(uint8_t device, const struct rte_comp_op *op, void *ctx)
{
	struct seen *seen = ctx;

	(void)device;
	seen->ops++;
	seen->segments += op->m_src->nb_segs;
	for (const struct rte_mbuf *m = op->m_src; m; m = m->next)
		seen->unequal += m->data_len != op->m_src->data_len;
	seen->offset += op->src.offset != 0 || op->dst.offset != 0;
	seen->stale += op->consumed != 0 || op->produced != 0 ||
		       op->status != RTE_COMP_OP_STATUS_NOT_PROCESSED;
	seen->no_scratch += op->m_dst->pkt_len % MIGC_PAGE_BYTES == 0;
	seen->no_tail += op->m_src->nb_segs != 1 + CODEC_TAIL_SEGMENTS;
}

/** One op by hand, past all of our rules. */
static struct rte_comp_op *raw_op(struct rig_engine *e, struct rte_mbuf *source,
				  struct rte_mbuf *destination)
{
	struct rte_comp_op *op = rte_comp_op_alloc(e->codec->ops);

	op->op_type = RTE_COMP_OP_STATELESS;
	op->flush_flag = RTE_COMP_FLUSH_FINAL;
	op->private_xform = e->codec->lane[0].xform;
	op->m_src = source;
	op->m_dst = destination;
	op->src.offset = 0;
	op->src.length = source->pkt_len;
	op->dst.offset = 0;
	op->input_chksum = 0;
	op->consumed = 0;
	op->produced = 0;
	op->status = RTE_COMP_OP_STATUS_NOT_PROCESSED;
	return op;
}

static void raw_run(struct rig_engine *e, struct rte_comp_op *op)
{
	uint8_t id = e->codec->lane[0].device->id;
	struct rte_comp_op *done;

	assert_int_equal(rte_compressdev_enqueue_burst(id, 0, &op, 1), 1);
	assert_int_equal(rte_compressdev_dequeue_burst(id, 0, &done, 1), 1);
}

static void raw_free(struct rte_comp_op *op)
{
	rte_pktmbuf_free(op->m_src);
	rte_pktmbuf_free(op->m_dst);
	rte_comp_op_free(op);
}

static struct rte_mbuf *chain_of(struct rig_engine *e, uint8_t *data, const uint16_t *lengths,
				 unsigned int count)
{
	struct rte_mbuf *head = NULL, *last = NULL;

	for (unsigned int i = 0; i < count; i++) {
		struct rte_mbuf *m = chain_external(e->codec, data, lengths[i]);

		if (head == NULL) {
			head = m;
		} else {
			last->next = m;
			head->nb_segs++;
			head->pkt_len += lengths[i];
		}
		last = m;
		data += lengths[i];
	}
	return head;
}

static void offsets_in_a_chain_lose_bytes_raw(void **state)
{
	static const uint16_t lengths[] = {4096, 4096};
	struct migc_codec_devices_config config = rig_config("compress_isal0", true);
	struct rte_comp_op *op;
	struct rig_pages pages;
	struct rig_engine e;

	(void)state;
	neighbours(&pages, 16, 16);
	fill_neighbours(&pages);
	rig_open(&e, &config);
	op = raw_op(&e, chain_of(&e, pages.memory, lengths, 2), chain_segments(e.codec, 3));
	op->src.offset = 4000;
	op->src.length = 4096;
	raw_run(&e, op);
	assert_int_equal(op->status, RTE_COMP_OP_STATUS_SUCCESS);
	assert_int_not_equal(op->consumed, 4096);
	raw_free(op);
	rig_close(&e);
	munmap(pages.memory, BYTES);
}

static void a_stale_count_of_consumed_bytes_spins_raw(void **state)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, e;
	struct migc_codec_job job = {.codec = MIGC_CODEC_DEFLATE, .pages = 16};
	struct rig_pages pages;
	struct rte_comp_op *op;
	unsigned int count = 0;
	uint16_t lengths[70];
	int status;
	pid_t pid;

	(void)state;
	rig_pages_create(&pages, 16);
	rig_fill(&pages, RIG_BINARY, 1);
	rig_open(&compressor, &in);
	rig_compress(&compressor, &pages, &packed);
	rig_close(&compressor);
	rig_open(&e, &out);
	memcpy(job.page, pages.page, sizeof(job.page));
	for (uint32_t left = packed.bytes; left; left -= lengths[count++])
		lengths[count] = (uint16_t)(left < 1000 ? left : 1000);
	op = raw_op(&e, chain_of(&e, packed.data, lengths, count),
		    chain_pages(e.codec, &job, false));
	op->consumed = packed.bytes;
	op->produced = 16 * MIGC_PAGE_BYTES;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(2);
		raw_run(&e, op);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
	rig_discard(&e);
	rig_pages_free(&pages);
}

static void unequal_source_segments_are_never_given_not_even_for_neighbours(void **state)
{
	static const struct {
		unsigned int pages, run, segments;
	} cases[] = {
		{16, 16, 2}, {32, 32, 4}, {15, 15, 1}, {13, 13, 1}, {2, 2, 1},   {17, 17, 17},
		{30, 15, 2}, {16, 4, 4},  {24, 6, 4},  {16, 5, 16}, {32, 1, 32}, {1, 1, 1},
	};
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, decompressor;

	(void)state;
	in.request.block_pages = PAGES_MAX;
	out.request.block_pages = PAGES_MAX;
	rig_open(&compressor, &in);
	rig_open(&decompressor, &out);
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig_pages pages, copy;
		struct seen seen = {0};

		neighbours(&pages, cases[i].pages, cases[i].run);
		neighbours(&copy, cases[i].pages, cases[i].run);
		fill_neighbours(&pages);
		rig_faults.watch = look;
		rig_faults.ctx = &seen;
		rig_compress(&compressor, &pages, &packed);
		rig_faults.watch = NULL;
		assert_int_equal(seen.ops, 1);
		assert_int_equal(seen.segments, cases[i].segments);
		assert_int_equal(seen.unequal, 0);
		assert_int_equal(seen.offset, 0);
		assert_int_equal(packed.status, 0);
		assert_int_equal(rig_decompress(&decompressor, &copy, packed.data, packed.bytes),
				 0);
		/* the pages, and nothing between them */
		assert_memory_equal(copy.memory, pages.memory, BYTES);
		munmap(copy.memory, BYTES);
		munmap(pages.memory, BYTES);
	}
	rig_close(&compressor);
	rig_close(&decompressor);
}

static void ops_that_are_used_again_have_no_stale_counts(void **state)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, decompressor;
	struct seen seen = {0};
	struct rig_pages pages;

	(void)state;
	rig_pages_create(&pages, 8);
	rig_fill(&pages, RIG_TEXT, 1);
	rig_open(&compressor, &in);
	rig_open(&decompressor, &out);
	rig_faults.watch = look;
	rig_faults.ctx = &seen;
	/* twice the ops that there are */
	for (unsigned int i = 0; i < 1024; i++) {
		rig_compress(&compressor, &pages, &packed);
		assert_int_equal(packed.status, 0);
		assert_int_equal(rig_decompress(&decompressor, &pages, packed.data, packed.bytes),
				 0);
	}
	assert_int_equal(seen.ops, 2048);
	assert_int_equal(seen.stale, 0);
	rig_close(&compressor);
	rig_close(&decompressor);
	rig_pages_free(&pages);
}

static void no_valid_block_is_out_of_space_in_its_exact_destination(void **state)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, decompressor;
	struct seen seen = {0};
	struct rig_pages pages;
	unsigned int blocks = 0;

	(void)state;
	rig_pages_create(&pages, 4);
	rig_open(&compressor, &in);
	rig_open(&decompressor, &out);
	for (unsigned int i = 0; i < 3000; i++) {
		rig_fill(&pages, (enum rig_content)(i % 3), i);
		/* ends of many kinds: the last bits decide */
		memset(pages.page[3] + MIGC_PAGE_BYTES - i % 97, (int)i, i % 97);
		rig_compress(&compressor, &pages, &packed);
		if (packed.status != 0)
			continue;
		rig_faults.watch = look;
		rig_faults.ctx = &seen;
		assert_int_equal(rig_decompress(&decompressor, &pages, packed.data, packed.bytes),
				 0);
		rig_faults.watch = NULL;
		blocks++;
	}
	assert_in_range(blocks, 2000, 3000);
	assert_int_equal(seen.ops, blocks);
	assert_int_equal(seen.no_scratch, 0);
	assert_int_equal(seen.no_tail, 0);
	assert_int_equal(rig_stats(&decompressor).errors, 0);
	rig_close(&compressor);
	rig_close(&decompressor);
	rig_pages_free(&pages);
}

/** Truncated, or of other pages than the header says: never OK, on any device. */
static void success_of_a_short_stream_is_not_success(void **state)
{
	static const char *const devices[] = {"compress_isal1", "compress_zlib1"};
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct rig_pages pages, more, fewer;
	struct rig_engine compressor;

	(void)state;
	rig_pages_create(&pages, 8);
	rig_pages_create(&more, 9);
	rig_pages_create(&fewer, 7);
	rig_fill(&pages, RIG_TEXT, 1);
	rig_open(&compressor, &in);
	rig_compress(&compressor, &pages, &packed);
	assert_int_equal(packed.status, 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct migc_codec_devices_config out = rig_config(devices[i], false);
		struct rig_engine e;

		rig_open(&e, &out);
		assert_int_equal(rig_decompress(&e, &more, packed.data, packed.bytes), -EBADMSG);
		assert_int_equal(rig_decompress(&e, &fewer, packed.data, packed.bytes), -EBADMSG);
		for (uint32_t cut = 100; cut < packed.bytes; cut += 977)
			assert_int_equal(
				rig_decompress(&e, &pages, packed.data, packed.bytes - cut),
				-EBADMSG);
		assert_int_equal(rig_decompress(&e, &pages, packed.data, packed.bytes), 0);
		rig_close(&e);
	}
	rig_close(&compressor);
	rig_pages_free(&pages);
	rig_pages_free(&more);
	rig_pages_free(&fewer);
}

/** No defect of compress_isal: a block of 32 pages has room for two bytes less. */
static void more_than_there_was_room_for_is_no_block(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_isal0", true);
	struct rig_pages pages;
	struct rig_engine e;

	(void)state;
	config.request.block_pages = PAGES_MAX;
	rig_pages_create(&pages, PAGES_MAX);
	rig_fill(&pages, RIG_TEXT, 1);
	rig_open(&e, &config);
	rig_faults.boasting_device = e.codec->lane[0].device->id;
	rig_compress(&e, &pages, &packed);
	/* without a fallback; with one it is another device's, or goes raw */
	assert_int_equal(packed.status, -EIO);
	assert_int_equal(rig_stats(&e).errors, 1);
	rig_faults.boasting_device = -1;
	rig_compress(&e, &pages, &packed);
	assert_int_equal(packed.status, 0);
	rig_close(&e);
	rig_pages_free(&pages);
}

static void blocks_that_do_not_shrink_log_no_lines(void **state)
{
	struct migc_codec_devices_config config = rig_config("compress_isal0", true);
	struct rig_pages pages;
	struct rig_engine e;
	size_t length = 0;
	char *text = NULL;
	FILE *log;

	(void)state;
	log = open_memstream(&text, &length);
	rig_pages_create(&pages, 16);
	rig_fill(&pages, RIG_RANDOM, 1);
	rig_open(&e, &config);
	rte_openlog_stream(log);
	for (unsigned int i = 0; i < 10; i++) {
		rig_compress(&e, &pages, &packed);
		assert_int_equal(packed.status, -ENOSPC);
	}
	rte_openlog_stream(NULL);
	fclose(log);
	assert_string_equal(text, "");
	free(text);
	rig_close(&e);
	rig_pages_free(&pages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, reset)
		TEST(offsets_in_a_chain_lose_bytes_raw),
		TEST(a_stale_count_of_consumed_bytes_spins_raw),
		TEST(unequal_source_segments_are_never_given_not_even_for_neighbours),
		TEST(ops_that_are_used_again_have_no_stale_counts),
		TEST(no_valid_block_is_out_of_space_in_its_exact_destination),
		TEST(success_of_a_short_stream_is_not_success),
		TEST(more_than_there_was_room_for_is_no_block),
		TEST(blocks_that_do_not_shrink_log_no_lines),
	};

	if (rig_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
