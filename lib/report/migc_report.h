/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_REPORT_H
#define MIGC_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_wire.h"

/**
 * @file
 * What a migration did, as a plain snapshot, and its forms: JSON (names and units of QEMU's
 * query-migrate wherever it has one), a table for the end, a line for now. Prints nothing.
 */

#define MIGC_REPORT_ROUNDS_MAX 64u
#define MIGC_REPORT_DEVICES_MAX 64u

struct json_t;

struct migc_report_round {
	uint64_t pages;
	uint64_t bytes; /**< guest bytes */
	uint64_t wire_bytes;
	uint64_t ms;
	uint64_t dirty_pages_rate; /**< pages a second, by the scan after it */
	uint64_t expected_downtime_ms;
	bool has_expected_downtime; /**< as the scan after it has it */
	uint32_t throttle_percent; /**< while it was sent */
};

/** A compression device. */
struct migc_report_device {
	char name[64], driver[64];
	uint64_t blocks; /**< that it compressed, or decompressed */
};

struct migc_report {
	bool source; /**< role */
	char status[24]; /**< "setup", "active", "completed", "cancelled", "failed", "unconfirmed"
			  */
	char state[32]; /**< of the session, as in states.md */
	uint64_t total_time_ms, downtime_ms, setup_time_ms, expected_downtime_ms;
	bool has_expected_downtime;
	/** Source: a guest that wrote faster than could be sent. */
	struct {
		uint32_t percent; /**< of its time that it was kept from running, the last */
		char method[16]; /**< "none", "stop-cont", "dirty-limit" */
		uint64_t pulses, stood_ms; /**< stop-cont: how often it stood, how long in all */
	} throttle;
	struct {
		uint64_t total_bytes; /**< guest RAM */
		uint64_t transferred_bytes; /**< payload and headers on the wire */
		uint64_t duplicate_pages; /**< zero pages */
		uint64_t normal_pages;
		uint64_t mbps_x100; /**< wire megabits per second, in hundredths */
		uint64_t dirty_sync_count; /**< rounds */
		uint64_t dirty_pages_rate; /**< pages per second */
		uint64_t remaining_bytes; /**< of the round that is being sent */
		uint64_t round_bytes; /**< all of that round */
		uint32_t page_bytes;
	} ram;
	struct {
		char codec[16]; /**< what was asked for: "deflate", "raw", ... */
		unsigned int devices;
		struct migc_report_device device[MIGC_REPORT_DEVICES_MAX]; /**< chosen first */
		uint64_t pages; /**< compressed pages */
		uint64_t in_bytes; /**< of normal pages */
		uint64_t compressed_bytes; /**< payload of all blocks, raw ones included */
		uint64_t blocks[MIGC_CODEC_COUNT]; /**< in the order of enum migc_codec_id */
		uint64_t zero_blocks;
		uint64_t fallback_blocks, errors;
		uint64_t did_not_shrink, short_consumed, short_produced, enqueue_full, bounce_bytes;
		uint64_t looked_incompressible; /**< blocks sent raw for their looks (auto) */
		bool adapts; /**< auto */
		uint64_t held_ms, starved_ms; /**< of all workers: the link's fault, the cores' */
		uint32_t position_per_mille; /**< of the ladder, mean of the workers, 1000 a rung */
		uint32_t foot; /**< rung that it does not go below */
		uint64_t foot_trials, foot_changes;
		uint64_t skipped; /**< blocks sent raw as those before did not shrink (auto) */
		uint64_t gathered_bytes; /**< copied because pages were no neighbours */
		uint64_t copied_pages; /**< snapshots for the tracker */
		uint64_t no_block, no_copy; /**< turns that had to wait for a block, or room for
					     * copies, until something is acknowledged */
		uint64_t read_pages; /**< source: with pread(), instead of through a mapping */
	} compression;
	/** Pages that were sent again, as what changed of them (QEMU's xbzrle-cache). */
	struct {
		uint64_t cache_bytes; /**< source; 0: no deltas */
		uint64_t blocks, pages, bytes; /**< that went as deltas; bytes of their payload */
		uint64_t unchanged; /**< source: pages that needed not be sent */
		uint64_t lookups,
			misses; /**< source: pages sent again; that were not in the cache */
		uint64_t overflow; /**< source: too much of it had changed: sent whole */
	} delta;
	struct {
		uint64_t wire_bytes; /**< frames, headers included */
		uint64_t packets_sent, packets_received;
		uint64_t lost, retransmitted_bytes;
		uint64_t rtt_us, cwnd_bytes;
		char ethdev[64], driver[64];
		uint32_t mtu, workers, queues;
	} network;
	struct {
		uint64_t user_ms, system_ms;
		uint64_t busy_cycles, idle_cycles; /**< of the workers */
	} cpu;
	struct {
		uint64_t own_bytes_peak; /**< anonymous memory, guest RAM aside */
		uint64_t mempool_bytes; /**< packet, op and block pools */
	} memory;
	struct {
		char tracker[16];
		uint64_t scans, scan_us_max, reported_pages, narrowed_pages, attach_us;
	} dirty;
	struct {
		bool any;
		uint64_t loss, reorder, duplicate, corrupt, codec_error;
	} inject;
	/** Packets and blocks that went nowhere, each by its own name. */
	struct {
		uint64_t rx_not_ours, rx_fragments, rx_malformed, rx_bad_checksum;
		uint64_t rx_unknown_port, rx_forward_drops, rx_port_missed;
		uint64_t rx_not_quic, rx_undecryptable;
		uint64_t tx_no_mbuf, tx_port_full, tx_unresolved, tx_no_route;
		uint64_t retries_sent, tokens_invalid, handshakes_failed, refused_busy;
		uint64_t blocks_failed;
	} drops;
	/** Sessions that were lost, and others that took over. */
	struct {
		uint64_t count;
		uint64_t held_pages; /**< source: that the destination had then and were not sent */
		uint64_t lost_ms; /**< how long there was no session */
	} recovery;
	bool verified; /**< all RAM was compared and is equal */
	unsigned int round_count;
	struct migc_report_round round[MIGC_REPORT_ROUNDS_MAX];
	struct migc_error error; /**< code 0: none */
};

/** The report as an object of jansson, json_decref() frees it. @return NULL: no memory. */
struct json_t *migc_report_value(const struct migc_report *report);
/** The JSON of CLI.md. @param out text, freed with free() @return 0, -ENOMEM. */
int migc_report_json(const struct migc_report *report, char **out);
/** The same of several: {"guests": [...]}, each with its name as "guest". */
int migc_report_guests_json(const struct migc_report *reports, const char *const *guests,
			    unsigned int count, char **out);
/**
 * Write the JSON to a file ("-": standard output).
 * @return 0, -errno with a message (a full disk is one).
 */
int migc_report_write(const struct migc_report *report, const char *path, struct migc_error *err);
/** Write that of several guests, likewise. */
int migc_report_write_guests(const struct migc_report *reports, const char *const *guests,
			     unsigned int count, const char *path, struct migc_error *err);
/** Write a text and a newline, likewise. */
int migc_report_write_text(const char *text, const char *path, struct migc_error *err);
/** The table for a person, several lines. @return its length as snprintf() would. */
int migc_report_table(const struct migc_report *report, char *out, size_t capacity);
/** A size with a unit, such as "3.50 GiB". @return its length as snprintf() would. */
int migc_report_bytes(uint64_t bytes, char *out, size_t capacity);
/** One line of progress, no newline. @return its length as snprintf() would. */
int migc_report_line(const struct migc_report *report, char *out, size_t capacity);

#endif
