/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "inet_frames.h"

static uint8_t frame[FRAME_BYTES];
static const struct migc_addr to_peer = {PEER_IP, 4444};

static int send_at(struct migc_inet *inet, uint64_t now_ns)
{
	static uint8_t datagram[128];
	size_t length;
	int rc = migc_inet_output(inet, datagram + 42, 10, &to_peer, 1, 0, now_ns, &length);

	if (rc == 0)
		memcpy(frame, datagram, length);
	return rc;
}

static size_t poll_at(struct migc_inet *inet, uint64_t now_ns)
{
	return migc_inet_poll(inet, frame, sizeof(frame), now_ns);
}

static void nothing_is_asked_before_something_is_sent(void **state)
{
	struct migc_inet *inet = new_inet(1500);

	(void)state;
	assert_int_equal(poll_at(inet, SECOND), 0);
	migc_inet_free(inet);
}

static void an_unknown_neighbour_is_asked_for_and_then_sent_to(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	struct migc_inet_stats stats;
	struct migc_inet_rx rx;
	size_t length;

	(void)state;
	assert_false(migc_inet_ready(inet, PEER_IP, 0, SECOND));
	assert_int_equal(poll_at(inet, SECOND), 60);
	assert_int_equal(send_at(inet, SECOND), -EAGAIN);
	assert_memory_equal(frame, broadcast_mac, 6);
	assert_memory_equal(frame + 6, own_mac, 6);
	assert_int_equal(get16(frame + 20), 1);
	assert_int_equal(get16(frame + 40), PEER_IP & 0xffff);
	assert_int_equal(poll_at(inet, SECOND), 0);
	length = make_arp(frame, own_mac, 2, peer_mac, PEER_IP, OWN_IP);
	rx = input_at(inet, frame, length, 0, SECOND);
	assert_int_equal(rx.verdict, MIGC_INET_ARP);
	assert_int_equal(rx.learned_ip, PEER_IP);
	assert_memory_equal(rx.learned_mac, peer_mac, 6);
	assert_true(migc_inet_ready(inet, PEER_IP, 0, SECOND));
	assert_int_equal(send_at(inet, SECOND), 0);
	assert_memory_equal(frame, peer_mac, 6);
	migc_inet_stats(inet, &stats);
	assert_int_equal(stats.tx_unresolved, 1);
	assert_int_equal(stats.tx_arp, 1);
	migc_inet_free(inet);
}

static void a_request_is_repeated_soon_then_each_second_while_wanted(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	unsigned int requests = 0;

	(void)state;
	send_at(inet, SECOND);
	for (uint64_t now = SECOND; now < 21 * SECOND; now += SECOND / 100) {
		if (now < 11 * SECOND)
			send_at(inet, now);
		requests += poll_at(inet, now) > 0;
	}
	/* ten within the first second, then 14 until it is 5 s that nobody wanted it */
	assert_in_range(requests, 22, 26);
	assert_int_equal(poll_at(inet, 21 * SECOND), 0);
	migc_inet_free(inet);
}

static void a_request_for_us_is_answered_and_its_sender_learned(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_arp(frame, broadcast_mac, 1, peer_mac, PEER_IP, OWN_IP);
	struct migc_inet_rx rx = input_at(inet, frame, length, 0, SECOND);

	(void)state;
	assert_int_equal(rx.verdict, MIGC_INET_ARP_REPLY);
	assert_int_equal(rx.reply_bytes, 60);
	assert_memory_equal(frame, peer_mac, 6);
	assert_int_equal(get16(frame + 20), 2);
	assert_memory_equal(frame + 22, own_mac, 6);
	assert_memory_equal(frame + 32, peer_mac, 6);
	assert_int_equal(send_at(inet, SECOND), 0);
	migc_inet_free(inet);
}

static void a_request_for_another_is_not_answered(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_arp(frame, broadcast_mac, 1, peer_mac, PEER_IP, OWN_IP + 5);

	(void)state;
	assert_int_equal(input_at(inet, frame, length, 0, SECOND).reply_bytes, 0);
	/* RFC 826: nor is who is new learned from it */
	assert_int_equal(send_at(inet, SECOND), -EAGAIN);
	migc_inet_free(inet);
}

static void a_neighbour_that_moves_is_followed(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length;

	(void)state;
	migc_inet_learn(inet, PEER_IP, peer_mac, SECOND);
	length = make_arp(frame, broadcast_mac, 2, other_mac, PEER_IP, PEER_IP);
	input_at(inet, frame, length, 0, 2 * SECOND);
	assert_int_equal(send_at(inet, 2 * SECOND), 0);
	assert_memory_equal(frame, other_mac, 6);
	migc_inet_free(inet);
}

