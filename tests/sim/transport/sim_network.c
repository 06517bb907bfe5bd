/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim_network.h"

#include <stdlib.h>
#include <string.h>

struct sim_network *sim_network_create(const struct sim_link *link, uint64_t seed)
{
	struct sim_network *net = calloc(1, sizeof(*net));

	if (!net)
		abort();
	net->link = *link;
	net->now_ns = UINT64_C(1000000000);
	migc_random_seed(&net->random, seed);
	return net;
}

void sim_network_free(struct sim_network *net)
{
	unsigned int i;

	while (net->in_flight) {
		struct sim_datagram *next = net->in_flight->next;

		free(net->in_flight);
		net->in_flight = next;
	}
	for (i = 0; i < net->ends_count; i++)
		migc_transport_free(net->ends[i].transport);
	free(net);
}

unsigned int sim_network_add(struct sim_network *net, struct migc_transport *transport,
			     struct migc_addr addr)
{
	struct sim_end *end = &net->ends[net->ends_count];

	end->transport = transport;
	end->addr = addr;
	end->free_at_ns = net->now_ns;
	return net->ends_count++;
}

static void enqueue(struct sim_network *net, const struct sim_end *from, const struct migc_addr *to,
		    const uint8_t *data, size_t length, uint64_t due_ns)
{
	struct sim_datagram *datagram = malloc(sizeof(*datagram) + length);
	struct sim_datagram **at = &net->in_flight;

	if (!datagram)
		abort();
	datagram->due_ns = due_ns;
	datagram->from = from->addr;
	datagram->to = *to;
	datagram->length = length;
	memcpy(datagram->data, data, length);
	if (migc_random_chance(&net->random, net->link.corrupt_per_billion)) {
		uint64_t where = migc_random_next(&net->random);

		datagram->data[where % length] ^= (uint8_t)(1u << (where >> 32) % 8);
		net->corrupted++;
	}
	while (*at && (*at)->due_ns <= due_ns)
		at = &(*at)->next;
	datagram->next = *at;
	*at = datagram;
}

static void transmit(struct sim_network *net, struct sim_end *from, const struct migc_addr *to,
		     const uint8_t *data, size_t length)
{
	const struct sim_link *link = &net->link;
	uint64_t start_ns = from->free_at_ns > net->now_ns ? from->free_at_ns : net->now_ns;
	uint64_t wire_ns = 0;
	uint64_t due_ns;

	net->sent++;
	if (net->tap && !net->tap(net->tap_ctx, &from->addr, to, data, length))
		return;
	if (link->bits_per_s) {
		uint64_t waiting_bytes =
			(start_ns - net->now_ns) * (link->bits_per_s / 8) / 1000000000;

		if (link->queue_bytes && waiting_bytes + length > link->queue_bytes) {
			net->lost++;
			return;
		}
		wire_ns = length * 8 * 1000000000 / link->bits_per_s;
	}
	from->free_at_ns = start_ns + wire_ns;
	if (from->cut || migc_random_chance(&net->random, link->loss_per_billion)) {
		net->lost++;
		return;
	}
	due_ns = start_ns + wire_ns + link->delay_ns;
	if (migc_random_chance(&net->random, link->reorder_per_billion))
		due_ns += migc_random_next(&net->random) % (4 * link->delay_ns + 1000);
	enqueue(net, from, to, data, length, due_ns);
	if (migc_random_chance(&net->random, link->duplicate_per_billion)) {
		net->duplicated++;
		enqueue(net, from, to, data, length, due_ns + link->delay_ns / 2);
	}
}

static void send_all(struct sim_network *net)
{
	unsigned int i;

	for (i = 0; i < net->ends_count; i++) {
		struct sim_end *end = &net->ends[i];
		struct migc_addr to;
		int length;

		while ((length = migc_transport_write(end->transport, net->buffer,
						      sizeof(net->buffer), &to, net->now_ns)) > 0)
			transmit(net, end, &to, net->buffer, (size_t)length);
	}
}

/* The endpoint gets the datagram's own memory, with nothing behind it that may be read. */
static void deliver(struct sim_network *net, struct sim_datagram *datagram)
{
	unsigned int i;

	for (i = 0; i < net->ends_count; i++) {
		if (net->ends[i].addr.ip != datagram->to.ip ||
		    net->ends[i].addr.port != datagram->to.port)
			continue;
		migc_transport_read(net->ends[i].transport, &datagram->from, datagram->data,
				    datagram->length, net->now_ns);
	}
}

void sim_network_inject(struct sim_network *net, struct migc_addr from, struct migc_addr to,
			const uint8_t *data, size_t length)
{
	struct sim_datagram *datagram = malloc(sizeof(*datagram) + length);

	if (!datagram)
		abort();
	datagram->from = from;
	datagram->to = to;
	datagram->length = length;
	memcpy(datagram->data, data, length);
	deliver(net, datagram);
	free(datagram);
}

static uint64_t next_event(const struct sim_network *net)
{
	uint64_t next_ns = net->in_flight ? net->in_flight->due_ns : UINT64_MAX;
	unsigned int i;

	for (i = 0; i < net->ends_count; i++) {
		uint64_t expiry_ns = migc_transport_expiry(net->ends[i].transport);

		if (expiry_ns < next_ns)
			next_ns = expiry_ns;
	}
	return next_ns;
}

bool sim_network_step(struct sim_network *net, uint64_t limit_ns)
{
	uint64_t next_ns;
	unsigned int i;

	send_all(net);
	next_ns = next_event(net);
	if (next_ns > limit_ns) {
		net->now_ns = limit_ns;
		return false;
	}
	/* An expiry in the past is due now, and time moves on in any case. */
	net->now_ns = next_ns > net->now_ns ? next_ns : net->now_ns + 1;
	while (net->in_flight && net->in_flight->due_ns <= net->now_ns) {
		struct sim_datagram *datagram = net->in_flight;

		net->in_flight = datagram->next;
		deliver(net, datagram);
		free(datagram);
	}
	for (i = 0; i < net->ends_count; i++) {
		if (migc_transport_expiry(net->ends[i].transport) <= net->now_ns)
			migc_transport_expire(net->ends[i].transport, net->now_ns);
	}
	return true;
}

bool sim_network_run(struct sim_network *net, bool (*done)(void *ctx), void *ctx, uint64_t limit_ns)
{
	uint64_t until_ns = net->now_ns + limit_ns;

	while (!done(ctx)) {
		if (!sim_network_step(net, until_ns))
			return done(ctx);
	}
	return true;
}
