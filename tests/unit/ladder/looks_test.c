/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "migc_ladder.h"
#include "migc_random.h"

#define BYTES (MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)

static uint8_t memory[BYTES];

static bool looks(unsigned int pages)
{
	const uint8_t *page[MIGC_BLOCK_PAGES_MAX];

	for (unsigned int i = 0; i < pages; i++)
		page[i] = memory + (size_t)i * MIGC_PAGE_BYTES;
	return migc_ladder_looks_incompressible(page, pages);
}

static void fill_random(struct migc_random *r)
{
	for (size_t i = 0; i < BYTES; i += 8) {
		uint64_t word = migc_random_next(r);

		memcpy(memory + i, &word, 8);
	}
}

/* Words of a small vocabulary with the letters of English, seeded. */
static void fill_text(uint8_t *out, size_t bytes, uint64_t seed)
{
	static const char words[] =
		"the of and migration guest page memory a to in is it that was for on are with as "
		"his they be at one have this from or had by hot but some what there we can out "
		"other were all your when up use word how said an each she which do their time if ";
	struct migc_random r;
	size_t at = 0;

	migc_random_seed(&r, seed);
	while (at < bytes) {
		size_t from = migc_random_next(&r) % (sizeof(words) - 20);
		size_t length = 1 + migc_random_next(&r) % 12;

		for (size_t i = 0; i < length && at < bytes; i++)
			out[at++] = (uint8_t)words[from + i];
	}
}

/* The code of a large program that every test machine has: the C library, past its tables. */
static size_t fill_code(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	size_t got = 0;

	assert_non_null(maps);
	while (got < BYTES && fgets(line, sizeof(line), maps)) {
		unsigned long from, to;

		if (sscanf(line, "%lx-%lx r-xp", &from, &to) == 2 && strstr(line, "libc") &&
		    strstr(line, "r-xp") && to - from > BYTES) {
			memcpy(memory, (const void *)(from + 0x10000), BYTES);
			got = BYTES;
		}
	}
	fclose(maps);
	return got;
}

static void random_bytes_do(void **state)
{
	struct migc_random r;

	(void)state;
	migc_random_seed(&r, 1);
	for (unsigned int i = 0; i < 300; i++) {
		fill_random(&r);
		for (unsigned int pages = 1; pages <= MIGC_BLOCK_PAGES_MAX; pages++)
			assert_true(looks(pages));
	}
}

static void zip_data_does(void **state)
{
	static uint8_t text[1u << 20];
	uLongf length;
	static uint8_t zipped[2 * BYTES];
	unsigned int yes = 0, blocks = 0;

	(void)state;
	for (unsigned int i = 0; i < 20; i++) {
		fill_text(text, sizeof(text), i);
		length = sizeof(zipped);
		assert_int_equal(compress2(zipped, &length, text, sizeof(text) / 4, 6), Z_OK);
		assert_true(length > 16 * MIGC_PAGE_BYTES);
		memcpy(memory, zipped, 16 * MIGC_PAGE_BYTES);
		yes += looks(16);
		blocks++;
	}
	assert_true(yes >= blocks - 1);
}

static void text_does_not(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 50; i++) {
		fill_text(memory, BYTES, i);
		assert_false(looks(1));
		assert_false(looks(16));
		assert_false(looks(32));
	}
}

static void code_does_not(void **state)
{
	(void)state;
	assert_int_equal(fill_code(), BYTES);
	assert_false(looks(8));
	assert_false(looks(16));
}

static void sparse_pages_do_not(void **state)
{
	struct migc_random r;

	(void)state;
	migc_random_seed(&r, 2);
	fill_random(&r);
	/* one random line in four, zeros between */
	for (size_t i = 0; i < BYTES; i += 64) {
		if (migc_random_next(&r) & 3)
			memset(memory + i, 0, 64);
	}
	assert_false(looks(16));
	memset(memory, 0, BYTES);
	assert_false(looks(16));
}

static void a_quarter_of_text_among_random_pages_is_seen(void **state)
{
	struct migc_random r;

	(void)state;
	migc_random_seed(&r, 3);
	fill_random(&r);
	for (unsigned int i = 0; i < 16; i += 4)
		fill_text(memory + (size_t)i * MIGC_PAGE_BYTES, MIGC_PAGE_BYTES, i);
	assert_false(looks(16));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_bytes_do),
		cmocka_unit_test(zip_data_does),
		cmocka_unit_test(text_does_not),
		cmocka_unit_test(code_does_not),
		cmocka_unit_test(sparse_pages_do_not),
		cmocka_unit_test(a_quarter_of_text_among_random_pages_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
