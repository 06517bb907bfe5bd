/* SPDX-License-Identifier: BSD-3-Clause */
/* What a connection may carry: streams, windows, queues, bursts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint.h"
#include "endpoint_fixture.h"

static void no_stream_but_the_fixed_ones_may_be_opened(void **state)
{
	struct fixture *f = *state;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	assert_int_equal(ngtcp2_conn_get_streams_uni_left(f->pair.client.transport->conn), 0);
	assert_int_equal(ngtcp2_conn_get_streams_bidi_left(f->pair.client.transport->conn), 0);
	assert_int_equal(ngtcp2_conn_get_streams_uni_left(f->pair.server.transport->conn), 0);
	assert_int_equal(ngtcp2_conn_get_streams_bidi_left(f->pair.server.transport->conn), 0);
}

static void a_peer_that_resets_a_stream_is_closed(void **state)
{
	struct fixture *f = *state;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	assert_int_equal(ngtcp2_conn_shutdown_stream_write(f->pair.client.transport->conn,
							   migc_stream_id(4), 1),
			 0);
	transport_pair_run(&f->pair, 600 * MS);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CLOSED);
	assert_string_equal(transport_pair_error(f->pair.server.transport),
			    "the peer reset a stream");
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CLOSED);
}

static void data_that_is_refused_ends_the_connection(void **state)
{
	struct fixture *f = *state;

	f->pair.server.refuse = -EBADMSG;
	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	assert_int_equal(transport_pair_send(f->pair.client.transport, 0, 10), 0);
	transport_pair_run(&f->pair, 600 * MS);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_error(f->pair.server.transport)->code, -EBADMSG);
	assert_int_equal(migc_transport_state(f->pair.client.transport), MIGC_TRANSPORT_CLOSED);
	assert_true(migc_transport_error(f->pair.client.transport)->code < 0);
}

static void the_server_may_speak_first_on_the_control_stream_only(void **state)
{
	struct fixture *f = *state;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	assert_int_equal(transport_pair_send(f->pair.server.transport, 0, 10), -EINVAL);
	assert_int_equal(transport_pair_send(f->pair.server.transport, MIGC_TRANSPORT_STREAMS, 10),
			 -EINVAL);
	assert_int_equal(
		transport_pair_send(f->pair.server.transport, MIGC_TRANSPORT_CONTROL, 3000), 0);
	transport_pair_run(&f->pair, 50 * MS);
	assert_int_equal(f->pair.client.received[MIGC_TRANSPORT_CONTROL], 3000);
	assert_int_equal(f->pair.server.acked, 1);
}

static void a_receiver_that_consumes_nothing_stops_the_stream_at_its_window(void **state)
{
	struct fixture *f = *state;

	f->pair.server.hold = true;
	f->pair.server_config.stream_window_bytes = 64 << 10;
	f->pair.server_config.connection_window_bytes = 1 << 20;
	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	assert_int_equal(transport_pair_send(f->pair.client.transport, 0, 1 << 20), 0);
	/* A stream with credit goes on past the one without. */
	assert_int_equal(transport_pair_send(f->pair.client.transport, 1, 1000), 0);
	transport_pair_run(&f->pair, 3 * SECOND);
	assert_int_equal(f->pair.server.received[0], 64 << 10);
	assert_int_equal(f->pair.server.received[1], 1000);
	assert_int_equal(migc_transport_unsent_bytes(f->pair.client.transport),
			 (1 << 20) - (64 << 10));
	/* Credit is for what was held: asking for more gives no more. */
	migc_transport_consumed(f->pair.server.transport, 0, UINT64_MAX / 2);
	transport_pair_run(&f->pair, 3 * SECOND);
	assert_int_equal(f->pair.server.received[0], 128 << 10);
	f->pair.server.hold = false;
	migc_transport_consumed(f->pair.server.transport, 0, 64 << 10);
	transport_pair_run(&f->pair, 3 * SECOND);
	assert_int_equal(f->pair.server.received[0], 1 << 20);
	assert_int_equal(migc_transport_unacked_bytes(f->pair.client.transport), 0);
}

static void all_streams_together_stop_at_the_connection_window(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	f->pair.server.hold = true;
	f->pair.server_config.connection_window_bytes = 256 << 10;
	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	for (i = 0; i < MIGC_TRANSPORT_BLOCK_STREAMS; i++)
		assert_int_equal(transport_pair_send(f->pair.client.transport, i, 100000), 0);
	transport_pair_run(&f->pair, 3 * SECOND);
	assert_int_equal(transport_pair_received(&f->pair.server), 256 << 10);
	f->pair.server.hold = false;
	for (i = 0; i < MIGC_TRANSPORT_BLOCK_STREAMS; i++)
		migc_transport_consumed(f->pair.server.transport, i, f->pair.server.received[i]);
	transport_pair_run(&f->pair, 3 * SECOND);
	assert_int_equal(transport_pair_received(&f->pair.server),
			 100000 * MIGC_TRANSPORT_BLOCK_STREAMS);
}

static void a_full_queue_takes_no_more_until_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct migc_transport *client;
	unsigned int i;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	client = f->pair.client.transport;
	for (i = 0; i < MIGC_TRANSPORT_SLICES_MAX; i++)
		assert_int_equal(transport_pair_send(client, 0, 10), 0);
	assert_int_equal(migc_transport_room(client, 0), 0);
	assert_int_equal(transport_pair_send(client, 0, 10), -ENOBUFS);
	transport_pair_run(&f->pair, 100 * MS);
	assert_int_equal(migc_transport_room(client, 0), MIGC_TRANSPORT_SLICES_MAX);
	assert_int_equal(f->pair.client.acked, MIGC_TRANSPORT_SLICES_MAX);
}

