/* SPDX-License-Identifier: BSD-3-Clause */
/* How connections begin and end: contacts, refusals, ends, bad datagrams. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint.h"
#include "endpoint_fixture.h"

static bool capture(void *ctx, const struct migc_addr *from, const struct migc_addr *to,
		    const uint8_t *data, size_t length)
{
	struct fixture *f = ctx;

	if (f->captured_count < DATAGRAMS_MAX && length <= sizeof(f->captured[0].data)) {
		struct captured *c = &f->captured[f->captured_count++];

		c->from = *from;
		c->to = *to;
		c->length = length;
		memcpy(c->data, data, length);
	}
	return f->captured_count != f->drop_ordinal;
}

static void start_captured(struct fixture *f)
{
	transport_pair_start(&f->pair, NULL);
	f->pair.net->tap = capture;
	f->pair.net->tap_ctx = f;
}

static void inject(struct fixture *f, const struct captured *c)
{
	sim_network_inject(f->pair.net, c->from, c->to, c->data, c->length);
}

static void a_first_contact_gets_a_retry_and_leaves_no_state(void **state)
{
	struct fixture *f = *state;
	struct migc_transport *server;

	start_captured(f);
	server = f->pair.server.transport;
	/* The client's first datagram goes out and in; the answer is not delivered yet. */
	assert_true(sim_network_step(f->pair.net, UINT64_MAX));
	assert_int_equal(migc_transport_state(server), MIGC_TRANSPORT_LISTEN);
	assert_null(server->conn);
	assert_null(server->tls);
	assert_int_equal(transport_pair_stats(server).retries_sent, 1);
	sim_network_step(f->pair.net, UINT64_MAX);
	assert_int_equal(f->captured_count, 2);
	/* RFC 9000 section 17.2.5: long header, packet type 3. */
	assert_int_equal(f->captured[1].data[0] & 0xf0, 0xf0);
	/* A thousand contacts more are a thousand answers at most, and still no state. */
	for (unsigned int i = 0; i < 1000; i++)
		inject(f, &f->captured[0]);
	assert_null(server->conn);
	assert_int_equal(transport_pair_stats(server).retries_sent +
				 transport_pair_stats(server).replies_dropped,
			 1001);
}

static void a_token_is_good_for_its_address_only(void **state)
{
	struct fixture *f = *state;
	struct captured stolen;

	/* The client's second datagram brings the token back. Somebody takes it for himself. */
	f->drop_ordinal = 3;
	start_captured(f);
	while (f->captured_count < 3)
		assert_true(sim_network_step(f->pair.net, UINT64_MAX));
	stolen = f->captured[2];
	assert_int_equal(stolen.from.port, 4000);
	assert_null(f->pair.server.transport->conn);
	stolen.from.ip ^= 1;
	inject(f, &stolen);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).tokens_invalid, 1);
	assert_null(f->pair.server.transport->conn);
	f->drop_ordinal = 0;
	stolen.from.ip ^= 1;
	inject(f, &stolen);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_HANDSHAKE);
	assert_true(transport_pair_connect(&f->pair));
}

static void another_version_is_answered_with_ours(void **state)
{
	struct fixture *f = *state;
	struct captured strange;
	unsigned int i;

	start_captured(f);
	sim_network_step(f->pair.net, UINT64_MAX);
	strange = f->captured[0];
	memcpy(strange.data + 1, "\x1a\x2a\x3a\x4a", 4);
	strange.from.port = 4002;
	inject(f, &strange);
	sim_network_step(f->pair.net, UINT64_MAX);
	for (i = 0; i < f->captured_count && f->captured[i].to.port != 4002; i++)
		;
	assert_int_not_equal(i, f->captured_count);
	/* Version 0 says Version Negotiation (RFC 9000 section 17.2.1). */
	assert_memory_equal(f->captured[i].data + 1, "\0\0\0\0", 4);
	assert_null(f->pair.server.transport->conn);
	/* Shorter than a first contact must be, it could be a mirror's trick. */
	strange.length = 1199;
	inject(f, &strange);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).datagrams_malformed, 1);
}

static void a_second_client_is_turned_away_while_the_first_goes_on(void **state)
{
	struct fixture *f = *state;
	struct transport_end second;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	transport_pair_add_client(&f->pair, &second, 4001);
	transport_pair_run(&f->pair, 100 * MS);
	assert_int_equal(migc_transport_state(second.transport), MIGC_TRANSPORT_CLOSED);
	assert_string_equal(transport_pair_error(second.transport),
			    "the receiver is busy with another migration");
	assert_int_equal(migc_transport_error(second.transport)->code, -EBUSY);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).refused_busy, 1);
	assert_int_equal(transport_pair_send(f->pair.client.transport, 0, 5000), 0);
	transport_pair_run(&f->pair, 100 * MS);
	assert_int_equal(f->pair.server.received[0], 5000);
}

