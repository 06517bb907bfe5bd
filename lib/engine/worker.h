/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef WORKER_H
#define WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ring.h>

#include "bandwidth.h"
#include "byte_fifo.h"
#include "migc_codec.h"
#include "migc_delta.h"
#include "migc_dirty.h"
#include "migc_error.h"
#include "migc_guestmem.h"
#include "migc_ladder.h"
#include "migc_page.h"
#include "migc_transport.h"
#include "migc_wire.h"

/**
 * @file
 * A worker: what a session has in one lane (lane.h): a connection, a codec engine, buffers.
 * Everything in struct worker is the lane's, but what is marked as shared with the controller: the
 * one thread that runs the session.
 */

#define WORKERS_MAX 32u
/** Spans handed to a worker and not yet taken: so much of the guest may be behind a scan. */
#define WORKER_SPANS 32u
/** Control messages on their way, each direction. Not less than a stream's receive window. */
#define WORKER_FIFO_BYTES (1u << 20)

struct lane;
struct send_path;
struct receive_path;

/** Counters of a worker, copied out for the controller now and then. */
struct worker_counters {
	uint64_t zero_pages,
		data_pages; /**< source: found zero; put into blocks. Destination: applied */
	uint64_t zero_blocks;
	uint64_t blocks[MIGC_CODEC_COUNT], payload_bytes[MIGC_CODEC_COUNT]; /**< by codec */
	uint64_t read_pages; /**< source: with a system call, instead of through a mapping */
	uint64_t copied_pages; /**< snapshots taken because the tracker needs to know what was sent
				*/
	uint64_t no_block, no_copy; /**< source: turns that could not begin a block for want of one,
				     * or of room for copies */
	uint64_t delta_blocks, delta_pages, delta_bytes; /**< that went, or came, as deltas */
	uint64_t delta_overflow; /**< deltas that did not shrink: sent as whole pages */
	struct migc_delta_stats delta; /**< source */
	uint64_t blocks_failed;
	uint64_t wire_bytes; /**< frames of its datagrams, headers included */
	uint64_t tx_packets, rx_packets; /**< its datagrams */
	struct migc_transport_stats transport;
	struct migc_codec_stats codec;
	uint64_t looked_incompressible; /**< blocks sent raw for their looks */
	uint64_t ladder_held_ns, ladder_starved_ns; /**< time the ladder was told so */
	uint64_t codec_skipped; /**< blocks sent raw as those before did not shrink */
};

struct worker {
	unsigned int index, count; /**< of the session's workers: worker i is in lane i */
	unsigned int number; /**< among the workers of all sessions: what is named after it */
	struct lane *lane; /**< while attached to it */

	struct migc_transport *transport;
	uint16_t udp_port;
	uint32_t first_peer; /**< source: nothing is made for it before ARP knows the way; 0: known
			      */
	uint64_t peer_since_ns; /**< what ARP said of it before does not count */
	struct bandwidth_pace tx_pace; /**< --max-bandwidth */

	/* data path: one of the two */
	struct send_path *send;
	struct receive_path *receive;
	uint64_t control_queued; /**< position in to_peer given to the transport */
	uint64_t control_credited; /**< position in from_peer given back as credit */

	bool closing; /**< was asked to close, and did */
	struct worker_counters counters;

	/* shared with the controller; each word has one writer */
	struct byte_fifo to_peer, from_peer; /**< control messages */

	/* written by the controller, seldom: the worker reads it in its own cache */
	uint32_t started __attribute__((aligned(64))); /**< may use its transport */
	uint32_t hurry; /**< the guest is stopped: sleep but shortly */
	uint32_t foot_rung; /**< of its ladder */
	uint32_t mean_per_mille[MIGC_LADDER_KINDS]; /**< the mean of all workers' positions, by foot
						     */
	uint32_t spare_per_mille; /**< of the workers' cores, what nobody uses */
	uint64_t tx_bits_per_s; /**< this worker's share of --max-bandwidth, 0: no limit */
	uint32_t close; /**< close the connection with close_text */
	char close_text[128]; /**< before close */

	/* written by the worker, each turn; read by the controller each 2 ms at the most */
	uint32_t transport_state __attribute__((aligned(64))); /**< enum migc_transport_state */
	uint32_t ladder_per_mille[MIGC_LADDER_KINDS]; /**< position of its ladder, 1000 a rung, by
						       * foot */
	uint32_t failed; /**< failure is set and final */
	struct migc_error failure;
	uint32_t refusals; /**< handshakes failed */
	uint32_t refusal_sequence; /**< seqlock.h */
	struct migc_error refusal; /**< the last */
	struct worker_counters published;
	uint32_t published_sequence; /**< seqlock.h */
};

/** One turn of connection, control messages and data path. @return whether anything was done. */
bool worker_turn(struct worker *w, uint64_t now_ns);
/** Tell the controller what has become of the connection. Each turn. */
void worker_publish_state(struct worker *w);
/** Fail the whole migration: keep the first cause, tell the controller. */
void worker_fail(struct worker *w, int code, const char *text);
/** Controller: a consistent copy of the counters. */
void worker_read_counters(const struct worker *w, struct worker_counters *out);
/** Copy counters out now. The lane's thread. */
void worker_publish(struct worker *w);

/** Move control messages between the fifos and the transport. @return whether anything moved. */
bool worker_control(struct worker *w);
/** The transport's callbacks for a worker. */
int worker_on_data(void *worker, unsigned int stream, const uint8_t *data, size_t length);
void worker_on_acked(void *worker, void *cookie);

#endif
