/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ethdev.h>

#include "worker.h"

static unsigned int checksum_flags(const struct worker *w, const struct rte_mbuf *m)
{
	unsigned int flags = 0;

	if (!w->port->rx_checksum)
		return 0;
	if ((m->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		flags |= MIGC_INET_IP_CHECKSUM_GOOD;
	if ((m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		flags |= MIGC_INET_UDP_CHECKSUM_GOOD;
	return flags;
}

/** A flow that is another worker's (one queue for all, or RSS that knows no better). */
static void forward(struct worker *w, unsigned int to, struct rte_mbuf *m)
{
	w->counters.rx_forwarded++;
	if (rte_ring_enqueue(w->all[to].rx_ring, m) != 0) {
		w->counters.rx_forward_drops++;
		rte_pktmbuf_free(m);
	}
}

/** Every worker has a neighbour table of its own: give the others a copy of what ARP said. */
static void share_arp(struct worker *w, const struct rte_mbuf *m)
{
	for (unsigned int i = 0; i < w->count; i++) {
		struct rte_mbuf *copy;

		if (i == w->index)
			continue;
		copy = rte_pktmbuf_copy(m, w->pool, 0, UINT32_MAX);
		if (copy == NULL)
			w->counters.tx_no_mbuf++;
		else
			forward(w, i, copy);
	}
}

static void take(struct worker *w, struct rte_mbuf *m, bool from_port, uint64_t now_ns)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	size_t capacity = (size_t)m->data_len + rte_pktmbuf_tailroom(m);
	bool arp = m->data_len >= 14 && frame[12] == 0x08 && frame[13] == 0x06;
	struct migc_inet_rx rx;

	w->counters.rx_packets++;
	if (m->nb_segs != 1 && rte_pktmbuf_linearize(m) != 0) {
		w->counters.inet.rx_malformed++;
		rte_pktmbuf_free(m);
		return;
	}
	if (arp && from_port && w->count > 1)
		share_arp(w, m);
	migc_inet_input(w->inet, frame, m->data_len, capacity, checksum_flags(w, m), now_ns, &rx);
	switch (rx.verdict) {
	case MIGC_INET_UDP: {
		unsigned int to = (unsigned int)(uint16_t)(rx.to_port - w->udp_port_base);

		if (to == w->index) {
			if (__atomic_load_n(&w->started, __ATOMIC_ACQUIRE))
				migc_transport_read(w->transport, &rx.from, rx.payload,
						    rx.payload_bytes, now_ns);
		} else if (to < w->count && from_port) {
			forward(w, to, m);
			return;
		} else {
			w->counters.rx_unknown_port++;
		}
		break;
	}
	case MIGC_INET_REPLY:
	case MIGC_INET_ARP_REPLY:
		/* one answer is enough: the worker that received the request gives it */
		if (from_port) {
			m->data_len = rx.reply_bytes;
			m->pkt_len = rx.reply_bytes;
			m->ol_flags = 0;
			worker_send_frame(w, m);
			return;
		}
		break;
	case MIGC_INET_ARP:
	case MIGC_INET_DROP:
		break;
	}
	rte_pktmbuf_free(m);
}

unsigned int worker_receive(struct worker *w, uint64_t now_ns)
{
	struct rte_mbuf *in[WORKER_BURST], *out[WORKER_TX_MAX];
	unsigned int total = 0, count = 0;

	if (w->polls) {
		count = rte_eth_rx_burst(w->port->port_id, w->queue, in, WORKER_BURST);
		if (w->inject_rx.spec.any) {
			total = migc_inject_burst(&w->inject_rx, w->pool, in, count, out);
			for (unsigned int i = 0; i < total; i++)
				take(w, out[i], true, now_ns);
		} else {
			for (unsigned int i = 0; i < count; i++)
				take(w, in[i], true, now_ns);
			total = count;
		}
	}
	if (w->count > 1) {
		count = rte_ring_dequeue_burst(w->rx_ring, (void **)in, WORKER_BURST, NULL);
		for (unsigned int i = 0; i < count; i++)
			take(w, in[i], false, now_ns);
		total += count;
	}
	return total;
}
