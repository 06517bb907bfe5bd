/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"

#define REASON_BYTES 256

void migc_close_printable(char *out, size_t capacity, const uint8_t *text, size_t length_bytes)
{
	size_t i;

	if (length_bytes > capacity - 1)
		length_bytes = capacity - 1;
	for (i = 0; i < length_bytes; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7f ? (char)text[i] : '?';
	out[length_bytes] = '\0';
}

/* What a TLS alert of the peer's says about us. */
static const char *refused_text(enum migc_credentials_kind kind, uint8_t alert)
{
	switch (alert) {
	case GNUTLS_A_CERTIFICATE_EXPIRED:
		return "our certificate is expired or not valid yet";
	case GNUTLS_A_CERTIFICATE_REVOKED:
		return "our certificate is revoked";
	case GNUTLS_A_UNKNOWN_CA:
		return "our certificate is not signed by its ca-cert.pem";
	case GNUTLS_A_CERTIFICATE_REQUIRED:
		return "it wants a certificate";
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
		return "our certificate is not for this host or purpose, or does not verify";
	case GNUTLS_A_NO_APPLICATION_PROTOCOL:
		return "it does not speak our protocol version";
	case GNUTLS_A_DECRYPT_ERROR:
	case GNUTLS_A_ILLEGAL_PARAMETER:
	case GNUTLS_A_UNKNOWN_PSK_IDENTITY:
		if (kind == MIGC_CREDENTIALS_PSK)
			return "wrong pre-shared key, or unknown user";
		return "its TLS handshake failed";
	default:
		return "the two ends use different kinds of credentials, or no common TLS 1.3 "
		       "cipher";
	}
}

/* Our own TLS refused the peer, and nobody said why in words. */
static void explain_own_alert(struct migc_transport *t)
{
	enum migc_credentials_kind kind = t->config.credentials->kind;
	uint8_t alert = t->alert ? t->alert : ngtcp2_conn_get_tls_alert(t->conn);

	if (kind == MIGC_CREDENTIALS_PSK && t->config.server && t->unknown_user) {
		migc_error_set(&t->error, -EACCES,
			       "the peer's pre-shared key user is not in our file");
	} else if (kind == MIGC_CREDENTIALS_PSK &&
		   (alert == GNUTLS_A_DECRYPT_ERROR || alert == GNUTLS_A_ILLEGAL_PARAMETER)) {
		migc_error_set(&t->error, -EACCES, "the peer uses a wrong pre-shared key");
	} else if (alert == GNUTLS_A_CERTIFICATE_REQUIRED) {
		migc_error_set(&t->error, -EACCES, "the peer presented no certificate");
	} else if (alert == GNUTLS_A_NO_APPLICATION_PROTOCOL) {
		migc_error_set(&t->error, -EACCES, "the peer speaks another protocol or version");
	} else {
		const char *name = gnutls_alert_get_name((gnutls_alert_description_t)alert);

		migc_error_set(&t->error, -EACCES,
			       "the TLS handshake failed (%s): do both ends use the same kind of "
			       "credentials?",
			       name ? name : "no alert");
	}
}

static void explain_peer_close(struct migc_transport *t)
{
	enum migc_credentials_kind kind = t->config.credentials->kind;
	ngtcp2_connection_close_error close;
	char reason[REASON_BYTES];

	ngtcp2_conn_get_connection_close_error(t->conn, &close);
	migc_close_printable(reason, sizeof(reason), close.reason, close.reasonlen);
	if (close.type == NGTCP2_CONNECTION_CLOSE_ERROR_CODE_TYPE_APPLICATION) {
		if (close.error_code) {
			migc_error_set(&t->error, -ECONNABORTED, "the peer gave up: %s",
				       reason[0] ? reason : "no reason given");
		} else {
			t->error.code = 0;
			snprintf(t->error.text, sizeof(t->error.text),
				 "the peer closed the connection: %s",
				 reason[0] ? reason : "no reason given");
		}
	} else if (close.error_code == NGTCP2_CONNECTION_REFUSED) {
		migc_error_set(&t->error, -EBUSY, "the receiver is busy with another migration");
	} else if (close.error_code == NGTCP2_INVALID_TOKEN) {
		migc_error_set(&t->error, -ECONNREFUSED,
			       "the receiver did not know its own token: does the network change "
			       "our address?");
	} else if (close.error_code >= NGTCP2_CRYPTO_ERROR &&
		   close.error_code <= NGTCP2_CRYPTO_ERROR + 0xff) {
		migc_error_set(&t->error, -EACCES, "the peer refused our credentials: %s",
			       refused_text(kind, (uint8_t)(close.error_code & 0xff)));
	} else {
		migc_error_set(&t->error, -ECONNABORTED,
			       "the peer ended the connection (QUIC error 0x%llx): %s",
			       (unsigned long long)close.error_code,
			       reason[0] ? reason : "no reason given");
	}
}

/* The shorter one of both ends counts (RFC 9000 section 10.1). */
static uint32_t idle_timeout_s(const struct migc_transport *t)
{
	const ngtcp2_transport_params *remote = ngtcp2_conn_get_remote_transport_params(t->conn);
	uint64_t timeout_ns = t->config.idle_timeout_ms * NGTCP2_MILLISECONDS;

	if (remote && remote->max_idle_timeout && remote->max_idle_timeout < timeout_ns)
		timeout_ns = remote->max_idle_timeout;
	return (uint32_t)(timeout_ns / NGTCP2_SECONDS);
}

static void explain_silence(struct migc_transport *t, bool handshake)
{
	char peer[32];

	migc_addr_text(&t->peer, peer);
	if (!handshake)
		migc_error_set(&t->error, -ETIMEDOUT,
			       "no answer from %s for %u s: the peer or the network is gone", peer,
			       idle_timeout_s(t));
	else if (t->config.server)
		migc_error_set(&t->error, -ETIMEDOUT, "%s began to connect and fell silent", peer);
	else
		migc_error_set(&t->error, -ETIMEDOUT,
			       "no answer from %s: does a receiver run there, and does the network "
			       "let UDP through?",
			       peer);
}

void migc_close_explain(struct migc_transport *t, int liberr)
{
	bool handshake = t->state == MIGC_TRANSPORT_HANDSHAKE;

	switch (liberr) {
	case NGTCP2_ERR_DRAINING:
		explain_peer_close(t);
		break;
	case NGTCP2_ERR_IDLE_CLOSE:
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		explain_silence(t, handshake);
		break;
	case NGTCP2_ERR_CRYPTO:
		explain_own_alert(t);
		break;
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		migc_error_set(&t->error, -EPROTONOSUPPORT,
			       "the peer does not speak QUIC version 1");
		break;
	case NGTCP2_ERR_NOMEM:
		migc_error_set(&t->error, -ENOMEM, "no memory for the connection");
		break;
	case NGTCP2_ERR_FLOW_CONTROL:
		migc_error_set(&t->error, -EPROTO, "the peer sent more than it was allowed to");
		break;
	case NGTCP2_ERR_STREAM_LIMIT:
	case NGTCP2_ERR_STREAM_STATE:
		migc_error_set(&t->error, -EPROTO, "the peer used a stream it must not use");
		break;
	case NGTCP2_ERR_STREAM_SHUT_WR:
		/* Its STOP_SENDING made ngtcp2 end the stream. */
		migc_error_set(&t->error, -EPROTO, "the peer does not read a stream any more");
		break;
	default:
		migc_error_set(&t->error, -EPROTO, "the peer broke the QUIC protocol (%s)",
			       ngtcp2_strerror(liberr));
		break;
	}
}
