/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "codec_rig.h"

/**
 * @file
 * compress_isal has calls that never return. Whatever a peer sends, decompression comes back: all
 * of it runs in children that are killed when one of their inputs takes seconds.
 */

#define SECONDS_PER_INPUT 10u
#define DATA_MAX 131071u

static struct rig_packed packed;

static int reset(void **state)
{
	(void)state;
	rig_reset();
	return 0;
}

/** How a child ended: 0 all well, SIGALRM it hung, else something broke. */
static int in_child(void (*work)(struct rig_engine *e), struct rig_engine *e)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		work(e);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/** Bits as DEFLATE has them: from the lowest of each byte. */
struct bits {
	uint8_t data[DATA_MAX];
	uint32_t count;
};

static void put(struct bits *b, unsigned int value, unsigned int width)
{
	for (unsigned int i = 0; i < width; i++, b->count++) {
		if (b->count % 8 == 0)
			b->data[b->count / 8] = 0;
		if (value >> i & 1)
			b->data[b->count / 8] |= (uint8_t)(1u << b->count % 8);
	}
}

/** A Huffman code goes highest bit first. */
static void put_code(struct bits *b, unsigned int code, unsigned int width)
{
	while (width--)
		put(b, code >> width & 1, 1);
}

static uint32_t bytes_of(const struct bits *b)
{
	return (b->count + 7) / 8;
}

/** One input, and what must hold of any: it returns, and says OK only of whole pages. */
static void feed(struct rig_engine *e, const struct rig_pages *pages, const uint8_t *data,
		 uint32_t bytes)
{
	alarm(SECONDS_PER_INPUT);
	rig_decompress(e, pages, data, bytes);
	alarm(0);
}

/** All cuts of a stream, bit by bit while that is few, then byte by byte in steps. */
static void feed_cuts(struct rig_engine *e, const struct rig_pages *pages, const struct bits *b,
		      uint32_t step)
{
	static struct bits cut;

	for (uint32_t count = 1; count <= b->count; count += count < 2000 ? 1 : step) {
		memcpy(cut.data, b->data, sizeof(cut.data));
		cut.count = count;
		if (count % 8)
			cut.data[count / 8] &= (uint8_t)((1u << count % 8) - 1);
		feed(e, pages, cut.data, bytes_of(&cut));
	}
	feed(e, pages, b->data, bytes_of(b));
}

/** Order in which code lengths are sent (RFC 1951, 3.2.7). */
static const uint8_t length_order[19] = {16, 17, 18, 0, 8,  7, 9,  6, 10, 5,
					 11, 4,  12, 3, 13, 2, 14, 1, 15};

/**
 * A dynamic block's header of these literal/length and distance code lengths, each sent with a
 * code of 4 bits (lengths 0..15 all have length 4).
 */
static void dynamic_header(struct bits *b, bool final, const uint8_t *literal,
			   const uint8_t *distance, unsigned int distances)
{
	put(b, final, 1);
	put(b, 2, 2);
	put(b, 286 - 257, 5);
	put(b, distances - 1, 5);
	put(b, 19 - 4, 4);
	for (unsigned int i = 0; i < 19; i++)
		put(b, length_order[i] < 16 ? 4 : 0, 3);
	for (unsigned int i = 0; i < 286; i++)
		put_code(b, literal[i], 4);
	for (unsigned int i = 0; i < distances; i++)
		put_code(b, distance[i], 4);
}

static void truncated(struct rig_engine *e)
{
	static const unsigned int counts[] = {1, 3, 16};
	struct bits b = {.count = 0};
	uint32_t whole = packed.bytes;

	memcpy(b.data, packed.data, whole);
	for (unsigned int i = 0; i < RTE_DIM(counts); i++) {
		struct rig_pages pages;

		rig_pages_create(&pages, counts[i]);
		b.count = whole * 8;
		feed_cuts(e, &pages, &b, 8 * 7);
		rig_pages_free(&pages);
	}
}

