/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "clock.h"
#include "engine.h"
#include "engine_worker.h"
#include "migc_leave.h"
#include "send_path.h"
#include "seqlock.h"

#define PROGRESS_EVERY_NS UINT64_C(100000000)
#define MEMORY_EVERY_NS UINT64_C(250000000)
#define ALL_CODECS ((1u << MIGC_CODEC_COUNT) - 1)
#define DISCONNECT_NS UINT64_C(1000000000)
#define PEERS_CLOSES_NS UINT64_C(200000000)
#define LAST_WORD_NS UINT64_C(10000000)
#define MAIN_SLEEP_NS 2000000
#define MAIN_SLEEP_HURRY_NS 30000

void engine_pump(struct engine *e)
{
	lanes_pump(e->lanes, e->hurry ? MAIN_SLEEP_HURRY_NS : MAIN_SLEEP_NS);
}

void engine_hurry(struct engine *e, bool hurry)
{
	if (e->hurry == hurry)
		return;
	e->hurry = hurry;
	for (unsigned int i = 0; i < e->worker_count; i++)
		__atomic_store_n(&e->workers[i].hurry, hurry, __ATOMIC_RELAXED);
}

void engine_idle(void *engine)
{
	struct engine *e = engine;

	if (e->lanes && e->lanes->single && e->lanes->launched)
		lane_turn(&e->lanes->lane[0]);
}

enum migc_transport_state engine_worker_state(const struct engine *e, unsigned int worker)
{
	/* pairs with the release in publish_state() */
	return (enum migc_transport_state)__atomic_load_n(&e->workers[worker].transport_state,
							  __ATOMIC_ACQUIRE);
}

const struct migc_error *engine_failure(const struct engine *e)
{
	for (unsigned int i = 0; i < e->worker_count; i++) {
		/* pairs with the release in worker_fail() */
		if (__atomic_load_n(&e->workers[i].failed, __ATOMIC_ACQUIRE))
			return &e->workers[i].failure;
	}
	return NULL;
}

void engine_start_worker(struct engine *e, unsigned int worker)
{
	/* pairs with the acquire in worker_turn() */
	__atomic_store_n(&e->workers[worker].started, 1, __ATOMIC_RELEASE);
}

static void publish_shares(struct engine *e)
{
	for (unsigned int i = 0; i < e->connections; i++)
		__atomic_store_n(&e->workers[i].tx_bits_per_s, e->bandwidth.share_bits_per_s[i],
				 __ATOMIC_RELAXED);
}

void engine_limit_bandwidth(struct engine *e, uint64_t bits_per_s)
{
	bandwidth_set(&e->bandwidth, bits_per_s, e->connections);
	publish_shares(e);
}

void engine_share_bandwidth(struct engine *e, uint64_t now_ns)
{
	uint64_t sent_bytes[WORKERS_MAX];

	if (e->bandwidth.bits_per_s == 0 || now_ns - e->bandwidth.last_ns < BANDWIDTH_PERIOD_NS)
		return;
	for (unsigned int i = 0; i < e->connections; i++) {
		struct worker_counters c;

		worker_read_counters(&e->workers[i], &c);
		sent_bytes[i] = c.wire_bytes;
	}
	bandwidth_share(&e->bandwidth, e->connections, sent_bytes, now_ns);
	publish_shares(e);
}

/** Peers that were turned away are worth a line each: somebody may be knocking. */
static void tell_refusals(struct engine *e)
{
	for (unsigned int i = 0; i < e->worker_count; i++) {
		const struct worker *w = &e->workers[i];
		/* pairs with the release in publish_state() */
		uint32_t refusals = __atomic_load_n(&w->refusals, __ATOMIC_ACQUIRE);
		struct migc_error refusal;

		if (refusals == e->refusals_told[i])
			continue;
		e->refusals_told[i] = refusals;
		/* the next one may be refused meanwhile */
		seqlock_read(&w->refusal_sequence, &refusal, &w->refusal, sizeof(refusal));
		migc_log(e->config->log, MIGC_LOG_WARNING, "a peer was refused: %s", refusal.text);
	}
}

