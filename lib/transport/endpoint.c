/* SPDX-License-Identifier: BSD-3-Clause */
#include "endpoint.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAYLOAD_BYTES_MAX 65527u
#define IDLE_TIMEOUT_MS 10000u
/* The closing period is three probe timeouts (RFC 9000 section 10.2); a person waits for it. */
#define CLOSING_NS_MAX UINT64_C(500000000)

static int check_config(const struct migc_transport_config *config, struct migc_error *err)
{
	if (!config->credentials || config->credentials->server != config->server)
		return migc_error_set(err, -EINVAL, "the credentials are not for this role");
	if (config->payload_bytes < MIGC_INITIAL_BYTES_MIN ||
	    config->payload_bytes > PAYLOAD_BYTES_MAX)
		return migc_error_set(err, -EINVAL, "a UDP payload of %u bytes is not %u to %u",
				      config->payload_bytes, MIGC_INITIAL_BYTES_MIN,
				      PAYLOAD_BYTES_MAX);
	if (!config->callbacks.on_data || !config->callbacks.on_acked)
		return migc_error_set(err, -EINVAL, "a callback is missing");
	if (!config->server && (!config->remote.ip || !config->remote.port))
		return migc_error_set(err, -EINVAL, "the receiver's address is missing");
	return 0;
}

static int choose_sealer(struct migc_transport *t, struct migc_error *err)
{
	int rc = migc_packet_sealer_create(t->config.sealer, &t->sealer);

	if (rc == -ENOTSUP)
		return migc_error_set(err, rc, "IPsec-MB does not serve this CPU");
	if (rc < 0)
		return migc_error_set(err, rc, "no memory for a connection");
	t->seal_ops = migc_packet_sealer_chosen(t->sealer);
	t->watch.sealer = t->sealer;
	return 0;
}

static int start(struct migc_transport *t, uint64_t now_ns, struct migc_error *err)
{
	unsigned int i;
	int rc = choose_sealer(t, err);

	if (rc < 0)
		return rc;
	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++) {
		if (migc_stream_queue_init(&t->streams[i].queue) < 0)
			return migc_error_set(err, -ENOMEM, "no memory for a connection");
	}
	if (t->config.hostname) {
		t->hostname = strdup(t->config.hostname);
		if (!t->hostname)
			return migc_error_set(err, -ENOMEM, "no memory for a connection");
	}
	if (gnutls_rnd(GNUTLS_RND_KEY, t->retry_secret, sizeof(t->retry_secret)) < 0)
		return migc_error_set(err, -EIO, "no random numbers");
	if (t->config.server) {
		t->state = MIGC_TRANSPORT_LISTEN;
		return 0;
	}
	if (migc_quic_connect(t, now_ns) < 0)
		return migc_error_set(err, -ENOMEM, "no memory for a connection");
	return 0;
}

int migc_transport_create(const struct migc_transport_config *config, uint64_t now_ns,
			  struct migc_transport **out, struct migc_error *err)
{
	struct migc_transport *t;
	int rc = check_config(config, err);

	if (rc < 0)
		return rc;
	t = calloc(1, sizeof(*t));
	if (!t)
		return migc_error_set(err, -ENOMEM, "no memory for a connection");
	t->config = *config;
	if (!t->config.idle_timeout_ms)
		t->config.idle_timeout_ms = IDLE_TIMEOUT_MS;
	t->now_ns = now_ns;
	rc = start(t, now_ns, err);
	/* The caller's name need not live on. */
	t->config.hostname = NULL;
	if (rc < 0) {
		migc_transport_free(t);
		return rc;
	}
	*out = t;
	return 0;
}

void migc_transport_free(struct migc_transport *t)
{
	unsigned int i;

	if (!t)
		return;
	migc_quic_drop(t);
	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++)
		migc_stream_queue_fini(&t->streams[i].queue);
	migc_packet_sealer_free(t->sealer);
	gnutls_memset(t->retry_secret, 0, sizeof(t->retry_secret));
	free(t->hostname);
	free(t);
}

/* The connection is over and has nothing more to say. */
static void end_connection(struct migc_transport *t)
{
	bool refused = t->config.server && t->state == MIGC_TRANSPORT_HANDSHAKE;

	migc_quic_drop(t);
	if (refused) {
		t->stats.handshakes_failed++;
		t->state = MIGC_TRANSPORT_LISTEN;
	} else {
		t->state = MIGC_TRANSPORT_CLOSED;
	}
}

/* By what a server says that it has heard the close, and is gone. */
static void learn_reset(struct migc_transport *t)
{
	const ngtcp2_transport_params *theirs;

	if (t->config.server)
		return;
	theirs = ngtcp2_conn_get_remote_transport_params(t->conn);
	if (!theirs || !theirs->stateless_reset_token_present)
		return;
	memcpy(t->reset_token, theirs->stateless_reset_token, sizeof(t->reset_token));
	t->reset_known = true;
}

