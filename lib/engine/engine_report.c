/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "engine.h"
#include "send_path.h"

#define NS_PER_MS UINT64_C(1000000)

static void add_codec(struct migc_report *r, const struct worker_counters *c)
{
	for (unsigned int id = 0; id < MIGC_CODEC_COUNT; id++) {
		r->compression.blocks[id] += c->blocks[id];
		r->compression.compressed_bytes += c->payload_bytes[id];
	}
	r->compression.zero_blocks += c->zero_blocks;
	r->compression.pages += c->codec.pages;
	r->compression.fallback_blocks += c->codec.fallback_blocks;
	r->compression.errors += c->codec.errors;
	r->compression.held_ms += c->ladder_held_ns / NS_PER_MS;
	r->compression.starved_ms += c->ladder_starved_ns / NS_PER_MS;
	r->compression.looked_incompressible += c->looked_incompressible;
	r->compression.skipped += c->codec_skipped;
	r->compression.did_not_shrink += c->codec.did_not_shrink;
	r->compression.short_consumed += c->codec.short_consumed;
	r->compression.short_produced += c->codec.short_produced;
	r->compression.enqueue_full += c->codec.enqueue_full;
	r->compression.bounce_bytes += c->codec.bounce_bytes;
	r->compression.gathered_bytes += c->codec.gathered_bytes;
	r->compression.copied_pages += c->copied_pages;
	r->compression.read_pages += c->read_pages;
	r->compression.no_block += c->no_block;
	r->compression.no_copy += c->no_copy;
	r->inject.codec_error += c->codec.injected;
}

static void add_delta(struct migc_report *r, const struct worker *w,
		      const struct worker_counters *c)
{
	if (w->send)
		r->delta.cache_bytes += send_path_delta_pages(w->send) * MIGC_PAGE_BYTES;
	r->delta.blocks += c->delta_blocks;
	r->delta.pages += c->delta_pages;
	r->delta.bytes += c->delta_bytes;
	r->delta.unchanged += c->delta.same;
	r->delta.misses += c->delta.misses;
	r->delta.overflow += c->delta.dense + c->delta_overflow;
	r->delta.lookups += c->delta.deltas + c->delta.same + c->delta.dense + c->delta.misses;
}

static void add_network(struct migc_report *r, const struct worker_counters *c)
{
	r->ram.transferred_bytes += c->transport.bytes_sent;
	r->network.wire_bytes += c->wire_bytes;
	r->network.packets_sent += c->tx_packets;
	r->network.packets_received += c->rx_packets;
	r->network.lost += c->transport.lost;
	r->network.retransmitted_bytes += c->transport.retransmitted_bytes;
	if (c->transport.rtt_us > r->network.rtt_us)
		r->network.rtt_us = c->transport.rtt_us;
	r->network.cwnd_bytes += c->transport.cwnd_bytes;
}

/** What is the lane's own, and so that of all sessions which share it. */
static void add_lane(struct migc_report *r, const struct lane_counters *c)
{
	r->network.wire_bytes += c->other_wire_bytes;
	r->network.packets_sent += c->other_tx_packets;
	r->network.packets_received += c->other_rx_packets;
	r->cpu.busy_cycles += c->busy_cycles;
	r->cpu.idle_cycles += c->idle_cycles;
	r->inject.loss += c->injected_loss;
	r->inject.reorder += c->injected_reorder;
	r->inject.duplicate += c->injected_duplicate;
	r->inject.corrupt += c->injected_corrupt;
	r->drops.rx_not_ours += c->inet.rx_not_ours + c->inet.rx_arp_off_link;
	r->drops.rx_fragments += c->inet.rx_fragments;
	r->drops.rx_malformed += c->inet.rx_malformed + c->rx_chained;
	r->drops.rx_bad_checksum += c->inet.rx_bad_checksum;
	r->drops.rx_unknown_port += c->rx_unknown_port;
	r->drops.rx_forward_drops += c->rx_forward_drops;
	r->drops.tx_no_mbuf += c->tx_no_mbuf;
	r->drops.tx_port_full += c->tx_port_full;
	r->drops.tx_unresolved += c->inet.tx_unresolved;
	r->drops.tx_no_route += c->inet.tx_no_route;
}

static void add_drops(struct migc_report *r, const struct worker_counters *c)
{
	r->drops.rx_not_quic += c->transport.datagrams_malformed;
	r->drops.rx_undecryptable += c->transport.datagrams_undecryptable;
	r->drops.retries_sent += c->transport.retries_sent;
	r->drops.tokens_invalid += c->transport.tokens_invalid;
	r->drops.handshakes_failed += c->transport.handshakes_failed;
	r->drops.refused_busy += c->transport.refused_busy;
	r->drops.blocks_failed += c->blocks_failed;
}

