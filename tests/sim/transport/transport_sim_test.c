/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole transfers over a bad network, in virtual time. The argument names the case; each is a test
 * of its own. Two more may name the sealers of client and server: "auto" or "gnutls".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim_network.h"

#define PERCENT 10000000u
#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define MBIT UINT64_C(1000000)
#define SLICE_BYTES_MAX 40000u
/* Slices of a stream may overlap in memory: what they hold is checked by its place in the stream.
 */
#define PATTERN_BYTES (1u << 20)

struct sim_case {
	const char *name;
	struct sim_link link;
	uint32_t payload_bytes;
	uint32_t bytes_a_stream;
	enum migc_transport_cc cc;
	bool lossy; /* losses must be seen and counted */
};

static const struct sim_case cases[] = {
	{"perfect_link", {.delay_ns = 50000}, 1252, 600000, MIGC_TRANSPORT_CUBIC, false},
	{"jumbo_frames", {.delay_ns = 50000}, 8972, 900000, MIGC_TRANSPORT_CUBIC, false},
	{"largest_payload", {.delay_ns = 50000}, 65527, 900000, MIGC_TRANSPORT_CUBIC, false},
	{"loss_0_1_percent",
	 {.loss_per_billion = PERCENT / 10, .delay_ns = MS},
	 1252,
	 600000,
	 MIGC_TRANSPORT_CUBIC,
	 true},
	{"loss_5_percent",
	 {.loss_per_billion = 5 * PERCENT, .delay_ns = MS},
	 1252,
	 200000,
	 MIGC_TRANSPORT_CUBIC,
	 true},
	{"loss_5_percent_jumbo",
	 {.loss_per_billion = 5 * PERCENT, .delay_ns = MS},
	 8972,
	 400000,
	 MIGC_TRANSPORT_CUBIC,
	 true},
	{"reordered_and_duplicated",
	 {.reorder_per_billion = 10 * PERCENT,
	  .duplicate_per_billion = 5 * PERCENT,
	  .delay_ns = MS},
	 1400,
	 300000,
	 MIGC_TRANSPORT_CUBIC,
	 false},
	{"corrupted",
	 {.corrupt_per_billion = 3 * PERCENT, .delay_ns = MS},
	 1252,
	 200000,
	 MIGC_TRANSPORT_CUBIC,
	 true},
	{"delay_100_ms", {.delay_ns = 50 * MS}, 1400, 300000, MIGC_TRANSPORT_CUBIC, false},
	{"delay_200_ms_and_loss",
	 {.loss_per_billion = PERCENT, .delay_ns = 100 * MS},
	 1400,
	 100000,
	 MIGC_TRANSPORT_CUBIC,
	 true},
	{"narrow_link_short_queue",
	 {.bits_per_s = 100 * MBIT, .queue_bytes = 60000, .delay_ns = 5 * MS},
	 1400,
	 300000,
	 MIGC_TRANSPORT_CUBIC,
	 false},
	{"everything_at_once",
	 {.loss_per_billion = 2 * PERCENT,
	  .duplicate_per_billion = PERCENT,
	  .corrupt_per_billion = PERCENT,
	  .reorder_per_billion = 3 * PERCENT,
	  .delay_ns = 10 * MS,
	  .bits_per_s = 200 * MBIT},
	 1252,
	 200000,
	 MIGC_TRANSPORT_CUBIC,
	 true},
	{"bbr_loss_1_percent",
	 {.loss_per_billion = PERCENT, .delay_ns = MS, .bits_per_s = 1000 * MBIT},
	 1400,
	 300000,
	 MIGC_TRANSPORT_BBR,
	 true},
};

struct sim_run {
	struct sim_case sim_case;
	enum migc_transport_sealer client_sealer, server_sealer;
};

struct sender {
	uint32_t queued[MIGC_TRANSPORT_STREAMS]; /* bytes */
	uint32_t slices[MIGC_TRANSPORT_STREAMS];
	uint32_t acked_slices[MIGC_TRANSPORT_STREAMS];
	bool out_of_order;
};

struct transfer {
	const struct sim_case *sim_case;
	const struct sim_run *run;
	struct sim_network *net;
	struct migc_transport *client, *server;
	struct migc_random random;
	uint8_t *pattern;
	struct sender up, down; /* from the client; from the server on the control stream */
	uint64_t received[MIGC_TRANSPORT_STREAMS];
	uint64_t received_down;
	bool damaged;
};

