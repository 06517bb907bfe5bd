/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "migc_wire.h"

static const uint64_t region_pages[] = {1000, UINT64_C(1) << 32};

static struct migc_block_header some_pages(uint16_t count)
{
	struct migc_block_header h = {
		.type = MIGC_BLOCK_PAGES,
		.codec = MIGC_CODEC_DEFLATE,
		.round = 3,
		.payload_bytes = 1234,
		.pages = {.region = 1, .count = count},
	};

	for (uint16_t i = 0; i < count && i < MIGC_BLOCK_PAGES_MAX; i++)
		h.pages.page[i] = 100u + 7u * i;
	return h;
}

static int decode(const uint8_t *data, int size, unsigned int block_pages,
		  struct migc_block_header *out)
{
	return migc_block_header_decode(data, (size_t)size, region_pages, 2, block_pages, out);
}

static void a_header_has_the_layout_of_the_document(void **state)
{
	static const uint8_t expected[] = {1, 1, 0, 1, 0, 2, 0, 0,   0, 0, 0x04, 0xd2,
					   0, 0, 0, 3, 0, 0, 0, 100, 0, 0, 0,    107};
	struct migc_block_header h = some_pages(2);
	uint8_t bytes[64];

	(void)state;
	assert_int_equal(migc_block_header_encode(&h, bytes, sizeof(bytes)), sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));
}

static void a_delta_block_says_so_in_bit_0_of_the_flags(void **state)
{
	struct migc_block_header h = some_pages(2), back;
	uint8_t plain[64], delta[64];
	int size = migc_block_header_encode(&h, plain, sizeof(plain));

	(void)state;
	assert_int_equal(decode(plain, size, 16, &back), 0);
	assert_false(back.delta);
	h.delta = true;
	assert_int_equal(migc_block_header_encode(&h, delta, sizeof(delta)), size);
	assert_int_equal(decode(delta, size, 16, &back), 0);
	assert_true(back.delta);
	assert_int_equal(delta[6], 0);
	assert_int_equal(delta[7], MIGC_BLOCK_FLAG_DELTA);
	delta[7] = 0;
	assert_memory_equal(delta, plain, (size_t)size);
}

static void flags_are_refused_from_the_fixed_part_alone(void **state)
{
	struct migc_block_header h = some_pages(2);
	uint8_t bytes[64];

	(void)state;
	for (unsigned int bit = 1; bit < 16; bit++) {
		migc_block_header_encode(&h, bytes, sizeof(bytes));
		bytes[6] = (uint8_t)((1u << bit) >> 8);
		bytes[7] = (uint8_t)(1u << bit);
		assert_int_equal(migc_block_header_length(bytes, MIGC_BLOCK_FIXED_BYTES), -EBADMSG);
	}
}

static void a_zero_list_comes_back_with_its_page_count(void **state)
{
	struct migc_block_header h = {.type = MIGC_BLOCK_ZERO, .round = 1}, back;
	uint8_t bytes[MIGC_BLOCK_HEADER_BYTES_MAX];
	int size;

	(void)state;
	h.zero.count = 2;
	h.zero.range[0].first = 5;
	h.zero.range[0].count = 10;
	h.zero.range[1].first = 900;
	h.zero.range[1].count = 100;
	size = migc_block_header_encode(&h, bytes, sizeof(bytes));
	assert_int_equal(size, 32);
	assert_int_equal(decode(bytes, size, 16, &back), 0);
	assert_int_equal(back.type, MIGC_BLOCK_ZERO);
	assert_int_equal(back.zero.region, 0);
	assert_int_equal(back.zero.count, 2);
	assert_int_equal(back.zero.pages, 110);
	assert_int_equal(back.zero.range[1].first, 900);
	assert_int_equal(back.pages.count, 0);
}

