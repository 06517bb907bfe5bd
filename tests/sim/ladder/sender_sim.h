/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SENDER_SIM_H
#define SENDER_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_ladder.h"

/**
 * @file
 * A migration in virtual time: workers that compress blocks one after another, their transports
 * with a congestion window, one link with a rate, a queue and a round trip, a receiver a worker
 * that takes packets and decompresses. Each worker and receiver has a core, or they share some.
 * Same seed, same result.
 */

#define SIM_WORKERS_MAX 8u
#define SIM_PHASES_MAX 3u
#define SIM_MARKS 100u

/** Nanoseconds a guest byte, and bytes on the wire a guest byte. */
struct sim_codec_cost {
	double compress, decompress, wire;
};

struct sim_data {
	const char *name;
	double random_share; /**< of the blocks: incompressible */
	struct sim_codec_cost codec[MIGC_LADDER_KINDS]; /**< of the others */
};

/** A third, a half or the whole of the run. */
struct sim_phase {
	double gbit;
	const struct sim_data *data;
};

struct sim_setup {
	const char *name;
	struct sim_phase phase[SIM_PHASES_MAX]; /**< of equal length, until one has no rate */
	unsigned int workers;
	unsigned int shared_cores; /**< 0: a core for each worker and each receiver */
	bool alone; /**< workers are not told the mean of their positions */
	bool fixed_queue; /**< 512 KiB may wait, not as much as the window up to that */
	bool no_looks; /**< blocks are not looked at before */
	double rtt_us;
	double queue_ms; /**< of the link, in addition to 128 KiB */
	double send_ns, receive_ns; /**< of the transport, a wire byte */
	double device_gbit; /**< guest bits a second of deflate by a device, all workers; 0: none */
	uint32_t codecs;
	uint32_t flags;
	double seconds;
	double settle_seconds; /**< position is judged after this */
	uint64_t seed;
};

/** Which block gets which codec: the ladder, or always the same. */
#define SIM_AUTO (-1)

struct sim_result {
	double guest_bytes; /**< decompressed at the peer when the time was over */
	double wire_bytes;
	double position, deviation; /**< of the first worker, in rungs, after settle_seconds */
	double guest_at[SIM_MARKS]; /**< guest_bytes over the run */
	double sender_cpu_s, receiver_cpu_s;
	uint64_t turned;
	uint64_t blocks[MIGC_LADDER_KINDS];
};

void sim_run(const struct sim_setup *setup, int codec, struct sim_result *out);

extern const struct sim_data sim_silesia, sim_half, sim_random;

#endif
