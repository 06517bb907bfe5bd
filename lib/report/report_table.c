/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>

#include "migc_report.h"

/* The JSON has them all. */
#define DEVICES_SHOWN 3u

/* A text that grows; `length` goes on counting when there is no room, as snprintf() does. */
struct text {
	char *out;
	size_t capacity;
	size_t length;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *fmt, ...)
{
	size_t room = t->length < t->capacity ? t->capacity - t->length : 0;
	va_list args;
	int length;

	va_start(args, fmt);
	length = vsnprintf(room ? t->out + t->length : NULL, room, fmt, args);
	va_end(args);
	if (length > 0)
		t->length += (size_t)length;
}

int migc_report_bytes(uint64_t bytes, char *out, size_t capacity)
{
	static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
	double value = (double)bytes / 1024;
	unsigned int unit = 0;

	if (bytes < 1024)
		return snprintf(out, capacity, "%llu bytes", (unsigned long long)bytes);
	/* 1023.996 would be shown as 1024.00 of the smaller unit. */
	for (; value >= 1023.995 && unit < 3; unit++)
		value /= 1024;
	return snprintf(out, capacity, "%.2f %s", value, units[unit]);
}

static void add_bytes(struct text *t, uint64_t bytes)
{
	char value[32];

	migc_report_bytes(bytes, value, sizeof(value));
	add(t, "%s", value);
}

static void add_times(struct text *t, const struct migc_report *r)
{
	add(t, "  time         %llu ms (setup %llu ms)", (unsigned long long)r->total_time_ms,
	    (unsigned long long)r->setup_time_ms);
	if (r->source)
		add(t, ", downtime %llu ms", (unsigned long long)r->downtime_ms);
	if (r->has_expected_downtime)
		add(t, " (expected %llu ms)", (unsigned long long)r->expected_downtime_ms);
	add(t, "\n");
	if (r->throttle.percent)
		add(t,
		    "  throttle     %u %% at the end by %s, the guest stood %llu ms in %llu "
		    "pulses\n",
		    r->throttle.percent, r->throttle.method,
		    (unsigned long long)r->throttle.stood_ms,
		    (unsigned long long)r->throttle.pulses);
}

static void add_ram(struct text *t, const struct migc_report *r)
{
	add(t, "  guest RAM    ");
	add_bytes(t, r->ram.total_bytes);
	add(t, ": %llu pages with data (", (unsigned long long)r->ram.normal_pages);
	add_bytes(t, r->ram.normal_pages * r->ram.page_bytes);
	add(t, "), %llu zero pages, %llu rounds%s\n", (unsigned long long)r->ram.duplicate_pages,
	    (unsigned long long)r->ram.dirty_sync_count,
	    r->verified ? ", verified: both sides are equal" : "");
}

/** Where there is more to say than the name of the first. */
static void add_devices(struct text *t, const struct migc_report *r)
{
	const struct migc_report_device *device = r->compression.device;
	unsigned int busy = 0, shown = 1;

	for (unsigned int i = 1; i < r->compression.devices; i++)
		busy += device[i].blocks != 0;
	if (busy == 0)
		return;
	add(t, "               blocks by device: %s %llu", device->name,
	    (unsigned long long)device->blocks);
	for (unsigned int i = 1; i < r->compression.devices && shown < DEVICES_SHOWN; i++) {
		if (device[i].blocks == 0)
			continue;
		add(t, ", %s %llu", device[i].name, (unsigned long long)device[i].blocks);
		shown++;
	}
	if (busy >= DEVICES_SHOWN)
		add(t, ", and %u more", busy + 1 - shown);
	add(t, "\n");
}

