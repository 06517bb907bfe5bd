/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>
#include <rte_malloc.h>

#include "clock.h"
#include "engine_worker.h"
#include "send_path.h"

/** Connections before this many bytes are all in flight are no faster for more. */
#define CONNECTION_WINDOW_BYTES (24u << 20)
#define UDP_AND_IP_BYTES 28u

static int open_transport(struct engine *e, struct worker *w, struct migc_error *err)
{
	struct migc_transport_config config = {
		.server = !e->config->source,
		.credentials = e->config->credentials,
		.local = {e->config->address.ip, w->udp_port},
		.remote = e->config->connect,
		.hostname = e->config->tls_hostname,
		.payload_bytes = e->lanes->info.mtu - UDP_AND_IP_BYTES,
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
		rc = migc_codec_create(e->devices, w->number, !e->config->source, socket,
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

static int open_worker(struct engine *e, unsigned int i, struct migc_error *err)
{
	int socket = (int)rte_lcore_to_socket_id(e->lanes->lane[i].lcore);
	struct worker *w = &e->workers[i];
	int rc;

	w->index = i;
	w->count = e->worker_count;
	w->number = e->slot * e->worker_count + i;
	w->udp_port = (uint16_t)(lanes_udp_port(e->lanes, e->slot) + i);
	w->first_peer = e->config->source ? e->config->connect.ip : 0;
	w->peer_since_ns = e->renewed_ns;
	w->tx_bits_per_s = e->bandwidth.share_bits_per_s[i];
	w->foot_rung = e->foot_rung;
	if (byte_fifo_init(&w->to_peer, WORKER_FIFO_BYTES) != 0 ||
	    byte_fifo_init(&w->from_peer, WORKER_FIFO_BYTES) != 0)
		return migc_error_set(err, -ENOMEM, "no memory for worker %u: give EAL more (-m)",
				      i);
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
		one = rte_lcore_cpuset(e->lanes->lane[i].lcore);
		CPU_OR(&all, &all, &one);
	}
	spare_cpu_init(&e->spare, &all);
}

int engine_open_workers(struct engine *e, struct migc_error *err)
{
	if (e->workers == NULL)
		e->workers = rte_zmalloc("workers", e->worker_count * sizeof(*e->workers), 64);
	if (e->workers == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for %u workers", e->worker_count);
	/* those of before counted for themselves */
	bandwidth_set(&e->bandwidth, e->settings.max_bandwidth_bits, e->worker_count);
	for (unsigned int i = 0; i < e->worker_count; i++) {
		int rc = open_worker(e, i, err);

		if (rc != 0)
			return rc;
	}
	find_cpus(e);
	return 0;
}

void engine_attach_workers(struct engine *e)
{
	for (unsigned int i = 0; i < e->worker_count; i++)
		lane_attach(&e->lanes->lane[i], e->slot, &e->workers[i]);
}

static void give_back(void *worker, void *cookie)
{
	worker_on_acked(worker, cookie);
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
	byte_fifo_free(&w->to_peer);
	byte_fifo_free(&w->from_peer);
	e->codec[w->index] = NULL;
	memset(w, 0, sizeof(*w));
}

void engine_detach_workers(struct engine *e)
{
	if (e->workers == NULL)
		return;
	for (unsigned int i = 0; i < e->worker_count; i++)
		lane_detach(&e->lanes->lane[i], e->slot);
	lanes_await_detached(e->lanes, e->slot);
}

void engine_drop_workers(struct engine *e)
{
	if (e->workers == NULL)
		return;
	engine_detach_workers(e);
	engine_keep_counters(e);
	for (unsigned int i = 0; i < e->worker_count; i++)
		close_worker(e, &e->workers[i]);
	memset(e->refusals_told, 0, sizeof(e->refusals_told));
}

int engine_renew_workers(struct engine *e, struct migc_error *err)
{
	int rc;

	e->renewed_ns = clock_now_ns();
	rc = engine_open_workers(e, err);
	if (rc == 0)
		engine_attach_workers(e);
	else
		engine_drop_workers(e);
	return rc;
}

void engine_close_workers(struct engine *e)
{
	engine_drop_workers(e);
	rte_free(e->workers);
	e->workers = NULL;
}