static bool is_reset(const struct migc_transport *t, const uint8_t *data, size_t length)
{
	return t->reset_known &&
	       length >= NGTCP2_MIN_STATELESS_RESET_RANDLEN + sizeof(t->reset_token) &&
	       gnutls_memcmp(data + length - sizeof(t->reset_token), t->reset_token,
			     sizeof(t->reset_token)) == 0;
}

/* Make the close, and wait a while for the peer to hear it. */
static void begin_closing(struct migc_transport *t, int liberr, uint64_t now_ns)
{
	uint64_t period_ns = 3 * ngtcp2_conn_get_pto(t->conn);

	t->close_to = t->peer;
	learn_reset(t);
	t->close_bytes = migc_quic_write_close(t, liberr, now_ns);
	if (!t->close_bytes) {
		end_connection(t);
		return;
	}
	t->close_pending = true;
	if (period_ns > CLOSING_NS_MAX)
		period_ns = CLOSING_NS_MAX;
	t->closed_at_ns = now_ns + period_ns;
	if (t->config.server && t->state == MIGC_TRANSPORT_HANDSHAKE) {
		end_connection(t);
		return;
	}
	t->state = MIGC_TRANSPORT_CLOSING;
}

void migc_endpoint_fail(struct migc_transport *t, int liberr, uint64_t now_ns)
{
	if (liberr == NGTCP2_ERR_CALLBACK_FAILURE && t->callback_error == -EPROTO)
		liberr = NGTCP2_ERR_PROTO;
	migc_close_explain(t, liberr);
	switch (liberr) {
	case NGTCP2_ERR_DRAINING:
		/* no draining period: a peer that waits for nothing else can go at once */
		if (t->config.server && t->state == MIGC_TRANSPORT_CONNECTED)
			migc_accept_gone(t, &t->peer);
		end_connection(t);
		return;
	case NGTCP2_ERR_CLOSING:
	case NGTCP2_ERR_IDLE_CLOSE:
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
	case NGTCP2_ERR_DROP_CONN:
	case NGTCP2_ERR_RETRY:
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		end_connection(t);
		return;
	default:
		break;
	}
	/* Who is not authenticated is told a code and no words. */
	if (t->state == MIGC_TRANSPORT_CONNECTED)
		snprintf(t->close_reason, sizeof(t->close_reason), "%s", t->error.text);
	else
		t->close_reason[0] = '\0';
	begin_closing(t, liberr, now_ns);
}

void migc_transport_close(struct migc_transport *t, uint64_t code, const char *reason,
			  uint64_t now_ns)
{
	if (t->state == MIGC_TRANSPORT_CLOSING || t->state == MIGC_TRANSPORT_CLOSED)
		return;
	t->error.code = 0;
	snprintf(t->error.text, sizeof(t->error.text), "%s", reason ? reason : "closed");
	snprintf(t->close_reason, sizeof(t->close_reason), "%s", reason ? reason : "");
	if (!t->conn) {
		t->state = MIGC_TRANSPORT_CLOSED;
		return;
	}
	t->close_code = code;
	t->closing_by_choice = true;
	/* Closed by choice, a server does not listen again. */
	t->state = MIGC_TRANSPORT_CLOSING;
	begin_closing(t, 0, now_ns);
}

static void become_connected(struct migc_transport *t, uint64_t now_ns)
{
	int rc;

	if (t->state != MIGC_TRANSPORT_HANDSHAKE || !t->confirmed)
		return;
	rc = migc_quic_open_streams(t);
	if (rc != 0) {
		migc_endpoint_fail(t, rc, now_ns);
		return;
	}
	t->state = MIGC_TRANSPORT_CONNECTED;
}

static bool same_address(const struct migc_addr *a, const struct migc_addr *b)
{
	return a->ip == b->ip && a->port == b->port;
}

/* A datagram for a connection that we closed: say it again, once for each. */
static void repeat_close(struct migc_transport *t, const struct migc_addr *from)
{
	if (t->close_bytes && same_address(from, &t->close_to))
		t->close_pending = true;
}