static void add_compression(struct text *t, const struct migc_report *r)
{
	double rate =
		r->compression.compressed_bytes
			? (double)r->compression.in_bytes / (double)r->compression.compressed_bytes
			: 0;

	add(t, "  compression  %s", r->compression.codec);
	if (r->compression.devices)
		add(t, " by %s (%s)", r->compression.device[0].name,
		    r->compression.device[0].driver);
	if (rate > 0) {
		add(t, ", ");
		add_bytes(t, r->compression.in_bytes);
		add(t, " became ");
		add_bytes(t, r->compression.compressed_bytes);
		add(t, " (%.2f : 1)", rate);
	}
	add(t, "\n               ");
	for (unsigned int i = MIGC_CODEC_COUNT; i-- > 0;) {
		if (r->compression.blocks[i] || i == 0)
			add(t, "%llu %s, ", (unsigned long long)r->compression.blocks[i],
			    migc_codec_text((enum migc_codec_id)i));
	}
	add(t, "%llu zero blocks; %llu by fallback, %llu errors\n",
	    (unsigned long long)r->compression.zero_blocks,
	    (unsigned long long)r->compression.fallback_blocks,
	    (unsigned long long)r->compression.errors);
	add_devices(t, r);
}

static void add_delta(struct text *t, const struct migc_report *r)
{
	if (!r->delta.lookups && !r->delta.pages)
		return;
	add(t, "  deltas       %llu pages in ", (unsigned long long)r->delta.pages);
	add_bytes(t, r->delta.bytes);
	if (r->source) {
		add(t, ", %llu unchanged, %llu changed too much, %llu not in ",
		    (unsigned long long)r->delta.unchanged, (unsigned long long)r->delta.overflow,
		    (unsigned long long)r->delta.misses);
		add_bytes(t, r->delta.cache_bytes);
	}
	add(t, "\n");
}

static void add_network(struct text *t, const struct migc_report *r)
{
	add(t, "  network      ");
	add_bytes(t, r->network.wire_bytes);
	add(t, " in %llu packets", (unsigned long long)r->network.packets_sent);
	if (r->network.ethdev[0])
		add(t, " over %s (%s)", r->network.ethdev, r->network.driver);
	add(t, ", %llu.%02llu Mbit/s\n", (unsigned long long)r->ram.mbps_x100 / 100,
	    (unsigned long long)r->ram.mbps_x100 % 100);
	add(t, "               %llu packets lost, ", (unsigned long long)r->network.lost);
	add_bytes(t, r->network.retransmitted_bytes);
	add(t, " sent again, round trip %llu us\n", (unsigned long long)r->network.rtt_us);
}

static void add_cost(struct text *t, const struct migc_report *r)
{
	uint64_t cycles = r->cpu.busy_cycles + r->cpu.idle_cycles;

	add(t, "  CPU          %.2f s user, %.2f s system", (double)r->cpu.user_ms / 1000,
	    (double)r->cpu.system_ms / 1000);
	if (cycles)
		add(t, ", workers %.0f %% busy", 100 * (double)r->cpu.busy_cycles / (double)cycles);
	add(t, "\n  memory       ");
	add_bytes(t, r->memory.own_bytes_peak);
	add(t, " of our own, ");
	add_bytes(t, r->memory.mempool_bytes);
	add(t, " of pools\n");
	if (r->source && r->dirty.tracker[0])
		add(t, "  dirty pages  by %s: %llu scans, %llu pages reported\n", r->dirty.tracker,
		    (unsigned long long)r->dirty.scans,
		    (unsigned long long)r->dirty.reported_pages);
	if (r->inject.any)
		add(t,
		    "  injected     %llu dropped, %llu reordered, %llu duplicated, %llu corrupted, "
		    "%llu codec errors\n",
		    (unsigned long long)r->inject.loss, (unsigned long long)r->inject.reorder,
		    (unsigned long long)r->inject.duplicate, (unsigned long long)r->inject.corrupt,
		    (unsigned long long)r->inject.codec_error);
}

