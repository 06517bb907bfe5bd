/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TRANSPORT_PAIR_H
#define TRANSPORT_PAIR_H

#include "../../sim/transport/sim_network.h"

/** @file A client and a server on a simulated network, and what they were told. */

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)

struct transport_end {
	struct migc_transport *transport;
	uint64_t received[MIGC_TRANSPORT_STREAMS];
	unsigned int acked;
	bool hold; /**< do not consume what comes in */
	int refuse; /**< what on_data returns */
};

struct transport_pair {
	struct sim_network *net;
	struct migc_transport_config client_config, server_config;
	struct transport_end client, server;
};

/** Configurations to be changed before transport_pair_start(). The pair owns no credentials. */
void transport_pair_init(struct transport_pair *pair,
			 const struct migc_credentials *client_credentials,
			 const struct migc_credentials *server_credentials);
void transport_pair_start(struct transport_pair *pair, const struct sim_link *link);
void transport_pair_stop(struct transport_pair *pair);
/** One more client of that configuration on the network. */
struct migc_transport *transport_pair_add_client(struct transport_pair *pair,
						 struct transport_end *end, uint16_t port);
/** Let the network run for a time. */
void transport_pair_run(struct transport_pair *pair, uint64_t duration_ns);
/** Run until the client is CONNECTED or CLOSED, and a little on. @return whether CONNECTED. */
bool transport_pair_connect(struct transport_pair *pair);
/** Queue `length` bytes of zeros on a stream, with a cookie. @return what send returned. */
int transport_pair_send(struct migc_transport *t, unsigned int stream, uint32_t length);
uint64_t transport_pair_received(const struct transport_end *end);
const char *transport_pair_error(const struct migc_transport *t);
struct migc_transport_stats transport_pair_stats(const struct migc_transport *t);

#endif
