/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "checksum.h"
#include "inet_frames.h"
#include "migc_random.h"

static uint8_t frame[FRAME_BYTES];

static struct migc_inet_stats stats_of(const struct migc_inet *inet)
{
	struct migc_inet_stats stats;

	migc_inet_stats(inet, &stats);
	return stats;
}

static void a_datagram_for_us_gives_its_payload(void **state)
{
	struct migc_inet *inet = new_inet(1500);

	(void)state;
	for (size_t bytes = 0; bytes <= 1472; bytes++) {
		size_t length = make_udp(frame, bytes);
		struct migc_inet_rx rx = input_at(inet, frame, length, 0, SECOND);

		assert_int_equal(rx.verdict, MIGC_INET_UDP);
		assert_int_equal(rx.payload_bytes, bytes);
		assert_ptr_equal(rx.payload, frame + 42);
		assert_int_equal(rx.from.ip, PEER_IP);
		assert_int_equal(rx.from.port, 4433);
		assert_int_equal(rx.to_port, 4444);
	}
	assert_int_equal(stats_of(inet).rx_udp, 1473);
	migc_inet_free(inet);
}

static void ethernets_padding_is_not_payload(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	struct migc_inet_rx rx;

	(void)state;
	memset(frame, 0xee, sizeof(frame));
	make_udp(frame, 4);
	rx = input_at(inet, frame, 60, 0, SECOND);
	assert_int_equal(rx.verdict, MIGC_INET_UDP);
	assert_int_equal(rx.payload_bytes, 4);
	migc_inet_free(inet);
}

static void options_before_the_datagram_are_skipped(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	uint8_t plain[FRAME_BYTES];
	struct migc_inet_rx rx;
	size_t length;

	(void)state;
	length = make_udp(plain, 10);
	memcpy(frame, plain, 34);
	memset(frame + 34, 1, 8); /* no-operation options */
	memcpy(frame + 42, plain + 34, length - 34);
	frame[14] = 0x47;
	put16(frame + 16, 28 + 18);
	put16(frame + 24, 0);
	put16(frame + 24, ~plain_sum(frame + 14, 28, 0) & 0xffff);
	rx = input_at(inet, frame, length + 8, 0, SECOND);
	assert_int_equal(rx.verdict, MIGC_INET_UDP);
	assert_ptr_equal(rx.payload, frame + 50);
	assert_int_equal(rx.payload_bytes, 10);
	migc_inet_free(inet);
}

/** Each has one thing wrong, and one counter that says which. */
static void what_is_not_ours_or_not_whole_is_counted_and_dropped(void **state)
{
	static const struct {
		unsigned int at; /**< byte that is changed */
		uint8_t value;
		bool sum; /**< make the header's checksum right again */
		size_t counter;
	} cases[] = {
		{0, 0x04, false, offsetof(struct migc_inet_stats, rx_not_ours)}, /* other MAC */
		{12, 0x86, false, offsetof(struct migc_inet_stats, rx_not_ours)}, /* EtherType */
		{33, 0x63, true, offsetof(struct migc_inet_stats, rx_not_ours)}, /* address */
		{23, 6, true, offsetof(struct migc_inet_stats, rx_not_ours)}, /* TCP */
		{20, 0x20, true, offsetof(struct migc_inet_stats, rx_fragments)}, /* more */
		{21, 0x01, true, offsetof(struct migc_inet_stats, rx_fragments)}, /* offset */
		{14, 0x65, true, offsetof(struct migc_inet_stats, rx_malformed)}, /* version */
		{14, 0x44, true, offsetof(struct migc_inet_stats, rx_malformed)}, /* header */
		{16, 0x40, true, offsetof(struct migc_inet_stats, rx_malformed)}, /* too long */
		{38, 0x40, false, offsetof(struct migc_inet_stats, rx_malformed)}, /* UDP length */
		{24, 0x01, false, offsetof(struct migc_inet_stats, rx_bad_checksum)},
		{60, 0x99, false, offsetof(struct migc_inet_stats, rx_bad_checksum)}, /* payload */
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct migc_inet *inet = new_inet(1500);
		size_t length = make_udp(frame, 100);
		struct migc_inet_stats stats;
		uint64_t counted;

		frame[cases[i].at] = cases[i].value;
		if (cases[i].sum) {
			put16(frame + 24, 0);
			put16(frame + 24, ~plain_sum(frame + 14, 20, 0) & 0xffff);
		}
		print_message("byte %u\n", cases[i].at);
		assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_DROP);
		stats = stats_of(inet);
		memcpy(&counted, (const uint8_t *)&stats + cases[i].counter, sizeof(counted));
		assert_int_equal(counted, 1);
		assert_int_equal(stats.rx_udp, 0);
		migc_inet_free(inet);
	}
}

