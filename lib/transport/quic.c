/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "endpoint.h"
#include "tls_session.h"

/* A LAN answers in less; over a longer way the first packets are sent some times too often, which
 * costs a few datagrams and harms nothing (RFC 9002 section 6.2.2 says 333 ms for the Internet). */
/*
 * ngtcp2 0.12 never lets the window grow past 2.89 times the larger of its initial window and
 * (highest delivery rate x smallest round trip). In a network of microseconds the smallest round
 * trip is that of an idle moment; under load most of it is the peer's work on a burst, some hundred
 * microseconds that the product does not know of. With the initial window of real packets the
 * sender then stands still half of the time (measured over memif, MTU 9000: 1 GiB in 5.9 s
 * instead of 4.4). Computed from this, the initial window is 128 KiB and the bound 379 KB.
 */
#define CC_PACKET_BYTES 65527u
#define INITIAL_RTT (10 * NGTCP2_MILLISECONDS)
/* Packets per acknowledgement. Few enough for a window of ten packets, and out-of-order packets are
 * acknowledged at once in any case. */
#define ACK_PACKETS 8u
/* How long an acknowledgement may wait for more packets: the first jumbo windows are two packets
 * wide, so the default of 25 ms would slow their growth down. */
#define ACK_DELAY (2 * NGTCP2_MILLISECONDS)
#define HANDSHAKE_TIMEOUT (10 * NGTCP2_SECONDS)
#define STREAM_WINDOW_BYTES (2u << 20)
#define CONNECTION_WINDOW_BYTES (24u << 20)

static void *quic_malloc(size_t size, void *ctx)
{
	(void)ctx;
	return malloc(size);
}

static void quic_free(void *memory, void *ctx)
{
	(void)ctx;
	free(memory);
}

static void *quic_calloc(size_t count, size_t size, void *ctx)
{
	(void)ctx;
	return calloc(count, size);
}

static void *quic_realloc(void *memory, size_t size, void *ctx)
{
	(void)ctx;
	return realloc(memory, size);
}

static const ngtcp2_mem quic_memory = {
	.malloc = quic_malloc,
	.free = quic_free,
	.calloc = quic_calloc,
	.realloc = quic_realloc,
};

static void set_address(struct sockaddr_in *out, const struct migc_addr *addr)
{
	*out = (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(addr->port),
		.sin_addr.s_addr = htonl(addr->ip),
	};
}

void migc_quic_path(const struct migc_transport *t, const struct migc_addr *remote,
		    struct migc_path *out)
{
	set_address(&out->local, &t->config.local);
	set_address(&out->remote, remote);
	out->path.local.addr = (struct sockaddr *)&out->local;
	out->path.local.addrlen = sizeof(out->local);
	out->path.remote.addr = (struct sockaddr *)&out->remote;
	out->path.remote.addrlen = sizeof(out->remote);
	out->path.user_data = NULL;
}

int migc_quic_random_cid(ngtcp2_cid *cid)
{
	cid->datalen = MIGC_CID_BYTES;
	return gnutls_rnd(GNUTLS_RND_RANDOM, cid->data, cid->datalen) < 0 ? -EIO : 0;
}

int migc_quic_remember_cid(struct migc_transport *t, const ngtcp2_cid *cid)
{
	if (t->cids_count == MIGC_CIDS_MAX)
		return -ENOBUFS;
	t->cids[t->cids_count++] = *cid;
	return 0;
}

void migc_quic_forget_cid(struct migc_transport *t, const ngtcp2_cid *cid)
{
	unsigned int i;

	for (i = 0; i < t->cids_count; i++) {
		if (ngtcp2_cid_eq(&t->cids[i], cid)) {
			t->cids[i] = t->cids[--t->cids_count];
			return;
		}
	}
}

bool migc_quic_knows_cid(const struct migc_transport *t, const uint8_t *cid, size_t length_bytes)
{
	unsigned int i;

	for (i = 0; i < t->cids_count; i++) {
		if (t->cids[i].datalen == length_bytes &&
		    !memcmp(t->cids[i].data, cid, length_bytes))
			return true;
	}
	return false;
}

static void fill_settings(const struct migc_transport *t, ngtcp2_settings *settings,
			  uint64_t now_ns)
{
	ngtcp2_settings_default(settings);
	settings->cc_algo = t->config.cc == MIGC_TRANSPORT_BBR ? NGTCP2_CC_ALGO_BBR
							       : NGTCP2_CC_ALGO_CUBIC;
	settings->initial_ts = now_ns;
	settings->initial_rtt = INITIAL_RTT;
	/* What is written is never larger than payload_bytes: the room given for it says so. This
	 * is what the congestion controller computes its windows from, see CC_PACKET_BYTES. */
	settings->max_tx_udp_payload_size = CC_PACKET_BYTES;
	/* The payload's size is given by who knows the network: no search for it. */
	settings->no_tx_udp_payload_size_shaping = 1;
	settings->no_pmtud = 1;
	settings->ack_thresh = ACK_PACKETS;
	settings->handshake_timeout = HANDSHAKE_TIMEOUT;
}

