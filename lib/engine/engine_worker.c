/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#include "clock.h"
#include "engine_worker.h"
#include "send_path.h"

#define RX_RING_FRAMES 1024u
#define TX_RING_FRAMES 256u
/** Ephemeral ports of a source: one block of WORKERS_MAX, chosen at random for each run. */
#define SOURCE_PORT_FIRST 49152u
#define SOURCE_PORT_BLOCKS 500u
/** Connections before this many bytes are all in flight are no faster for more. */
#define CONNECTION_WINDOW_BYTES (24u << 20)
#define UDP_AND_IP_BYTES 28u

static struct rte_ring *make_ring(const char *kind, unsigned int index, unsigned int count,
				  int socket)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", kind, index);
	return rte_ring_create(name, count, socket, RING_F_SC_DEQ);
}

static uint16_t source_port_base(void)
{
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint16_t)clock_now_ns();
	return (uint16_t)(SOURCE_PORT_FIRST + random % SOURCE_PORT_BLOCKS * WORKERS_MAX);
}

static int open_network(struct engine *e, struct worker *w, struct migc_error *err)
{
	struct migc_inet_config inet = {
		.address = e->config->address,
		.gateway = e->config->gateway,
		.mtu = e->port_info.mtu,
	};

	memcpy(inet.mac, e->port_info.mac, sizeof(inet.mac));
	return migc_inet_create(&inet, &w->inet, err);
}

static int open_transport(struct engine *e, struct worker *w, struct migc_error *err)
{
	struct migc_transport_config config = {
		.server = !e->config->source,
		.credentials = e->config->credentials,
		.local = {e->config->address.ip, w->udp_port},
		.remote = e->config->connect,
		.hostname = e->config->tls_hostname,
		.payload_bytes = e->port_info.mtu - UDP_AND_IP_BYTES,
		.stream_window_bytes = WORKER_FIFO_BYTES,
		.connection_window_bytes = CONNECTION_WINDOW_BYTES,
		.callbacks = {worker_on_data, worker_on_acked, w},
	};

	config.remote.port = (uint16_t)(config.remote.port + w->index);
	return migc_transport_create(&config, clock_now_ns(), &w->transport, err);
}

static int open_path(struct engine *e, struct worker *w, int socket, struct migc_error *err)
{
	int rc = 0;

	if (engine_codecs(e) != 1u << MIGC_CODEC_RAW)
		rc = migc_codec_create(e->devices, w->index, !e->config->source, socket,
				       &e->codec[w->index], err);
	if (rc != 0)
		return rc;
	if (e->config->source) {
		struct send_path_config config = {
			.worker = w,
			.guestmem = e->gm,
			.codec = e->codec[w->index],
			.devices = e->devices,
			.codecs = engine_codecs(e),
			.adapts = e->config->codec_auto,
			.codec_id = e->config->codec_id,
			.socket = socket,
		};

		return send_path_create(&config, &w->send, err);
	} else {
		struct receive_path_config config = {w, &e->shared, e->codec[w->index], socket};

		return receive_path_create(&config, &w->receive, err);
	}
}

static int open_worker(struct engine *e, struct worker *w, uint16_t port_base,
		       struct migc_error *err)
{
	int socket = (int)rte_lcore_to_socket_id(w->lcore);
	int rc;

	w->count = e->worker_count;
	w->all = e->workers;
	w->port = &e->port_info;
	w->queue = migc_port_queue(&e->port_info, w->index);
	w->polls = w->index < e->port_info.queues;
	w->pool = migc_port_pool(e->port, w->index);
	w->udp_port_base = port_base;
	w->udp_port = (uint16_t)(port_base + w->index);
	worker_find_pause(w);
	w->tx_bits_per_s = e->bandwidth.share_bits_per_s[w->index];
	migc_inject_init(&w->inject_rx, &e->config->inject, 2 * w->index);
	migc_inject_init(&w->inject_tx, &e->config->inject, 2 * w->index + 1);
	w->rx_ring = make_ring("rx", w->index, RX_RING_FRAMES, socket);
	if (w->polls && e->port_info.queues < e->worker_count)
		w->tx_ring = make_ring("tx", w->index, TX_RING_FRAMES, socket);
	if (w->rx_ring == NULL ||
	    (w->tx_ring == NULL && w->polls && e->port_info.queues < e->worker_count) ||
	    byte_fifo_init(&w->to_peer, WORKER_FIFO_BYTES) != 0 ||
	    byte_fifo_init(&w->from_peer, WORKER_FIFO_BYTES) != 0)
		return migc_error_set(err, -ENOMEM, "no memory for worker %u: give EAL more (-m)",
				      w->index);
	rc = open_network(e, w, err);
	if (rc == 0)
		rc = open_transport(e, w, err);
	if (rc == 0)
		rc = open_path(e, w, socket, err);
	return rc;
}

/** The CPUs that the workers may run on. */
static void find_cpus(struct engine *e)
{
	cpu_set_t all, one;

	CPU_ZERO(&all);
	for (unsigned int i = 0; i < e->worker_count; i++) {
		one = rte_lcore_cpuset(e->workers[i].lcore);
		CPU_OR(&all, &all, &one);
	}
	spare_cpu_init(&e->spare, &all);
}

int engine_open_workers(struct engine *e, struct migc_error *err)
{
	uint16_t port_base = e->config->source ? source_port_base() : e->config->udp_port;
	unsigned int lcore = rte_get_main_lcore();
	int rc = 0;

	e->workers = rte_zmalloc("workers", e->worker_count * sizeof(*e->workers), 64);
	if (e->workers == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for %u workers", e->worker_count);
	bandwidth_set(&e->bandwidth, e->config->max_bandwidth_bits, e->worker_count);
	if (!e->single)
		lcore = rte_get_next_lcore(-1U, 1, 0);
	for (unsigned int i = 0; i < e->worker_count && rc == 0; i++) {
		e->workers[i].index = i;
		e->workers[i].lcore = lcore;
		rc = open_worker(e, &e->workers[i], port_base, err);
		if (!e->single)
			lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	find_cpus(e);
	return rc;
}

static void give_back(void *worker, void *cookie)
{
	worker_on_acked(worker, cookie);
}

static void free_ring(struct rte_ring *ring)
{
	void *m;

	if (ring == NULL)
		return;
	while (rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

static void close_worker(struct engine *e, struct worker *w)
{
	if (w->transport) {
		migc_transport_abandon(w->transport, give_back, w);
		migc_transport_free(w->transport);
	}
	/* first: a device may still read or write what the paths have */
	migc_codec_free(e->codec[w->index]);
	send_path_free(w->send);
	receive_path_free(w->receive);
	migc_inet_free(w->inet);
	migc_inject_drain(&w->inject_rx);
	migc_inject_drain(&w->inject_tx);
	for (unsigned int i = 0; i < w->tx_count; i++)
		rte_pktmbuf_free(w->tx_pending[w->tx_first + i]);
	free_ring(w->rx_ring);
	free_ring(w->tx_ring);
	byte_fifo_free(&w->to_peer);
	byte_fifo_free(&w->from_peer);
}

void engine_close_workers(struct engine *e)
{
	if (e->workers == NULL)
		return;
	for (unsigned int i = 0; i < e->worker_count; i++)
		close_worker(e, &e->workers[i]);
	rte_free(e->workers);
	e->workers = NULL;
}
