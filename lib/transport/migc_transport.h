/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_TRANSPORT_H
#define MIGC_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_parse.h"

/**
 * @file
 * Reliable, encrypted, authenticated streams over datagrams: QUIC (RFC 9000/9001/9002). Sans-IO:
 * datagrams and the time come in, datagrams go out; no clock, no socket, no thread of its own.
 * One object is one endpoint of one connection, used by one thread. All times are nanoseconds of
 * any monotonic clock, never running backwards.
 *
 * A connection has MIGC_TRANSPORT_BLOCK_STREAMS unidirectional streams from client to server
 * (indexes 0..) and one bidirectional control stream (index MIGC_TRANSPORT_CONTROL), all opened by
 * the client when the handshake is done and never closed.
 */

#define MIGC_TRANSPORT_BLOCK_STREAMS 16u
#define MIGC_TRANSPORT_CONTROL MIGC_TRANSPORT_BLOCK_STREAMS
#define MIGC_TRANSPORT_STREAMS (MIGC_TRANSPORT_BLOCK_STREAMS + 1u)
/** Slices one stream may hold that are not yet acknowledged. */
#define MIGC_TRANSPORT_SLICES_MAX 2048u

struct migc_transport;
struct migc_credentials;

/* ---- credentials: shared by all endpoints of a process, read-only once made ---- */

/**
 * X.509 in QEMU's tls-creds-x509 layout: `dir`/ca-cert.pem and server-{cert,key}.pem (server) or
 * client-{cert,key}.pem (client). Both ends must present a certificate of that CA, in its time.
 * @return 0; -ENOENT, -EACCES, -EINVAL with a message that names the file and what is wrong with
 *   it (missing, unreadable, not PEM, key and certificate do not match, expired or not yet valid,
 *   not signed by ca-cert.pem).
 */
int migc_credentials_x509(const char *dir, bool server, struct migc_credentials **out,
			  struct migc_error *err);
/**
 * Pre-shared key: the first `user:hexkey` line of a file as psktool writes it (a client sends that
 * user; a server takes any user in the file). Refused (-EACCES) when others than its owner may
 * read it.
 */
int migc_credentials_psk(const char *file, bool server, struct migc_credentials **out,
			 struct migc_error *err);
/** No authentication: encryption only, with a certificate made now. */
int migc_credentials_insecure(bool server, struct migc_credentials **out, struct migc_error *err);
void migc_credentials_free(struct migc_credentials *credentials);

/* ---- endpoint ---- */

/** Bytes to send on a stream. They must stay in place, unchanged, until given back. */
struct migc_slice {
	const uint8_t *data;
	uint32_t length; /**< 1.. */
	void *cookie; /**< given to on_acked once all its bytes are acknowledged; NULL: nobody asks
		       */
};

/** Called from inside migc_transport_read()/_expire()/_write(); must not call back into those. */
struct migc_transport_callbacks {
	/**
	 * In-order bytes of a stream. They count against flow control until
	 * migc_transport_consumed() is called for them (from inside the callback if it likes).
	 * @return 0, or negative errno to fail the connection.
	 */
	int (*on_data)(void *ctx, unsigned int stream, const uint8_t *data, size_t length);
	/** A slice's bytes are all acknowledged, in order of sending per stream. */
	void (*on_acked)(void *ctx, void *cookie);
	void *ctx;
};

enum migc_transport_cc {
	MIGC_TRANSPORT_CUBIC,
	MIGC_TRANSPORT_BBR,
};

/** Who seals and opens the packets of a connection; ends that chose differently get on. */
enum migc_transport_sealer {
	MIGC_TRANSPORT_SEALER_AUTO, /**< IPsec-MB where the CPU has AES-NI, else GnuTLS */
	MIGC_TRANSPORT_SEALER_GNUTLS,
	MIGC_TRANSPORT_SEALER_IPSEC_MB,
};

struct migc_transport_config {
	bool server;
	const struct migc_credentials *credentials; /**< outlives the endpoint */
	struct migc_addr local;
	struct migc_addr remote; /**< client only */
	const char *hostname; /**< client, X.509: name or address the certificate must be for; NULL:
				 any */
	uint32_t payload_bytes; /**< largest UDP payload to send, 1200.. */
	uint32_t stream_window_bytes; /**< receive window of a stream, 0: default 2 MiB */
	uint32_t connection_window_bytes; /**< receive window of all streams, 0: default 24 MiB */
	uint32_t idle_timeout_ms; /**< dead peer, 0: default 10000; kept alive at a quarter of it */
	enum migc_transport_cc cc;
	enum migc_transport_sealer sealer;
	struct migc_transport_callbacks callbacks;
};

enum migc_transport_state {
	MIGC_TRANSPORT_LISTEN, /**< server: nobody there */
	MIGC_TRANSPORT_HANDSHAKE,
	MIGC_TRANSPORT_CONNECTED, /**< authenticated both ways: streams may be used */
	MIGC_TRANSPORT_CLOSING, /**< a close is to be sent or was just sent */
	MIGC_TRANSPORT_CLOSED, /**< over; migc_transport_error() says why */
};