/* The cookie says which slice of which stream it is, counted from 1. */
static void *make_cookie(unsigned int stream, uint32_t ordinal)
{
	return (void *)((uintptr_t)stream << 32 | (ordinal + 1));
}

static void on_acked(struct sender *sender, void *cookie)
{
	unsigned int stream = (unsigned int)((uintptr_t)cookie >> 32);

	if ((uint32_t)(uintptr_t)cookie != ++sender->acked_slices[stream])
		sender->out_of_order = true;
}

static void on_acked_up(void *ctx, void *cookie)
{
	struct transfer *transfer = ctx;

	on_acked(&transfer->up, cookie);
}

static void on_acked_down(void *ctx, void *cookie)
{
	struct transfer *transfer = ctx;

	on_acked(&transfer->down, cookie);
}

/* Byte `offset` of a stream. */
static const uint8_t *pattern_at(const struct transfer *transfer, unsigned int stream,
				 uint64_t offset)
{
	return transfer->pattern + (offset + stream * 61u) % PATTERN_BYTES;
}

static int on_data_at_server(void *ctx, unsigned int stream, const uint8_t *data, size_t length)
{
	struct transfer *transfer = ctx;

	if (memcmp(data, pattern_at(transfer, stream, transfer->received[stream]), length) != 0)
		transfer->damaged = true;
	transfer->received[stream] += length;
	migc_transport_consumed(transfer->server, stream, length);
	return 0;
}

static int on_data_at_client(void *ctx, unsigned int stream, const uint8_t *data, size_t length)
{
	struct transfer *transfer = ctx;

	if (stream != MIGC_TRANSPORT_CONTROL ||
	    memcmp(data, pattern_at(transfer, stream, transfer->received_down), length) != 0)
		transfer->damaged = true;
	transfer->received_down += length;
	migc_transport_consumed(transfer->client, stream, length);
	return 0;
}

static void fill_stream(struct transfer *transfer, struct migc_transport *t, struct sender *sender,
			unsigned int stream)
{
	uint32_t total = transfer->sim_case->bytes_a_stream;

	while (sender->queued[stream] < total && migc_transport_room(t, stream)) {
		uint32_t length =
			1 + (uint32_t)(migc_random_next(&transfer->random) % SLICE_BYTES_MAX);
		struct migc_slice slice;

		if (length > total - sender->queued[stream])
			length = total - sender->queued[stream];
		slice.data = pattern_at(transfer, stream, sender->queued[stream]);
		slice.length = length;
		slice.cookie = make_cookie(stream, sender->slices[stream]);
		if (migc_transport_send(t, stream, &slice, 1) != 0)
			return;
		sender->queued[stream] += length;
		sender->slices[stream]++;
	}
}

static bool all_done(void *ctx)
{
	struct transfer *transfer = ctx;
	uint32_t total = transfer->sim_case->bytes_a_stream;
	unsigned int i;

	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++)
		fill_stream(transfer, transfer->client, &transfer->up, i);
	fill_stream(transfer, transfer->server, &transfer->down, MIGC_TRANSPORT_CONTROL);
	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++) {
		if (transfer->received[i] < total)
			return false;
	}
	return transfer->received_down == total &&
	       !migc_transport_unacked_bytes(transfer->client) &&
	       !migc_transport_unacked_bytes(transfer->server);
}

static struct migc_transport *make_end(struct transfer *transfer, bool server,
				       const struct migc_credentials *credentials)
{
	struct migc_addr client_addr = {.ip = 0x0a000001, .port = 4000};
	struct migc_addr server_addr = {.ip = 0x0a000002, .port = 4433};
	struct migc_transport_config config = {
		.server = server,
		.credentials = credentials,
		.local = server ? server_addr : client_addr,
		.remote = server_addr,
		.payload_bytes = transfer->sim_case->payload_bytes,
		.cc = transfer->sim_case->cc,
		.sealer = server ? transfer->run->server_sealer : transfer->run->client_sealer,
		.callbacks = {.on_data = server ? on_data_at_server : on_data_at_client,
			      .on_acked = server ? on_acked_down : on_acked_up,
			      .ctx = transfer},
	};
	struct migc_error err = {0};
	struct migc_transport *t = NULL;

	assert_int_equal(migc_transport_create(&config, transfer->net->now_ns, &t, &err), 0);
	sim_network_add(transfer->net, t, config.local);
	return t;
}