static void a_close_brings_its_reason_to_the_peer(void **state)
{
	struct fixture *f = *state;
	struct migc_transport *client, *server;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	client = f->pair.client.transport;
	server = f->pair.server.transport;
	migc_transport_close(client, 7, "disk\x1b[2Jfull", f->pair.net->now_ns);
	assert_int_equal(migc_transport_state(client), MIGC_TRANSPORT_CLOSING);
	assert_int_equal(transport_pair_send(client, 0, 10), -ENOTCONN);
	transport_pair_run(&f->pair, 600 * MS);
	assert_int_equal(migc_transport_state(client), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_error(client)->code, 0);
	assert_int_equal(migc_transport_state(server), MIGC_TRANSPORT_CLOSED);
	assert_string_equal(transport_pair_error(server), "the peer gave up: disk?[2Jfull");
	assert_true(migc_transport_error(server)->code < 0);
}

static void a_close_with_code_0_is_no_error(void **state)
{
	struct fixture *f = *state;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	migc_transport_close(f->pair.server.transport, 0, "done", f->pair.net->now_ns);
	transport_pair_run(&f->pair, 600 * MS);
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_error(f->pair.client.transport)->code, 0);
	assert_string_equal(transport_pair_error(f->pair.client.transport),
			    "the peer closed the connection: done");
}

/** `answer_lost`: nothing comes back from the server. */
static void client_closes(struct fixture *f, bool answer_lost)
{
	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	f->pair.net->ends[1].cut = answer_lost;
	migc_transport_close(f->pair.client.transport, 0, "done", f->pair.net->now_ns);
}

/* A server says that it has heard it: its client does not wait any longer. */
static void a_close_that_was_heard_is_waited_for_no_longer(void **state)
{
	struct fixture *f = *state;

	client_closes(f, false);
	transport_pair_run(&f->pair, MS);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_error(f->pair.client.transport)->code, 0);
}

static void that_a_close_was_heard_may_be_lost(void **state)
{
	struct fixture *f = *state;

	client_closes(f, true);
	transport_pair_run(&f->pair, MS);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CLOSING);
	transport_pair_run(&f->pair, 600 * MS);
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CLOSED);
}

/* Who has seen no packet of the handshake cannot know the token. */
static void another_s_reset_does_not_end_the_closing(void **state)
{
	struct fixture *f = *state;
	uint8_t forged[64];

	client_closes(f, true);
	memset(forged, 0x55, sizeof(forged));
	for (size_t length = 1; length <= sizeof(forged); length++)
		migc_transport_read(f->pair.client.transport, &f->pair.net->ends[1].addr, forged,
				    length, f->pair.net->now_ns);
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CLOSING);
}

/* The peer goes on sending because it did not hear the close: it is told again. */
static void a_lost_close_is_said_again(void **state)
{
	struct fixture *f = *state;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	f->pair.net->ends[1].cut = true;
	migc_transport_close(f->pair.server.transport, 1, "stop", f->pair.net->now_ns);
	assert_true(sim_network_step(f->pair.net, f->pair.net->now_ns + MS) || true);
	f->pair.net->ends[1].cut = false;
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CONNECTED);
	assert_int_equal(transport_pair_send(f->pair.client.transport, 0, 100), 0);
	transport_pair_run(&f->pair, 5 * MS);
	assert_string_equal(transport_pair_error(f->pair.client.transport),
			    "the peer gave up: stop");
}

static void closing_a_server_nobody_came_to_ends_it(void **state)
{
	struct fixture *f = *state;
	struct migc_addr to;
	uint8_t data[2048];

	transport_pair_start(&f->pair, NULL);
	migc_transport_close(f->pair.server.transport, 0, "cancelled", f->pair.net->now_ns);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_write(f->pair.server.transport, data, sizeof(data), &to,
					      f->pair.net->now_ns),
			 -EPIPE);
	assert_int_equal(migc_transport_expiry(f->pair.server.transport), UINT64_MAX);
}

static void a_silent_peer_is_given_up_after_the_idle_timeout(void **state)
{
	struct fixture *f = *state;
	uint64_t cut_at_ns;

	f->pair.client_config.idle_timeout_ms = 4000;
	f->pair.server_config.idle_timeout_ms = 4000;
	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	/* Kept alive well past the timeout while the network works and nobody has data. */
	transport_pair_run(&f->pair, 20 * SECOND);
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CONNECTED);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CONNECTED);
	f->pair.net->ends[0].cut = true;
	f->pair.net->ends[1].cut = true;
	cut_at_ns = f->pair.net->now_ns;
	while (migc_transport_state(f->pair.client.transport) == MIGC_TRANSPORT_CONNECTED)
		assert_true(sim_network_step(f->pair.net, UINT64_MAX));
	/* Once for the last datagram in, and once more for the first one sent after it. */
	assert_true(f->pair.net->now_ns - cut_at_ns <= 8 * SECOND);
	assert_string_equal(
		transport_pair_error(f->pair.client.transport),
		"no answer from 10.0.0.2:4433 for 4 s: the peer or the network is gone");
	transport_pair_run(&f->pair, 8 * SECOND);
	assert_string_equal(
		transport_pair_error(f->pair.server.transport),
		"no answer from 10.0.0.1:4000 for 4 s: the peer or the network is gone");
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CLOSED);
}

