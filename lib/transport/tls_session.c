/* SPDX-License-Identifier: BSD-3-Clause */
#include "tls_session.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdio.h>
#include <string.h>

#include "endpoint.h"
#include "packet_keys.h"

static struct migc_transport *transport_of(gnutls_session_t session)
{
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);

	return ref->user_data;
}

static ngtcp2_conn *get_conn(ngtcp2_crypto_conn_ref *ref)
{
	const struct migc_transport *t = ref->user_data;

	return t->conn;
}

const char *migc_tls_status_text(unsigned int status)
{
	if (status & GNUTLS_CERT_REVOKED)
		return "is revoked";
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
		return "is not signed by our ca-cert.pem";
	if (status & GNUTLS_CERT_SIGNATURE_FAILURE)
		return "has a wrong signature";
	if (status & GNUTLS_CERT_EXPIRED)
		return "is expired";
	if (status & GNUTLS_CERT_NOT_ACTIVATED)
		return "is not valid yet";
	if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
		return "is for another host";
	if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
		return "is not for this purpose (extended key usage)";
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return "uses an algorithm that is not secure";
	return "does not verify";
}

static uint8_t status_alert(unsigned int status)
{
	if (status & GNUTLS_CERT_REVOKED)
		return GNUTLS_A_CERTIFICATE_REVOKED;
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
		      GNUTLS_CERT_SIGNATURE_FAILURE))
		return GNUTLS_A_UNKNOWN_CA;
	if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	return GNUTLS_A_BAD_CERTIFICATE;
}

static int refuse(struct migc_transport *t, uint8_t alert, const char *why)
{
	t->alert = alert;
	migc_error_set(&t->error, -EACCES, "the peer's certificate %s", why);
	return -1;
}

int migc_tls_verify_peer(gnutls_session_t session)
{
	struct migc_transport *t = transport_of(session);
	gnutls_typed_vdata_st wanted[2];
	unsigned int wanted_count = 0;
	unsigned int presented = 0;
	unsigned int status = 0;
	char why[320];

	if (!gnutls_certificate_get_peers(session, &presented) || !presented) {
		t->alert = GNUTLS_A_CERTIFICATE_REQUIRED;
		migc_error_set(&t->error, -EACCES, "the peer presented no certificate");
		return -1;
	}
	/* Certificates without an extended key usage are for every purpose. */
	wanted[wanted_count].type = GNUTLS_DT_KEY_PURPOSE_OID;
	wanted[wanted_count].data =
		(unsigned char *)(uintptr_t)(t->config.server ? GNUTLS_KP_TLS_WWW_CLIENT
							      : GNUTLS_KP_TLS_WWW_SERVER);
	wanted[wanted_count++].size = 0;
	if (!t->config.server && t->hostname) {
		wanted[wanted_count].type = GNUTLS_DT_DNS_HOSTNAME;
		wanted[wanted_count].data = (unsigned char *)t->hostname;
		wanted[wanted_count++].size = 0;
	}
	if (gnutls_certificate_verify_peers(session, wanted, wanted_count, &status) < 0)
		return refuse(t, GNUTLS_A_BAD_CERTIFICATE, "cannot be verified");
	if (!status)
		return 0;
	if ((status & ~(unsigned int)GNUTLS_CERT_INVALID) == GNUTLS_CERT_UNEXPECTED_OWNER &&
	    t->hostname) {
		snprintf(why, sizeof(why), "is not for %.255s", t->hostname);
		return refuse(t, GNUTLS_A_BAD_CERTIFICATE, why);
	}
	return refuse(t, status_alert(status), migc_tls_status_text(status));
}

int migc_tls_find_psk(gnutls_session_t session, const char *user, gnutls_datum_t *key)
{
	struct migc_transport *t = transport_of(session);
	const struct migc_psk_user *entry = migc_credentials_psk_find(t->config.credentials, user);
	unsigned int bytes = entry ? entry->key_bytes : 32;

	key->data = gnutls_malloc(bytes);
	if (!key->data)
		return -1;
	key->size = bytes;
	if (entry) {
		memcpy(key->data, entry->key, bytes);
		return 0;
	}
	/* A random key: the peer cannot tell a wrong name from a wrong key. */
	t->unknown_user = true;
	return gnutls_rnd(GNUTLS_RND_NONCE, key->data, bytes);
}