static void check_counts(const struct transfer *transfer)
{
	struct migc_transport_stats client, server;

	migc_transport_stats(transfer->client, &client);
	migc_transport_stats(transfer->server, &server);
	if (transfer->sim_case->lossy) {
		assert_true(client.lost > 0);
		assert_true(client.retransmitted_bytes > 0);
	}
	if (!transfer->net->lost && !transfer->net->corrupted &&
	    !transfer->sim_case->link.reorder_per_billion)
		assert_int_equal(client.lost, 0);
	if (transfer->sim_case->link.corrupt_per_billion)
		assert_true(server.datagrams_undecryptable > 0);
	else if (transfer->sim_case->link.duplicate_per_billion)
		assert_true(server.datagrams_undecryptable > 0);
	assert_int_equal(server.retries_sent > 0, 1);
}

static void delivers_all_once_and_in_order(void **state)
{
	const struct sim_run *run = *state;
	const struct sim_case *sim_case = &run->sim_case;
	struct transfer transfer = {.sim_case = sim_case, .run = run};
	struct migc_credentials *client_credentials = NULL;
	struct migc_credentials *server_credentials = NULL;
	unsigned int i;

	transfer.pattern = malloc(PATTERN_BYTES + SIM_DATAGRAM_BYTES);
	assert_non_null(transfer.pattern);
	migc_random_seed(&transfer.random, 7);
	/* Long enough behind the end for any slice and any frame: they do not wrap in memory. */
	for (i = 0; i < PATTERN_BYTES + SIM_DATAGRAM_BYTES; i++)
		transfer.pattern[i] = i < PATTERN_BYTES
					      ? (uint8_t)migc_random_next(&transfer.random)
					      : transfer.pattern[i - PATTERN_BYTES];
	assert_int_equal(migc_credentials_insecure(false, &client_credentials, NULL), 0);
	assert_int_equal(migc_credentials_insecure(true, &server_credentials, NULL), 0);
	transfer.net = sim_network_create(&sim_case->link, 42);
	transfer.client = make_end(&transfer, false, client_credentials);
	transfer.server = make_end(&transfer, true, server_credentials);

	if (!sim_network_run(transfer.net, all_done, &transfer, 600 * SECOND))
		print_message("client: %s; server: %s\n",
			      migc_transport_error(transfer.client)->text,
			      migc_transport_error(transfer.server)->text);
	assert_true(all_done(&transfer));
	assert_false(transfer.damaged);
	assert_false(transfer.up.out_of_order);
	assert_false(transfer.down.out_of_order);
	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++) {
		assert_int_equal(transfer.received[i], sim_case->bytes_a_stream);
		assert_int_equal(transfer.up.acked_slices[i], transfer.up.slices[i]);
	}
	assert_int_equal(transfer.down.acked_slices[MIGC_TRANSPORT_CONTROL],
			 transfer.down.slices[MIGC_TRANSPORT_CONTROL]);
	check_counts(&transfer);

	sim_network_free(transfer.net);
	migc_credentials_free(client_credentials);
	migc_credentials_free(server_credentials);
	free(transfer.pattern);
}

static enum migc_transport_sealer parse_sealer(const char *name)
{
	return strcmp(name, "gnutls") ? MIGC_TRANSPORT_SEALER_AUTO : MIGC_TRANSPORT_SEALER_GNUTLS;
}

int main(int argc, char **argv)
{
	unsigned int i;

	for (i = 0; (argc == 2 || argc == 4) && i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sim_run run = {.sim_case = cases[i]};
		const struct CMUnitTest tests[] = {
			{cases[i].name, delivers_all_once_and_in_order, NULL, NULL, &run},
		};

		if (argc == 4) {
			run.client_sealer = parse_sealer(argv[2]);
			run.server_sealer = parse_sealer(argv[3]);
		}
		if (!strcmp(argv[1], cases[i].name))
			return cmocka_run_group_tests(tests, NULL, NULL);
	}
	fprintf(stderr, "usage: %s CASE [SEALER SEALER]\n", argv[0]);
	return 2;
}