static void a_neighbour_that_is_doubted_is_asked_for_again_on_all_the_link(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length;

	(void)state;
	migc_inet_learn(inet, PEER_IP, peer_mac, 2 * SECOND);
	assert_true(migc_inet_ready(inet, PEER_IP, 2 * SECOND, 3 * SECOND));
	assert_int_equal(poll_at(inet, 3 * SECOND), 0);
	assert_false(migc_inet_ready(inet, PEER_IP, 3 * SECOND, 3 * SECOND));
	assert_int_equal(send_at(inet, 3 * SECOND), -EAGAIN);
	/* whoever has it now has another MAC: the one that is known is no use */
	assert_int_equal(poll_at(inet, 3 * SECOND), 60);
	assert_memory_equal(frame, broadcast_mac, 6);
	length = make_arp(frame, own_mac, 2, other_mac, PEER_IP, OWN_IP);
	input_at(inet, frame, length, 0, 4 * SECOND);
	assert_true(migc_inet_ready(inet, PEER_IP, 3 * SECOND, 4 * SECOND));
	assert_int_equal(send_at(inet, 4 * SECOND), 0);
	assert_memory_equal(frame, other_mac, 6);
	migc_inet_free(inet);
}

static void a_gateway_is_doubted_for_those_behind_it(void **state)
{
	struct migc_inet *inet = new_inet(1500);

	(void)state;
	migc_inet_learn(inet, GATEWAY_IP, peer_mac, SECOND);
	assert_true(migc_inet_ready(inet, FAR_IP, 0, 2 * SECOND));
	assert_false(migc_inet_ready(inet, FAR_IP, 2 * SECOND, 2 * SECOND));
	assert_int_equal(poll_at(inet, 2 * SECOND), 60);
	assert_int_equal(get16(frame + 40), GATEWAY_IP & 0xffff);
	migc_inet_free(inet);
}

static void an_announcement_tells_the_link_who_has_our_address_twice(void **state)
{
	struct migc_inet *inet = new_inet(1500);

	(void)state;
	migc_inet_announce(inet);
	assert_int_equal(poll_at(inet, SECOND), 60);
	/* RFC 5227, 2.3: a request, of all, in which sender and target are the address */
	assert_memory_equal(frame, broadcast_mac, 6);
	assert_memory_equal(frame + 6, own_mac, 6);
	assert_int_equal(get16(frame + 20), 1);
	assert_memory_equal(frame + 22, own_mac, 6);
	assert_memory_equal(frame + 28, frame + 38, 4);
	assert_int_equal(get16(frame + 28) << 16 | get16(frame + 30), OWN_IP);
	assert_int_equal(poll_at(inet, 2 * SECOND), 0);
	assert_int_equal(poll_at(inet, 3 * SECOND), 60);
	for (unsigned int i = 4; i < 20; i++)
		assert_int_equal(poll_at(inet, i * SECOND), 0);
	migc_inet_free(inet);
}

static void an_announcement_moves_who_is_known_and_adds_nobody(void **state)
{
	struct migc_inet *announcing, *inet = new_inet(1500);
	struct migc_inet_config config = {
		.mac = {2, 0, 0, 0, 0, 9}, .address = {PEER_IP, 24}, .mtu = 1500};
	struct migc_error err = {0};

	(void)state;
	assert_int_equal(migc_inet_create(&config, &announcing, &err), 0);
	migc_inet_announce(announcing);
	assert_int_equal(poll_at(announcing, SECOND), 60);
	input_at(inet, frame, 60, 0, SECOND);
	assert_int_equal(send_at(inet, SECOND), -EAGAIN);
	migc_inet_learn(inet, PEER_IP, peer_mac, SECOND);
	assert_int_equal(poll_at(announcing, 3 * SECOND), 60);
	input_at(inet, frame, 60, 0, 3 * SECOND);
	assert_int_equal(send_at(inet, 3 * SECOND), 0);
	assert_memory_equal(frame, other_mac, 6);
	migc_inet_free(announcing);
	migc_inet_free(inet);
}

static void an_address_that_is_not_on_the_link_is_not_learned(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_arp(frame, own_mac, 1, peer_mac, FAR_IP, OWN_IP);
	struct migc_inet_stats stats;

	(void)state;
	assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_DROP);
	migc_inet_stats(inet, &stats);
	assert_int_equal(stats.rx_arp_off_link, 1);
	assert_int_equal(stats.rx_arp, 0);
	migc_inet_free(inet);
}

