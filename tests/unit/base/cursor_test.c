/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "migc_cursor.h"

static void numbers_are_big_endian(void **state)
{
	static const uint8_t expected[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
					   0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f};
	uint8_t bytes[15];
	struct migc_writer w;
	struct migc_reader r;

	(void)state;
	migc_writer_init(&w, bytes, sizeof(bytes));
	migc_write_u8(&w, 0x01);
	migc_write_u16(&w, 0x0203);
	migc_write_u32(&w, 0x04050607);
	migc_write_u64(&w, UINT64_C(0x08090a0b0c0d0e0f));
	assert_false(w.failed);
	assert_int_equal(w.length_bytes, sizeof(bytes));
	assert_memory_equal(bytes, expected, sizeof(bytes));

	migc_reader_init(&r, bytes, sizeof(bytes));
	assert_int_equal(migc_read_u8(&r), 0x01);
	assert_int_equal(migc_read_u16(&r), 0x0203);
	assert_int_equal(migc_read_u32(&r), 0x04050607);
	assert_true(migc_read_u64(&r) == UINT64_C(0x08090a0b0c0d0e0f));
	assert_int_equal(migc_reader_left(&r), 0);
	assert_false(r.failed);
}

static void reading_past_the_end_fails_for_good_and_gives_zero(void **state)
{
	static const uint8_t bytes[] = {0xff, 0xff, 0xff};
	struct migc_reader r;

	(void)state;
	migc_reader_init(&r, bytes, sizeof(bytes));
	assert_int_equal(migc_read_u32(&r), 0);
	assert_true(r.failed);
	/* One byte would still be there, but after a failure nothing is to be trusted. */
	assert_int_equal(migc_read_u8(&r), 0);
	assert_null(migc_read_bytes(&r, 0));
	assert_int_equal(migc_reader_left(&r), 0);

	migc_reader_init(&r, bytes, sizeof(bytes));
	assert_ptr_equal(migc_read_bytes(&r, 3), bytes);
	assert_false(r.failed);
	assert_null(migc_read_bytes(&r, SIZE_MAX));
	assert_true(r.failed);
}

static void writing_past_the_capacity_writes_nothing(void **state)
{
	uint8_t bytes[4] = {0xaa, 0xaa, 0xaa, 0xaa};
	struct migc_writer w;

	(void)state;
	migc_writer_init(&w, bytes, 3);
	migc_write_u16(&w, 0x0102);
	migc_write_u32(&w, 0);
	assert_true(w.failed);
	migc_write_u8(&w, 0);
	assert_int_equal(w.length_bytes, 2);
	assert_int_equal(bytes[2], 0xaa);
	assert_int_equal(bytes[3], 0xaa);

	migc_writer_init(&w, bytes, 3);
	migc_write_bytes(&w, bytes, SIZE_MAX);
	assert_true(w.failed);
	assert_int_equal(w.length_bytes, 0);
}

static void strings_come_back_as_they_went(void **state)
{
	uint8_t bytes[16];
	char text[6];
	struct migc_writer w;
	struct migc_reader r;

	(void)state;
	migc_writer_init(&w, bytes, sizeof(bytes));
	migc_write_string(&w, "hello");
	migc_write_string(&w, "");
	assert_false(w.failed);
	assert_int_equal(w.length_bytes, 9);
	migc_reader_init(&r, bytes, w.length_bytes);
	migc_read_string(&r, text, sizeof(text));
	assert_string_equal(text, "hello");
	migc_read_string(&r, text, sizeof(text));
	assert_string_equal(text, "");
	assert_false(r.failed);
	assert_int_equal(migc_reader_left(&r), 0);
}

static void a_string_of_the_capacity_or_longer_fails(void **state)
{
	static const uint8_t bytes[] = {0, 5, 'h', 'e', 'l', 'l', 'o'};
	char text[5] = "old";
	struct migc_reader r;

	(void)state;
	migc_reader_init(&r, bytes, sizeof(bytes));
	migc_read_string(&r, text, sizeof(text));
	assert_true(r.failed);
	assert_string_equal(text, "");
}

static void a_string_cut_short_or_with_nul_fails(void **state)
{
	static const uint8_t cut[] = {0, 5, 'h', 'e', 'l'};
	static const uint8_t with_nul[] = {0, 3, 'a', 0, 'b'};
	char text[8] = "old";
	struct migc_reader r;

	(void)state;
	migc_reader_init(&r, cut, sizeof(cut));
	migc_read_string(&r, text, sizeof(text));
	assert_true(r.failed);
	assert_string_equal(text, "");
	migc_reader_init(&r, with_nul, sizeof(with_nul));
	migc_read_string(&r, text, sizeof(text));
	assert_true(r.failed);
	assert_string_equal(text, "");
	migc_reader_init(&r, cut, 1);
	migc_read_string(&r, text, sizeof(text));
	assert_true(r.failed);
}

static void a_string_that_does_not_fit_leaves_no_length_behind(void **state)
{
	uint8_t bytes[4];
	static char huge[70000];
	static uint8_t room[70010];
	struct migc_writer w;

	(void)state;
	migc_writer_init(&w, bytes, sizeof(bytes));
	migc_write_string(&w, "abc");
	assert_true(w.failed);
	assert_int_equal(w.length_bytes, 0);

	memset(huge, 'x', sizeof(huge) - 1);
	migc_writer_init(&w, room, sizeof(room));
	migc_write_string(&w, huge);
	assert_true(w.failed);
	assert_int_equal(w.length_bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(reading_past_the_end_fails_for_good_and_gives_zero),
		cmocka_unit_test(writing_past_the_capacity_writes_nothing),
		cmocka_unit_test(strings_come_back_as_they_went),
		cmocka_unit_test(a_string_of_the_capacity_or_longer_fails),
		cmocka_unit_test(a_string_cut_short_or_with_nul_fails),
		cmocka_unit_test(a_string_that_does_not_fit_leaves_no_length_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
