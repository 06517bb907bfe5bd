/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

#include "credentials.h"
#include "migc_transport.h"
#include "pacer.h"
#include "packet_seal.h"
#include "packet_watch.h"
#include "stream_queue.h"

/** @file The state of one endpoint, shared inside the module. */

/** Every connection id that we choose is this long, so that short headers can be read. */
#define MIGC_CID_BYTES 8u
/** More than ngtcp2 0.12 keeps at a time (8 in use, some retiring), and the ids of the contact. */
#define MIGC_CIDS_MAX 24u
/** The stateless answers that wait to be sent; more contacts at once are not answered. */
#define MIGC_REPLIES_MAX 8u
#define MIGC_REPLY_BYTES 1280u
/** Smallest datagram that may carry a first contact (RFC 9000 section 14.1). */
#define MIGC_INITIAL_BYTES_MIN NGTCP2_MAX_UDP_PAYLOAD_SIZE
#define MIGC_RETRY_SECRET_BYTES 32u

/** The stream a connection's stream id stands for, or MIGC_TRANSPORT_STREAMS. */
unsigned int migc_stream_index(int64_t stream_id);
int64_t migc_stream_id(unsigned int stream);

struct migc_reply {
	struct migc_addr to;
	size_t length_bytes;
	uint8_t data[MIGC_REPLY_BYTES];
};

struct migc_stream {
	struct migc_stream_queue queue;
	uint64_t held_bytes; /**< given to on_data, not consumed yet */
	bool open; /**< both ends know of it */
	bool blocked; /**< no credit of the stream's own, until the peer gives more */
};

struct migc_transport {
	struct migc_transport_config config;
	char *hostname;
	enum migc_transport_state state;
	struct migc_error error;
	struct migc_transport_stats stats; /**< what is counted here; the rest is asked for */
	uint64_t lost_before; /**< of connections that are gone */
	uint64_t now_ns; /**< the newest time seen */

	/* The connection: NULL in LISTEN, and when it could not be made. */
	ngtcp2_conn *conn;
	ngtcp2_crypto_conn_ref conn_ref;
	gnutls_session_t tls;
	struct migc_addr peer;
	char peer_name[256];
	uint64_t handshake_deadline_ns;
	bool confirmed; /**< client: the server has taken our credentials */
	bool announced; /**< client: the control stream's first frame is sent */
	bool unknown_user; /**< server: the PSK user is not in the file */
	int callback_error; /**< why a callback of ours failed the connection; errno */
	uint8_t alert; /**< TLS alert that says best why the peer was refused, 0: none */

	/* Connection ids that datagrams for us carry. The last connection's stay known after its
	 * end, so that its late datagrams are answered with its close and not taken for new. */
	ngtcp2_cid cids[MIGC_CIDS_MAX];
	unsigned int cids_count;
	ngtcp2_cid contact; /**< server: the id of the client's first contact, before Retry */

	/* CONNECTION_CLOSE, kept to be sent again to a peer that still talks. */
	bool close_pending;
	bool closing_by_choice; /**< close_code is to be sent, not what went wrong */
	uint64_t close_code;
	char close_reason[MIGC_ERROR_TEXT_BYTES];
	struct migc_addr close_to;
	size_t close_bytes; /**< 0: not made yet */
	uint64_t closed_at_ns; /**< end of the closing period */
	bool reset_known; /**< client: the server gave a token */
	uint8_t reset_token[NGTCP2_STATELESS_RESET_TOKENLEN]; /**< the server's */
	uint8_t close_packet[MIGC_REPLY_BYTES];

	/* Pacing: when the bytes sent so far are paid for at the rate the controller allows. */
	uint64_t paced_until_ns;
	struct pacer pacer; /**< and not faster than a slow link */

	struct migc_stream streams[MIGC_TRANSPORT_STREAMS];
	unsigned int next_stream; /**< block stream whose turn it is */
	uint64_t unsent_bytes;
	uint64_t unacked_bytes;

	struct migc_reply replies[MIGC_REPLIES_MAX];
	unsigned int replies_first, replies_count;
	uint8_t retry_secret[MIGC_RETRY_SECRET_BYTES];