static void fill_parameters(const struct migc_transport *t, ngtcp2_transport_params *params)
{
	uint32_t window = t->config.stream_window_bytes;
	uint32_t all = t->config.connection_window_bytes;

	if (!window)
		window = STREAM_WINDOW_BYTES;
	if (!all)
		all = CONNECTION_WINDOW_BYTES;
	ngtcp2_transport_params_default(params);
	params->initial_max_stream_data_bidi_local = window;
	params->initial_max_stream_data_bidi_remote = window;
	params->initial_max_stream_data_uni = window;
	params->initial_max_data = all;
	/* All streams are the client's, and there are never more. */
	params->initial_max_streams_bidi = t->config.server ? 1 : 0;
	params->initial_max_streams_uni = t->config.server ? MIGC_TRANSPORT_BLOCK_STREAMS : 0;
	params->max_idle_timeout = t->config.idle_timeout_ms * NGTCP2_MILLISECONDS;
	params->max_udp_payload_size = NGTCP2_DEFAULT_MAX_RECV_UDP_PAYLOAD_SIZE;
	params->max_ack_delay = ACK_DELAY;
	params->disable_active_migration = 1;
}

/* What both roles do with a connection just made, or not made. */
static int finish_create(struct migc_transport *t, int liberr, const struct migc_addr *peer,
			 uint64_t now_ns)
{
	if (liberr != 0) {
		t->conn = NULL;
		gnutls_deinit(t->tls);
		t->tls = NULL;
		return -ENOMEM;
	}
	ngtcp2_conn_set_tls_native_handle(t->conn, t->tls);
	ngtcp2_conn_set_keep_alive_timeout(t->conn,
					   t->config.idle_timeout_ms * NGTCP2_MILLISECONDS / 4);
	t->peer = *peer;
	t->peer_name[0] = '\0';
	t->handshake_deadline_ns = now_ns + HANDSHAKE_TIMEOUT;
	t->confirmed = false;
	t->announced = false;
	t->paced_until_ns = now_ns;
	pacer_init(&t->pacer, now_ns);
	t->state = MIGC_TRANSPORT_HANDSHAKE;
	return 0;
}

/* What the connection before left is not this one's. */
static void forget_last(struct migc_transport *t)
{
	t->error = (struct migc_error){0};
	t->alert = 0;
	t->callback_error = 0;
	t->unknown_user = false;
	t->cids_count = 0;
	t->contact.datalen = 0;
	t->close_bytes = 0;
	t->close_pending = false;
	t->reset_known = false;
}

int migc_quic_connect(struct migc_transport *t, uint64_t now_ns)
{
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	struct migc_path path;
	ngtcp2_cid dcid, scid;
	int rc;

	forget_last(t);
	if ((rc = migc_quic_random_cid(&dcid)) < 0 || (rc = migc_quic_random_cid(&scid)) < 0)
		return rc;
	/* RFC 9000 section 7.2: 8 bytes at least, which nobody can guess. */
	rc = migc_tls_session_create(t);
	if (rc < 0)
		return rc;
	migc_quic_remember_cid(t, &scid);
	migc_quic_path(t, &t->config.remote, &path);
	fill_settings(t, &settings, now_ns);
	fill_parameters(t, &params);
	rc = ngtcp2_conn_client_new(&t->conn, &dcid, &scid, &path.path, NGTCP2_PROTO_VER_V1,
				    &migc_quic_client_callbacks, &settings, &params, &quic_memory,
				    t);
	return finish_create(t, rc, &t->config.remote, now_ns);
}

int migc_quic_accept(struct migc_transport *t, const ngtcp2_pkt_hd *initial,
		     const ngtcp2_cid *odcid, const struct migc_addr *from, uint64_t now_ns)
{
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	struct migc_path path;
	ngtcp2_cid scid;
	int rc;

	forget_last(t);
	rc = migc_quic_random_cid(&scid);
	if (rc < 0)
		return rc;
	if (gnutls_rnd(GNUTLS_RND_RANDOM, t->reset_token, sizeof(t->reset_token)) < 0)
		return -EIO;
	rc = migc_tls_session_create(t);
	if (rc < 0)
		return rc;
	migc_quic_remember_cid(t, &scid);
	/* The client uses the id of the Retry until it hears from us. */
	migc_quic_remember_cid(t, &initial->dcid);
	migc_quic_path(t, from, &path);
	fill_settings(t, &settings, now_ns);
	settings.token = initial->token;
	fill_parameters(t, &params);
	params.original_dcid = *odcid;
	params.retry_scid = initial->dcid;
	params.retry_scid_present = 1;
	memcpy(params.stateless_reset_token, t->reset_token, sizeof(t->reset_token));
	params.stateless_reset_token_present = 1;
	rc = ngtcp2_conn_server_new(&t->conn, &initial->scid, &scid, &path.path, initial->version,
				    &migc_quic_server_callbacks, &settings, &params, &quic_memory,
				    t);
	return finish_create(t, rc, from, now_ns);
}

