/* SPDX-License-Identifier: BSD-3-Clause */
/* Connections whose ends have chosen each their sealer: suites, renewed keys, loss, forgeries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "credentials.h"
#include "endpoint.h"
#include "endpoint_fixture.h"

#define AES_128 "AES-128-GCM"
#define AES_256 "AES-256-GCM"
#define CHACHA20 "CHACHA20-POLY1305"

/* Not asked of IPsec-MB, so that a choice gone wrong does not skip its own test. */
static bool cpu_can(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}

static void allow_only(struct migc_credentials *credentials, const char *cipher)
{
	char priority[256];

	snprintf(priority, sizeof(priority),
		 "NORMAL:-VERS-ALL:+VERS-TLS1.3:%%DISABLE_TLS13_COMPAT_MODE:-CIPHER-ALL:+%s",
		 cipher);
	gnutls_priority_deinit(credentials->priority);
	assert_int_equal(gnutls_priority_init(&credentials->priority, priority, NULL), 0);
}

static void start(struct fixture *f, enum migc_transport_sealer client,
		  enum migc_transport_sealer server, const char *cipher, uint32_t loss_per_billion)
{
	const struct sim_link link = {
		.delay_ns = 50000,
		.bits_per_s = 200000000,
		.loss_per_billion = loss_per_billion,
	};

	if (!cpu_can() &&
	    (client == MIGC_TRANSPORT_SEALER_IPSEC_MB || server == MIGC_TRANSPORT_SEALER_IPSEC_MB))
		skip();
	allow_only(f->client, cipher);
	f->pair.client_config.sealer = client;
	f->pair.server_config.sealer = server;
	transport_pair_start(&f->pair, &link);
	assert_true(transport_pair_connect(&f->pair));
}

static void transfer(struct fixture *f, uint32_t bytes)
{
	struct transport_pair *pair = &f->pair;
	uint64_t down = pair->client.received[MIGC_TRANSPORT_CONTROL];
	uint64_t up = pair->server.received[5];

	assert_int_equal(transport_pair_send(pair->client.transport, 5, bytes), 0);
	assert_int_equal(transport_pair_send(pair->server.transport, MIGC_TRANSPORT_CONTROL, bytes),
			 0);
	transport_pair_run(pair, 3 * SECOND);
	assert_int_equal(pair->server.received[5], up + bytes);
	assert_int_equal(pair->client.received[MIGC_TRANSPORT_CONTROL], down + bytes);
}

/* All places are free: nothing that was ever made is left over. */
static void assert_no_key_left(struct migc_transport *t)
{
	static const uint8_t key[16];
	unsigned int i;

	assert_null(t->conn);
	if (migc_packet_sealer_chosen(t->sealer) != &migc_packet_seal_ipsec_mb)
		return;
	for (i = 0; i < MIGC_PACKET_KEYS_MAX; i++)
		assert_non_null(migc_packet_key_new(t->sealer, key, sizeof(key)));
}

static void close_and_look_for_keys(struct fixture *f)
{
	migc_transport_close(f->pair.client.transport, 0, "done", f->pair.net->now_ns);
	transport_pair_run(&f->pair, 5 * SECOND);
	assert_no_key_left(f->pair.client.transport);
	assert_no_key_left(f->pair.server.transport);
}

static void renew_keys(struct migc_transport *t, struct fixture *f)
{
	assert_non_null(t->conn);
	assert_int_equal(ngtcp2_conn_initiate_key_update(t->conn, f->pair.net->now_ns), 0);
}

static void gets_on(struct fixture *f, enum migc_transport_sealer client,
		    enum migc_transport_sealer server, const char *cipher)
{
	unsigned int i;

	start(f, client, server, cipher, 20000000);
	assert_string_equal(migc_transport_sealer_name(f->pair.client.transport),
			    client == MIGC_TRANSPORT_SEALER_GNUTLS ? "gnutls" : "ipsec-mb");
	assert_string_equal(migc_transport_sealer_name(f->pair.server.transport),
			    server == MIGC_TRANSPORT_SEALER_GNUTLS ? "gnutls" : "ipsec-mb");
	transfer(f, 300000);
	for (i = 0; i < 3; i++) {
		renew_keys(f->pair.client.transport, f);
		transfer(f, 200000);
		renew_keys(f->pair.server.transport, f);
		transfer(f, 200000);
	}
	assert_true(transport_pair_stats(f->pair.client.transport).lost > 0);
	assert_int_equal(transport_pair_stats(f->pair.client.transport).datagrams_undecryptable, 0);
	assert_int_equal(transport_pair_stats(f->pair.server.transport).datagrams_undecryptable, 0);
	close_and_look_for_keys(f);
}

#define GNUTLS MIGC_TRANSPORT_SEALER_GNUTLS
#define IPSEC_MB MIGC_TRANSPORT_SEALER_IPSEC_MB

static void gnutls_gets_on_with_ipsec_mb_over_loss_and_key_updates(void **state)
{
	gets_on(*state, GNUTLS, IPSEC_MB, AES_128);
}

static void gnutls_gets_on_with_ipsec_mb_with_256_bits(void **state)
{
	gets_on(*state, GNUTLS, IPSEC_MB, AES_256);
}

static void ipsec_mb_gets_on_with_gnutls_over_loss_and_key_updates(void **state)
{
	gets_on(*state, IPSEC_MB, GNUTLS, AES_128);
}

static void ipsec_mb_gets_on_with_gnutls_with_256_bits(void **state)
{
	gets_on(*state, IPSEC_MB, GNUTLS, AES_256);
}