void engine_tell(struct engine *e, const char *state)
{
	uint64_t now = clock_now_ns();

	if (e->state != state) {
		e->state = state;
		if (e->config->state)
			e->config->state(e->config->ctx, state);
		if (e->config->control) {
			engine_fill_report(e, state);
			engine_control_publish(e, now);
		}
	}
	if (now - e->memory_ns >= MEMORY_EVERY_NS) {
		uint64_t own = engine_own_bytes();

		e->memory_ns = now;
		if (own > e->own_bytes_peak)
			e->own_bytes_peak = own;
	}
	if (now - e->progress_ns < PROGRESS_EVERY_NS)
		return;
	e->progress_ns = now;
	tell_refusals(e);
	if (e->devices && !e->shares)
		migc_codec_devices_tell(e->devices);
	engine_fill_report(e, state);
	engine_control_publish(e, now);
	if (e->config->progress)
		e->config->progress(e->config->ctx, e->report);
}

static uint32_t own_codecs(const struct migc_engine_config *config)
{
	if (!config->source || config->codec_auto)
		return ALL_CODECS;
	return 1u << MIGC_CODEC_RAW | 1u << config->codec_id;
}

uint32_t engine_codecs(const struct engine *e)
{
	bool none = e->devices && migc_codec_devices_count(e->devices) == 0;

	if (e->config->source && e->config->codec_auto && none)
		return ALL_CODECS & ~(1u << MIGC_CODEC_DEFLATE);
	return own_codecs(e->config);
}

int engine_open_devices(const struct migc_engine_config *config, const struct lanes *lanes,
			unsigned int sessions, struct migc_codec_devices **out,
			struct migc_error *err)
{
	int sockets[MIGC_CODEC_WORKERS_MAX];
	struct migc_codec_devices_config devices = {
		.codecs = own_codecs(config),
		.request = config->codec,
		.zstd_level = config->zstd_level,
		.workers = sessions * lanes->count,
		.worker_socket = sockets,
		.compressdev = config->compressdev,
		.no_fallback = config->no_fallback,
		/* of software, auto has better than DEFLATE: doc/design/auto-codec.md */
		.hardware_only = config->source && config->codec_auto,
		.inject_error_per_billion = config->inject.codec_error,
		.inject_seed = config->inject.seed,
		.log = config->log,
	};

	if (devices.workers > MIGC_CODEC_WORKERS_MAX)
		return migc_error_set(err, -EINVAL,
				      "%u guests on %u worker lcores are too many: at most %u "
				      "guests times lcores",
				      sessions, lanes->count, MIGC_CODEC_WORKERS_MAX);
	for (unsigned int i = 0; i < devices.workers; i++)
		sockets[i] = (int)rte_lcore_to_socket_id(lanes->lane[i % lanes->count].lcore);
	devices.request.compress = config->source;
	return migc_codec_devices_open(&devices, out, err);
}

void engine_lanes_config(const struct migc_engine_config *config, struct lanes_config *out)
{
	*out = (struct lanes_config){
		.ethdev = config->ethdev,
		.address = config->address,
		.gateway = config->gateway,
		.mtu = config->mtu,
		.udp_port_base = config->source ? 0 : config->udp_port,
		.sessions = 1,
		.inject = config->inject,
		.log = config->log,
	};
}

/** What other sessions may share. */
static int open_shared(struct engine *e, struct migc_error *err)
{
	struct lanes_config config;
	int rc;

	engine_lanes_config(e->config, &config);
	rc = lanes_open(&config, &e->lanes, err);
	if (rc == 0)
		rc = engine_open_devices(e->config, e->lanes, 1, &e->devices, err);
	return rc;
}

int engine_open(struct engine *e, struct migc_error *err)
{
	int rc = engine_inject_check(e, err);

	if (rc == 0)
		rc = engine_open_guest(e, err);
	if (rc == 0 && !e->shares)
		rc = open_shared(e, err);
	if (rc != 0)
		return rc;
	e->worker_count = e->connections = e->lanes->count;
	rc = engine_map_dma(e, err);
	if (rc == 0)
		rc = engine_open_workers(e, err);
	return rc;
}

int engine_launch(struct engine *e, struct migc_error *err)
{
	engine_attach_workers(e);
	return e->shares ? 0 : lanes_launch(e->lanes, err);
}

