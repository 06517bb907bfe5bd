/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "stream_queue.h"

static const uint8_t memory[4096];

struct given_back {
	unsigned int count;
	uintptr_t last;
	bool out_of_order;
};

static void give_back(void *ctx, void *cookie)
{
	struct given_back *given = ctx;

	if ((uintptr_t)cookie <= given->last)
		given->out_of_order = true;
	given->last = (uintptr_t)cookie;
	given->count++;
}

static int push_one(struct migc_stream_queue *q, uint32_t length, uintptr_t cookie)
{
	struct migc_slice slice = {memory, length, (void *)cookie};

	return migc_stream_queue_push(q, &slice, 1);
}

static int set_up(void **state)
{
	struct migc_stream_queue *q = calloc(1, sizeof(*q));

	*state = q;
	return q ? migc_stream_queue_init(q) : -1;
}

static int tear_down(void **state)
{
	migc_stream_queue_fini(*state);
	free(*state);
	return 0;
}

static void peek_continues_inside_a_half_sent_slice(void **state)
{
	struct migc_stream_queue *q = *state;
	struct migc_span spans[4];

	assert_int_equal(push_one(q, 100, 1), 0);
	assert_int_equal(push_one(q, 50, 2), 0);
	migc_stream_queue_sent(q, 30);
	assert_int_equal(migc_stream_queue_peek(q, spans, 4), 2);
	assert_ptr_equal(spans[0].data, memory + 30);
	assert_int_equal(spans[0].length_bytes, 70);
	assert_ptr_equal(spans[1].data, memory);
	assert_int_equal(spans[1].length_bytes, 50);
	migc_stream_queue_sent(q, 90);
	assert_int_equal(migc_stream_queue_peek(q, spans, 4), 1);
	assert_ptr_equal(spans[0].data, memory + 20);
	assert_int_equal(spans[0].length_bytes, 30);
	migc_stream_queue_sent(q, 30);
	assert_int_equal(migc_stream_queue_peek(q, spans, 4), 0);
	assert_int_equal(migc_stream_queue_unsent_bytes(q), 0);
	assert_int_equal(migc_stream_queue_unacked_bytes(q), 150);
}

static void peek_gives_no_more_than_asked_for(void **state)
{
	struct migc_stream_queue *q = *state;
	struct migc_span spans[2];
	uintptr_t i;

	for (i = 0; i < 5; i++)
		assert_int_equal(push_one(q, 10, i + 1), 0);
	assert_int_equal(migc_stream_queue_peek(q, spans, 2), 2);
}

static void a_cookie_comes_back_with_the_last_byte_of_its_slice(void **state)
{
	struct migc_stream_queue *q = *state;
	struct given_back given = {0};

	push_one(q, 100, 1);
	push_one(q, 100, 2);
	migc_stream_queue_sent(q, 200);
	migc_stream_queue_acked(q, 99, give_back, &given);
	assert_int_equal(given.count, 0);
	migc_stream_queue_acked(q, 100, give_back, &given);
	assert_int_equal(given.count, 1);
	migc_stream_queue_acked(q, 200, give_back, &given);
	assert_int_equal(given.count, 2);
	assert_false(given.out_of_order);
	assert_int_equal(migc_stream_queue_room(q), MIGC_TRANSPORT_SLICES_MAX);
}

static void bytes_never_sent_are_not_acknowledged(void **state)
{
	struct migc_stream_queue *q = *state;
	struct given_back given = {0};

	push_one(q, 100, 1);
	migc_stream_queue_sent(q, 99);
	migc_stream_queue_acked(q, UINT64_MAX, give_back, &given);
	assert_int_equal(given.count, 0);
	assert_int_equal(migc_stream_queue_unacked_bytes(q), 1);
}

static void a_slice_without_cookie_is_freed_in_silence(void **state)
{
	struct migc_stream_queue *q = *state;
	struct given_back given = {0};

	push_one(q, 10, 0);
	push_one(q, 10, 1);
	migc_stream_queue_sent(q, 20);
	migc_stream_queue_acked(q, 20, give_back, &given);
	assert_int_equal(given.count, 1);
	assert_int_equal(migc_stream_queue_room(q), MIGC_TRANSPORT_SLICES_MAX);
}

static void a_full_ring_takes_all_or_none(void **state)
{
	struct migc_stream_queue *q = *state;
	struct migc_slice two[2] = {{memory, 1, NULL}, {memory, 1, NULL}};
	unsigned int i;

	for (i = 0; i < MIGC_TRANSPORT_SLICES_MAX - 1; i++)
		assert_int_equal(push_one(q, 1, 0), 0);
	assert_int_equal(migc_stream_queue_room(q), 1);
	assert_int_equal(migc_stream_queue_push(q, two, 2), -ENOBUFS);
	assert_int_equal(migc_stream_queue_unsent_bytes(q), MIGC_TRANSPORT_SLICES_MAX - 1);
	assert_int_equal(push_one(q, 1, 0), 0);
	assert_int_equal(push_one(q, 1, 0), -ENOBUFS);
}

static void an_empty_slice_is_refused(void **state)
{
	assert_int_equal(push_one(*state, 0, 1), -EINVAL);
	assert_int_equal(migc_stream_queue_room(*state), MIGC_TRANSPORT_SLICES_MAX);
}

static void the_ring_turns_many_times(void **state)
{
	struct migc_stream_queue *q = *state;
	struct given_back given = {0};
	uint64_t offset = 0;
	uintptr_t cookie = 0;
	unsigned int turn;

	for (turn = 0; turn < 5 * MIGC_TRANSPORT_SLICES_MAX; turn++) {
		uint32_t length = 1 + turn % 77;

		assert_int_equal(push_one(q, length, ++cookie), 0);
		migc_stream_queue_sent(q, length);
		offset += length;
		migc_stream_queue_acked(q, offset, give_back, &given);
	}
	assert_int_equal(given.count, 5 * MIGC_TRANSPORT_SLICES_MAX);
	assert_false(given.out_of_order);
}

static void abandon_gives_back_what_is_left_and_forgets_it(void **state)
{
	struct migc_stream_queue *q = *state;
	struct given_back given = {0};

	push_one(q, 10, 1);
	push_one(q, 10, 2);
	push_one(q, 10, 3);
	migc_stream_queue_sent(q, 15);
	migc_stream_queue_acked(q, 10, give_back, &given);
	migc_stream_queue_abandon(q, give_back, &given);
	assert_int_equal(given.count, 3);
	assert_false(given.out_of_order);
	migc_stream_queue_abandon(q, give_back, &given);
	assert_int_equal(given.count, 3);
	assert_int_equal(migc_stream_queue_unacked_bytes(q), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(peek_continues_inside_a_half_sent_slice, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(peek_gives_no_more_than_asked_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_cookie_comes_back_with_the_last_byte_of_its_slice,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(bytes_never_sent_are_not_acknowledged, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_slice_without_cookie_is_freed_in_silence, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_full_ring_takes_all_or_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_empty_slice_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_ring_turns_many_times, set_up, tear_down),
		cmocka_unit_test_setup_teardown(abandon_gives_back_what_is_left_and_forgets_it,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