static void the_largest_headers_fit_the_limit(void **state)
{
	struct migc_block_header h = {.type = MIGC_BLOCK_ZERO, .round = 1};
	uint8_t bytes[MIGC_BLOCK_HEADER_BYTES_MAX];

	(void)state;
	h.zero.count = MIGC_ZERO_RANGES_MAX;
	for (uint32_t i = 0; i < MIGC_ZERO_RANGES_MAX; i++) {
		h.zero.range[i].first = 2 * i;
		h.zero.range[i].count = 1;
	}
	assert_int_equal(migc_block_header_size(&h), sizeof(bytes));
	assert_int_equal(migc_block_header_encode(&h, bytes, sizeof(bytes)), sizeof(bytes));
	assert_int_equal(migc_block_header_encode(&h, bytes, sizeof(bytes) - 1), -ENOSPC);
}

static void length_is_known_from_the_fixed_part_alone(void **state)
{
	struct migc_block_header h = some_pages(32);
	uint8_t bytes[MIGC_BLOCK_HEADER_BYTES_MAX];
	int size = migc_block_header_encode(&h, bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(size, 16 + 32 * 4);
	for (size_t given = 0; given < MIGC_BLOCK_FIXED_BYTES; given++)
		assert_int_equal(migc_block_header_length(bytes, given), 0);
	assert_int_equal(migc_block_header_length(bytes, MIGC_BLOCK_FIXED_BYTES), size);
	assert_int_equal(migc_block_header_length(bytes, (size_t)size + 5), size);
	bytes[0] = 9;
	assert_int_equal(migc_block_header_length(bytes, MIGC_BLOCK_FIXED_BYTES), -EBADMSG);
}

static void more_pages_than_agreed_on_are_malformed(void **state)
{
	struct migc_block_header h = some_pages(17), back;
	uint8_t bytes[MIGC_BLOCK_HEADER_BYTES_MAX];
	int size = migc_block_header_encode(&h, bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(decode(bytes, size, 17, &back), 0);
	assert_int_equal(decode(bytes, size, 16, &back), -EBADMSG);
}

static void fields_that_are_not_allowed_are_not_written(void **state)
{
	uint8_t bytes[MIGC_BLOCK_HEADER_BYTES_MAX];
	struct migc_block_header bad[10];

	(void)state;
	for (size_t i = 0; i < 10; i++)
		bad[i] = some_pages(2);
	bad[0].round = 0;
	bad[1].pages.count = 0;
	bad[2].pages.count = MIGC_BLOCK_PAGES_MAX + 1;
	bad[3].pages.page[1] = bad[3].pages.page[0];
	bad[4].payload_bytes = 2 * MIGC_PAGE_BYTES;
	bad[5].codec = MIGC_CODEC_COUNT;
	bad[6].pages.region = MIGC_REGIONS_MAX;
	bad[7].type = (enum migc_block_type)3;
	bad[8].delta = true;
	bad[8].codec = MIGC_CODEC_RAW;
	bad[8].payload_bytes = 2 * MIGC_PAGE_BYTES;
	bad[9] = (struct migc_block_header){.type = MIGC_BLOCK_ZERO, .round = 1, .delta = true};
	bad[9].zero.count = 1;
	bad[9].zero.range[0].count = 1;
	for (size_t i = 0; i < 10; i++) {
		assert_int_equal(migc_block_header_size(&bad[i]), 0);
		assert_int_equal(migc_block_header_encode(&bad[i], bytes, sizeof(bytes)), -EINVAL);
	}
}

static void a_session_without_regions_takes_no_block(void **state)
{
	struct migc_block_header h = some_pages(1), back;
	uint8_t bytes[64];
	int size = migc_block_header_encode(&h, bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(migc_block_header_decode(bytes, (size_t)size, NULL, 0, 16, &back),
			 -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_has_the_layout_of_the_document),
		cmocka_unit_test(a_delta_block_says_so_in_bit_0_of_the_flags),
		cmocka_unit_test(flags_are_refused_from_the_fixed_part_alone),
		cmocka_unit_test(a_zero_list_comes_back_with_its_page_count),
		cmocka_unit_test(the_largest_headers_fit_the_limit),
		cmocka_unit_test(length_is_known_from_the_fixed_part_alone),
		cmocka_unit_test(more_pages_than_agreed_on_are_malformed),
		cmocka_unit_test(fields_that_are_not_allowed_are_not_written),
		cmocka_unit_test(a_session_without_regions_takes_no_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