struct migc_transport_stats {
	uint64_t packets_sent, packets_received;
	uint64_t bytes_sent, bytes_received; /**< UDP payload */
	uint64_t lost; /**< packets declared lost (see doc/design/transport.md for how it is known)
			*/
	uint64_t retransmitted_bytes; /**< stream bytes sent again */
	uint64_t rtt_us; /**< smoothed */
	uint64_t cwnd_bytes, in_flight_bytes;
	uint64_t datagrams_malformed; /**< not QUIC, or not for this connection */
	uint64_t datagrams_undecryptable; /**< forged, damaged or replayed */
	uint64_t retries_sent; /**< server: first contacts answered without state */
	uint64_t tokens_invalid; /**< server */
	uint64_t handshakes_failed; /**< server: refused peers */
	uint64_t refused_busy; /**< server: second clients turned away */
	uint64_t replies_dropped; /**< server: contacts not answered, too many at once */
};

/**
 * @param now_ns the time
 * @return 0, -EINVAL, -ENOMEM, -EIO (no random numbers), -ENOTSUP (IPsec-MB was asked for by name
 *   and does not serve this CPU).
 * A client starts its handshake at the first migc_transport_write(). A server answers a first
 * contact by Retry, keeps no state for it, takes one connection at a time, refuses others while it
 * has one (CONNECTION_REFUSED), and goes back to LISTEN when a handshake fails; a connection that
 * was CONNECTED ends in CLOSED.
 */
int migc_transport_create(const struct migc_transport_config *config, uint64_t now_ns,
			  struct migc_transport **out, struct migc_error *err);
void migc_transport_free(struct migc_transport *t);

/**
 * A datagram came in. Anything wrong with it is counted, never an error of the caller's.
 * `data` may be changed (decryption is in place).
 */
void migc_transport_read(struct migc_transport *t, const struct migc_addr *from, uint8_t *data,
			 size_t length, uint64_t now_ns);
/**
 * Make the next datagram, if there is one to send now.
 * @param capacity at least payload_bytes
 * @param to       where it goes
 * @return its length, 0 when there is nothing to send (now: pacing and windows count), -EPIPE
 *   when the connection is over.
 */
int migc_transport_write(struct migc_transport *t, uint8_t *data, size_t capacity,
			 struct migc_addr *to, uint64_t now_ns);
/** @return when migc_transport_expire() is to be called next; UINT64_MAX: never. */
uint64_t migc_transport_expiry(const struct migc_transport *t);
void migc_transport_expire(struct migc_transport *t, uint64_t now_ns);

/**
 * Queue slices on a stream, all or none. Client: any stream; server: MIGC_TRANSPORT_CONTROL only.
 * @return 0, -ENOTCONN (not CONNECTED), -ENOBUFS (no room for that many: try again after
 *   acknowledgements), -EINVAL.
 */
int migc_transport_send(struct migc_transport *t, unsigned int stream,
			const struct migc_slice *slices, unsigned int count);
/** @return slices that the stream has room for. */
unsigned int migc_transport_room(const struct migc_transport *t, unsigned int stream);
/** @return bytes queued on all streams that were not put into a packet yet. */
uint64_t migc_transport_unsent_bytes(const struct migc_transport *t);
/** @return whether congestion and flow control would let a packet go now. */
bool migc_transport_window_open(const struct migc_transport *t);
/** The congestion window, and what of it is free, in bytes; both 0 without a connection. */
void migc_transport_window(const struct migc_transport *t, uint64_t *window_bytes,
			   uint64_t *free_bytes);
/** @return bytes queued on all streams that are not acknowledged yet. */
uint64_t migc_transport_unacked_bytes(const struct migc_transport *t);
/** Received bytes were used up: let the peer send as many more. */
void migc_transport_consumed(struct migc_transport *t, unsigned int stream, uint64_t bytes);

/**
 * Begin to close: the next writes send CONNECTION_CLOSE (application) with the code and reason.
 * Slices not acknowledged are given back (on_acked is NOT called; see migc_transport_abandon()).
 */
void migc_transport_close(struct migc_transport *t, uint64_t code, const char *reason,
			  uint64_t now_ns);
/** Call `give_back` with each non-NULL cookie still held, and forget them. After CLOSED or before
 * free. */
void migc_transport_abandon(struct migc_transport *t, void (*give_back)(void *ctx, void *cookie),
			    void *ctx);
enum migc_transport_state migc_transport_state(const struct migc_transport *t);
/** Why it is CLOSED (or, server in LISTEN: why the last handshake failed). code 0: closed by
 * choice. */
const struct migc_error *migc_transport_error(const struct migc_transport *t);
/** The peer's address, while not in LISTEN. */
struct migc_addr migc_transport_peer(const struct migc_transport *t);
/** The authenticated peer: certificate's common name, PSK user, or "" (insecure). */
const char *migc_transport_peer_name(const struct migc_transport *t);
/** @return "ipsec-mb" or "gnutls": who seals the connection's packets of data; before it is made,
 * who would those of an AES-GCM suite. Never NULL. */
const char *migc_transport_sealer_name(const struct migc_transport *t);
void migc_transport_stats(const struct migc_transport *t, struct migc_transport_stats *out);

#endif