static void flipped(struct rig_engine *e)
{
	static uint8_t data[DATA_MAX];
	struct migc_random r;
	struct rig_pages pages;

	rig_pages_create(&pages, 16);
	migc_random_seed(&r, 7);
	for (unsigned int i = 0; i < 12000; i++) {
		unsigned int flips = 1 + (unsigned int)(migc_random_next(&r) % 8);
		uint32_t bytes = packed.bytes;

		memcpy(data, packed.data, bytes);
		/* most of them early, where the codes are */
		while (flips--) {
			uint64_t range = migc_random_next(&r) % 2 ? 100 * 8 : bytes * 8;
			uint64_t bit = migc_random_next(&r) % range;

			data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		}
		if (migc_random_next(&r) % 4 == 0)
			bytes = 1 + (uint32_t)(migc_random_next(&r) % bytes);
		feed(e, &pages, data, bytes);
	}
	rig_pages_free(&pages);
}

static void noise(struct rig_engine *e)
{
	static uint8_t data[DATA_MAX + 8];
	struct migc_random r;

	migc_random_seed(&r, 8);
	for (unsigned int i = 0; i < 12000; i++) {
		uint32_t bytes = 1 + (uint32_t)(migc_random_next(&r) % (i % 100 ? 600 : DATA_MAX));
		struct rig_pages pages;

		rig_pages_create(&pages, 1 + i % 16);
		for (uint32_t at = 0; at < bytes; at += 8) {
			uint64_t value = migc_random_next(&r);

			memcpy(data + at, &value, 8);
		}
		/* the type of the first block is chosen, so that each is seen */
		data[0] = (uint8_t)((data[0] & ~7u) | i % 8);
		feed(e, &pages, data, bytes);
		rig_pages_free(&pages);
	}
}

static void stored(struct rig_engine *e)
{
	static struct bits b;
	struct rig_pages pages;

	rig_pages_create(&pages, 16);
	for (unsigned int final = 0; final < 2; final++) {
		static const unsigned int lengths[] = {0, 1, 4095, 4096, 60000, 65535};

		for (unsigned int i = 0; i < RTE_DIM(lengths); i++) {
			b.count = 0;
			put(&b, final, 8);
			put(&b, lengths[i], 16);
			put(&b, lengths[i] ^ 0xffff, 16);
			put(&b, 0x55, 8);
			feed_cuts(e, &pages, &b, 1);
		}
	}
	/* nothing but empty stored blocks: all input is used up and nothing comes out */
	b.count = 0;
	while (b.count + 40 <= 8 * DATA_MAX) {
		put(&b, 0, 8);
		put(&b, 0, 16);
		put(&b, 0xffff, 16);
	}
	feed(e, &pages, b.data, bytes_of(&b));
	feed(e, &pages, b.data, 5);
	feed(e, &pages, b.data, 5 * 1000);
	rig_pages_free(&pages);
}

static void fixed(struct rig_engine *e)
{
	static struct bits b;
	struct rig_pages pages;

	rig_pages_create(&pages, 16);
	/* literals that end at the cut */
	b.count = 0;
	put(&b, 3, 3);
	for (unsigned int i = 0; i < 300; i++)
		put_code(&b, 0x30 + i % 0x80, 8);
	feed_cuts(e, &pages, &b, 1);
	/* matches of 258 bytes, and a distance before the beginning */
	b.count = 0;
	put(&b, 3, 3);
	put_code(&b, 0x41, 8);
	for (unsigned int i = 0; i < 300; i++) {
		put_code(&b, 0xc5, 8);
		put_code(&b, 0, 5);
	}
	feed_cuts(e, &pages, &b, 1);
	b.count = 0;
	put(&b, 3, 3);
	put_code(&b, 0xc5, 8);
	put_code(&b, 29, 5);
	put(&b, 0x1fff, 13);
	feed_cuts(e, &pages, &b, 1);
	/* the end first: empty blocks, one behind the other */
	b.count = 0;
	while (b.count + 10 <= 8 * DATA_MAX) {
		put(&b, 2, 3);
		put(&b, 0, 7);
	}
	feed(e, &pages, b.data, bytes_of(&b));
	for (uint32_t bytes = 1; bytes < 60; bytes++)
		feed(e, &pages, b.data, bytes);
	rig_pages_free(&pages);
}

