/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ethdev.h>

#include "lane.h"

static unsigned int checksum_flags(const struct lane *l, const struct rte_mbuf *m)
{
	unsigned int flags = 0;

	if (!l->port->rx_checksum)
		return 0;
	if ((m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		flags |= MIGC_INET_IP_CHECKSUM_GOOD;
	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		flags |= MIGC_INET_UDP_CHECKSUM_GOOD;
	return flags;
}

/** A flow that is another lane's (one queue for all, or RSS that knows no better). */
static void forward(struct lane *l, unsigned int to, struct rte_mbuf *m)
{
	l->counters.rx_forwarded++;
	if (rte_ring_enqueue(l->all[to].rx_ring, m) != 0) {
		l->counters.rx_forward_drops++;
		rte_pktmbuf_free(m);
	}
}

/** Every lane has a neighbour table of its own: give the others a copy of what ARP said. */
static void share_arp(struct lane *l, const struct rte_mbuf *m)
{
	for (unsigned int i = 0; i < l->count; i++) {
		struct rte_mbuf *copy;

		if (i == l->index)
			continue;
		copy = rte_pktmbuf_copy(m, l->pool, 0, UINT32_MAX);
		if (copy == NULL)
			l->counters.tx_no_mbuf++;
		else
			forward(l, i, copy);
	}
}

/** The worker in a slot of this lane takes a datagram. */
static void deliver(struct lane *l, struct worker *w, const struct migc_inet_rx *rx,
		    uint64_t now_ns)
{
	if (w == NULL) {
		l->counters.rx_unknown_port++;
		l->counters.other_rx_packets++;
		return;
	}
	w->counters.rx_packets++;
	/* pairs with the release in engine_start_worker(): the transport is set up */
	if (__atomic_load_n(&w->started, __ATOMIC_ACQUIRE))
		migc_transport_read(w->transport, &rx->from, rx->payload, rx->payload_bytes,
				    now_ns);
}

/**
 * A datagram's UDP port says slot and lane.
 * @return whether it was handed on to another lane
 */
static bool dispatch(struct lane *l, struct rte_mbuf *m, const struct migc_inet_rx *rx,
		     bool from_port, uint64_t now_ns)
{
	unsigned int to = (unsigned int)(uint16_t)(rx->to_port - l->udp_port_base);
	unsigned int slot = 0;

	/* most have one session only */
	if (to >= l->count) {
		slot = to / l->count;
		to %= l->count;
	}
	if (slot < LANE_SLOTS_MAX && to != l->index && from_port) {
		forward(l, to, m);
		return true;
	}
	deliver(l, slot < LANE_SLOTS_MAX && to == l->index ? l->slot[slot] : NULL, rx, now_ns);
	return false;
}

static void take(struct lane *l, struct rte_mbuf *m, bool from_port, uint64_t now_ns)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	size_t capacity = (size_t)m->data_len + rte_pktmbuf_tailroom(m);
	bool arp = m->data_len >= 14 && frame[12] == 0x08 && frame[13] == 0x06;
	struct migc_inet_rx rx;

	if (m->nb_segs != 1 && rte_pktmbuf_linearize(m) != 0) {
		l->counters.rx_chained++;
		l->counters.other_rx_packets++;
		rte_pktmbuf_free(m);
		return;
	}
	if (arp && from_port && l->count > 1)
		share_arp(l, m);
	migc_inet_input(l->inet, frame, m->data_len, capacity, checksum_flags(l, m), now_ns, &rx);
	if (rx.verdict == MIGC_INET_UDP) {
		if (dispatch(l, m, &rx, from_port, now_ns))
			return;
	} else {
		l->counters.other_rx_packets++;
	}
	/* one answer is enough: the lane that received the request gives it */
	if ((rx.verdict == MIGC_INET_REPLY || rx.verdict == MIGC_INET_ARP_REPLY) && from_port) {
		m->data_len = rx.reply_bytes;
		m->pkt_len = rx.reply_bytes;
		m->ol_flags = 0;
		lane_send_frame(l, m);
		return;
	}
	rte_pktmbuf_free(m);
}

unsigned int lane_receive(struct lane *l, uint64_t now_ns)
{
	struct rte_mbuf *in[LANE_BURST], *out[LANE_TX_MAX];
	unsigned int total = 0, count = 0;

	if (l->polls && !l->port_off) {
		count = rte_eth_rx_burst(l->port->port_id, l->queue, in, LANE_BURST);
		if (l->inject_rx.spec.any) {
			total = migc_inject_burst(&l->inject_rx, l->pool, in, count, out, now_ns);
			for (unsigned int i = 0; i < total; i++)
				take(l, out[i], true, now_ns);
		} else {
			for (unsigned int i = 0; i < count; i++)
				take(l, in[i], true, now_ns);
			total = count;
		}
	}
	if (l->count > 1) {
		count = rte_ring_dequeue_burst(l->rx_ring, (void **)in, LANE_BURST, NULL);
		for (unsigned int i = 0; i < count; i++)
			take(l, in[i], false, now_ns);
		total += count;
	}
	return total;
}
