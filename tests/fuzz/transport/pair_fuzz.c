/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client and a server that are connected, and trouble: each byte says what comes next, see
 * run_one_step(). Forged datagrams must change nothing; hostile frames, sealed with the right keys,
 * may end the connection. In no case may the receiver be given more than its window.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../unit/transport/hostile_seal.h"
#include "../../unit/transport/transport_pair.h"
#include "endpoint.h"
#include "migc_cursor.h"

#define WINDOW_BYTES (64u << 10)
#define BYTES_MAX 1000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct damage {
	unsigned int at;
	uint8_t bits; /* 0: nothing waits to be damaged */
	struct transport_pair *pair;
};

/* The next datagram arrives as it is and damaged. */
static bool damage_one(void *ctx, const struct migc_addr *from, const struct migc_addr *to,
		       const uint8_t *data, size_t length)
{
	struct damage *damage = ctx;
	uint8_t copy[2048];

	if (!damage->bits || length > sizeof(copy))
		return true;
	memcpy(copy, data, length);
	copy[damage->at % length] ^= damage->bits;
	damage->bits = 0;
	sim_network_inject(damage->pair->net, *from, *to, copy, length);
	return true;
}

static size_t read_some(struct migc_reader *r, uint8_t *out)
{
	size_t length = migc_read_u16(r) % BYTES_MAX;
	const uint8_t *bytes;

	if (length > migc_reader_left(r))
		length = migc_reader_left(r);
	bytes = migc_read_bytes(r, length);
	if (bytes)
		memcpy(out, bytes, length);
	return length;
}

static void forge(struct transport_pair *pair, struct migc_reader *r, bool to_server)
{
	const struct migc_transport *t = to_server ? pair->server.transport
						   : pair->client.transport;
	const struct migc_addr *client = &pair->client_config.local;
	const struct migc_addr *server = &pair->server_config.local;
	uint8_t datagram[1 + MIGC_CID_BYTES + BYTES_MAX] = {0x40};
	size_t length;

	/* A right connection id, or no parser behind the first check would be reached. */
	if (t->cids_count)
		memcpy(datagram + 1, t->cids[0].data, MIGC_CID_BYTES);
	length = read_some(r, datagram + 1 + MIGC_CID_BYTES);
	sim_network_inject(pair->net, to_server ? *client : *server, to_server ? *server : *client,
			   datagram, 1 + MIGC_CID_BYTES + length);
}

static void be_hostile(struct migc_transport *from, struct migc_reader *r)
{
	uint8_t frames[BYTES_MAX];
	size_t length = read_some(r, frames);

	hostile_seal_next(frames, length);
	(void)transport_pair_send(from, MIGC_TRANSPORT_CONTROL, BYTES_MAX);
}

static void run_one_step(struct transport_pair *pair, struct damage *damage, struct migc_reader *r)
{
	uint8_t what = migc_read_u8(r);

	switch (what & 7) {
	case 0:
		(void)transport_pair_send(pair->client.transport, what >> 3, 1u + migc_read_u16(r));
		break;
	case 1:
		transport_pair_run(pair, (uint64_t)(what >> 3) * MS);
		break;
	case 2:
		forge(pair, r, what & 8);
		break;
	case 3:
		damage->at = migc_read_u16(r);
		damage->bits = (uint8_t)(1u << (what >> 5));
		break;
	case 4:
		be_hostile(pair->client.transport, r);
		break;
	case 5:
		be_hostile(pair->server.transport, r);
		break;
	case 6:
		migc_transport_consumed(pair->server.transport, what >> 3, migc_read_u16(r));
		break;
	default:
		if (what == 0xff)
			migc_transport_close(pair->server.transport, 1, "enough",
					     pair->net->now_ns);
		else
			sim_network_step(pair->net, pair->net->now_ns + MS);
		break;
	}
}

static void check(const struct transport_pair *pair)
{
	unsigned int i;

	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++) {
		if (pair->server.transport->streams[i].held_bytes > WINDOW_BYTES)
			abort();
	}
	if (migc_transport_state(pair->client.transport) == MIGC_TRANSPORT_CLOSING ||
	    migc_transport_state(pair->server.transport) == MIGC_TRANSPORT_CLOSING)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct migc_credentials *client, *server;
	struct transport_pair pair;
	struct damage damage = {.pair = &pair};
	struct migc_reader r;

	if (!client && (migc_credentials_insecure(false, &client, NULL) != 0 ||
			migc_credentials_insecure(true, &server, NULL) != 0))
		abort();
	hostile_seal_forget();
	transport_pair_init(&pair, client, server);
	pair.server_config.stream_window_bytes = WINDOW_BYTES;
	pair.server.hold = true;
	transport_pair_start(&pair, NULL);
	if (!transport_pair_connect(&pair))
		abort();
	pair.net->tap = damage_one;
	pair.net->tap_ctx = &damage;
	migc_reader_init(&r, data, size);
	while (migc_reader_left(&r))
		run_one_step(&pair, &damage, &r);
	transport_pair_run(&pair, 2 * SECOND);
	check(&pair);
	transport_pair_stop(&pair);
	return 0;
}