/**
 * Codes in which zero bits are `symbol`: the lowest of the shortest. Either alone with few others,
 * which leaves codes that stand for nothing, or one bit long with longer ones that fill the rest.
 */
static void dynamic(struct rig_engine *e, const struct rig_pages *pages, unsigned int symbol,
		    unsigned int width, bool whole, unsigned int distances)
{
	uint8_t literal[286] = {0}, distance[30] = {0};
	static struct bits b;

	if (whole) {
		for (unsigned int i = 2; i <= width; i++)
			literal[symbol > 100 ? i : 250 - i] = (uint8_t)i;
		literal[symbol] = 1;
		if (symbol != 256)
			literal[256] = (uint8_t)width;
	} else {
		literal[symbol] = (uint8_t)width;
		literal[285] = (uint8_t)width;
		/* lower than a match's symbol: not as short, and above 15 bits not at all */
		if (symbol != 256)
			literal[256] = (uint8_t)(symbol < 256 ? width : (width + 1) % 16);
	}
	for (unsigned int i = 0; i < distances; i++)
		distance[i] = (uint8_t)(distances == 1 ? 1 : distances == 2 ? 1 : 5);
	for (unsigned int final = 0; final < 2; final++) {
		b.count = 0;
		dynamic_header(&b, final, literal, distance, distances);
		feed_cuts(e, pages, &b, 1);
		/* a byte first, for matches to have something */
		for (unsigned int i = 0; i < 8; i++)
			put(&b, 0, 8);
		feed(e, pages, b.data, bytes_of(&b));
	}
}

static void all_dynamic(struct rig_engine *e, unsigned int count)
{
	/* a literal, the end of the block, a match of 3 bytes, of 258 bytes nearly */
	static const unsigned int symbols[] = {0, 65, 256, 257, 264, 284};
	static const unsigned int widths[] = {1, 2, 7, 8, 14, 15};
	static const unsigned int distances[] = {1, 2, 30};
	struct rig_pages pages;

	rig_pages_create(&pages, count);
	for (unsigned int s = 0; s < RTE_DIM(symbols); s++) {
		for (unsigned int w = 0; w < RTE_DIM(widths); w++) {
			unsigned int d = distances[(s + w) % RTE_DIM(distances)];

			dynamic(e, &pages, symbols[s], widths[w], false, d);
			dynamic(e, &pages, symbols[s], widths[w], true, d);
		}
	}
	rig_pages_free(&pages);
}

static void dynamic_of_few_pages(struct rig_engine *e)
{
	all_dynamic(e, 1);
}

static void dynamic_of_all_pages(struct rig_engine *e)
{
	all_dynamic(e, e->devices->config.request.block_pages);
}

/** Literals of 15 bits, for as long as there is input and tail: the least output of any. */
static void longest_codes(struct rig_engine *e)
{
	uint8_t literal[286], distance[1] = {1};
	static struct bits b;
	struct rig_pages pages;

	rig_pages_create(&pages, e->devices->config.request.block_pages);
	for (unsigned int lengths = 1; lengths <= 2; lengths++) {
		memset(literal, 0, sizeof(literal));
		literal[0] = 15;
		literal[256] = 15;
		/* whole: 1, 2, 3 ... 14 bits, all above */
		for (unsigned int i = 1; lengths == 2 && i <= 14; i++)
			literal[i] = (uint8_t)i;
		b.count = 0;
		dynamic_header(&b, false, literal, distance, 1);
		feed(e, &pages, b.data, bytes_of(&b));
		while (b.count + 15 <= 8 * DATA_MAX)
			put(&b, 0, 15);
		feed(e, &pages, b.data, bytes_of(&b));
	}
	rig_pages_free(&pages);
}

