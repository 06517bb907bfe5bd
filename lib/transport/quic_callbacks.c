/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <gnutls/crypto.h>

#include "endpoint.h"
#include "packet_keys.h"
#include "tls_session.h"

/* RFC 9000 section 2.1: the low bits say whose it is and of what kind. All are the client's. */
#define CLIENT_BIDI 0x0
#define CLIENT_UNI 0x2

unsigned int migc_stream_index(int64_t stream_id)
{
	if (stream_id == CLIENT_BIDI)
		return MIGC_TRANSPORT_CONTROL;
	if ((stream_id & 0x3) != CLIENT_UNI || stream_id / 4 >= MIGC_TRANSPORT_BLOCK_STREAMS)
		return MIGC_TRANSPORT_STREAMS;
	return (unsigned int)(stream_id / 4);
}

int64_t migc_stream_id(unsigned int stream)
{
	return stream == MIGC_TRANSPORT_CONTROL ? CLIENT_BIDI : (int64_t)stream * 4 + CLIENT_UNI;
}

/* A callback of ours ends the connection. */
static int refuse(struct migc_transport *t, int code, const char *text)
{
	t->callback_error = migc_error_set(&t->error, code, "%s", text);
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

static void random_bytes(uint8_t *dest, size_t length, const ngtcp2_rand_ctx *ctx)
{
	(void)ctx;
	/* Only for what need not be secret (greasing); ngtcp2 lets it not fail. */
	if (gnutls_rnd(GNUTLS_RND_NONCE, dest, length) < 0)
		for (size_t i = 0; i < length; i++)
			dest[i] = 0;
}

static int get_new_connection_id(ngtcp2_conn *conn, ngtcp2_cid *cid, uint8_t *token, size_t length,
				 void *user_data)
{
	struct migc_transport *t = user_data;

	(void)conn;
	cid->datalen = length;
	if (gnutls_rnd(GNUTLS_RND_RANDOM, cid->data, length) < 0 ||
	    gnutls_rnd(GNUTLS_RND_RANDOM, token, NGTCP2_STATELESS_RESET_TOKENLEN) < 0 ||
	    migc_quic_remember_cid(t, cid) < 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int remove_connection_id(ngtcp2_conn *conn, const ngtcp2_cid *cid, void *user_data)
{
	(void)conn;
	migc_quic_forget_cid(user_data, cid);
	return 0;
}

static int handshake_completed(ngtcp2_conn *conn, void *user_data)
{
	struct migc_transport *t = user_data;

	(void)conn;
	if (migc_tls_session_completed(t) < 0) {
		t->callback_error = t->error.code;
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	/* A client is done only when the server confirms, which says that it took our
	 * credentials. */
	if (t->config.server)
		t->state = MIGC_TRANSPORT_CONNECTED;
	return 0;
}

static int handshake_confirmed(ngtcp2_conn *conn, void *user_data)
{
	struct migc_transport *t = user_data;

	(void)conn;
	t->confirmed = true;
	return 0;
}

static int stream_open(ngtcp2_conn *conn, int64_t stream_id, void *user_data)
{
	struct migc_transport *t = user_data;
	unsigned int stream = migc_stream_index(stream_id);

	(void)conn;
	if (stream == MIGC_TRANSPORT_STREAMS)
		return refuse(t, -EPROTO, "the peer opened a stream it must not open");
	t->streams[stream].open = true;
	return 0;
}

static int recv_stream_data(ngtcp2_conn *conn, uint32_t flags, int64_t stream_id, uint64_t offset,
			    const uint8_t *data, size_t length, void *user_data,
			    void *stream_user_data)
{
	struct migc_transport *t = user_data;
	unsigned int stream = migc_stream_index(stream_id);
	int rc;

	(void)conn;
	(void)offset;
	(void)stream_user_data;
	if (flags & NGTCP2_STREAM_DATA_FLAG_FIN || stream == MIGC_TRANSPORT_STREAMS)
		return refuse(t, -EPROTO,
			      "the peer closed a stream without closing the connection");
	if (!length)
		return 0;
	t->streams[stream].held_bytes += length;
	rc = t->config.callbacks.on_data(t->config.callbacks.ctx, stream, data, length);
	if (rc < 0)
		return refuse(t, rc, "the received data was refused");
	return 0;
}

static int stream_reset(ngtcp2_conn *conn, int64_t stream_id, uint64_t final_size, uint64_t code,
			void *user_data, void *stream_user_data)
{
	(void)conn;
	(void)stream_id;
	(void)final_size;
	(void)code;
	(void)stream_user_data;
	return refuse(user_data, -EPROTO, "the peer reset a stream");
}

static int acked_stream_data_offset(ngtcp2_conn *conn, int64_t stream_id, uint64_t offset,
				    uint64_t length, void *user_data, void *stream_user_data)
{
	struct migc_transport *t = user_data;
	unsigned int stream = migc_stream_index(stream_id);
	struct migc_stream_queue *queue;
	uint64_t before;

	(void)conn;
	(void)stream_user_data;
	if (stream == MIGC_TRANSPORT_STREAMS)
		return 0;
	queue = &t->streams[stream].queue;
	before = queue->acked_offset;
	migc_stream_queue_acked(queue, offset + length, t->config.callbacks.on_acked,
				t->config.callbacks.ctx);
	t->unacked_bytes -= queue->acked_offset - before;
	return 0;
}

static int extend_max_stream_data(ngtcp2_conn *conn, int64_t stream_id, uint64_t max_data,
				  void *user_data, void *stream_user_data)
{
	struct migc_transport *t = user_data;
	unsigned int stream = migc_stream_index(stream_id);

	(void)conn;
	(void)max_data;
	(void)stream_user_data;
	if (stream < MIGC_TRANSPORT_STREAMS)
		t->streams[stream].blocked = false;
	return 0;
}

#define BOTH_ROLES                                                                           \
	.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,                               \
	.handshake_completed = handshake_completed, .encrypt = migc_packet_watch_seal,       \
	.decrypt = migc_packet_watch_open, .hp_mask = ngtcp2_crypto_hp_mask_cb,              \
	.recv_stream_data = recv_stream_data,                                                \
	.acked_stream_data_offset = acked_stream_data_offset, .stream_open = stream_open,    \
	.stream_reset = stream_reset, .rand = random_bytes,                                  \
	.get_new_connection_id = get_new_connection_id,                                      \
	.remove_connection_id = remove_connection_id, .update_key = migc_packet_keys_update, \
	.extend_max_stream_data = extend_max_stream_data,                                    \
	.delete_crypto_aead_ctx = migc_packet_keys_delete,                                   \
	.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,               \
	.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,                 \
	.version_negotiation = ngtcp2_crypto_version_negotiation_cb

const ngtcp2_callbacks migc_quic_client_callbacks = {
	BOTH_ROLES,
	.client_initial = ngtcp2_crypto_client_initial_cb,
	.recv_retry = ngtcp2_crypto_recv_retry_cb,
	.handshake_confirmed = handshake_confirmed,
};

const ngtcp2_callbacks migc_quic_server_callbacks = {
	BOTH_ROLES,
	.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
};

int migc_quic_open_streams(struct migc_transport *t)
{
	unsigned int i;

	for (i = 0; i < MIGC_TRANSPORT_STREAMS; i++) {
		int64_t id = -1;
		int rc = i == MIGC_TRANSPORT_CONTROL
				 ? ngtcp2_conn_open_bidi_stream(t->conn, &id, NULL)
				 : ngtcp2_conn_open_uni_stream(t->conn, &id, NULL);

		if (rc == NGTCP2_ERR_STREAM_ID_BLOCKED || (rc == 0 && id != migc_stream_id(i))) {
			migc_error_set(&t->error, -EPROTO,
				       "the receiver does not allow the streams a migration needs");
			return NGTCP2_ERR_PROTO;
		}
		if (rc != 0)
			return rc;
		t->streams[i].open = true;
		t->streams[i].blocked = false;
	}
	return 0;
}