static void no_truncation_is_taken(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t whole = make_udp(frame, 30);

	(void)state;
	for (size_t length = 0; length < whole; length++) {
		make_udp(frame, 30);
		assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_DROP);
	}
	assert_int_equal(stats_of(inet).rx_malformed, whole);
	migc_inet_free(inet);
}

static void what_the_port_checked_is_not_checked_again(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_udp(frame, 30);

	(void)state;
	put16(frame + 24, 0x1111);
	put16(frame + 40, 0x2222);
	assert_int_equal(input_at(inet, frame, length,
				  MIGC_INET_IP_CHECKSUM_GOOD | MIGC_INET_UDP_CHECKSUM_GOOD, SECOND)
				 .verdict,
			 MIGC_INET_UDP);
	assert_int_equal(input_at(inet, frame, length, MIGC_INET_IP_CHECKSUM_GOOD, SECOND).verdict,
			 MIGC_INET_DROP);
	migc_inet_free(inet);
}

static void a_datagram_without_checksum_is_taken(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_udp(frame, 30);

	(void)state;
	put16(frame + 40, 0);
	assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_UDP);
	migc_inet_free(inet);
}

static void ping_is_answered_with_what_it_brought(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_echo(frame, 56);
	uint8_t request[FRAME_BYTES];
	struct migc_inet_rx rx;

	(void)state;
	memcpy(request, frame, length);
	rx = input_at(inet, frame, length, 0, SECOND);
	assert_int_equal(rx.verdict, MIGC_INET_REPLY);
	assert_int_equal(rx.reply_bytes, length);
	assert_memory_equal(frame, peer_mac, 6);
	assert_memory_equal(frame + 6, own_mac, 6);
	assert_memory_equal(frame + 26, request + 30, 4);
	assert_memory_equal(frame + 30, request + 26, 4);
	assert_int_equal(plain_sum(frame + 14, 20, 0), 0xffff);
	assert_int_equal(plain_sum(frame + 34, length - 34, 0), 0xffff);
	assert_int_equal(frame[34], 0);
	assert_memory_equal(frame + 38, request + 38, length - 38);
	/* damaged on its way */
	make_echo(frame, 56);
	frame[50] ^= 1;
	assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_DROP);
	assert_int_equal(stats_of(inet).rx_bad_checksum, 1);
	assert_int_equal(stats_of(inet).rx_echo, 1);
	/* the reply to it is nothing to answer */
	make_echo(frame, 56);
	frame[34] = 0;
	assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_DROP);
	migc_inet_free(inet);
}

static void what_is_sent_is_what_a_station_takes(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	const struct migc_addr to = {PEER_IP, 4444};

	(void)state;
	migc_inet_learn(inet, PEER_IP, peer_mac, SECOND);
	for (size_t bytes = 0; bytes <= 1472; bytes++) {
		uint8_t *payload = frame + 42;
		size_t length = 0;

		for (size_t i = 0; i < bytes; i++)
			payload[i] = (uint8_t)(i * 7);
		assert_int_equal(
			migc_inet_output(inet, payload, bytes, &to, 4433, 0, SECOND, &length), 0);
		assert_int_equal(length, bytes + 42);
		assert_memory_equal(frame, peer_mac, 6);
		assert_memory_equal(frame + 6, own_mac, 6);
		assert_int_equal(get16(frame + 16), bytes + 28);
		assert_int_equal(plain_sum(frame + 14, 20, 0), 0xffff);
		assert_int_not_equal(get16(frame + 40), 0);
		assert_int_equal(
			plain_sum(frame + 34, bytes + 8, pseudo_sum(frame + 14, bytes + 8)),
			0xffff);
		assert_int_equal(get16(frame + 34), 4433);
		assert_int_equal(get16(frame + 36), 4444);
	}
	migc_inet_free(inet);
}

