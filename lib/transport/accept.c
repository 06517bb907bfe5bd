/* SPDX-License-Identifier: BSD-3-Clause */
#include <gnutls/crypto.h>
#include <string.h>

#include "endpoint.h"

/* A client answers a Retry at once. */
#define TOKEN_LIFETIME (10 * NGTCP2_SECONDS)

struct migc_reply *migc_reply_add(struct migc_transport *t, const struct migc_addr *to)
{
	struct migc_reply *reply;

	if (t->replies_count == MIGC_REPLIES_MAX) {
		t->stats.replies_dropped++;
		return NULL;
	}
	reply = &t->replies[(t->replies_first + t->replies_count) % MIGC_REPLIES_MAX];
	t->replies_count++;
	reply->to = *to;
	reply->length_bytes = 0;
	return reply;
}

void migc_reply_cancel(struct migc_transport *t)
{
	t->replies_count--;
}

size_t migc_reply_take(struct migc_transport *t, uint8_t *data, size_t capacity,
		       struct migc_addr *to)
{
	while (t->replies_count) {
		const struct migc_reply *reply = &t->replies[t->replies_first];

		t->replies_first = (t->replies_first + 1) % MIGC_REPLIES_MAX;
		t->replies_count--;
		if (reply->length_bytes > capacity)
			continue;
		memcpy(data, reply->data, reply->length_bytes);
		*to = reply->to;
		return reply->length_bytes;
	}
	return 0;
}

/* The reply just added was written, or could not be. @return whether it was. */
static bool finish_reply(struct migc_transport *t, struct migc_reply *reply, ngtcp2_ssize length)
{
	if (length <= 0) {
		migc_reply_cancel(t);
		return false;
	}
	reply->length_bytes = (size_t)length;
	return true;
}

static void send_version_negotiation(struct migc_transport *t, const ngtcp2_version_cid *header,
				     const struct migc_addr *to)
{
	static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1};
	struct migc_reply *reply = migc_reply_add(t, to);

	if (!reply)
		return;
	/* The ids change places: what was the client's source is its destination. */
	finish_reply(t, reply,
		     ngtcp2_pkt_write_version_negotiation(
			     reply->data, sizeof(reply->data), t->retry_secret[0], header->scid,
			     header->scidlen, header->dcid, header->dcidlen, versions,
			     sizeof(versions) / sizeof(versions[0])));
}

/* Turn a client away without keeping anything of it. */
static bool send_refusal(struct migc_transport *t, const ngtcp2_pkt_hd *initial,
			 const struct migc_addr *to, uint64_t code)
{
	struct migc_reply *reply = migc_reply_add(t, to);

	if (!reply)
		return false;
	return finish_reply(t, reply,
			    ngtcp2_crypto_write_connection_close(reply->data, sizeof(reply->data),
								 initial->version, &initial->scid,
								 &initial->dcid, code, NULL, 0));
}

/* The token is all that is kept of the contact, and the client keeps it: who sends it back gets
 * datagrams at the address that it says it has. */
static void send_retry(struct migc_transport *t, const ngtcp2_pkt_hd *initial,
		       const struct migc_addr *to, uint64_t now_ns)
{
	uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN];
	struct migc_reply *reply;
	struct migc_path path;
	ngtcp2_ssize length;
	ngtcp2_cid scid;

	if (migc_quic_random_cid(&scid) < 0)
		return;
	migc_quic_path(t, to, &path);
	length = ngtcp2_crypto_generate_retry_token(
		token, t->retry_secret, sizeof(t->retry_secret), initial->version,
		path.path.remote.addr, path.path.remote.addrlen, &scid, &initial->dcid, now_ns);
	if (length <= 0)
		return;
	reply = migc_reply_add(t, to);
	if (!reply)
		return;
	length = ngtcp2_crypto_write_retry(reply->data, sizeof(reply->data), initial->version,
					   &initial->scid, &scid, &initial->dcid, token,
					   (size_t)length);
	if (finish_reply(t, reply, length))
		t->stats.retries_sent++;
}

static int verify_token(const struct migc_transport *t, const ngtcp2_pkt_hd *initial,
			const struct migc_addr *from, ngtcp2_cid *odcid, uint64_t now_ns)
{
	struct migc_path path;

	migc_quic_path(t, from, &path);
	return ngtcp2_crypto_verify_retry_token(
		odcid, initial->token.base, initial->token.len, t->retry_secret,
		sizeof(t->retry_secret), initial->version, path.path.remote.addr,
		path.path.remote.addrlen, &initial->dcid, TOKEN_LIFETIME, now_ns);
}

static void start_connection(struct migc_transport *t, const ngtcp2_pkt_hd *initial,
			     const struct migc_addr *from, const uint8_t *data, size_t length,
			     uint64_t now_ns)
{
	ngtcp2_cid odcid;
	int rc;

	if (verify_token(t, initial, from, &odcid, now_ns) != 0) {
		t->stats.tokens_invalid++;
		send_refusal(t, initial, from, NGTCP2_INVALID_TOKEN);
		return;
	}
	if (migc_quic_accept(t, initial, &odcid, from, now_ns) < 0) {
		t->stats.handshakes_failed++;
		send_refusal(t, initial, from, NGTCP2_INTERNAL_ERROR);
		return;
	}
	t->contact = odcid;
	rc = migc_quic_read(t, from, data, length, now_ns);
	if (rc != 0)
		migc_endpoint_fail(t, rc, now_ns);
}

void migc_accept_gone(struct migc_transport *t, const struct migc_addr *to)
{
	uint8_t random[NGTCP2_MIN_STATELESS_RESET_RANDLEN];
	struct migc_reply *reply;

	if (gnutls_rnd(GNUTLS_RND_NONCE, random, sizeof(random)) < 0)
		return;
	reply = migc_reply_add(t, to);
	if (!reply)
		return;
	finish_reply(t, reply,
		     ngtcp2_pkt_write_stateless_reset(reply->data, sizeof(reply->data),
						      t->reset_token, random, sizeof(random)));
}

void migc_accept_datagram(struct migc_transport *t, const ngtcp2_version_cid *header,
			  const struct migc_addr *from, const uint8_t *data, size_t length,
			  uint64_t now_ns)
{
	ngtcp2_pkt_hd initial;

	/* Of the versions that ngtcp2 knows one is a standard. */
	if (header->version && header->version != NGTCP2_PROTO_VER_V1) {
		if (length >= MIGC_INITIAL_BYTES_MIN)
			send_version_negotiation(t, header, from);
		else
			t->stats.datagrams_malformed++;
		return;
	}
	if (ngtcp2_accept(&initial, data, length) != 0) {
		t->stats.datagrams_malformed++;
		return;
	}
	if (t->conn) {
		if (send_refusal(t, &initial, from, NGTCP2_CONNECTION_REFUSED))
			t->stats.refused_busy++;
		return;
	}
	if (initial.token.len)
		start_connection(t, &initial, from, data, length, now_ns);
	else
		send_retry(t, &initial, from, now_ns);
}
