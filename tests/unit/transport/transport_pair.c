/* SPDX-License-Identifier: BSD-3-Clause */
#include "transport_pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t zeros[1u << 20];

static int on_data(void *ctx, unsigned int stream, const uint8_t *data, size_t length)
{
	struct transport_end *end = ctx;

	(void)data;
	if (end->refuse)
		return end->refuse;
	end->received[stream] += length;
	if (!end->hold)
		migc_transport_consumed(end->transport, stream, length);
	return 0;
}

static void on_acked(void *ctx, void *cookie)
{
	struct transport_end *end = ctx;

	(void)cookie;
	end->acked++;
}

void transport_pair_init(struct transport_pair *pair,
			 const struct migc_credentials *client_credentials,
			 const struct migc_credentials *server_credentials)
{
	memset(pair, 0, sizeof(*pair));
	pair->client_config = (struct migc_transport_config){
		.credentials = client_credentials,
		.local = {.ip = 0x0a000001, .port = 4000},
		.remote = {.ip = 0x0a000002, .port = 4433},
		.payload_bytes = 1400,
		.callbacks = {.on_data = on_data, .on_acked = on_acked, .ctx = &pair->client},
	};
	pair->server_config = (struct migc_transport_config){
		.server = true,
		.credentials = server_credentials,
		.local = {.ip = 0x0a000002, .port = 4433},
		.payload_bytes = 1400,
		.callbacks = {.on_data = on_data, .on_acked = on_acked, .ctx = &pair->server},
	};
}

static struct migc_transport *add(struct transport_pair *pair,
				  const struct migc_transport_config *config)
{
	struct migc_transport *t = NULL;
	struct migc_error err = {0};

	if (migc_transport_create(config, pair->net->now_ns, &t, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	sim_network_add(pair->net, t, config->local);
	return t;
}

void transport_pair_start(struct transport_pair *pair, const struct sim_link *link)
{
	static const struct sim_link lan = {.delay_ns = 50000};

	pair->net = sim_network_create(link ? link : &lan, 1);
	pair->client.transport = add(pair, &pair->client_config);
	pair->server.transport = add(pair, &pair->server_config);
}

struct migc_transport *transport_pair_add_client(struct transport_pair *pair,
						 struct transport_end *end, uint16_t port)
{
	struct migc_transport_config config = pair->client_config;

	config.local.port = port;
	config.callbacks.ctx = end;
	memset(end, 0, sizeof(*end));
	end->transport = add(pair, &config);
	return end->transport;
}

void transport_pair_stop(struct transport_pair *pair)
{
	sim_network_free(pair->net);
}

static bool never(void *ctx)
{
	(void)ctx;
	return false;
}

void transport_pair_run(struct transport_pair *pair, uint64_t duration_ns)
{
	sim_network_run(pair->net, never, NULL, duration_ns);
}

static bool is_decided(void *ctx)
{
	const struct transport_pair *pair = ctx;
	enum migc_transport_state state = migc_transport_state(pair->client.transport);

	return state == MIGC_TRANSPORT_CONNECTED || state == MIGC_TRANSPORT_CLOSED;
}

bool transport_pair_connect(struct transport_pair *pair)
{
	sim_network_run(pair->net, is_decided, pair, 30 * SECOND);
	transport_pair_run(pair, 10 * MS);
	return migc_transport_state(pair->client.transport) == MIGC_TRANSPORT_CONNECTED;
}

int transport_pair_send(struct migc_transport *t, unsigned int stream, uint32_t length)
{
	struct migc_slice slice = {zeros, length, (void *)(uintptr_t)1};

	if (length > sizeof(zeros))
		abort();
	return migc_transport_send(t, stream, &slice, 1);
}

uint64_t transport_pair_received(const struct transport_end *end)
{
	uint64_t bytes = 0;
	unsigned int i;

	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++)
		bytes += end->received[i];
	return bytes;
}

const char *transport_pair_error(const struct migc_transport *t)
{
	return migc_transport_error(t)->text;
}

struct migc_transport_stats transport_pair_stats(const struct migc_transport *t)
{
	struct migc_transport_stats stats;

	migc_transport_stats(t, &stats);
	return stats;
}