static int set_credentials(struct migc_transport *t)
{
	const struct migc_credentials *credentials = t->config.credentials;

	if (credentials->certificate)
		return gnutls_credentials_set(t->tls, GNUTLS_CRD_CERTIFICATE,
					      credentials->certificate);
	if (!t->config.server)
		return gnutls_credentials_set(t->tls, GNUTLS_CRD_PSK, credentials->psk_client);
	return gnutls_credentials_set(t->tls, GNUTLS_CRD_PSK, credentials->psk_server);
}

int migc_tls_session_create(struct migc_transport *t)
{
	static const char alpn_name[] = MIGC_TLS_ALPN;
	const gnutls_datum_t alpn = {(unsigned char *)(uintptr_t)alpn_name, sizeof(alpn_name) - 1};
	bool server = t->config.server;
	/* No session tickets: a migration connects once, and resumption would skip the checks. */
	unsigned int flags = (server ? GNUTLS_SERVER : GNUTLS_CLIENT) | GNUTLS_NO_TICKETS |
			     GNUTLS_NO_AUTO_SEND_TICKET;
	int rc;

	if (gnutls_init(&t->tls, flags) < 0) {
		t->tls = NULL;
		return -ENOMEM;
	}
	t->conn_ref.get_conn = get_conn;
	t->conn_ref.user_data = t;
	gnutls_session_set_ptr(t->tls, &t->conn_ref);
	rc = server ? ngtcp2_crypto_gnutls_configure_server_session(t->tls)
		    : ngtcp2_crypto_gnutls_configure_client_session(t->tls);
	if (rc != 0 || gnutls_priority_set(t->tls, t->config.credentials->priority) < 0 ||
	    set_credentials(t) < 0 ||
	    gnutls_alpn_set_protocols(t->tls, &alpn, 1, GNUTLS_ALPN_MANDATORY) < 0) {
		gnutls_deinit(t->tls);
		t->tls = NULL;
		return -ENOMEM;
	}
	/* In place of ngtcp2_crypto's own, which knows of GnuTLS's keys only. */
	gnutls_handshake_set_secret_function(t->tls, migc_packet_keys_install);
	if (server && t->config.credentials->kind == MIGC_CREDENTIALS_X509) {
		gnutls_certificate_server_set_request(t->tls, GNUTLS_CERT_REQUIRE);
		/* No list of authorities: a client of another one would hold its certificate back,
		 * and nobody could say what is wrong with it. */
		gnutls_certificate_send_x509_rdn_sequence(t->tls, 1);
	}
	return 0;
}

static void note_common_name(struct migc_transport *t)
{
	unsigned int count = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(t->tls, &count);
	size_t length = sizeof(t->peer_name) - 1;
	uint8_t name[sizeof(t->peer_name)];
	gnutls_x509_crt_t certificate;

	if (!chain || !count || gnutls_x509_crt_init(&certificate) < 0)
		return;
	if (gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) == 0 &&
	    gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
					  &length) == 0)
		migc_close_printable(t->peer_name, sizeof(t->peer_name), name, length);
	gnutls_x509_crt_deinit(certificate);
}

int migc_tls_session_completed(struct migc_transport *t)
{
	const struct migc_credentials *credentials = t->config.credentials;
	gnutls_datum_t protocol = {NULL, 0};
	const char *user = NULL;

	/* A peer may leave the extension out, which GnuTLS lets pass. */
	if (gnutls_alpn_get_selected_protocol(t->tls, &protocol) < 0 ||
	    protocol.size != sizeof(MIGC_TLS_ALPN) - 1 ||
	    memcmp(protocol.data, MIGC_TLS_ALPN, protocol.size) != 0) {
		t->alert = GNUTLS_A_NO_APPLICATION_PROTOCOL;
		return migc_error_set(&t->error, -EACCES, "the peer does not speak " MIGC_TLS_ALPN);
	}
	switch (credentials->kind) {
	case MIGC_CREDENTIALS_X509:
		note_common_name(t);
		break;
	case MIGC_CREDENTIALS_PSK:
		user = t->config.server ? gnutls_psk_server_get_username(t->tls)
					: credentials->users[0].name;
		break;
	case MIGC_CREDENTIALS_INSECURE:
		break;
	}
	if (user)
		migc_close_printable(t->peer_name, sizeof(t->peer_name), (const uint8_t *)user,
				     strlen(user));
	return 0;
}