static void a_ports_offload_gets_the_sum_it_goes_on_from(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	const struct migc_addr to = {PEER_IP, 4444};
	size_t length;

	(void)state;
	migc_inet_learn(inet, PEER_IP, peer_mac, SECOND);
	memset(frame, 0x5a, sizeof(frame));
	assert_int_equal(
		migc_inet_output(inet, frame + 42, 100, &to, 4433,
				 MIGC_INET_IP_CHECKSUM_OFFLOAD | MIGC_INET_UDP_CHECKSUM_OFFLOAD,
				 SECOND, &length),
		0);
	assert_int_equal(get16(frame + 24), 0);
	assert_int_equal(get16(frame + 40), pseudo_sum(frame + 14, 108));
	migc_inet_free(inet);
}

static void larger_than_the_mtu_is_refused(void **state)
{
	struct migc_inet *inet = new_inet(1280);
	const struct migc_addr to = {PEER_IP, 1};
	size_t length;

	(void)state;
	migc_inet_learn(inet, PEER_IP, peer_mac, SECOND);
	assert_int_equal(migc_inet_output(inet, frame + 42, 1252, &to, 1, 0, SECOND, &length), 0);
	assert_int_equal(migc_inet_output(inet, frame + 42, 1253, &to, 1, 0, SECOND, &length),
			 -EMSGSIZE);
	migc_inet_free(inet);
}

static void what_is_not_on_the_link_goes_by_the_gateway(void **state)
{
	struct migc_inet_config config = {.address = {OWN_IP, 24}, .mtu = 1500};
	struct migc_inet *inet = new_inet(1500);
	const struct migc_addr far = {FAR_IP, 1}, self = {OWN_IP, 1};
	struct migc_error err = {0};
	size_t length;

	(void)state;
	assert_int_equal(migc_inet_output(inet, frame + 42, 10, &far, 1, 0, SECOND, &length),
			 -EAGAIN);
	migc_inet_learn(inet, GATEWAY_IP, other_mac, SECOND);
	assert_int_equal(migc_inet_output(inet, frame + 42, 10, &far, 1, 0, SECOND, &length), 0);
	assert_memory_equal(frame, other_mac, 6);
	assert_int_equal(migc_inet_output(inet, frame + 42, 10, &self, 1, 0, SECOND, &length),
			 -EHOSTUNREACH);
	migc_inet_free(inet);
	assert_int_equal(migc_inet_create(&config, &inet, &err), 0);
	assert_int_equal(migc_inet_output(inet, frame + 42, 10, &far, 1, 0, SECOND, &length),
			 -EHOSTUNREACH);
	assert_int_equal(stats_of(inet).tx_no_route, 1);
	migc_inet_free(inet);
}

static void addresses_that_are_no_hosts_are_refused(void **state)
{
	static const uint32_t bad[] = {0, 0xe0000001u, 0xffffffffu};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct migc_inet_config config = {.address = {bad[i], 24}, .mtu = 1500};
		struct migc_error err = {0};
		struct migc_inet *inet;

		assert_int_equal(migc_inet_create(&config, &inet, &err), -EINVAL);
		assert_true(err.text[0]);
	}
}

static void sums_are_the_plain_ones_for_any_length(void **state)
{
	struct migc_random random;
	uint8_t data[300];

	(void)state;
	migc_random_seed(&random, 7);
	for (size_t length = 0; length <= sizeof(data); length++) {
		for (size_t i = 0; i < length; i++)
			data[i] = length % 3 ? (uint8_t)migc_random_next(&random) : 0xff;
		assert_int_equal(checksum_fold(checksum_sum(data, length)) % 0xffff,
				 plain_sum(data, length, 0) % 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_for_us_gives_its_payload),
		cmocka_unit_test(ethernets_padding_is_not_payload),
		cmocka_unit_test(options_before_the_datagram_are_skipped),
		cmocka_unit_test(what_is_not_ours_or_not_whole_is_counted_and_dropped),
		cmocka_unit_test(no_truncation_is_taken),
		cmocka_unit_test(what_the_port_checked_is_not_checked_again),
		cmocka_unit_test(a_datagram_without_checksum_is_taken),
		cmocka_unit_test(ping_is_answered_with_what_it_brought),
		cmocka_unit_test(what_is_sent_is_what_a_station_takes),
		cmocka_unit_test(a_ports_offload_gets_the_sum_it_goes_on_from),
		cmocka_unit_test(larger_than_the_mtu_is_refused),
		cmocka_unit_test(what_is_not_on_the_link_goes_by_the_gateway),
		cmocka_unit_test(addresses_that_are_no_hosts_are_refused),
		cmocka_unit_test(sums_are_the_plain_ones_for_any_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
