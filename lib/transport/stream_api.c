/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "endpoint.h"

int migc_transport_send(struct migc_transport *t, unsigned int stream,
			const struct migc_slice *slices, unsigned int count)
{
	struct migc_stream_queue *queue;
	uint64_t before;
	int rc;

	if (stream >= MIGC_TRANSPORT_STREAMS ||
	    (t->config.server && stream != MIGC_TRANSPORT_CONTROL))
		return -EINVAL;
	if (t->state != MIGC_TRANSPORT_CONNECTED)
		return -ENOTCONN;
	queue = &t->streams[stream].queue;
	before = queue->end_offset;
	rc = migc_stream_queue_push(queue, slices, count);
	if (rc < 0)
		return rc;
	t->unsent_bytes += queue->end_offset - before;
	t->unacked_bytes += queue->end_offset - before;
	return 0;
}

unsigned int migc_transport_room(const struct migc_transport *t, unsigned int stream)
{
	if (stream >= MIGC_TRANSPORT_STREAMS)
		return 0;
	return migc_stream_queue_room(&t->streams[stream].queue);
}

uint64_t migc_transport_unsent_bytes(const struct migc_transport *t)
{
	return t->unsent_bytes;
}

uint64_t migc_transport_unacked_bytes(const struct migc_transport *t)
{
	return t->unacked_bytes;
}

bool migc_transport_window_open(const struct migc_transport *t)
{
	return t->conn && t->state == MIGC_TRANSPORT_CONNECTED &&
	       ngtcp2_conn_get_cwnd_left(t->conn) >= t->config.payload_bytes &&
	       ngtcp2_conn_get_max_data_left(t->conn) > 0;
}

void migc_transport_window(const struct migc_transport *t, uint64_t *window_bytes,
			   uint64_t *free_bytes)
{
	ngtcp2_conn_stat stat = {0};

	if (t->conn)
		ngtcp2_conn_get_conn_stat(t->conn, &stat);
	*window_bytes = stat.cwnd;
	*free_bytes = stat.cwnd > stat.bytes_in_flight ? stat.cwnd - stat.bytes_in_flight : 0;
}

void migc_transport_consumed(struct migc_transport *t, unsigned int stream, uint64_t bytes)
{
	struct migc_stream *s;

	if (stream >= MIGC_TRANSPORT_STREAMS)
		return;
	s = &t->streams[stream];
	/* Credit for more than came in would let the peer send more than the window. */
	if (bytes > s->held_bytes)
		bytes = s->held_bytes;
	s->held_bytes -= bytes;
	if (!bytes || !t->conn || t->state != MIGC_TRANSPORT_CONNECTED)
		return;
	ngtcp2_conn_extend_max_stream_offset(t->conn, migc_stream_id(stream), bytes);
	ngtcp2_conn_extend_max_offset(t->conn, bytes);
}

void migc_transport_abandon(struct migc_transport *t, void (*give_back)(void *ctx, void *cookie),
			    void *ctx)
{
	unsigned int i;

	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++)
		migc_stream_queue_abandon(&t->streams[i].queue, give_back, ctx);
	t->unsent_bytes = 0;
	t->unacked_bytes = 0;
}

enum migc_transport_state migc_transport_state(const struct migc_transport *t)
{
	return t->state;
}

const struct migc_error *migc_transport_error(const struct migc_transport *t)
{
	return &t->error;
}

struct migc_addr migc_transport_peer(const struct migc_transport *t)
{
	return t->peer;
}

const char *migc_transport_peer_name(const struct migc_transport *t)
{
	return t->peer_name;
}

const char *migc_transport_sealer_name(const struct migc_transport *t)
{
	return t->seal_ops->name;
}

void migc_transport_stats(const struct migc_transport *t, struct migc_transport_stats *out)
{
	ngtcp2_conn_stat stat;

	*out = t->stats;
	out->lost = migc_quic_lost(t);
	if (!t->conn)
		return;
	ngtcp2_conn_get_conn_stat(t->conn, &stat);
	out->rtt_us = stat.smoothed_rtt / NGTCP2_MICROSECONDS;
	out->cwnd_bytes = stat.cwnd;
	out->in_flight_bytes = stat.bytes_in_flight;
}
