/* SPDX-License-Identifier: BSD-3-Clause */
#include "endpoint.h"

/* Pieces of memory in one STREAM frame. ngtcp2 0.12 loses the memory of a frame of more than three
 * when it is retransmitted in part; a packet takes as many frames as it has room for. */
#define SPANS_MAX 3u
#define NO_STREAM MIGC_TRANSPORT_STREAMS

static bool can_send(const struct migc_transport *t, unsigned int stream, uint32_t skip)
{
	const struct migc_stream *s = &t->streams[stream];

	return s->open && !s->blocked && !(skip & 1u << stream) &&
	       migc_stream_queue_unsent_bytes(&s->queue);
}

/* The control stream goes first: what it says is small and somebody waits for it. */
static unsigned int pick_stream(const struct migc_transport *t, uint32_t skip)
{
	unsigned int i;

	if (!t->unsent_bytes || t->state != MIGC_TRANSPORT_CONNECTED ||
	    !ngtcp2_conn_get_max_data_left(t->conn))
		return NO_STREAM;
	if (can_send(t, MIGC_TRANSPORT_CONTROL, skip))
		return MIGC_TRANSPORT_CONTROL;
	for (i = 0; i < MIGC_TRANSPORT_BLOCK_STREAMS; i++) {
		unsigned int stream = (t->next_stream + i) % MIGC_TRANSPORT_BLOCK_STREAMS;

		if (can_send(t, stream, skip))
			return stream;
	}
	return NO_STREAM;
}

static size_t offer(const struct migc_stream_queue *queue, ngtcp2_vec *vectors)
{
	struct migc_span spans[SPANS_MAX];
	unsigned int count = migc_stream_queue_peek(queue, spans, SPANS_MAX);
	unsigned int i;

	for (i = 0; i < count; i++) {
		vectors[i].base = (uint8_t *)(uintptr_t)spans[i].data;
		vectors[i].len = spans[i].length_bytes;
	}
	return count;
}

static void account_sent(struct migc_transport *t, unsigned int stream, uint64_t bytes)
{
	migc_stream_queue_sent(&t->streams[stream].queue, bytes);
	t->unsent_bytes -= bytes;
	/* A packet goes on with its stream: one lost packet should hold up one stream. */
	if (stream != MIGC_TRANSPORT_CONTROL)
		t->next_stream = stream;
}

/*
 * ngtcp2 spaces packets from the time it is told they went out, and lets them go a millisecond
 * early. Told the time of the call, a burst in one call would be a burst for free; told the time
 * that the bytes before are paid for, the rate holds over bursts too.
 */
static void pace(struct migc_transport *t, size_t bytes, uint64_t now_ns)
{
	ngtcp2_conn_stat stat;
	double rate;

	if (t->paced_until_ns < now_ns)
		t->paced_until_ns = now_ns;
	ngtcp2_conn_update_pkt_tx_time(t->conn, t->paced_until_ns);
	ngtcp2_conn_get_conn_stat(t->conn, &stat);
	/* The rate that ngtcp2 0.12 paces at: RFC 9002 section 7.7. */
	rate = stat.pacing_rate > 0 ? stat.pacing_rate
				    : 1.25 * (double)stat.cwnd / (double)stat.smoothed_rtt;
	if (rate > 0)
		t->paced_until_ns += (uint64_t)((double)bytes / rate);
}

/* The server knows of the control stream by its first frame, and may be the one to speak first: an
 * empty frame opens it. */
static bool announce_control(struct migc_transport *t, uint8_t *data, size_t capacity,
			     ngtcp2_pkt_info *info, ngtcp2_ssize *length, uint64_t now_ns)
{
	ngtcp2_ssize accepted = -1;

	if (t->config.server || t->announced || t->state != MIGC_TRANSPORT_CONNECTED)
		return false;
	*length = ngtcp2_conn_writev_stream(
		t->conn, NULL, info, data, capacity, &accepted, NGTCP2_WRITE_STREAM_FLAG_MORE,
		migc_stream_id(MIGC_TRANSPORT_CONTROL), NULL, 0, now_ns);
	if (accepted >= 0)
		t->announced = true;
	return *length != NGTCP2_ERR_WRITE_MORE;
}

/* Fill one packet from as many streams as it takes. */
static ngtcp2_ssize fill_packet(struct migc_transport *t, uint8_t *data, size_t capacity,
				uint64_t *new_bytes, uint64_t now_ns)
{
	ngtcp2_pkt_info info = {.ecn = NGTCP2_ECN_NOT_ECT};
	ngtcp2_vec vectors[SPANS_MAX];
	ngtcp2_ssize announced;
	uint32_t skip = 0;

	if (announce_control(t, data, capacity, &info, &announced, now_ns))
		return announced;
	for (;;) {
		unsigned int stream = pick_stream(t, skip);
		ngtcp2_ssize accepted = -1;
		ngtcp2_ssize length;

		if (stream == NO_STREAM)
			return ngtcp2_conn_writev_stream(t->conn, NULL, &info, data, capacity, NULL,
							 NGTCP2_WRITE_STREAM_FLAG_NONE, -1, NULL, 0,
							 now_ns);
		length = ngtcp2_conn_writev_stream(
			t->conn, NULL, &info, data, capacity, &accepted,
			NGTCP2_WRITE_STREAM_FLAG_MORE, migc_stream_id(stream), vectors,
			offer(&t->streams[stream].queue, vectors), now_ns);
		if (accepted > 0) {
			account_sent(t, stream, (uint64_t)accepted);
			*new_bytes += (uint64_t)accepted;
		}
		if (length == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
			/* Not tried again before the peer gives it credit. */
			t->streams[stream].blocked = !ngtcp2_conn_get_max_stream_data_left(
				t->conn, migc_stream_id(stream));
			skip |= 1u << stream;
		} else if (length != NGTCP2_ERR_WRITE_MORE) {
			return length;
		} else if (accepted <= 0) {
			skip |= 1u << stream;
		}
	}
}

ngtcp2_ssize migc_quic_write(struct migc_transport *t, uint8_t *data, size_t capacity,
			     uint64_t now_ns)
{
	uint64_t new_bytes = 0;
	ngtcp2_ssize length;

	if (!t->unsent_bytes)
		pacer_starved(&t->pacer);
	if (!pacer_allows(&t->pacer, now_ns))
		return 0;
	migc_packet_watch_begin(&t->watch);
	length = fill_packet(t, data, capacity, &new_bytes, now_ns);
	migc_packet_watch_end();
	if (length <= 0)
		return length;
	if (new_bytes)
		t->next_stream = (t->next_stream + 1) % MIGC_TRANSPORT_BLOCK_STREAMS;
	/* What is in the packet and was not new was sent before. */
	if (t->watch.sealed_stream_bytes > new_bytes)
		t->stats.retransmitted_bytes += t->watch.sealed_stream_bytes - new_bytes;
	pace(t, (size_t)length, now_ns);
	pacer_charge(&t->pacer, (uint64_t)length);
	return length;
}