static void count_cookie(void *ctx, void *cookie)
{
	unsigned int *count = ctx;

	(void)cookie;
	++*count;
}

static void what_was_not_acknowledged_is_given_back(void **state)
{
	struct fixture *f = *state;
	unsigned int count = 0;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	f->pair.net->ends[0].cut = true;
	assert_int_equal(transport_pair_send(f->pair.client.transport, 0, 100), 0);
	assert_int_equal(transport_pair_send(f->pair.client.transport, 9, 100), 0);
	transport_pair_run(&f->pair, 50 * MS);
	migc_transport_close(f->pair.client.transport, 1, "cancelled", f->pair.net->now_ns);
	transport_pair_run(&f->pair, 1000 * MS);
	assert_int_equal(f->pair.client.acked, 0);
	migc_transport_abandon(f->pair.client.transport, count_cookie, &count);
	assert_int_equal(count, 2);
	assert_int_equal(migc_transport_unacked_bytes(f->pair.client.transport), 0);
}

static void small_slices_of_many_streams_share_packets(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	transport_pair_start(&f->pair, NULL);
	assert_true(transport_pair_connect(&f->pair));
	f->pair.net->sent = 0;
	for (i = 0; i < MIGC_TRANSPORT_BLOCK_STREAMS; i++)
		assert_int_equal(transport_pair_send(f->pair.client.transport, i, 40), 0);
	while (migc_transport_unsent_bytes(f->pair.client.transport))
		assert_true(sim_network_step(f->pair.net, UINT64_MAX));
	assert_int_equal(f->pair.net->sent, 1);
}

struct bursts {
	const struct sim_network *net;
	uint64_t at_ns;
	uint64_t bytes, longest_bytes;
};

static bool measure_burst(void *ctx, const struct migc_addr *from, const struct migc_addr *to,
			  const uint8_t *data, size_t length)
{
	struct bursts *bursts = ctx;

	(void)to;
	(void)data;
	if (from->port != 4000)
		return true;
	if (bursts->net->now_ns != bursts->at_ns)
		bursts->bytes = 0;
	bursts->at_ns = bursts->net->now_ns;
	bursts->bytes += length;
	if (bursts->bytes > bursts->longest_bytes)
		bursts->longest_bytes = bursts->bytes;
	return true;
}

static void send_on_all(struct transport_pair *pair, uint32_t length)
{
	unsigned int i;

	for (i = 0; i < MIGC_TRANSPORT_BLOCK_STREAMS; i++)
		assert_int_equal(transport_pair_send(pair->client.transport, i, length), 0);
}

/* The window is open from before, nothing is on its way, and there is much to send: the moment for
 * a burst. */
static void a_window_is_spread_over_a_long_round_trip(void **state)
{
	const struct sim_link far = {.delay_ns = 50 * MS};
	struct fixture *f = *state;
	struct bursts bursts = {0};
	uint64_t window_bytes;

	transport_pair_start(&f->pair, &far);
	assert_true(transport_pair_connect(&f->pair));
	send_on_all(&f->pair, 1 << 20);
	transport_pair_run(&f->pair, 3 * SECOND);
	assert_int_equal(migc_transport_unacked_bytes(f->pair.client.transport), 0);
	window_bytes = transport_pair_stats(f->pair.client.transport).cwnd_bytes;
	assert_true(window_bytes > 1000000);
	bursts.net = f->pair.net;
	f->pair.net->tap = measure_burst;
	f->pair.net->tap_ctx = &bursts;
	send_on_all(&f->pair, 1 << 20);
	transport_pair_run(&f->pair, 50 * MS);
	assert_true(bursts.longest_bytes < window_bytes / 8);
	transport_pair_run(&f->pair, 3 * SECOND);
	assert_int_equal(migc_transport_unacked_bytes(f->pair.client.transport), 0);
}

static void a_configuration_that_cannot_work_is_refused(void **state)
{
	struct fixture *f = *state;
	struct migc_transport *t = NULL;
	struct migc_transport_config config = f->pair.client_config;

	config.payload_bytes = 1199;
	assert_int_equal(migc_transport_create(&config, 0, &t, NULL), -EINVAL);
	config.payload_bytes = 1400;
	config.credentials = f->server;
	assert_int_equal(migc_transport_create(&config, 0, &t, NULL), -EINVAL);
	config.credentials = f->client;
	config.remote.port = 0;
	assert_int_equal(migc_transport_create(&config, 0, &t, NULL), -EINVAL);
	assert_null(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_stream_but_the_fixed_ones_may_be_opened),
		TEST(a_peer_that_resets_a_stream_is_closed),
		TEST(data_that_is_refused_ends_the_connection),
		TEST(the_server_may_speak_first_on_the_control_stream_only),
		TEST(a_receiver_that_consumes_nothing_stops_the_stream_at_its_window),
		TEST(all_streams_together_stop_at_the_connection_window),
		TEST(a_full_queue_takes_no_more_until_acknowledged),
		TEST(what_was_not_acknowledged_is_given_back),
		TEST(small_slices_of_many_streams_share_packets),
		TEST(a_window_is_spread_over_a_long_round_trip),
		TEST(a_configuration_that_cannot_work_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
