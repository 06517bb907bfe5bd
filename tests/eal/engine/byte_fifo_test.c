/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "byte_fifo.h"
#include "migc_random.h"

static void bytes_come_out_as_they_went_in_across_the_end(void **state)
{
	uint8_t in[48], out[64];
	struct byte_fifo fifo;

	(void)state;
	assert_int_equal(byte_fifo_init(&fifo, 64), 0);
	for (unsigned int round = 0; round < 100; round++) {
		memset(in, (int)round, sizeof(in));
		assert_true(byte_fifo_write(&fifo, in, sizeof(in)));
		assert_int_equal(byte_fifo_peek(&fifo, out, sizeof(out)), sizeof(in));
		assert_memory_equal(in, out, sizeof(in));
		byte_fifo_release(&fifo, fifo.tail + sizeof(in));
	}
	byte_fifo_free(&fifo);
}

static void what_does_not_fit_is_not_written_at_all(void **state)
{
	uint8_t in[64] = {1}, out[64];
	struct byte_fifo fifo;

	(void)state;
	assert_int_equal(byte_fifo_init(&fifo, 64), 0);
	assert_true(byte_fifo_write(&fifo, in, 40));
	assert_false(byte_fifo_write(&fifo, in, 25));
	assert_int_equal(byte_fifo_room(&fifo), 24);
	assert_int_equal(byte_fifo_peek(&fifo, out, sizeof(out)), 40);
	assert_true(byte_fifo_write(&fifo, in, 24));
	assert_int_equal(byte_fifo_room(&fifo), 0);
	byte_fifo_free(&fifo);
}

static void a_piece_ends_at_the_end_of_the_buffer(void **state)
{
	uint8_t in[48] = {0};
	struct byte_fifo fifo;
	uint32_t length;

	(void)state;
	assert_int_equal(byte_fifo_init(&fifo, 64), 0);
	assert_true(byte_fifo_write(&fifo, in, 48));
	byte_fifo_release(&fifo, 48);
	assert_true(byte_fifo_write(&fifo, in, 48));
	assert_ptr_equal(byte_fifo_piece(&fifo, 48, byte_fifo_written(&fifo), &length),
			 fifo.data + 48);
	assert_int_equal(length, 16);
	assert_ptr_equal(byte_fifo_piece(&fifo, 64, byte_fifo_written(&fifo), &length), fifo.data);
	assert_int_equal(length, 32);
	byte_fifo_free(&fifo);
}

#if defined(__SANITIZE_THREAD__)
#define STREAM_BYTES 200000u /* each access costs more */
#else
#define STREAM_BYTES 2000000u
#endif

static void *write_stream(void *fifo)
{
	struct migc_random random;
	uint32_t sent = 0;
	uint8_t piece[97];

	migc_random_seed(&random, 1);
	while (sent < STREAM_BYTES) {
		uint32_t length = (uint32_t)(migc_random_next(&random) % sizeof(piece)) + 1;

		if (length > STREAM_BYTES - sent)
			length = STREAM_BYTES - sent;
		for (uint32_t i = 0; i < length; i++)
			piece[i] = (uint8_t)((sent + i) * 31 >> 3);
		while (!byte_fifo_write(fifo, piece, length))
			;
		sent += length;
	}
	return NULL;
}

static void two_threads_pass_a_long_stream_unharmed(void **state)
{
	struct byte_fifo fifo;
	uint32_t received = 0, wrong = 0;
	pthread_t writer;

	(void)state;
	assert_int_equal(byte_fifo_init(&fifo, 4096), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_stream, &fifo), 0);
	while (received < STREAM_BYTES) {
		uint8_t out[512];
		size_t length = byte_fifo_peek(&fifo, out, sizeof(out));

		for (size_t i = 0; i < length; i++)
			wrong += out[i] != (uint8_t)((received + i) * 31 >> 3);
		byte_fifo_release(&fifo, fifo.tail + length);
		received += (uint32_t)length;
	}
	pthread_join(writer, NULL);
	assert_int_equal(wrong, 0);
	byte_fifo_free(&fifo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_come_out_as_they_went_in_across_the_end),
		cmocka_unit_test(what_does_not_fit_is_not_written_at_all),
		cmocka_unit_test(a_piece_ends_at_the_end_of_the_buffer),
		cmocka_unit_test(two_threads_pass_a_long_stream_unharmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
