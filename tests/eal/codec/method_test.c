/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "method.h"
#include "migc_page.h"
#include "migc_random.h"

/**
 * @file
 * LZ4 and Zstandard behind their table. Destinations and sources end at a page that may not be
 * touched, so that one byte too far ends the test.
 */

#define BLOCK (16u * MIGC_PAGE_BYTES)

static const struct codec_method *const methods[] = {&codec_method_lz4, &codec_method_zstd};
#define METHODS (sizeof(methods) / sizeof(methods[0]))

/** Memory of `bytes` (whole pages) with forbidden pages before and behind. */
static uint8_t *guarded(size_t bytes)
{
	uint8_t *at = mmap(NULL, bytes + 2 * MIGC_PAGE_BYTES, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(at != MAP_FAILED);
	assert_int_equal(mprotect(at + MIGC_PAGE_BYTES, bytes, PROT_READ | PROT_WRITE), 0);
	return at + MIGC_PAGE_BYTES;
}

static void unguard(uint8_t *at, size_t bytes)
{
	munmap(at - MIGC_PAGE_BYTES, bytes + 2 * MIGC_PAGE_BYTES);
}

/** Words that come again, so that it shrinks to about a third. */
static void fill_text(uint8_t *to, size_t bytes, uint64_t seed)
{
	static const char *const words[] = {"page ", "guest ", "memory ", "host ", "the ", "of "};
	struct migc_random random;

	migc_random_seed(&random, seed);
	for (size_t at = 0; at < bytes;) {
		uint64_t r = migc_random_next(&random);
		const char *word = words[r % 6];
		size_t length = strlen(word);

		if (length > bytes - at)
			length = bytes - at;
		memcpy(to + at, word, length);
		at += length;
		if (at < bytes)
			to[at++] = (uint8_t)(r >> 32);
	}
}

static void what_goes_in_comes_out(void **state)
{
	uint8_t *from = guarded(BLOCK), *to = guarded(BLOCK), *packed = malloc(BLOCK);

	(void)state;
	for (unsigned int m = 0; m < METHODS; m++) {
		for (int level = 1; level <= 19; level += 3) {
			void *c = methods[m]->create(false, level),
			     *d = methods[m]->create(true, level);

			assert_non_null(c);
			assert_non_null(d);
			for (unsigned int pages = 1; pages <= 16; pages++) {
				size_t bytes = (size_t)pages * MIGC_PAGE_BYTES, made;
				uint8_t *at = from + BLOCK - bytes, *out = to + BLOCK - bytes;

				fill_text(at, bytes, pages);
				made = methods[m]->compress(c, packed, bytes - 1, at, bytes,
							    (int)pages);
				assert_in_range(made, 1, bytes - 1);
				memset(out, 0xee, bytes);
				assert_true(methods[m]->decompress(d, out, bytes, packed, made));
				assert_memory_equal(out, at, bytes);
			}
			methods[m]->destroy(c);
			methods[m]->destroy(d);
		}
	}
	free(packed);
	unguard(from, BLOCK);
	unguard(to, BLOCK);
}

static void what_does_not_shrink_says_so_and_stays_in_its_room(void **state)
{
	uint8_t *from = guarded(BLOCK), *packed = guarded(BLOCK);
	struct migc_random random;

	(void)state;
	migc_random_seed(&random, 3);
	for (unsigned int m = 0; m < METHODS; m++) {
		void *c = methods[m]->create(false, 1);

		for (size_t i = 0; i < BLOCK; i++)
			from[i] = (uint8_t)migc_random_next(&random);
		assert_int_equal(methods[m]->compress(c, packed + 1, BLOCK - 1, from, BLOCK, 0), 0);
		/* a destination far too small */
		fill_text(from, BLOCK, 1);
		assert_int_equal(methods[m]->compress(c, packed + BLOCK - 64, 64, from, BLOCK, 0),
				 0);
		methods[m]->destroy(c);
	}
	unguard(from, BLOCK);
	unguard(packed, BLOCK);
}

static void lz4_accelerated_is_less_dense_and_the_same_format(void **state)
{
	const struct codec_method *lz4 = codec_method_find(MIGC_CODEC_LZ4);
	void *c = lz4->create(false, 1), *d = lz4->create(true, 1);
	uint8_t *from = guarded(BLOCK), *to = guarded(BLOCK), *packed = malloc(BLOCK);
	size_t before = 0;

	(void)state;
	fill_text(from, BLOCK, 4);
	for (int acceleration = 0; acceleration <= 64; acceleration += 16) {
		size_t made = lz4->compress(c, packed, BLOCK - 1, from, BLOCK, acceleration);

		assert_true(made > before);
		assert_true(lz4->decompress(d, to, BLOCK, packed, made));
		assert_memory_equal(to, from, BLOCK);
		before = made;
	}
	lz4->destroy(c);
	lz4->destroy(d);
	free(packed);
	unguard(from, BLOCK);
	unguard(to, BLOCK);
}

/** Whatever comes: nothing outside, and only a whole block is one. */
static void hostile_blocks_stay_within_their_pages(void **state)
{
	uint8_t *from = guarded(BLOCK), *to = guarded(BLOCK), *in = guarded(BLOCK);
	uint8_t *packed = malloc(BLOCK);
	struct migc_random random;

	(void)state;
	migc_random_seed(&random, 5);
	fill_text(from, BLOCK, 2);
	for (unsigned int m = 0; m < METHODS; m++) {
		void *c = methods[m]->create(false, 1), *d = methods[m]->create(true, 1);
		size_t made = methods[m]->compress(c, packed, BLOCK - 1, from, BLOCK, 0);

		assert_true(made > 0);
		/* truncated: never taken for whole, input ends at the forbidden page */
		for (size_t length = 0; length < made; length += 1 + length / 50) {
			memcpy(in + BLOCK - length, packed, length);
			assert_false(
				methods[m]->decompress(d, to, BLOCK, in + BLOCK - length, length));
		}
		/* more than its pages hold */
		memcpy(in + BLOCK - made, packed, made);
		assert_false(methods[m]->decompress(
			d, to + MIGC_PAGE_BYTES, BLOCK - MIGC_PAGE_BYTES, in + BLOCK - made, made));
		for (unsigned int i = 0; i < 3000; i++) {
			uint8_t *at = in + BLOCK - made;

			memcpy(at, packed, made);
			for (unsigned int k = 0; k <= i % 5; k++)
				at[migc_random_next(&random) % (k ? made : 64)] =
					(uint8_t)migc_random_next(&random);
			methods[m]->decompress(d, to, BLOCK, at, made);
		}
		for (unsigned int i = 0; i < 3000; i++) {
			size_t length = migc_random_next(&random) % 300;

			for (size_t k = 0; k < length; k++)
				in[BLOCK - length + k] = (uint8_t)migc_random_next(&random);
			methods[m]->decompress(d, to, BLOCK, in + BLOCK - length, length);
		}
		/* and it still works */
		memcpy(in, packed, made);
		assert_true(methods[m]->decompress(d, to, BLOCK, in, made));
		assert_memory_equal(to, from, BLOCK);
		methods[m]->destroy(c);
		methods[m]->destroy(d);
	}
	free(packed);
	unguard(from, BLOCK);
	unguard(to, BLOCK);
	unguard(in, BLOCK);
}

static void only_what_is_there_is_found(void **state)
{
	(void)state;
	assert_ptr_equal(codec_method_find(MIGC_CODEC_LZ4), &codec_method_lz4);
	assert_ptr_equal(codec_method_find(MIGC_CODEC_ZSTD), &codec_method_zstd);
	assert_null(codec_method_find(MIGC_CODEC_RAW));
	assert_null(codec_method_find(MIGC_CODEC_DEFLATE));
	assert_null(codec_method_find(MIGC_CODEC_COUNT));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(what_does_not_shrink_says_so_and_stays_in_its_room),
		cmocka_unit_test(lz4_accelerated_is_less_dense_and_the_same_format),
		cmocka_unit_test(hostile_blocks_stay_within_their_pages),
		cmocka_unit_test(only_what_is_there_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
