/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "frame_bytes.h"

static void counts_a_stream_frame_with_length(void **state)
{
	/* Type 0x0e: offset and length. Stream 2, offset 64 (two bytes), three bytes of data. */
	const uint8_t payload[] = {0x0e, 0x02, 0x40, 0x40, 0x03, 'a', 'b', 'c', 0x00, 0x00};

	(void)state;
	assert_int_equal(migc_frame_stream_bytes(payload, sizeof(payload)), 3);
}

static void a_stream_frame_without_length_ends_with_the_packet(void **state)
{
	const uint8_t payload[] = {0x0c, 0x06, 0x01, 1, 2, 3, 4};

	(void)state;
	assert_int_equal(migc_frame_stream_bytes(payload, sizeof(payload)), 4);
}

static void steps_over_all_other_frames(void **state)
{
	const uint8_t payload[] = {
		0x02, 0x05, 0x01, 0x01, 0x01, 0x00, 0x00, /* ACK, one more range */
		0x03, 0x05, 0x01, 0x00, 0x01, 0x07, 0x08, 0x09, /* ACK with ECN counts */
		0x06, 0x00, 0x02, 0xaa, 0xbb, /* CRYPTO */
		0x10, 0x80, 0x00, 0x10, 0x00, /* MAX_DATA */
		0x11, 0x02, 0x41, 0x00, /* MAX_STREAM_DATA */
		0x15, 0x02, 0x05, /* STREAM_DATA_BLOCKED */
		0x19, 0x01, /* RETIRE_CONNECTION_ID */
		0x18, 0x01, 0x00, 0x04, 1,    2,    3,    4, /* NEW_CONNECTION_ID ... */
		1,    2,    3,    4,    5,    6,    7,    8, /* ... its token */
		9,    10,   11,   12,   13,   14,   15,   16, /* */
		0x1a, 1,    2,    3,    4,    5,    6,    7,    8, /* PATH_CHALLENGE */
		0x01, 0x1e, /* PING, HANDSHAKE_DONE */
		0x0a, 0x02, 0x02, 'x',  'y', /* STREAM */
		0x0b, 0x06, 0x01, 'z', /* STREAM with FIN */
	};

	(void)state;
	assert_int_equal(migc_frame_stream_bytes(payload, sizeof(payload)), 3);
}

static void what_is_cut_short_does_not_count(void **state)
{
	const uint8_t payload[] = {0x0a, 0x02, 0x05, 'x', 'y'};
	const uint8_t ranges[] = {0x02, 0x05, 0x01, 0xff, 0xff, 0xff,
				  0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
	const uint8_t unknown[] = {0x3f, 0x0a, 0x02, 0x01, 'x'};

	(void)state;
	assert_int_equal(migc_frame_stream_bytes(payload, sizeof(payload)), 0);
	assert_int_equal(migc_frame_stream_bytes(ranges, sizeof(ranges)), 0);
	assert_int_equal(migc_frame_stream_bytes(unknown, sizeof(unknown)), 0);
	assert_int_equal(migc_frame_stream_bytes(unknown, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_a_stream_frame_with_length),
		cmocka_unit_test(a_stream_frame_without_length_ends_with_the_packet),
		cmocka_unit_test(steps_over_all_other_frames),
		cmocka_unit_test(what_is_cut_short_does_not_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