uint64_t engine_wire_bytes(const struct engine *e)
{
	struct worker_counters c;
	uint64_t bytes = e->past.network.wire_bytes;

	for (unsigned int i = 0; i < e->worker_count; i++) {
		worker_read_counters(&e->workers[i], &c);
		bytes += c.wire_bytes;
	}
	return bytes;
}

static void name_devices(const struct engine *e, struct migc_report *r)
{
	unsigned int count = e->devices ? migc_codec_devices_count(e->devices) : 0;

	r->compression.devices = RTE_MIN(count, MIGC_REPORT_DEVICES_MAX);
	for (unsigned int i = 0; i < r->compression.devices; i++) {
		struct migc_report_device *d = &r->compression.device[i];

		snprintf(d->name, sizeof(d->name), "%s", migc_codec_device_name(e->devices, i));
		snprintf(d->driver, sizeof(d->driver), "%s",
			 migc_codec_device_driver(e->devices, i));
	}
}

static void add_devices(const struct engine *e, struct migc_report *r, unsigned int worker,
			const struct worker_counters *c)
{
	for (unsigned int lane = 0; e->devices && lane < MIGC_CODEC_LANES_MAX; lane++) {
		int device = migc_codec_lane_device(e->devices, worker, lane);

		if (device >= 0 && (unsigned int)device < r->compression.devices)
			r->compression.device[device].blocks += c->codec.lane_blocks[lane];
	}
}

static void add_workers(struct engine *e, struct migc_report *r)
{
	for (unsigned int i = 0; e->workers && i < e->worker_count; i++) {
		struct worker_counters c;

		worker_read_counters(&e->workers[i], &c);
		r->ram.duplicate_pages += c.zero_pages;
		r->ram.normal_pages += c.data_pages;
		add_codec(r, &c);
		add_devices(e, r, e->workers[i].number, &c);
		add_delta(r, &e->workers[i], &c);
		add_network(r, &c);
		add_drops(r, &c);
	}
}

static void add_lanes(const struct engine *e, struct migc_report *r)
{
	for (unsigned int i = 0; e->lanes && i < e->lanes->count; i++) {
		struct lane_counters c;

		lane_read_counters(&e->lanes->lane[i], &c);
		add_lane(r, &c);
	}
}

void engine_keep_counters(struct engine *e)
{
	/* blocks are counted by device */
	name_devices(e, &e->past);
	add_workers(e, &e->past);
	/* of connections that are gone */
	e->past.network.rtt_us = 0;
	e->past.network.cwnd_bytes = 0;
	e->past.delta.cache_bytes = 0;
}

static void add_rounds(const struct engine *e, struct migc_report *r)
{
	const struct rounds_record *record;

	if (e->rounds == NULL)
		return;
	r->round_count = rounds_records(e->rounds, &record);
	r->ram.dirty_sync_count = rounds_closed(e->rounds);
	r->ram.remaining_bytes = rounds_left(e->rounds) * MIGC_PAGE_BYTES;
	r->ram.round_bytes = rounds_pages(e->rounds) * MIGC_PAGE_BYTES;
	for (unsigned int i = 0; i < r->round_count; i++) {
		uint64_t ns = record[i].end_ns - record[i].begin_ns;

		r->round[i].pages = record[i].pages;
		r->round[i].bytes = record[i].guest_bytes;
		r->round[i].wire_bytes = record[i].wire_bytes - (i ? record[i - 1].wire_bytes : 0);
		r->round[i].ms = ns / NS_PER_MS;
		r->round[i].dirty_pages_rate = record[i].dirty_rate;
		r->round[i].expected_downtime_ms = record[i].expected_downtime_ms;
		r->round[i].has_expected_downtime = record[i].expected_downtime_ms != UINT32_MAX;
		r->round[i].throttle_percent = record[i].throttle_percent;
	}
	r->ram.dirty_pages_rate = rounds_dirty_rate(e->rounds);
}

static void add_throttle(const struct engine *e, struct migc_report *r)
{
	static const char *const methods[] = {
		[MIGC_QEMU_THROTTLE_NONE] = "none",
		[MIGC_QEMU_THROTTLE_PULSES] = "stop-cont",
		[MIGC_QEMU_THROTTLE_DIRTY_LIMIT] = "dirty-limit",
	};
	struct migc_qemu_throttle throttle = {0};

	if (e->qemu)
		migc_qemu_throttle_stats(e->qemu, &throttle);
	snprintf(r->throttle.method, sizeof(r->throttle.method), "%s", methods[throttle.method]);
	r->throttle.percent = throttle.percent;
	r->throttle.pulses = throttle.pulses;
	r->throttle.stood_ms = throttle.stood_ms;
}