static void read_datagram(struct migc_transport *t, const struct migc_addr *from,
			  const uint8_t *data, size_t length, uint64_t now_ns)
{
	ngtcp2_version_cid header;
	int rc;

	if (t->state == MIGC_TRANSPORT_CLOSING && same_address(from, &t->close_to) &&
	    is_reset(t, data, length)) {
		end_connection(t);
		return;
	}
	rc = ngtcp2_pkt_decode_version_cid(&header, data, length, MIGC_CID_BYTES);
	if (rc != 0 && rc != NGTCP2_ERR_VERSION_NEGOTIATION) {
		t->stats.datagrams_malformed++;
		return;
	}
	/* A late copy of our client's first contact is neither a second client nor an attack. */
	if (t->conn && same_address(from, &t->peer) && header.dcidlen == t->contact.datalen &&
	    header.dcidlen && !memcmp(header.dcid, t->contact.data, header.dcidlen))
		return;
	if (!migc_quic_knows_cid(t, header.dcid, header.dcidlen)) {
		if (t->config.server && t->state != MIGC_TRANSPORT_CLOSING)
			migc_accept_datagram(t, &header, from, data, length, now_ns);
		else
			t->stats.datagrams_malformed++;
		return;
	}
	if (!t->conn || t->state == MIGC_TRANSPORT_CLOSING) {
		repeat_close(t, from);
		return;
	}
	/* A connection does not move to another address. */
	if (rc != 0 || !same_address(from, &t->peer)) {
		t->stats.datagrams_malformed++;
		return;
	}
	rc = migc_quic_read(t, from, data, length, now_ns);
	if (rc != 0)
		migc_endpoint_fail(t, rc, now_ns);
	else
		become_connected(t, now_ns);
}

void migc_transport_read(struct migc_transport *t, const struct migc_addr *from, uint8_t *data,
			 size_t length, uint64_t now_ns)
{
	t->now_ns = now_ns;
	t->stats.packets_received++;
	t->stats.bytes_received += length;
	if (!length)
		t->stats.datagrams_malformed++;
	else if (t->state != MIGC_TRANSPORT_CLOSED)
		read_datagram(t, from, data, length, now_ns);
}

static size_t take_close(struct migc_transport *t, uint8_t *data, struct migc_addr *to)
{
	t->close_pending = false;
	memcpy(data, t->close_packet, t->close_bytes);
	*to = t->close_to;
	return t->close_bytes;
}

static size_t make_datagram(struct migc_transport *t, uint8_t *data, struct migc_addr *to,
			    uint64_t now_ns)
{
	size_t length = migc_reply_take(t, data, t->config.payload_bytes, to);
	ngtcp2_ssize made;

	if (length)
		return length;
	if (t->close_pending)
		return take_close(t, data, to);
	if (!t->conn || t->state == MIGC_TRANSPORT_CLOSING)
		return 0;
	made = migc_quic_write(t, data, t->config.payload_bytes, now_ns);
	if (made >= 0) {
		*to = t->peer;
		return (size_t)made;
	}
	migc_endpoint_fail(t, (int)made, now_ns);
	return t->close_pending ? take_close(t, data, to) : 0;
}

int migc_transport_write(struct migc_transport *t, uint8_t *data, size_t capacity,
			 struct migc_addr *to, uint64_t now_ns)
{
	size_t length;

	t->now_ns = now_ns;
	if (capacity < t->config.payload_bytes)
		return -EINVAL;
	if (t->state == MIGC_TRANSPORT_CLOSED && !t->replies_count)
		return -EPIPE;
	length = make_datagram(t, data, to, now_ns);
	if (length) {
		t->stats.packets_sent++;
		t->stats.bytes_sent += length;
	}
	return (int)length;
}

uint64_t migc_transport_expiry(const struct migc_transport *t)
{
	uint64_t expiry_ns;

	if (t->state == MIGC_TRANSPORT_CLOSING)
		return t->closed_at_ns;
	if (!t->conn)
		return UINT64_MAX;
	expiry_ns = ngtcp2_conn_get_expiry(t->conn);
	if (t->state == MIGC_TRANSPORT_HANDSHAKE && t->handshake_deadline_ns < expiry_ns)
		expiry_ns = t->handshake_deadline_ns;
	/* what the pacer holds back goes then */
	if (t->unsent_bytes && pacer_holds(&t->pacer, t->now_ns) && t->pacer.next_ns < expiry_ns)
		expiry_ns = t->pacer.next_ns;
	return expiry_ns;
}

void migc_transport_expire(struct migc_transport *t, uint64_t now_ns)
{
	int rc;

	t->now_ns = now_ns;
	if (t->state == MIGC_TRANSPORT_CLOSING) {
		if (now_ns >= t->closed_at_ns)
			end_connection(t);
		return;
	}
	if (!t->conn)
		return;
	rc = ngtcp2_conn_handle_expiry(t->conn, now_ns);
	/* ngtcp2's own deadline ends before a client is confirmed. */
	if (rc == 0 && t->state == MIGC_TRANSPORT_HANDSHAKE && now_ns >= t->handshake_deadline_ns)
		rc = NGTCP2_ERR_HANDSHAKE_TIMEOUT;
	if (rc != 0)
		migc_endpoint_fail(t, rc, now_ns);
}
