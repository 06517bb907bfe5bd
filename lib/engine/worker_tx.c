/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include <rte_ethdev.h>

#include "worker.h"

/** Give pending frames to the port, or to the worker that owns the queue. */
static void flush(struct worker *w)
{
	unsigned int sent;
	struct rte_mbuf **from = w->tx_pending + w->tx_first;

	if (w->tx_count == 0)
		return;
	if (w->index == w->queue)
		sent = rte_eth_tx_burst(w->port->port_id, w->queue, from, (uint16_t)w->tx_count);
	else
		sent = rte_ring_enqueue_burst(w->all[w->queue].tx_ring, (void *const *)from,
					      w->tx_count, NULL);
	w->counters.tx_packets += sent;
	if (sent < w->tx_count)
		w->counters.tx_port_full++;
	w->tx_first += sent;
	w->tx_count -= sent;
	if (w->tx_count == 0)
		w->tx_first = 0;
}

void worker_send_frame(struct worker *w, struct rte_mbuf *frame)
{
	if (w->tx_first + w->tx_count == WORKER_TX_MAX)
		flush(w);
	if (w->tx_first + w->tx_count == WORKER_TX_MAX) {
		w->counters.tx_no_mbuf++;
		rte_pktmbuf_free(frame);
		return;
	}
	w->counters.wire_bytes += frame->pkt_len;
	w->tx_pending[w->tx_first + w->tx_count++] = frame;
}

/** Frames of workers that have no queue of their own. */
static unsigned int transmit_others(struct worker *w)
{
	struct rte_mbuf *in[WORKER_BURST];
	unsigned int count, sent = 0;

	if (w->tx_ring == NULL || w->tx_count != 0)
		return 0;
	count = rte_ring_dequeue_burst(w->tx_ring, (void **)in, WORKER_BURST, NULL);
	if (count)
		sent = rte_eth_tx_burst(w->port->port_id, w->queue, in, (uint16_t)count);
	for (unsigned int i = sent; i < count; i++)
		w->tx_pending[w->tx_count++] = in[i];
	return count;
}

static void offload(const struct worker *w, struct rte_mbuf *m)
{
	m->ol_flags = 0;
	if ((w->port->tx_offload & MIGC_INET_IP_CHECKSUM_OFFLOAD) == 0)
		return;
	m->l2_len = 14;
	m->l3_len = 20;
	m->ol_flags = RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM;
	if (w->port->tx_offload & MIGC_INET_UDP_CHECKSUM_OFFLOAD)
		m->ol_flags |= RTE_MBUF_F_TX_UDP_CKSUM;
}

static unsigned int make_datagrams(struct worker *w, struct rte_mbuf **out, uint64_t now_ns)
{
	/* advice of the main lcore's: which of two shares is seen does not matter */
	uint64_t share = __atomic_load_n(&w->tx_bits_per_s, __ATOMIC_RELAXED);
	unsigned int made = 0;

	while (made < WORKER_BURST && bandwidth_allows(&w->tx_pace, share, now_ns)) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
		struct migc_addr to;
		uint8_t *payload;
		size_t frame_bytes;
		int length;

		if (m == NULL) {
			w->counters.tx_no_mbuf++;
			break;
		}
		payload = rte_pktmbuf_mtod_offset(m, uint8_t *, MIGC_INET_HEADROOM_BYTES);
		length = migc_transport_write(w->transport, payload,
					      rte_pktmbuf_tailroom(m) - MIGC_INET_HEADROOM_BYTES,
					      &to, now_ns);
		if (length <= 0 ||
		    migc_inet_output(w->inet, payload, (size_t)length, &to, w->udp_port,
				     w->port->tx_offload, now_ns, &frame_bytes) != 0) {
			/* a datagram without a next hop is lost like any other: QUIC sends it again
			 */
			rte_pktmbuf_free(m);
			if (length <= 0)
				break;
			continue;
		}
		m->data_len = (uint16_t)frame_bytes;
		m->pkt_len = (uint32_t)frame_bytes;
		offload(w, m);
		bandwidth_charge(&w->tx_pace, share, (uint32_t)frame_bytes);
		w->counters.wire_bytes += frame_bytes;
		out[made++] = m;
	}
	return made;
}

static void send_arp(struct worker *w, uint64_t now_ns)
{
	uint8_t frame[64];
	size_t length = migc_inet_poll(w->inet, frame, sizeof(frame), now_ns);
	struct rte_mbuf *m;

	if (length == 0)
		return;
	m = rte_pktmbuf_alloc(w->pool);
	if (m == NULL) {
		w->counters.tx_no_mbuf++;
		return;
	}
	memcpy(rte_pktmbuf_append(m, (uint16_t)length), frame, length);
	worker_send_frame(w, m);
}

unsigned int worker_transmit(struct worker *w, uint64_t now_ns)
{
	struct rte_mbuf *made[WORKER_BURST];
	unsigned int count, others;

	flush(w);
	others = transmit_others(w);
	if (w->tx_count != 0)
		return others;
	/* pairs with the release of the main lcore: the transport is set up */
	if (!__atomic_load_n(&w->started, __ATOMIC_ACQUIRE))
		return others;
	count = make_datagrams(w, made, now_ns);
	if (w->inject_tx.spec.any)
		w->tx_count = migc_inject_burst(&w->inject_tx, w->pool, made, count, w->tx_pending);
	else
		memcpy(w->tx_pending, made, count * sizeof(made[0]));
	if (!w->inject_tx.spec.any)
		w->tx_count = count;
	w->tx_first = 0;
	send_arp(w, now_ns);
	flush(w);
	return count + others;
}
