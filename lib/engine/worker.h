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
#include "migc_inet.h"
#include "migc_page.h"
#include "migc_port.h"
#include "migc_transport.h"
#include "migc_wire.h"

/**
 * @file
 * One worker lcore: its own port queue, connection, codec engine and buffers. Everything in
 * struct worker is the worker's own, but what is marked as shared with the main lcore.
 */

#define WORKERS_MAX 32u
#define WORKER_BURST 32u
/** Room for what the injector may make of a burst. */
#define WORKER_TX_MAX (2u * WORKER_BURST + MIGC_INJECT_HELD)
/** Spans handed to a worker and not yet taken: so much of the guest may be behind a scan. */
#define WORKER_SPANS 32u
/** Control messages on their way, each direction. Not less than a stream's receive window. */
#define WORKER_FIFO_BYTES (1u << 20)

struct send_path;
struct receive_path;

/** Counters of a worker, copied out for the main lcore now and then. */
struct worker_counters {
	uint64_t zero_pages,
		data_pages; /**< source: found zero; put into blocks. Destination: applied */
	uint64_t zero_blocks;
	uint64_t blocks[MIGC_CODEC_COUNT], payload_bytes[MIGC_CODEC_COUNT]; /**< by codec */
	uint64_t copied_pages; /**< snapshots taken because the tracker needs to know what was sent
				*/
	uint64_t delta_blocks, delta_pages, delta_bytes; /**< that went, or came, as deltas */
	uint64_t delta_overflow; /**< deltas that did not shrink: sent as whole pages */
	struct migc_delta_stats delta; /**< source */
	uint64_t blocks_failed;
	uint64_t wire_bytes; /**< frames sent, headers included */
	uint64_t tx_packets, rx_packets;
	uint64_t tx_no_mbuf; /**< sends put off: no packet buffer */
	uint64_t tx_port_full; /**< bursts the port did not take whole */
	uint64_t rx_forwarded; /**< frames of another worker's flow */
	uint64_t rx_forward_drops; /**< ... and its ring was full */
	uint64_t rx_unknown_port; /**< datagrams to a UDP port that is no worker's */
	uint64_t busy_cycles, idle_cycles;
	struct migc_inet_stats inet;
	struct migc_transport_stats transport;
	struct migc_codec_stats codec;
	uint64_t looked_incompressible; /**< blocks sent raw for their looks */
	uint64_t ladder_held_ns, ladder_starved_ns; /**< time the ladder was told so */
	uint64_t codec_skipped; /**< blocks sent raw as those before did not shrink */
	uint64_t injected_loss, injected_reorder, injected_duplicate, injected_corrupt;
};

struct worker {
	unsigned int index, count;
	unsigned int lcore;
	struct worker *all; /**< the workers of this process, `count` of them */

	/* port */
	const struct migc_port_info *port;
	uint16_t queue;
	bool polls; /**< receives from the port's queue of the same number */
	struct rte_mempool *pool;
	struct rte_ring *rx_ring; /**< frames that other workers received for us */
	struct rte_ring
		*tx_ring; /**< frames of workers that share our TX queue, NULL when none do */
	struct migc_inject inject_rx, inject_tx;
	struct rte_mbuf *tx_pending[WORKER_TX_MAX]; /**< not taken by the port yet */
	unsigned int tx_first, tx_count;
	struct bandwidth_pace tx_pace; /**< --max-bandwidth */

	/* network and transport */
	struct migc_inet *inet;
	struct migc_transport *transport;
	uint16_t udp_port, udp_port_base;

	/* data path: one of the two */
	struct send_path *send;
	struct receive_path *receive;
	uint64_t control_queued; /**< position in to_peer given to the transport */
	uint64_t control_credited; /**< position in from_peer given back as credit */

	struct worker_counters counters;
	unsigned int idle_turns;
	bool slept; /**< and nothing came since */
	uint32_t sleep_ns; /**< how long, next time */
	uint64_t publish_ns;
	uint32_t
		send_cycles; /**< a page of frames costs in worker_transmit(), EWMA; 0: not known */

	uint64_t power_pause_cycles; /**< a longer pause that the CPU has (TPAUSE); 0: none */

	/* shared with the main lcore; each word has one writer */
	struct byte_fifo to_peer, from_peer; /**< control messages */

	/* written by the main lcore, seldom: the worker reads it in its own cache */
	uint32_t started __attribute__((aligned(64))); /**< may use its transport */
	uint32_t stop;
	uint32_t hurry; /**< the guest is stopped: sleep but shortly */
	uint32_t mean_per_mille; /**< the mean of all workers' ladder positions */
	uint32_t spare_per_mille; /**< of the workers' cores, what nobody uses */
	uint64_t tx_bits_per_s; /**< this worker's share of --max-bandwidth, 0: no limit */
	uint32_t close; /**< close the connection with close_text */
	char close_text[128]; /**< before close */

	/* written by the worker, each turn; read by the main lcore each 2 ms at the most */
	uint32_t transport_state __attribute__((aligned(64))); /**< enum migc_transport_state */
	uint32_t ladder_per_mille; /**< position of its ladder, 1000 a rung */
	uint32_t failed; /**< failure is set and final */
	struct migc_error failure;
	uint32_t refusals; /**< handshakes failed; refusal_text is that of the last */
	struct migc_error refusal;
	struct worker_counters published;
	uint32_t published_sequence; /**< seqlock: odd while published is being written */
};

/** Launch with rte_eal_remote_launch(): runs worker_turn() until stop. */
int worker_main(void *worker);
/** One turn of everything. @return whether anything was done. */
bool worker_turn(struct worker *w);
/** Before the first turn: what this CPU can pause with. */
void worker_find_pause(struct worker *w);
/** What a worker does when turns bring nothing: pause, then sleeps. */
void worker_back_off(struct worker *w);
/** Fail the whole migration: keep the first cause, tell the main lcore. */
void worker_fail(struct worker *w, int code, const char *text);
/** Main lcore: a consistent copy of the counters. */
void worker_read_counters(const struct worker *w, struct worker_counters *out);
/** Copy counters out now. Worker. */
void worker_publish(struct worker *w);

/** Receive, dispatch. @return packets. worker_rx.c */
unsigned int worker_receive(struct worker *w, uint64_t now_ns);
/** Make datagrams, transmit. @return packets. worker_tx.c */
unsigned int worker_transmit(struct worker *w, uint64_t now_ns);
/** Queue one frame for transmission as soon as the port takes it; drops when there is no room. */
void worker_send_frame(struct worker *w, struct rte_mbuf *frame);
/** Move control messages between the fifos and the transport. @return whether anything moved. */
bool worker_control(struct worker *w);
/** The transport's callbacks for a worker. */
int worker_on_data(void *worker, unsigned int stream, const uint8_t *data, size_t length);
void worker_on_acked(void *worker, void *cookie);

#endif