static void who_probes_for_our_address_is_answered_and_not_learned(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_arp(frame, broadcast_mac, 1, other_mac, 0, OWN_IP);
	struct migc_inet_rx rx = input_at(inet, frame, length, 0, SECOND);

	(void)state;
	assert_int_equal(rx.verdict, MIGC_INET_ARP_REPLY);
	assert_memory_equal(frame + 22, own_mac, 6);
	/* nothing is known of 0.0.0.0, nor asked */
	assert_int_equal(poll_at(inet, SECOND), 0);
	migc_inet_free(inet);
}

static void somebody_with_our_address_is_counted_and_not_believed(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_arp(frame, broadcast_mac, 1, other_mac, OWN_IP, PEER_IP);
	struct migc_inet_stats stats;

	(void)state;
	assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_DROP);
	migc_inet_stats(inet, &stats);
	assert_int_equal(stats.rx_address_conflict, 1);
	migc_inet_free(inet);
}

static void a_group_address_is_nobodys(void **state)
{
	struct migc_inet *inet = new_inet(1500);
	size_t length = make_arp(frame, own_mac, 2, broadcast_mac, PEER_IP, OWN_IP);

	(void)state;
	input_at(inet, frame, length, 0, SECOND);
	assert_int_equal(send_at(inet, SECOND), -EAGAIN);
	migc_inet_free(inet);
}

static void frames_that_are_no_arp_for_ethernet_are_malformed(void **state)
{
	static const unsigned int bytes[] = {15, 17, 18, 19, 21};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		struct migc_inet *inet = new_inet(1500);
		size_t length = make_arp(frame, own_mac, 2, peer_mac, PEER_IP, OWN_IP);
		struct migc_inet_stats stats;

		frame[bytes[i]] ^= 0x40;
		assert_int_equal(input_at(inet, frame, length, 0, SECOND).verdict, MIGC_INET_DROP);
		migc_inet_stats(inet, &stats);
		assert_int_equal(stats.rx_malformed, 1);
		migc_inet_free(inet);
	}
}

static void an_entry_in_use_is_confirmed_before_it_is_forgotten(void **state)
{
	struct migc_inet *inet = new_inet(1500);

	(void)state;
	migc_inet_learn(inet, PEER_IP, peer_mac, SECOND);
	send_at(inet, 20 * SECOND);
	assert_int_equal(poll_at(inet, 20 * SECOND), 0);
	assert_int_equal(send_at(inet, 32 * SECOND), 0);
	assert_int_equal(poll_at(inet, 32 * SECOND), 60);
	/* only to who is known, so that nobody else has to look */
	assert_memory_equal(frame, peer_mac, 6);
	assert_int_equal(send_at(inet, 60 * SECOND), 0);
	assert_int_equal(send_at(inet, 122 * SECOND), -EAGAIN);
	migc_inet_free(inet);
}

static void a_full_table_forgets_what_was_used_longest_ago(void **state)
{
	struct migc_inet *inet = new_inet(1500);

	(void)state;
	migc_inet_learn(inet, PEER_IP, peer_mac, SECOND);
	for (uint32_t i = 0; i < 1000; i++) {
		send_at(inet, SECOND * (2 + i));
		migc_inet_learn(inet, 0x0a000100u + i, other_mac, SECOND * (2 + i));
		migc_inet_learn(inet, PEER_IP, peer_mac, SECOND * (2 + i));
	}
	assert_int_equal(send_at(inet, SECOND * 1002), 0);
	migc_inet_free(inet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_asked_before_something_is_sent),
		cmocka_unit_test(an_unknown_neighbour_is_asked_for_and_then_sent_to),
		cmocka_unit_test(a_request_is_repeated_soon_then_each_second_while_wanted),
		cmocka_unit_test(a_request_for_us_is_answered_and_its_sender_learned),
		cmocka_unit_test(a_request_for_another_is_not_answered),
		cmocka_unit_test(a_neighbour_that_moves_is_followed),
		cmocka_unit_test(a_neighbour_that_is_doubted_is_asked_for_again_on_all_the_link),
		cmocka_unit_test(a_gateway_is_doubted_for_those_behind_it),
		cmocka_unit_test(an_announcement_tells_the_link_who_has_our_address_twice),
		cmocka_unit_test(an_announcement_moves_who_is_known_and_adds_nobody),
		cmocka_unit_test(an_address_that_is_not_on_the_link_is_not_learned),
		cmocka_unit_test(who_probes_for_our_address_is_answered_and_not_learned),
		cmocka_unit_test(somebody_with_our_address_is_counted_and_not_believed),
		cmocka_unit_test(a_group_address_is_nobodys),
		cmocka_unit_test(frames_that_are_no_arp_for_ethernet_are_malformed),
		cmocka_unit_test(an_entry_in_use_is_confirmed_before_it_is_forgotten),
		cmocka_unit_test(a_full_table_forgets_what_was_used_longest_ago),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