static void survives(const char *device, void (*work)(struct rig_engine *e), unsigned int pages)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config(device, false);
	struct rig_engine compressor, decompressor;
	struct rig_pages honest;

	out.request.block_pages = pages;
	rig_pages_create(&honest, 16);
	rig_fill(&honest, RIG_MIXED, 3);
	rig_open(&compressor, &in);
	rig_compress(&compressor, &honest, &packed);
	assert_int_equal(packed.status, 0);
	rig_close(&compressor);
	rig_open(&decompressor, &out);
	assert_int_equal(in_child(work, &decompressor), 0);
	rig_close(&decompressor);
	rig_pages_free(&honest);
}

static void truncated_streams_come_back(void **state)
{
	(void)state;
	survives("compress_isal1", truncated, 16);
}

static void flipped_streams_come_back(void **state)
{
	(void)state;
	survives("compress_isal1", flipped, 16);
}

static void noise_comes_back(void **state)
{
	(void)state;
	survives("compress_isal1", noise, 16);
}

static void stored_blocks_without_their_data_come_back(void **state)
{
	(void)state;
	survives("compress_isal1", stored, 16);
}

static void fixed_blocks_cut_anywhere_come_back(void **state)
{
	(void)state;
	survives("compress_isal1", fixed, 16);
}

static void dynamic_headers_cut_at_every_bit_come_back(void **state)
{
	(void)state;
	survives("compress_isal1", dynamic_of_few_pages, 16);
	survives("compress_isal1", dynamic_of_all_pages, 16);
	survives("compress_isal1", dynamic_of_all_pages, 32);
}

static void codes_of_15_bits_come_back_from_the_largest_block(void **state)
{
	(void)state;
	survives("compress_isal1", longest_codes, 16);
	survives("compress_isal1", longest_codes, 32);
}

static void zlib_comes_back_from_the_same(void **state)
{
	(void)state;
	survives("compress_zlib1", stored, 15);
	survives("compress_zlib1", fixed, 15);
	survives("compress_zlib1", noise, 15);
}

static void without_tail(struct rig_engine *e)
{
	struct rig_pages pages;

	e->devices->device[0].plan.source_tail = false;
	rig_pages_create(&pages, 16);
	alarm(3);
	rig_decompress(e, &pages, packed.data, packed.bytes - 500);
}

/** The day this fails, the device is mended and tail.c can go. */
static void isal_chained_inflate_of_truncated_input_spins_without_our_tail(void **state)
{
	struct migc_codec_devices_config in = rig_config("compress_isal0", true);
	struct migc_codec_devices_config out = rig_config("compress_isal1", false);
	struct rig_engine compressor, decompressor;
	struct rig_pages honest;

	(void)state;
	rig_pages_create(&honest, 16);
	rig_fill(&honest, RIG_TEXT, 3);
	rig_open(&compressor, &in);
	rig_compress(&compressor, &honest, &packed);
	rig_close(&compressor);
	rig_open(&decompressor, &out);
	assert_int_equal(in_child(without_tail, &decompressor), SIGALRM);
	/* EAL's memory is shared with the child, which died with an op of it */
	rig_discard(&decompressor);
	rig_pages_free(&honest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, reset)
		TEST(truncated_streams_come_back),
		TEST(flipped_streams_come_back),
		TEST(noise_comes_back),
		TEST(stored_blocks_without_their_data_come_back),
		TEST(fixed_blocks_cut_anywhere_come_back),
		TEST(dynamic_headers_cut_at_every_bit_come_back),
		TEST(codes_of_15_bits_come_back_from_the_largest_block),
		TEST(zlib_comes_back_from_the_same),
		TEST(isal_chained_inflate_of_truncated_input_spins_without_our_tail),
	};

	if (rig_init() != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
