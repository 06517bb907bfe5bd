/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_ethdev.h>

#include "lane.h"

/** @return how many it took. */
static unsigned int give_port(const struct lane *l, struct rte_mbuf **frames, unsigned int count)
{
	if (l->port_off)
		return 0;
	return rte_eth_tx_burst(l->port->port_id, l->queue, frames, (uint16_t)count);
}

/** Give pending frames to the port, or to the lane that owns the queue. */
static void flush(struct lane *l)
{
	unsigned int sent;
	struct rte_mbuf **from = l->tx_pending + l->tx_first;

	if (l->tx_count == 0)
		return;
	if (l->index == l->queue)
		sent = give_port(l, from, l->tx_count);
	else
		sent = rte_ring_enqueue_burst(l->all[l->queue].tx_ring, (void *const *)from,
					      l->tx_count, NULL);
	if (sent < l->tx_count)
		l->counters.tx_port_full++;
	l->tx_first += sent;
	l->tx_count -= sent;
	if (l->tx_count == 0)
		l->tx_first = 0;
}

void lane_send_frame(struct lane *l, struct rte_mbuf *frame)
{
	if (l->tx_first + l->tx_count == LANE_TX_MAX)
		flush(l);
	if (l->tx_first + l->tx_count == LANE_TX_MAX) {
		l->counters.tx_no_mbuf++;
		rte_pktmbuf_free(frame);
		return;
	}
	l->counters.wire_bytes += frame->pkt_len;
	l->counters.other_wire_bytes += frame->pkt_len;
	l->counters.other_tx_packets++;
	l->tx_pending[l->tx_first + l->tx_count++] = frame;
}

/** Frames of lanes that have no queue of their own. */
static unsigned int transmit_others(struct lane *l)
{
	struct rte_mbuf *in[LANE_BURST];
	unsigned int count, sent = 0;

	if (l->tx_ring == NULL || l->tx_count != 0)
		return 0;
	count = rte_ring_dequeue_burst(l->tx_ring, (void **)in, LANE_BURST, NULL);
	if (count)
		sent = give_port(l, in, count);
	for (unsigned int i = sent; i < count; i++)
		l->tx_pending[l->tx_count++] = in[i];
	return count;
}

static void offload(const struct lane *l, struct rte_mbuf *m)
{
	m->ol_flags = 0;
	if ((l->port->tx_offload & MIGC_INET_IP_CHECKSUM_OFFLOAD) == 0)
		return;
	m->l2_len = 14;
	m->l3_len = 20;
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	if (l->port->tx_offload & MIGC_INET_UDP_CHECKSUM_OFFLOAD)
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
}

static unsigned int make_datagrams(struct lane *l, struct worker *w, struct rte_mbuf **out,
				   uint64_t now_ns)
{
	/* advice of the controller's: which of two shares is seen does not matter */
	uint64_t share = __atomic_load_n(&w->tx_bits_per_s, __ATOMIC_RELAXED);
	unsigned int made = 0;

	/* the first datagram would be lost, and sent again only when QUIC has waited for an answer
	 */
	if (w->first_peer && !migc_inet_ready(l->inet, w->first_peer, w->peer_since_ns, now_ns))
		return 0;
	w->first_peer = 0;
	for (unsigned int i = 0; i < LANE_BURST && bandwidth_allows(&w->tx_pace, share, now_ns);
	     i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(l->pool);
		struct migc_addr to;
		uint8_t *payload;
		size_t frame_bytes;
		int length;

		if (m == NULL) {
			l->counters.tx_no_mbuf++;
			break;
		}
		payload = rte_pktmbuf_mtod_offset(m, uint8_t *, MIGC_INET_HEADROOM_BYTES);
		length = migc_transport_write(w->transport, payload,
					      rte_pktmbuf_tailroom(m) - MIGC_INET_HEADROOM_BYTES,
					      &to, now_ns);
		if (length <= 0 ||
		    migc_inet_output(l->inet, payload, (size_t)length, &to, w->udp_port,
				     l->port->tx_offload, now_ns, &frame_bytes) != 0) {
			/* a datagram without a next hop is lost like any other: QUIC sends it again
			 */
			rte_pktmbuf_free(m);
			if (length <= 0)
				break;
			continue;
		}
		m->data_len = (uint16_t)frame_bytes;
		m->pkt_len = (uint32_t)frame_bytes;
		offload(l, m);
		bandwidth_charge(&w->tx_pace, share, (uint32_t)frame_bytes);
		w->counters.wire_bytes += frame_bytes;
		l->counters.wire_bytes += frame_bytes;
		out[made++] = m;
	}
	w->counters.tx_packets += made;
	return made;
}

static void send_arp(struct lane *l, uint64_t now_ns)
{
	uint8_t frame[64];
	size_t length = migc_inet_poll(l->inet, frame, sizeof(frame), now_ns);
	struct rte_mbuf *m;

	if (length == 0 || migc_inject_is_cut(&l->inject_tx, now_ns))
		return;
	m = rte_pktmbuf_alloc(l->pool);
	if (m == NULL) {
		l->counters.tx_no_mbuf++;
		return;
	}
	memcpy(rte_pktmbuf_append(m, (uint16_t)length), frame, length);
	lane_send_frame(l, m);
}

/** One worker's burst; nothing is pending before. */
static unsigned int transmit_worker(struct lane *l, struct worker *w, uint64_t now_ns)
{
	struct rte_mbuf *made[LANE_BURST];
	unsigned int count;

	/* pairs with the release in engine_start_worker(): the transport is set up */
	if (!__atomic_load_n(&w->started, __ATOMIC_ACQUIRE))
		return 0;
	if (!l->inject_tx.spec.any) {
		l->tx_count = make_datagrams(l, w, l->tx_pending, now_ns);
		return l->tx_count;
	}
	count = make_datagrams(l, w, made, now_ns);
	l->tx_count = migc_inject_burst(&l->inject_tx, l->pool, made, count, l->tx_pending, now_ns);
	return count;
}

unsigned int lane_transmit(struct lane *l, uint64_t now_ns)
{
	unsigned int count = 0, others;

	flush(l);
	others = transmit_others(l);
	if (l->tx_count != 0)
		return others;
	/* at most a burst each, and whom the port had no room for is first the next time */
	for (unsigned int i = 0; i < l->active_count && l->tx_count == 0; i++) {
		count += transmit_worker(l, l->active[l->next], now_ns);
		l->next = l->next + 1 == l->active_count ? 0 : l->next + 1;
		if (i + 1 < l->active_count)
			flush(l);
	}
	send_arp(l, now_ns);
	flush(l);
	return count + others;
}
