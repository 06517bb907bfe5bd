/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migc_wire.h"

#define MESSAGE_BYTES_MAX (MIGC_MSG_HEADER_BYTES + MIGC_MSG_BODY_BYTES_MAX)

struct fixture {
	struct migc_msg msg, back;
	uint8_t bytes[MESSAGE_BYTES_MAX];
};

static int set_up(void **state)
{
	*state = calloc(1, sizeof(struct fixture));
	return *state ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

static int encode(struct fixture *f)
{
	return migc_msg_encode(&f->msg, f->bytes, sizeof(f->bytes));
}

static void round_trip(struct fixture *f)
{
	int size = encode(f);

	assert_true(size >= (int)MIGC_MSG_HEADER_BYTES);
	assert_int_equal(migc_msg_length(f->bytes, MIGC_MSG_HEADER_BYTES), size);
	assert_int_equal(migc_msg_decode(f->bytes, (size_t)size, &f->back), 0);
	assert_int_equal(f->back.type, f->msg.type);
	if (size > (int)MIGC_MSG_HEADER_BYTES)
		assert_int_equal(migc_msg_decode(f->bytes, (size_t)size - 1, &f->back), -EBADMSG);
	assert_int_equal(migc_msg_decode(f->bytes, (size_t)size, &f->back), 0);
}

static void fill_hello(struct migc_msg *msg, unsigned int regions)
{
	struct migc_msg_hello *h = &msg->hello;

	memset(msg, 0, sizeof(*msg));
	msg->type = MIGC_MSG_HELLO;
	h->version_min = h->version_max = MIGC_WIRE_VERSION;
	h->page_bytes = MIGC_PAGE_BYTES;
	h->workers = 2;
	h->block_pages = 16;
	h->codecs = 1u << MIGC_CODEC_RAW | 1u << MIGC_CODEC_DEFLATE;
	h->device_state = true;
	snprintf(h->guest, sizeof(h->guest), "QEMU 7.2.22 pc-q35-7.2");
	snprintf(h->machine, sizeof(h->machine), "pc-q35-7.2");
	h->region_count = (uint16_t)regions;
	for (unsigned int i = 0; i < regions; i++) {
		snprintf(h->region[i].name, sizeof(h->region[i].name), "ram%u", i);
		h->region[i].pages = 1000 + i;
		h->region[i].backing_page_bytes = 4096;
		h->data_pages += h->region[i].pages;
	}
}

static void hello_comes_back_field_by_field(void **state)
{
	struct fixture *f = *state;
	const struct migc_msg_hello *h = &f->back.hello;

	fill_hello(&f->msg, 3);
	round_trip(f);
	assert_memory_equal(&f->msg.hello, h, sizeof(*h));
	assert_int_equal(h->region[2].pages, 1002);
}

static void hello_with_the_most_and_longest_regions_fits_the_body_limit(void **state)
{
	struct fixture *f = *state;
	struct migc_msg_hello *h = &f->msg.hello;

	fill_hello(&f->msg, MIGC_REGIONS_MAX);
	memset(h->guest, 'g', sizeof(h->guest) - 1);
	memset(h->machine, 'm', sizeof(h->machine) - 1);
	for (unsigned int i = 0; i < MIGC_REGIONS_MAX; i++) {
		memset(h->region[i].name, 'a' + (int)i % 26, sizeof(h->region[i].name) - 1);
		h->region[i].name[0] = (char)('0' + i / 26);
	}
	round_trip(f);
	assert_memory_equal(h, &f->back.hello, sizeof(*h));
}

static void hello_of_later_versions_only_gives_its_versions(void **state)
{
	struct fixture *f = *state;
	int size;

	fill_hello(&f->msg, 1);
	f->msg.hello.version_min = 2;
	f->msg.hello.version_max = 5;
	size = encode(f);
	assert_true(size > 0);
	/* What such a HELLO has behind its versions is unknown. */
	memset(f->bytes + size, 0xee, 100);
	f->bytes[7] = (uint8_t)(f->bytes[7] + 100);
	assert_int_equal(migc_msg_decode(f->bytes, (size_t)size + 100, &f->back), 0);
	assert_int_equal(f->back.hello.version_min, 2);
	assert_int_equal(f->back.hello.version_max, 5);
	assert_int_equal(f->back.hello.region_count, 0);
}

static void hello_is_not_written_when_the_receiver_would_reject_it(void **state)
{
	struct fixture *f = *state;
	struct migc_msg_hello *h = &f->msg.hello;

	fill_hello(&f->msg, 2);
	h->data_pages++;
	assert_int_equal(encode(f), -EINVAL);
	fill_hello(&f->msg, 2);
	strcpy(h->region[1].name, h->region[0].name);
	assert_int_equal(encode(f), -EINVAL);
	fill_hello(&f->msg, 2);
	strcpy(h->machine, "a\tb");
	assert_int_equal(encode(f), -EINVAL);
	fill_hello(&f->msg, 2);
	memset(h->guest, 'x', sizeof(h->guest));
	assert_int_equal(encode(f), -EINVAL);
	fill_hello(&f->msg, 2);
	h->page_bytes = 8192;
	assert_int_equal(encode(f), -EINVAL);
}

static void hello_ack_and_attach_carry_the_session(void **state)
{
	struct fixture *f = *state;

	f->msg.type = MIGC_MSG_HELLO_ACK;
	f->msg.hello_ack = (struct migc_msg_hello_ack){
		.version = 1, .block_pages = 12, .deflate_pages = 11, .codecs = 3, .workers = 4};
	memset(f->msg.hello_ack.session_id, 0xa5, MIGC_SESSION_ID_BYTES);
	round_trip(f);
	assert_memory_equal(&f->back.hello_ack, &f->msg.hello_ack, sizeof(f->msg.hello_ack));

	memset(&f->msg, 0, sizeof(f->msg));
	f->msg.type = MIGC_MSG_ATTACH;
	f->msg.attach.worker = 3;
	memset(f->msg.attach.session_id, 0x5a, MIGC_SESSION_ID_BYTES);
	round_trip(f);
	assert_int_equal(f->back.attach.worker, 3);
	assert_memory_equal(f->back.attach.session_id, f->msg.attach.session_id,
			    MIGC_SESSION_ID_BYTES);
}

static void rounds_carry_their_number_and_blocks(void **state)
{
	struct fixture *f = *state;

	f->msg.type = MIGC_MSG_ROUND_END;
	f->msg.round = (struct migc_msg_round){.round = 9, .final = true, .blocks = 1u << 30};
	round_trip(f);
	assert_int_equal(f->back.round.round, 9);
	assert_true(f->back.round.final);
	assert_int_equal(f->back.round.blocks, 1u << 30);

	f->msg.type = MIGC_MSG_ROUND_DONE;
	round_trip(f);
	assert_int_equal(f->back.round.round, 9);
	assert_false(f->back.round.final);
	assert_int_equal(f->back.round.blocks, 0);
}

static void page_lists_come_back(void **state)
{
	struct fixture *f = *state;

	f->msg.type = MIGC_MSG_BLOCK_FAILED;
	f->msg.block_failed.round = 2;
	f->msg.block_failed.pages =
		(struct migc_page_list){.region = 1, .count = 3, .page = {4, 5, UINT32_MAX}};
	round_trip(f);
	assert_memory_equal(&f->back.block_failed, &f->msg.block_failed,
			    sizeof(f->msg.block_failed));

	memset(&f->msg, 0, sizeof(f->msg));
	f->msg.type = MIGC_MSG_PUNCH;
	f->msg.punch.count = MIGC_MSG_PUNCH_RANGES_MAX;
	for (uint32_t i = 0; i < MIGC_MSG_PUNCH_RANGES_MAX; i++) {
		f->msg.punch.range[i].first = 10 * i;
		f->msg.punch.range[i].count = 1 + i % 10;
	}
	round_trip(f);
	assert_memory_equal(&f->back.punch, &f->msg.punch, sizeof(f->msg.punch));
	f->msg.punch.range[7].count = 11;
	assert_int_equal(encode(f), -EINVAL);
}

static void digests_come_back(void **state)
{
	struct fixture *f = *state;

	f->msg.type = MIGC_MSG_DIGESTS;
	f->msg.digests.region_count = 2;
	memset(f->msg.digests.digest, 7, 2 * MIGC_DIGEST_BYTES);
	round_trip(f);
	assert_memory_equal(&f->back.digests, &f->msg.digests, sizeof(f->msg.digests));
}

static void an_inventory_and_what_is_held_come_back(void **state)
{
	struct fixture *f = *state;
	struct migc_msg_holdings *h = &f->msg.holdings;

	f->msg.type = MIGC_MSG_INVENTORY;
	f->msg.inventory.region = 63;
	round_trip(f);
	assert_int_equal(f->back.inventory.region, 63);
	f->msg.inventory.region = 64;
	assert_int_equal(encode(f), -EINVAL);

	memset(&f->msg, 0, sizeof(f->msg));
	f->msg.type = MIGC_MSG_HOLDINGS;
	h->region = 2;
	h->first = 4096;
	h->pages = 130;
	h->data[0] = UINT64_C(1) << 63 | 5;
	h->data[2] = 2;
	memset(h->digest, 0xd1, 4 * sizeof(h->digest[0]));
	round_trip(f);
	assert_memory_equal(&f->back.holdings, h, sizeof(*h));
	/* one bit more than pages */
	h->data[2] = 4;
	assert_int_equal(encode(f), -EINVAL);
}

static void the_largest_holdings_fit_the_body_limit(void **state)
{
	struct fixture *f = *state;
	struct migc_msg_holdings *h = &f->msg.holdings;

	f->msg.type = MIGC_MSG_HOLDINGS;
	h->first = UINT32_MAX - MIGC_HOLDINGS_PAGES_MAX + 1;
	h->pages = MIGC_HOLDINGS_PAGES_MAX;
	memset(h->data, 0xff, sizeof(h->data));
	for (unsigned int i = 0; i < MIGC_HOLDINGS_PAGES_MAX; i++)
		memset(h->digest[i], (int)i, sizeof(h->digest[i]));
	round_trip(f);
	assert_memory_equal(&f->back.holdings, h, sizeof(*h));
	h->first++;
	assert_int_equal(encode(f), -EINVAL);
}

static void device_state_points_into_the_message(void **state)
{
	struct fixture *f = *state;
	static uint8_t piece[MIGC_DEVICE_CHUNK_BYTES_MAX + 1];

	piece[0] = 'Q';
	f->msg.type = MIGC_MSG_DEVICE_STATE;
	f->msg.device.data = piece;
	f->msg.device.length = MIGC_DEVICE_CHUNK_BYTES_MAX;
	round_trip(f);
	assert_ptr_equal(f->back.device.data, f->bytes + MIGC_MSG_HEADER_BYTES);
	assert_int_equal(f->back.device.length, MIGC_DEVICE_CHUNK_BYTES_MAX);
	assert_int_equal(f->back.device.data[0], 'Q');
	f->msg.device.length = MIGC_DEVICE_CHUNK_BYTES_MAX + 1;
	assert_int_equal(encode(f), -EINVAL);
	f->msg.device.length = 0;
	assert_int_equal(encode(f), -EINVAL);

	memset(&f->msg, 0, sizeof(f->msg));
	f->msg.type = MIGC_MSG_DEVICE_END;
	f->msg.device.total = UINT64_MAX;
	round_trip(f);
	assert_true(f->back.device.total == UINT64_MAX);
}

static void messages_without_a_body_are_their_header(void **state)
{
	static const enum migc_msg_type types[] = {MIGC_MSG_ATTACH_ACK, MIGC_MSG_VERIFY,
						   MIGC_MSG_READY, MIGC_MSG_COMMIT,
						   MIGC_MSG_COMMITTED};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		f->msg.type = types[i];
		round_trip(f);
		assert_int_equal(encode(f), MIGC_MSG_HEADER_BYTES);
	}
}