/* Only what did happen: a row of zeros tells nobody anything. */
static void add_drops(struct text *t, const struct migc_report *r)
{
	const struct {
		const char *name;
		uint64_t count;
	} drops[] = {
		{"not ours", r->drops.rx_not_ours},
		{"fragments", r->drops.rx_fragments},
		{"malformed", r->drops.rx_malformed},
		{"bad checksum", r->drops.rx_bad_checksum},
		{"unknown UDP port", r->drops.rx_unknown_port},
		{"not forwarded", r->drops.rx_forward_drops},
		{"missed by the port", r->drops.rx_port_missed},
		{"not QUIC", r->drops.rx_not_quic},
		{"undecryptable", r->drops.rx_undecryptable},
		{"no mbuf", r->drops.tx_no_mbuf},
		{"port full", r->drops.tx_port_full},
		{"next hop unresolved", r->drops.tx_unresolved},
		{"no route", r->drops.tx_no_route},
		{"invalid tokens", r->drops.tokens_invalid},
		{"failed handshakes", r->drops.handshakes_failed},
		{"refused, busy", r->drops.refused_busy},
		{"blocks failed", r->drops.blocks_failed},
	};
	const char *before = "  drops        ";

	for (size_t i = 0; i < sizeof(drops) / sizeof(drops[0]); i++) {
		if (!drops[i].count)
			continue;
		add(t, "%s%llu %s", before, (unsigned long long)drops[i].count, drops[i].name);
		before = "; ";
	}
	if (before[0] == ';')
		add(t, "\n");
}

static void add_recovery(struct text *t, const struct migc_report *r)
{
	if (!r->recovery.count)
		return;
	add(t, "  recovered    %llu %s, %llu ms without a connection",
	    (unsigned long long)r->recovery.count, r->recovery.count == 1 ? "time" : "times",
	    (unsigned long long)r->recovery.lost_ms);
	if (r->source)
		add(t, "; %llu pages were there and not sent again",
		    (unsigned long long)r->recovery.held_pages);
	add(t, "\n");
}

static void add_rounds(struct text *t, const struct migc_report *r)
{
	if (!r->round_count)
		return;
	add(t, "  round        pages         bytes      ms\n");
	for (unsigned int i = 0; i < r->round_count && i < MIGC_REPORT_ROUNDS_MAX; i++)
		add(t, "  %5u  %11llu  %12llu  %6llu\n", i + 1,
		    (unsigned long long)r->round[i].pages, (unsigned long long)r->round[i].bytes,
		    (unsigned long long)r->round[i].ms);
}

int migc_report_table(const struct migc_report *report, char *out, size_t capacity)
{
	struct text t = {out, capacity, 0};

	if (capacity)
		out[0] = '\0';
	add(&t, "migration %s (%s)\n", report->status, report->source ? "source" : "destination");
	if (report->error.code)
		add(&t, "  error        %s\n", report->error.text);
	add_times(&t, report);
	add_ram(&t, report);
	add_compression(&t, report);
	add_delta(&t, report);
	add_network(&t, report);
	add_cost(&t, report);
	add_drops(&t, report);
	add_recovery(&t, report);
	add_rounds(&t, report);
	return (int)t.length;
}

int migc_report_line(const struct migc_report *report, char *out, size_t capacity)
{
	struct text t = {out, capacity, 0};

	if (capacity)
		out[0] = '\0';
	add(&t, "%s: %llu rounds done, ", report->state[0] ? report->state : report->status,
	    (unsigned long long)report->ram.dirty_sync_count);
	add_bytes(&t, report->ram.normal_pages * report->ram.page_bytes);
	add(&t, " of data and %llu zero pages, ", (unsigned long long)report->ram.duplicate_pages);
	if (report->source) {
		add_bytes(&t, report->ram.remaining_bytes);
		add(&t, " left, ");
	}
	add(&t, "%llu Mbit/s", (unsigned long long)(report->ram.mbps_x100 + 50) / 100);
	if (report->ram.dirty_pages_rate)
		add(&t, ", %llu pages/s written", (unsigned long long)report->ram.dirty_pages_rate);
	if (report->has_expected_downtime)
		add(&t, ", downtime would be %llu ms",
		    (unsigned long long)report->expected_downtime_ms);
	if (report->throttle.percent)
		add(&t, ", guest throttled by %u %%", report->throttle.percent);
	return (int)t.length;
}