	struct migc_packet_sealer *sealer;
	const struct migc_packet_seal_ops *seal_ops; /**< who makes the connection's 1-RTT keys */
	struct migc_packet_watch watch;
};

/* ---- quic.c: one ngtcp2 connection ---- */

/** A path between us and `remote` in ngtcp2's words. The addresses live in `storage`. */
struct migc_path {
	struct sockaddr_in local, remote;
	ngtcp2_path path;
};
void migc_quic_path(const struct migc_transport *t, const struct migc_addr *remote,
		    struct migc_path *out);
/** A random connection id of ours. @return 0 or -EIO: no random numbers. */
int migc_quic_random_cid(ngtcp2_cid *cid);
int migc_quic_remember_cid(struct migc_transport *t, const ngtcp2_cid *cid);
void migc_quic_forget_cid(struct migc_transport *t, const ngtcp2_cid *cid);
bool migc_quic_knows_cid(const struct migc_transport *t, const uint8_t *cid, size_t length_bytes);

/** Client: make the connection. @return 0, -ENOMEM, -EIO. */
int migc_quic_connect(struct migc_transport *t, uint64_t now_ns);
/**
 * Server: make the connection of a first contact whose token was verified.
 * @param odcid the id that the client chose before Retry
 * @return 0, -ENOMEM, -EIO.
 */
int migc_quic_accept(struct migc_transport *t, const ngtcp2_pkt_hd *initial,
		     const ngtcp2_cid *odcid, const struct migc_addr *from, uint64_t now_ns);
/** Free the connection, after its counts were taken over. */
void migc_quic_drop(struct migc_transport *t);
/** @return 0 or an error of ngtcp2, to be given to migc_endpoint_fail(). */
int migc_quic_read(struct migc_transport *t, const struct migc_addr *from, const uint8_t *data,
		   size_t length, uint64_t now_ns);
/** Make CONNECTION_CLOSE into t->close_packet. @return its length, 0: none can be made. */
size_t migc_quic_write_close(struct migc_transport *t, int liberr, uint64_t now_ns);
/** Packets declared lost so far. */
uint64_t migc_quic_lost(const struct migc_transport *t);

/* ---- quic_callbacks.c ---- */

extern const ngtcp2_callbacks migc_quic_client_callbacks;
extern const ngtcp2_callbacks migc_quic_server_callbacks;
/** Client: open all streams. @return 0 or an error of ngtcp2. */
int migc_quic_open_streams(struct migc_transport *t);

/* ---- quic_write.c ---- */

/** @return length of the datagram made, 0: nothing to send now, or an error of ngtcp2. */
ngtcp2_ssize migc_quic_write(struct migc_transport *t, uint8_t *data, size_t capacity,
			     uint64_t now_ns);

/* ---- accept.c: what a server does without a connection ---- */

/** A datagram that belongs to no connection. */
void migc_accept_datagram(struct migc_transport *t, const ngtcp2_version_cid *header,
			  const struct migc_addr *from, const uint8_t *data, size_t length,
			  uint64_t now_ns);
/** A place for an answer, or NULL: too many wait (counted). */
struct migc_reply *migc_reply_add(struct migc_transport *t, const struct migc_addr *to);
void migc_reply_cancel(struct migc_transport *t);
/** Say by a stateless reset (RFC 9000 section 10.3) that the connection with `to` is known no more.
 */
void migc_accept_gone(struct migc_transport *t, const struct migc_addr *to);
/** @return the length of the next answer, copied to data; 0: none. */
size_t migc_reply_take(struct migc_transport *t, uint8_t *data, size_t capacity,
		       struct migc_addr *to);

/* ---- endpoint.c ---- */

/** The connection is over for this error of ngtcp2: say why, tell the peer, change the state. */
void migc_endpoint_fail(struct migc_transport *t, int liberr, uint64_t now_ns);

/* ---- close_text.c ---- */

/** Fill t->error for an error of ngtcp2's, unless it holds the cause already. */
void migc_close_explain(struct migc_transport *t, int liberr);
/** Copy a peer's words: printable ASCII only, cut to fit, NUL-terminated. */
void migc_close_printable(char *out, size_t capacity, const uint8_t *text, size_t length_bytes);

#endif