void migc_quic_drop(struct migc_transport *t)
{
	ngtcp2_conn_stat stat;
	unsigned int i;

	if (!t->conn)
		return;
	t->lost_before = migc_quic_lost(t);
	ngtcp2_conn_get_conn_stat(t->conn, &stat);
	t->stats.rtt_us = stat.smoothed_rtt / NGTCP2_MICROSECONDS;
	t->stats.cwnd_bytes = stat.cwnd;
	ngtcp2_conn_del(t->conn);
	t->conn = NULL;
	gnutls_deinit(t->tls);
	t->tls = NULL;
	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++)
		t->streams[i].open = false;
}

/* What the newest acknowledgement says of the link. */
static void tell_pacer(struct migc_transport *t, uint64_t now_ns)
{
	ngtcp2_conn_stat stat;

	ngtcp2_conn_get_conn_stat(t->conn, &stat);
	if (stat.min_rtt != UINT64_MAX && t->stats.bytes_sent > stat.bytes_in_flight)
		pacer_acknowledged(&t->pacer, stat.latest_rtt, stat.min_rtt,
				   t->stats.bytes_sent - stat.bytes_in_flight, now_ns);
}

int migc_quic_read(struct migc_transport *t, const struct migc_addr *from, const uint8_t *data,
		   size_t length, uint64_t now_ns)
{
	bool was_connected = t->state == MIGC_TRANSPORT_CONNECTED;
	const ngtcp2_pkt_info info = {.ecn = NGTCP2_ECN_NOT_ECT};
	struct migc_path path;
	int rc;

	migc_quic_path(t, from, &path);
	migc_packet_watch_begin(&t->watch);
	rc = ngtcp2_conn_read_pkt(t->conn, &path.path, &info, data, length, now_ns);
	migc_packet_watch_end();
	/* Before the keys are there a packet may wait unopened; after that each one opens, or is
	 * none of the peer's. */
	if (t->watch.forged || t->watch.replayed || (was_connected && !t->watch.opened))
		t->stats.datagrams_undecryptable++;
	/* only who sends has a link to look for */
	if (rc == 0 && was_connected && t->unacked_bytes)
		tell_pacer(t, now_ns);
	return rc;
}

/* The error code and the words that the peer is told. */
static void choose_close(const struct migc_transport *t, int liberr,
			 ngtcp2_connection_close_error *close)
{
	const uint8_t *reason = (const uint8_t *)t->close_reason;
	size_t length = strlen(t->close_reason);
	uint8_t alert = t->alert;

	ngtcp2_connection_close_error_default(close);
	if (t->closing_by_choice) {
		ngtcp2_connection_close_error_set_application_error(close, t->close_code, reason,
								    length);
		return;
	}
	if (liberr == NGTCP2_ERR_CRYPTO && !alert)
		alert = ngtcp2_conn_get_tls_alert(t->conn);
	/* Credentials are refused without words: the code says enough to an honest peer. */
	if (alert)
		ngtcp2_connection_close_error_set_transport_error_tls_alert(close, alert, NULL, 0);
	else
		ngtcp2_connection_close_error_set_transport_error_liberr(close, liberr, reason,
									 length);
}

size_t migc_quic_write_close(struct migc_transport *t, int liberr, uint64_t now_ns)
{
	ngtcp2_connection_close_error close;
	ngtcp2_pkt_info info;
	ngtcp2_ssize length;

	choose_close(t, liberr, &close);
	migc_packet_watch_begin(&t->watch);
	length = ngtcp2_conn_write_connection_close(t->conn, NULL, &info, t->close_packet,
						    MIGC_INITIAL_BYTES_MIN, &close, now_ns);
	migc_packet_watch_end();
	return length > 0 ? (size_t)length : 0;
}

uint64_t migc_quic_lost(const struct migc_transport *t)
{
	uint64_t lost = t->lost_before;
	unsigned int i;

	if (!t->conn)
		return lost;
	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++) {
		if (t->streams[i].open)
			lost += ngtcp2_conn_get_stream_loss_count(t->conn, migc_stream_id(i));
	}
	return lost;
}
