/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef LANE_H
#define LANE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ring.h>

#include "migc_inet.h"
#include "migc_port.h"
#include "worker.h"

/**
 * @file
 * A lane: one lcore with its port queue, its neighbour table and its packets on their way. In it
 * run the workers of one or several sessions, one worker of each, in slots: who has slot s listens
 * on UDP port base + s * lanes + index of the lane. Workers come and go while the lane runs.
 * Everything in struct lane is the lane's own, but what is marked as shared with controllers.
 */

#define LANES_MAX WORKERS_MAX
/** Sessions that share lanes. */
#define LANE_SLOTS_MAX 32u
#define LANE_BURST 32u
/** Room for what the injector may make of a burst. */
#define LANE_TX_MAX (2u * LANE_BURST + MIGC_INJECT_HELD)

/** Counters of a lane, copied out for controllers now and then. */
struct lane_counters {
	uint64_t wire_bytes; /**< frames sent, headers included */
	/** Frames of no worker: ARP, ICMP, and what was dropped. The rest its worker counts. */
	uint64_t other_wire_bytes, other_tx_packets, other_rx_packets;
	uint64_t tx_no_mbuf; /**< sends put off: no packet buffer */
	uint64_t tx_port_full; /**< bursts the port did not take whole */
	uint64_t rx_forwarded; /**< frames of another lane's flow */
	uint64_t rx_forward_drops; /**< ... and its ring was full */
	uint64_t rx_chained; /**< frames in more buffers than one that did not fit into one */
	uint64_t rx_unknown_port; /**< datagrams to a UDP port that is no worker's */
	uint64_t busy_cycles, idle_cycles;
	struct migc_inet_stats inet;
	uint64_t injected_loss, injected_reorder, injected_duplicate, injected_corrupt;
};

struct lane {
	unsigned int index, count;
	unsigned int lcore;
	struct lane *all; /**< the lanes of this process, `count` of them */

	/* port */
	const struct migc_port_info *port;
	uint16_t queue;
	bool polls; /**< receives from the port's queue of the same number */
	bool port_off; /**< not to be touched; set while nobody runs the lane (lanes_mind_port()) */
	struct rte_mempool *pool;
	struct rte_ring *rx_ring; /**< frames that other lanes received for us */
	struct rte_ring *tx_ring; /**< frames of lanes that share our TX queue, NULL when none do */
	struct migc_inject inject_rx, inject_tx;
	struct rte_mbuf *tx_pending[LANE_TX_MAX]; /**< not taken by the port yet */
	unsigned int tx_first, tx_count;
	struct migc_inet *inet;
	uint16_t udp_port_base; /**< of slot 0 in lane 0 */

	/* workers, as `wanted` was when the lane last looked */
	struct worker *slot[LANE_SLOTS_MAX];
	struct worker *active[LANE_SLOTS_MAX]; /**< the same without gaps */
	unsigned int active_count;
	unsigned int next; /**< in `active`: whose turn it is to send first */

	struct lane_counters counters;
	unsigned int idle_turns;
	bool slept; /**< and nothing came since */
	uint32_t sleep_ns; /**< how long, next time */
	uint64_t publish_ns;
	uint64_t power_pause_cycles; /**< a longer pause that the CPU has (TPAUSE); 0: none */

	/* written by controllers, seldom: the lane reads it in its own cache */
	uint32_t stop __attribute__((aligned(64)));
	uint32_t changes; /**< counts what was written to `wanted` */
	struct worker *wanted[LANE_SLOTS_MAX]; /**< a slot has one controller that writes it */
	uint32_t left[LANE_SLOTS_MAX]; /**< `changes` with its last lane_detach(); its controller's
					*/

	/* written by the lane; read by controllers */
	uint32_t changes_taken __attribute__((aligned(64))); /**< so many are in `slot` */
	struct lane_counters published;
	uint32_t published_sequence; /**< seqlock.h */
};

/** Launch with rte_eal_remote_launch(): runs lane_turn() until stop. */
int lane_main(void *lane);
/** One turn of everything, and idling when it brought nothing. */
void lane_step(struct lane *l);
/** One turn of everything. @return whether anything was done. */
bool lane_turn(struct lane *l);
/** Before the first turn: what this CPU can pause with. */
void lane_find_pause(struct lane *l);
/** Look at once which workers there are to be. The lane's thread, or while nobody runs it. */
void lane_take_changes(struct lane *l);
/** Copy counters out now, the workers' as well. */
void lane_publish(struct lane *l);

/** Receive, dispatch. @return packets. lane_rx.c */
unsigned int lane_receive(struct lane *l, uint64_t now_ns);
/** Make datagrams of all workers in turn, transmit. @return packets. lane_tx.c */
unsigned int lane_transmit(struct lane *l, uint64_t now_ns);
/** Queue one frame for transmission as soon as the port takes it; drops when there is no room. */
void lane_send_frame(struct lane *l, struct rte_mbuf *frame);

/* ---- controllers ---- */

/** A worker for a slot that has none; it gets its turns from the lane's next on. Any thread. */
void lane_attach(struct lane *l, unsigned int slot, struct worker *w);
/** Take the worker out of a slot; nothing of it is touched once lane_detached() says so. */
void lane_detach(struct lane *l, unsigned int slot);
bool lane_detached(const struct lane *l, unsigned int slot);
/** A consistent copy of the counters. */
void lane_read_counters(const struct lane *l, struct lane_counters *out);

#endif
