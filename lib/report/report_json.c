/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "migc_report.h"

/* Digits of a ratio: those behind are noise, and 17 of them are hard to read. */
#define REAL_DIGITS 9

/* A field without memory makes the object NULL for good: one look at the end is enough. */
static void put(json_t **object, const char *key, json_t *value)
{
	if (!*object || json_object_set_new(*object, key, value)) {
		if (!*object)
			json_decref(value);
		json_decref(*object);
		*object = NULL;
	}
}

static void put_number(json_t **object, const char *key, uint64_t value)
{
	put(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static void put_ratio(json_t **object, const char *key, double over, double under)
{
	put(object, key, json_real(under > 0 ? over / under : 0));
}

/* Texts come from QEMU, file names and devices: what is not UTF-8 is shown, not refused. */
static json_t *text_value(const char *text)
{
	char plain[MIGC_ERROR_TEXT_BYTES];
	json_t *value = json_string(text);
	size_t i;

	if (value)
		return value;
	for (i = 0; text[i] && i + 1 < sizeof(plain); i++) {
		plain[i] = '?';
		if ((unsigned char)text[i] < 0x80)
			plain[i] = text[i];
	}
	plain[i] = '\0';
	return json_string(plain);
}

static void put_text(json_t **object, const char *key, const char *text)
{
	put(object, key, text_value(text));
}

static json_t *ram(const struct migc_report *r)
{
	json_t *o = json_object();

	put_number(&o, "total", r->ram.total_bytes);
	put_number(&o, "transferred", r->ram.transferred_bytes);
	put_number(&o, "remaining", r->ram.remaining_bytes);
	put_number(&o, "round-bytes", r->ram.round_bytes);
	put_number(&o, "duplicate", r->ram.duplicate_pages);
	put_number(&o, "normal", r->ram.normal_pages);
	put_number(&o, "normal-bytes", r->ram.normal_pages * r->ram.page_bytes);
	put_ratio(&o, "mbps", (double)r->ram.mbps_x100, 100);
	put_number(&o, "dirty-sync-count", r->ram.dirty_sync_count);
	put_number(&o, "dirty-pages-rate", r->ram.dirty_pages_rate);
	put_number(&o, "page-size", r->ram.page_bytes);
	return o;
}

static json_t *compression(const struct migc_report *r)
{
	json_t *o = json_object(), *by_codec = json_object(), *by_device = json_object();

	for (unsigned int i = 0; i < MIGC_CODEC_COUNT; i++)
		put_number(&by_codec, migc_codec_text((enum migc_codec_id)i),
			   r->compression.blocks[i]);
	put_number(&by_codec, "zero", r->compression.zero_blocks);
	put_text(&o, "codec", r->compression.codec);
	for (unsigned int i = 0; i < r->compression.devices; i++)
		put_number(&by_device, r->compression.device[i].name,
			   r->compression.device[i].blocks);
	put_text(&o, "device", r->compression.device[0].name);
	put_text(&o, "driver", r->compression.device[0].driver);
	put_number(&o, "pages", r->compression.pages);
	put_number(&o, "compressed-size", r->compression.compressed_bytes);
	put_ratio(&o, "compression-rate", (double)r->compression.in_bytes,
		  (double)r->compression.compressed_bytes);
	put_number(&o, "raw-blocks", r->compression.blocks[0]);
	put_number(&o, "fallback-blocks", r->compression.fallback_blocks);
	put_number(&o, "errors", r->compression.errors);
	put_number(&o, "did-not-shrink", r->compression.did_not_shrink);
	if (r->compression.adapts) {
		put_number(&o, "held-ms", r->compression.held_ms);
		put_number(&o, "starved-ms", r->compression.starved_ms);
		put_number(&o, "ladder-position", r->compression.position_per_mille);
		put_number(&o, "ladder-foot", r->compression.foot);
		put_number(&o, "ladder-foot-trials", r->compression.foot_trials);
		put_number(&o, "ladder-foot-changes", r->compression.foot_changes);
	}
	put_number(&o, "looked-incompressible", r->compression.looked_incompressible);
	put_number(&o, "skipped", r->compression.skipped);
	put_number(&o, "short-consumed", r->compression.short_consumed);
	put_number(&o, "short-produced", r->compression.short_produced);
	put_number(&o, "enqueue-full", r->compression.enqueue_full);
	put_number(&o, "bounce-bytes", r->compression.bounce_bytes);
	put_number(&o, "gathered-bytes", r->compression.gathered_bytes);
	put_number(&o, "copied-pages", r->compression.copied_pages);
	put_number(&o, "read-pages", r->compression.read_pages);
	put_number(&o, "no-block", r->compression.no_block);
	put_number(&o, "no-copy", r->compression.no_copy);
	put(&o, "by-codec", by_codec);
	put(&o, "by-device", by_device);
	return o;
}

static json_t *delta(const struct migc_report *r)
{
	json_t *o = json_object();

	put_number(&o, "cache-size", r->delta.cache_bytes);
	put_number(&o, "bytes", r->delta.bytes);
	put_number(&o, "pages", r->delta.pages);
	put_number(&o, "blocks", r->delta.blocks);
	put_number(&o, "unchanged", r->delta.unchanged);
	put_number(&o, "cache-miss", r->delta.misses);
	put_ratio(&o, "cache-miss-rate", (double)r->delta.misses, (double)r->delta.lookups);
	put_ratio(&o, "encoding-rate", (double)r->delta.pages * r->ram.page_bytes,
		  (double)r->delta.bytes);
	put_number(&o, "overflow", r->delta.overflow);
	return o;
}

static json_t *network(const struct migc_report *r)
{
	json_t *o = json_object();

	put_number(&o, "wire-bytes", r->network.wire_bytes);
	put_number(&o, "packets", r->network.packets_sent);
	put_number(&o, "packets-received", r->network.packets_received);
	put_number(&o, "lost", r->network.lost);
	put_number(&o, "retransmitted", r->network.retransmitted_bytes);
	put_number(&o, "rtt-us", r->network.rtt_us);
	put_number(&o, "cwnd", r->network.cwnd_bytes);
	put_text(&o, "ethdev", r->network.ethdev);
	put_text(&o, "driver", r->network.driver);
	put_number(&o, "mtu", r->network.mtu);
	put_number(&o, "workers", r->network.workers);
	put_number(&o, "queues", r->network.queues);
	return o;
}

static json_t *cpu(const struct migc_report *r)
{
	json_t *o = json_object();

	put_ratio(&o, "user-s", (double)r->cpu.user_ms, 1000);
	put_ratio(&o, "system-s", (double)r->cpu.system_ms, 1000);
	put_ratio(&o, "busy-cycles-share", (double)r->cpu.busy_cycles,
		  (double)r->cpu.busy_cycles + (double)r->cpu.idle_cycles);
	return o;
}

static json_t *memory(const struct migc_report *r)
{
	json_t *o = json_object();

	put_number(&o, "own-bytes", r->memory.own_bytes_peak);
	put_number(&o, "mempool-bytes", r->memory.mempool_bytes);
	return o;
}

static json_t *dirty(const struct migc_report *r)
{
	json_t *o = json_object();

	put_text(&o, "tracker", r->dirty.tracker);
	put_number(&o, "scans", r->dirty.scans);
	put_number(&o, "scan-us-max", r->dirty.scan_us_max);
	put_number(&o, "reported-pages", r->dirty.reported_pages);
	put_number(&o, "narrowed-pages", r->dirty.narrowed_pages);
	put_number(&o, "attach-us", r->dirty.attach_us);
	return o;
}

static json_t *inject(const struct migc_report *r)
{
	json_t *o = json_object();

	put_number(&o, "dropped", r->inject.loss);
	put_number(&o, "reordered", r->inject.reorder);
	put_number(&o, "duplicated", r->inject.duplicate);
	put_number(&o, "corrupted", r->inject.corrupt);
	put_number(&o, "codec-errors", r->inject.codec_error);
	return o;
}

static json_t *drops(const struct migc_report *r)
{
	json_t *o = json_object();

	put_number(&o, "rx-not-ours", r->drops.rx_not_ours);
	put_number(&o, "rx-fragments", r->drops.rx_fragments);
	put_number(&o, "rx-malformed", r->drops.rx_malformed);
	put_number(&o, "rx-bad-checksum", r->drops.rx_bad_checksum);
	put_number(&o, "rx-unknown-port", r->drops.rx_unknown_port);
	put_number(&o, "rx-forward-drops", r->drops.rx_forward_drops);
	put_number(&o, "rx-port-missed", r->drops.rx_port_missed);
	put_number(&o, "rx-not-quic", r->drops.rx_not_quic);
	put_number(&o, "rx-undecryptable", r->drops.rx_undecryptable);
	put_number(&o, "tx-no-mbuf", r->drops.tx_no_mbuf);
	put_number(&o, "tx-port-full", r->drops.tx_port_full);
	put_number(&o, "tx-unresolved", r->drops.tx_unresolved);
	put_number(&o, "tx-no-route", r->drops.tx_no_route);
	put_number(&o, "retries-sent", r->drops.retries_sent);
	put_number(&o, "tokens-invalid", r->drops.tokens_invalid);
	put_number(&o, "handshakes-failed", r->drops.handshakes_failed);
	put_number(&o, "refused-busy", r->drops.refused_busy);
	put_number(&o, "blocks-failed", r->drops.blocks_failed);
	return o;
}

static json_t *throttle(const struct migc_report *r)
{
	json_t *o = json_object();

	put_text(&o, "method", r->throttle.method);
	put_number(&o, "pulses", r->throttle.pulses);
	put_number(&o, "stood-ms", r->throttle.stood_ms);
	return o;
}

static json_t *recovery(const struct migc_report *r)
{
	json_t *o = json_object();

	put_number(&o, "held-pages", r->recovery.held_pages);
	put_number(&o, "lost-time", r->recovery.lost_ms);
	return o;
}

static json_t *rounds(const struct migc_report *r)
{
	json_t *all = json_array();

	for (unsigned int i = 0; i < r->round_count && i < MIGC_REPORT_ROUNDS_MAX; i++) {
		json_t *o = json_object();

		put_number(&o, "pages", r->round[i].pages);
		put_number(&o, "bytes", r->round[i].bytes);
		put_number(&o, "wire-bytes", r->round[i].wire_bytes);
		put_number(&o, "ms", r->round[i].ms);
		put_number(&o, "dirty-pages-rate", r->round[i].dirty_pages_rate);
		if (r->round[i].has_expected_downtime)
			put_number(&o, "expected-downtime", r->round[i].expected_downtime_ms);
		put_number(&o, "cpu-throttle-percentage", r->round[i].throttle_percent);
		if (!o || json_array_append_new(all, o)) {
			json_decref(all);
			return NULL;
		}
	}
	return all;
}

json_t *migc_report_value(const struct migc_report *r)
{
	json_t *o = json_object();

	put_text(&o, "status", r->status);
	put_text(&o, "role", r->source ? "source" : "destination");
	put_text(&o, "session-state", r->state);
	put_number(&o, "total-time", r->total_time_ms);
	put_number(&o, "downtime", r->downtime_ms);
	put_number(&o, "setup-time", r->setup_time_ms);
	if (r->has_expected_downtime)
		put_number(&o, "expected-downtime", r->expected_downtime_ms);
	if (r->source) {
		put_number(&o, "cpu-throttle-percentage", r->throttle.percent);
		put(&o, "throttle", throttle(r));
	}
	put(&o, "verified", json_boolean(r->verified));
	put(&o, "ram", ram(r));
	put(&o, "compression", compression(r));
	put(&o, "xbzrle-cache", delta(r));
	put(&o, "network", network(r));
	put(&o, "cpu", cpu(r));
	put(&o, "memory", memory(r));
	put(&o, "dirty", dirty(r));
	put(&o, "inject", inject(r));
	put(&o, "drops", drops(r));
	put_number(&o, "recoveries", r->recovery.count);
	put(&o, "recovery", recovery(r));
	put(&o, "rounds", rounds(r));
	put(&o, "error", r->error.code ? text_value(r->error.text) : json_null());
	return o;
}

/* Takes `o`. */
static int dump(json_t *o, char **out)
{
	char *text = NULL;

	if (o)
		text = json_dumps(o, JSON_INDENT(2) | JSON_REAL_PRECISION(REAL_DIGITS));
	json_decref(o);
	if (!text)
		return -ENOMEM;
	*out = text;
	return 0;
}

int migc_report_json(const struct migc_report *report, char **out)
{
	return dump(migc_report_value(report), out);
}

int migc_report_guests_json(const struct migc_report *reports, const char *const *guests,
			    unsigned int count, char **out)
{
	json_t *all = json_array(), *o = json_object();

	for (unsigned int i = 0; all && i < count; i++) {
		json_t *one = migc_report_value(&reports[i]);

		put_text(&one, "guest", guests[i]);
		if (!one || json_array_append_new(all, one)) {
			json_decref(all);
			all = NULL;
		}
	}
	put(&o, "guests", all);
	return dump(o, out);
}