static void ipsec_mb_gets_on_with_itself(void **state)
{
	gets_on(*state, IPSEC_MB, IPSEC_MB, AES_128);
}

static void gnutls_gets_on_with_itself(void **state)
{
	gets_on(*state, GNUTLS, GNUTLS, AES_128);
}

static void keys_are_renewed_while_data_is_in_flight(void **state)
{
	struct fixture *f = *state;
	unsigned int i, renewed = 0;

	start(f, GNUTLS, IPSEC_MB, AES_128, 10000000);
	for (i = 1; i <= 4; i++)
		assert_int_equal(transport_pair_send(f->pair.client.transport, i, 1000000), 0);
	/* One that comes too early is refused by ngtcp2: the last is not confirmed yet. */
	for (i = 0; i < 20000 && transport_pair_received(&f->pair.server) < 4000000; i++) {
		sim_network_step(f->pair.net, f->pair.net->now_ns + MS);
		assert_non_null(f->pair.client.transport->conn);
		renewed += ngtcp2_conn_initiate_key_update(f->pair.client.transport->conn,
							   f->pair.net->now_ns) == 0;
	}
	assert_int_equal(transport_pair_received(&f->pair.server), 4000000);
	assert_true(renewed >= 5);
	close_and_look_for_keys(f);
}

static void chacha20_is_left_to_gnutls(void **state)
{
	struct fixture *f = *state;

	allow_only(f->server, CHACHA20);
	start(f, MIGC_TRANSPORT_SEALER_AUTO, IPSEC_MB, CHACHA20, 0);
	assert_string_equal(migc_transport_sealer_name(f->pair.client.transport), "gnutls");
	assert_string_equal(migc_transport_sealer_name(f->pair.server.transport), "gnutls");
	transfer(f, 100000);
	renew_keys(f->pair.client.transport, f);
	transfer(f, 100000);
	close_and_look_for_keys(f);
}

static void ipsec_mb_is_the_choice_where_the_cpu_can(void **state)
{
	struct fixture *f = *state;

	start(f, MIGC_TRANSPORT_SEALER_AUTO, MIGC_TRANSPORT_SEALER_AUTO, AES_128, 0);
	assert_string_equal(migc_transport_sealer_name(f->pair.client.transport),
			    cpu_can() ? "ipsec-mb" : "gnutls");
}

/* A copy with a bit of its tag changed arrives before the datagram itself. */
static bool damage_tag(void *ctx, const struct migc_addr *from, const struct migc_addr *to,
		       const uint8_t *data, size_t length)
{
	struct fixture *f = ctx;
	uint8_t copy[2048];

	if (to->port != f->pair.server_config.local.port || length > sizeof(copy) ||
	    ++f->seen % 4 != 0)
		return true;
	memcpy(copy, data, length);
	copy[length - 1 - f->seen % MIGC_PACKET_TAG_BYTES] ^= (uint8_t)(1u << f->seen % 8);
	f->damaged++;
	sim_network_inject(f->pair.net, *from, *to, copy, length);
	return true;
}

static void a_wrong_tag_is_counted_and_gives_no_data(void **state)
{
	struct fixture *f = *state;
	struct migc_transport_stats stats;

	start(f, GNUTLS, IPSEC_MB, AES_128, 0);
	f->pair.net->tap = damage_tag;
	f->pair.net->tap_ctx = f;
	transfer(f, 300000);
	f->pair.net->tap = NULL;
	stats = transport_pair_stats(f->pair.server.transport);
	assert_true(f->damaged > 50);
	assert_int_equal(stats.datagrams_undecryptable, f->damaged);
	assert_int_equal(f->pair.server.received[5], 300000);
}

/* The server has keys of IPsec-MB for a client that never finishes. */
static void a_server_keeps_no_key_of_a_handshake_that_failed(void **state)
{
	struct fixture *f = *state;
	struct transport_end other;
	unsigned int i;

	if (!cpu_can())
		skip();
	f->pair.server_config.sealer = IPSEC_MB;
	transport_pair_start(&f->pair, NULL);
	for (i = 0; i < 300 && !f->pair.server.transport->conn; i++)
		sim_network_step(f->pair.net, f->pair.net->now_ns + MS);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_HANDSHAKE);
	f->pair.net->ends[0].cut = true;
	transport_pair_run(&f->pair, 15 * SECOND);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_LISTEN);
	transport_pair_add_client(&f->pair, &other, 4001);
	transport_pair_run(&f->pair, SECOND);
	assert_int_equal(migc_transport_state(other.transport), MIGC_TRANSPORT_CONNECTED);
	migc_transport_close(other.transport, 0, "done", f->pair.net->now_ns);
	transport_pair_run(&f->pair, 5 * SECOND);
	assert_no_key_left(f->pair.server.transport);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gnutls_gets_on_with_ipsec_mb_over_loss_and_key_updates),
		TEST(gnutls_gets_on_with_ipsec_mb_with_256_bits),
		TEST(ipsec_mb_gets_on_with_gnutls_over_loss_and_key_updates),
		TEST(ipsec_mb_gets_on_with_gnutls_with_256_bits),
		TEST(ipsec_mb_gets_on_with_itself),
		TEST(gnutls_gets_on_with_itself),
		TEST(keys_are_renewed_while_data_is_in_flight),
		TEST(chacha20_is_left_to_gnutls),
		TEST(ipsec_mb_is_the_choice_where_the_cpu_can),
		TEST(a_wrong_tag_is_counted_and_gives_no_data),
		TEST(a_server_keeps_no_key_of_a_handshake_that_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