/** Has every connection that was made been closed? */
static bool all_closed(const struct engine *e)
{
	for (unsigned int i = 0; i < e->worker_count; i++) {
		enum migc_transport_state state = engine_worker_state(e, i);

		if (e->workers[i].started && state != MIGC_TRANSPORT_CLOSED &&
		    state != MIGC_TRANSPORT_LISTEN)
			return false;
	}
	return true;
}

static bool any_closed(const struct engine *e)
{
	for (unsigned int i = 0; i < e->worker_count; i++) {
		if (engine_worker_state(e, i) == MIGC_TRANSPORT_CLOSED)
			return true;
	}
	return false;
}

static bool control_empty(const struct engine *e)
{
	const struct byte_fifo *fifo = &e->workers[0].to_peer;

	return byte_fifo_room(fifo) == fifo->capacity_bytes;
}

void engine_disconnect(struct engine *e, const char *reason, bool peer_closes)
{
	uint64_t deadline = clock_now_ns() + DISCONNECT_NS;

	if (e->workers == NULL || !e->lanes->launched)
		return;
	/* what was said last is worth a moment's wait for its acknowledgement */
	while (!control_empty(e) && engine_failure(e) == NULL && clock_now_ns() < deadline &&
	       engine_worker_state(e, 0) == MIGC_TRANSPORT_CONNECTED)
		engine_pump(e);
	/* closed from here as well, each end would wait for the other to hear it. A peer that has
	 * closed one connection is closing all */
	deadline = clock_now_ns() + PEERS_CLOSES_NS;
	while ((peer_closes || any_closed(e)) && !all_closed(e) && clock_now_ns() < deadline)
		engine_pump(e);
	for (unsigned int i = 0; i < e->worker_count; i++) {
		snprintf(e->workers[i].close_text, sizeof(e->workers[i].close_text), "%s", reason);
		/* pairs with the acquire in worker_turn() */
		__atomic_store_n(&e->workers[i].close, 1, __ATOMIC_RELEASE);
	}
	deadline = clock_now_ns() + DISCONNECT_NS;
	while (!all_closed(e) && clock_now_ns() < deadline)
		engine_pump(e);
	if (!peer_closes)
		return;
	/* that its close was heard is on its way to the peer, who waits for it */
	deadline = clock_now_ns() + LAST_WORD_NS;
	while (clock_now_ns() < deadline)
		engine_pump(e);
}

static void close_shared(struct engine *e)
{
	if (e->devices)
		migc_codec_devices_tell(e->devices);
	migc_codec_devices_close(e->devices);
	lanes_close(e->lanes);
}

void engine_close(struct engine *e)
{
	if (e->config->process_ends && !e->shares)
		migc_leave();
	/* their counters are complete then */
	engine_detach_workers(e);
	if (!e->shares)
		lanes_stop(e->lanes);
	engine_fill_report(e, e->state ? e->state : "");
	engine_close_workers(e);
	rounds_free(e->rounds);
	migc_dirty_free(e->dirty);
	if (!e->shares)
		close_shared(e);
	if (e->gm)
		migc_guestmem_dma_unmap(e->gm);
	migc_guestmem_free(e->gm);
	migc_qemu_close(e->qemu);
}

enum migc_outcome engine_run(struct engine *e, struct migc_error *err)
{
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;

	e->settings = e->config->settings;
	e->begin_ns = clock_now_ns();
	if (engine_open(e, err) == 0 && engine_launch(e, err) == 0)
		outcome = e->config->source ? source_run(e, err) : destination_run(e, err);
	e->end_ns = clock_now_ns();
	engine_close(e);
	return outcome;
}

enum migc_outcome migc_engine_run(const struct migc_engine_config *config,
				  struct migc_report *report, struct migc_error *err)
{
	struct engine *e = calloc(1, sizeof(*e));
	enum migc_outcome outcome;

	if (e == NULL) {
		migc_error_set(err, -ENOMEM, "no memory");
		return MIGC_OUTCOME_USAGE;
	}
	e->config = config;
	e->report = report;
	outcome = engine_run(e, err);
	free(e);
	return outcome;
}