static void an_error_with_odd_bytes_is_still_sent(void **state)
{
	struct fixture *f = *state;

	f->msg.type = MIGC_MSG_ERROR;
	f->msg.error.reason = MIGC_REASON_FAILED;
	strcpy(f->msg.error.text, "no\x1b[2J room\n");
	round_trip(f);
	assert_int_equal(f->back.error.reason, MIGC_REASON_FAILED);
	assert_string_equal(f->back.error.text, "no?[2J room?");
	f->msg.error.reason = 0;
	assert_int_equal(encode(f), -EINVAL);
}

static void a_full_buffer_is_told_and_not_overrun(void **state)
{
	struct fixture *f = *state;
	int size;

	fill_hello(&f->msg, 2);
	size = encode(f);
	for (int room = 0; room < size; room++) {
		memset(f->bytes, 0xcc, sizeof(f->bytes));
		assert_int_equal(migc_msg_encode(&f->msg, f->bytes, (size_t)room), -ENOSPC);
		assert_int_equal(f->bytes[room], 0xcc);
	}
	assert_int_equal(migc_msg_encode(&f->msg, f->bytes, (size_t)size), size);
}

static void names_are_those_of_the_document(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(migc_msg_name(MIGC_MSG_HELLO), "HELLO");
	assert_string_equal(migc_msg_name(MIGC_MSG_ERROR), "ERROR");
	assert_string_equal(migc_msg_name((enum migc_msg_type)0), "?");
	assert_string_equal(migc_msg_name(MIGC_MSG_HOLDINGS), "HOLDINGS");
	assert_string_equal(migc_msg_name((enum migc_msg_type)19), "?");
	f->msg.type = (enum migc_msg_type)19;
	assert_int_equal(encode(f), -EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hello_comes_back_field_by_field),
		TEST(hello_with_the_most_and_longest_regions_fits_the_body_limit),
		TEST(hello_of_later_versions_only_gives_its_versions),
		TEST(hello_is_not_written_when_the_receiver_would_reject_it),
		TEST(hello_ack_and_attach_carry_the_session),
		TEST(rounds_carry_their_number_and_blocks),
		TEST(page_lists_come_back),
		TEST(digests_come_back),
		TEST(an_inventory_and_what_is_held_come_back),
		TEST(the_largest_holdings_fit_the_body_limit),
		TEST(device_state_points_into_the_message),
		TEST(messages_without_a_body_are_their_header),
		TEST(an_error_with_odd_bytes_is_still_sent),
		TEST(a_full_buffer_is_told_and_not_overrun),
		TEST(names_are_those_of_the_document),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