static void add_dirty(const struct engine *e, struct migc_report *r)
{
	struct migc_dirty_stats stats;

	snprintf(r->dirty.tracker, sizeof(r->dirty.tracker), "%s",
		 e->dirty ? migc_dirty_name(e->dirty) : "none");
	if (e->dirty == NULL)
		return;
	migc_dirty_stats(e->dirty, &stats);
	r->dirty.scans = stats.scans;
	r->dirty.scan_us_max = stats.scan_ns_max / 1000;
	r->dirty.reported_pages = stats.reported_pages;
	r->dirty.narrowed_pages = stats.narrowed_pages;
	r->dirty.attach_us = stats.inject_ns / 1000;
}

static void add_port(const struct lanes *lanes, struct migc_report *r)
{
	if (lanes == NULL)
		return;
	snprintf(r->network.ethdev, sizeof(r->network.ethdev), "%s", lanes->info.name);
	snprintf(r->network.driver, sizeof(r->network.driver), "%s", lanes->info.driver);
	r->network.mtu = lanes->info.mtu;
	r->network.queues = lanes->info.queues;
	r->memory.mempool_bytes += lanes->info.memory_bytes;
	r->drops.rx_port_missed = migc_port_missed(lanes->port);
}

static void add_names(const struct engine *e, struct migc_report *r)
{
	r->network.workers = e->connections;
	r->compression.adapts = e->config->source && e->config->codec_auto;
	r->compression.foot = e->foot_rung;
	r->compression.foot_trials = e->foot.trials;
	r->compression.foot_changes = e->foot.changes;
	if (e->workers && r->compression.adapts)
		r->compression.position_per_mille = __atomic_load_n(
			&e->workers[0].mean_per_mille[e->foot_rung], __ATOMIC_RELAXED);
	snprintf(r->compression.codec, sizeof(r->compression.codec), "%s",
		 !e->config->source      ? "any"
		 : e->config->codec_auto ? "auto"
					 : migc_codec_text(e->config->codec_id));
	if (e->devices)
		r->memory.mempool_bytes += migc_codec_memory_bytes(e->devices);
	r->memory.own_bytes_peak = e->own_bytes_peak;
	r->inject.any = e->config->inject.any || e->config->inject.codec_error;
}

static uint64_t timeval_ms(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000 + (uint64_t)t->tv_usec / 1000;
}

/** QEMU's words. */
static const char *status(const struct engine *e, const char *state)
{
	if (e->cancelled)
		return "cancelling";
	if (strcmp(state, "PAUSE") == 0)
		return "pre-switchover";
	return e->setup_end_ns ? "active" : "setup";
}

void engine_fill_report(struct engine *e, const char *state)
{
	uint64_t end = e->end_ns ? e->end_ns : clock_now_ns();
	uint64_t from = e->setup_end_ns ? e->setup_end_ns : end;
	struct migc_report *r = e->report;
	struct rusage usage;

	*r = e->past;
	r->source = e->config->source;
	snprintf(r->status, sizeof(r->status), "%s", status(e, state));
	snprintf(r->state, sizeof(r->state), "%s", state);
	r->total_time_ms = (end - (e->connected_ns ? e->connected_ns : e->begin_ns)) / NS_PER_MS;
	r->setup_time_ms = (from - (e->connected_ns ? e->connected_ns : e->begin_ns)) / NS_PER_MS;
	if (e->stop_ns && e->resumed_ns > e->stop_ns)
		r->downtime_ms = (e->resumed_ns - e->stop_ns) / NS_PER_MS;
	r->expected_downtime_ms = e->expected_downtime_ms;
	r->has_expected_downtime = e->expected_downtime_ms != UINT32_MAX && e->config->source;
	r->ram.total_bytes = e->gm ? migc_guestmem_total_bytes(e->gm) : 0;
	r->ram.page_bytes = MIGC_PAGE_BYTES;
	r->verified = e->verified;
	name_devices(e, r);
	r->recovery.count = e->recoveries;
	r->recovery.held_pages = e->held_pages;
	r->recovery.lost_ms = e->lost_ns / NS_PER_MS;
	add_workers(e, r);
	r->compression.in_bytes = r->ram.normal_pages * MIGC_PAGE_BYTES;
	add_lanes(e, r);
	add_rounds(e, r);
	add_throttle(e, r);
	add_dirty(e, r);
	add_port(e->lanes, r);
	add_names(e, r);
	if (end > from)
		r->ram.mbps_x100 = r->network.wire_bytes * 8 * 100 / ((end - from) / 1000 + 1);
	if (getrusage(RUSAGE_SELF, &usage) == 0) {
		r->cpu.user_ms = timeval_ms(&usage.ru_utime);
		r->cpu.system_ms = timeval_ms(&usage.ru_stime);
	}
}
