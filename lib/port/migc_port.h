/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_PORT_H
#define MIGC_PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "migc_error.h"
#include "migc_fault.h"
#include "migc_log.h"
#include "migc_random.h"

/**
 * @file
 * One ethdev: configured once on the main lcore, then one queue pair a worker. And the fault
 * injector that sits between the port and the transport.
 */

struct migc_port;

struct migc_port_config {
	const char *name; /**< ethdev name; NULL: the first one */
	uint16_t workers; /**< queues wanted; fewer when the port has fewer */
	uint16_t mtu; /**< IP MTU wanted; 0: what the port says */
	uint32_t mbufs; /**< per worker; 0: default */
	const struct migc_log *log;
};

struct migc_port_info {
	char name[RTE_ETH_NAME_MAX_LEN];
	char driver[64];
	uint16_t port_id;
	uint16_t queues; /**< RX and TX queues set up: 1..workers */
	uint16_t mtu; /**< IP MTU to be used */
	uint8_t mac[6];
	unsigned int tx_offload; /**< MIGC_INET_*_OFFLOAD that the port does (same bits) */
	bool rx_checksum; /**< packets carry checksum verdicts in ol_flags */
	uint64_t memory_bytes; /**< mempools made */
};

/**
 * Configure and start the port (promiscuous off; multi-queue and RSS where it has them). A driver
 * that refuses an MTU it can carry (memif) is asked for 1500 and used at `mtu` (facts: it does
 * carry it); the packet buffers are made large enough for the port and the MTU.
 * @return 0; -ENODEV (no such port: the message lists those there are), -EINVAL (MTU under 1280 or
 *   more than the port takes), -ENOMEM, or what the driver said.
 */
int migc_port_open(const struct migc_port_config *config, struct migc_port **out,
		   struct migc_error *err);
/** Wait until the link is up. Main lcore. @return 0, -ETIMEDOUT. */
int migc_port_wait_link(struct migc_port *port, unsigned int timeout_ms);
/**
 * Has the port lost its peer, and does nothing to find it again? So it is with memif's client: its
 * driver connects when the port is started, and when the server dies no more. Main lcore.
 */
bool migc_port_forsaken(const struct migc_port *port);
/**
 * Begin to start the port again. Nobody uses its queues, until migc_port_revived() says 0. Main
 * lcore. @return 0, -errno.
 */
int migc_port_revive(struct migc_port *port);
/**
 * @return 0: the port is started; soon its link will be up. -EINPROGRESS: not yet; -ENOLINK: there
 *   is no server: begin anew, later
 */
int migc_port_revived(struct migc_port *port);
void migc_port_close(struct migc_port *port);
void migc_port_info(const struct migc_port *port, struct migc_port_info *out);
/** Mempool of packet buffers for a worker: data room >= headroom + 14 + MTU. */
struct rte_mempool *migc_port_pool(const struct migc_port *port, unsigned int worker);
/** Queue that a worker transmits on and polls: worker % queues; only workers < queues poll. */
static inline uint16_t migc_port_queue(const struct migc_port_info *info, unsigned int worker)
{
	return (uint16_t)(worker % info->queues);
}
/** Is the link up? Main lcore. */
bool migc_port_link_up(const struct migc_port *port);
/** Packets the port says it dropped (imissed + rx_nombuf), main lcore. */
uint64_t migc_port_missed(const struct migc_port *port);

/**
 * Before EAL is started, with its words: a memif server that was killed leaves the file of its
 * socket, and the next one could not listen there. Removed is what nobody listens at.
 * @return how many were.
 */
unsigned int migc_port_clear_stale(int argc, char **argv);

/* ---- fault injection (--inject), one object a worker and direction ---- */

/** Chances in 10^9. */
struct migc_inject_spec {
	uint32_t loss, reorder, duplicate, corrupt;
	uint32_t codec_error; /**< used by the codec, not here */
	uint64_t seed;
	struct migc_faults faults; /**< carried out by the engine */
	bool any; /**< any of loss, reorder, duplicate, corrupt, or a cut to come */
};

/**
 * Parse `loss=0.01,reorder=0.01,dup=0.01,corrupt=0.001,codec-error=0.001,seed=1`, each chance
 * within 0..1, and the faults of migc_fault.h: `stop=READY,cut=STOP/ROUND:10`.
 * @return 0, -EINVAL with a message that names the word that was wrong and lists the known ones.
 */
int migc_inject_parse(const char *text, struct migc_inject_spec *out, struct migc_error *err);

#define MIGC_INJECT_HELD 8

struct migc_inject {
	struct migc_inject_spec spec;
	struct migc_random random;
	struct rte_mbuf *held[MIGC_INJECT_HELD]; /**< packets being overtaken */
	uint8_t held_for[MIGC_INJECT_HELD]; /**< packets that may still overtake it */
	unsigned int held_count;
	uint64_t cut_until_ns; /**< nothing passes before; set by another thread */
	uint64_t dropped, reordered, duplicated, corrupted; /**< statistics */
};

void migc_inject_init(struct migc_inject *inject, const struct migc_inject_spec *spec,
		      uint64_t stream);
/**
 * Pass a burst through: drops (frees), holds back, doubles (copy from `pool`) or damages packets.
 * @param in    `count` packets, owned by the injector from now on
 * @param out   room for 2 * count + MIGC_INJECT_HELD
 * @param now_ns of the clock that migc_inject_cut() was given a time of
 * @return number of packets in `out`. Call with count 0 when idle: held packets are let go.
 */
unsigned int migc_inject_burst(struct migc_inject *inject, struct rte_mempool *pool,
			       struct rte_mbuf **in, unsigned int count, struct rte_mbuf **out,
			       uint64_t now_ns);
/** From now on until `until_ns` nothing passes: all is dropped, and counted so. Any thread. */
void migc_inject_cut(struct migc_inject *inject, uint64_t until_ns);
/** Is it cut? Any thread. */
bool migc_inject_is_cut(const struct migc_inject *inject, uint64_t now_ns);
/** Free what is held. */
void migc_inject_drain(struct migc_inject *inject);

#endif