static void a_client_nobody_answers_says_so(void **state)
{
	struct fixture *f = *state;

	transport_pair_start(&f->pair, NULL);
	f->pair.net->ends[1].cut = true;
	assert_false(transport_pair_connect(&f->pair));
	assert_non_null(
		strstr(transport_pair_error(f->pair.client.transport), "does a receiver run"));
}

static void a_client_gone_in_the_handshake_leaves_the_server_listening(void **state)
{
	struct fixture *f = *state;

	transport_pair_start(&f->pair, NULL);
	while (migc_transport_state(f->pair.server.transport) != MIGC_TRANSPORT_HANDSHAKE)
		assert_true(sim_network_step(f->pair.net, UINT64_MAX));
	f->pair.net->ends[0].cut = true;
	f->pair.net->ends[1].cut = true;
	transport_pair_run(&f->pair, 30 * SECOND);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_LISTEN);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).handshakes_failed, 1);
	assert_non_null(strstr(transport_pair_error(f->pair.server.transport), "fell silent"));
}

static void forged_and_replayed_datagrams_are_counted_and_harmless(void **state)
{
	struct fixture *f = *state;
	struct migc_transport_stats before, after;
	unsigned int i;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	f->pair.net->tap = capture;
	f->pair.net->tap_ctx = f;
	assert_int_equal(transport_pair_send(f->pair.client.transport, 2, 5000), 0);
	transport_pair_run(&f->pair, 50 * MS);
	assert_int_equal(f->pair.server.received[2], 5000);
	assert_true(f->captured_count >= 4);
	before = transport_pair_stats(f->pair.server.transport);
	assert_int_equal(before.datagrams_undecryptable, 0);
	for (i = 0; i < 4; i++) {
		struct captured damaged = f->captured[i];

		assert_int_equal(damaged.to.port, 4433);
		inject(f, &f->captured[i]);
		damaged.data[damaged.length - 1] ^= 0x40;
		inject(f, &damaged);
	}
	after = transport_pair_stats(f->pair.server.transport);
	assert_int_equal(after.datagrams_undecryptable, 8);
	assert_int_equal(after.datagrams_malformed, before.datagrams_malformed);
	assert_int_equal(f->pair.server.received[2], 5000);
	assert_int_equal(transport_pair_send(f->pair.client.transport, 2, 5000), 0);
	transport_pair_run(&f->pair, 50 * MS);
	assert_int_equal(f->pair.server.received[2], 10000);
}

static void what_is_not_quic_is_counted_as_malformed(void **state)
{
	struct fixture *f = *state;
	const struct captured noise = {
		.from = {.ip = 0x0a000009, .port = 53},
		.to = {.ip = 0x0a000002, .port = 4433},
		.length = 100,
		.data = "this is not a QUIC packet at all, only some text",
	};
	struct captured empty = noise;

	empty.length = 0;
	start_captured(f);
	inject(f, &noise);
	inject(f, &empty);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).datagrams_malformed, 2);
	assert_true(transport_pair_connect(&f->pair));
	inject(f, &noise);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).datagrams_malformed, 3);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CONNECTED);
}

/* Authenticated or not, a datagram from another address does not move the connection. */
static void a_datagram_from_another_address_is_not_taken(void **state)
{
	struct fixture *f = *state;
	struct captured moved;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	f->pair.net->tap = capture;
	f->pair.net->tap_ctx = f;
	f->pair.net->ends[0].cut = true;
	assert_int_equal(transport_pair_send(f->pair.client.transport, 1, 500), 0);
	sim_network_step(f->pair.net, f->pair.net->now_ns + 1000);
	assert_true(f->captured_count >= 1);
	moved = f->captured[0];
	moved.from.port++;
	inject(f, &moved);
	assert_int_equal(f->pair.server.received[1], 0);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).datagrams_malformed, 1);
	inject(f, &f->captured[0]);
	assert_int_equal(f->pair.server.received[1], 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_first_contact_gets_a_retry_and_leaves_no_state),
		TEST(a_token_is_good_for_its_address_only),
		TEST(another_version_is_answered_with_ours),
		TEST(a_second_client_is_turned_away_while_the_first_goes_on),
		TEST(a_close_brings_its_reason_to_the_peer),
		TEST(a_close_with_code_0_is_no_error),
		TEST(a_lost_close_is_said_again),
		TEST(a_close_that_was_heard_is_waited_for_no_longer),
		TEST(that_a_close_was_heard_may_be_lost),
		TEST(another_s_reset_does_not_end_the_closing),
		TEST(closing_a_server_nobody_came_to_ends_it),
		TEST(a_silent_peer_is_given_up_after_the_idle_timeout),
		TEST(a_client_nobody_answers_says_so),
		TEST(a_client_gone_in_the_handshake_leaves_the_server_listening),
		TEST(forged_and_replayed_datagrams_are_counted_and_harmless),
		TEST(what_is_not_quic_is_counted_as_malformed),
		TEST(a_datagram_from_another_address_is_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
