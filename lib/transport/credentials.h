/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CREDENTIALS_H
#define CREDENTIALS_H

#include <gnutls/gnutls.h>

#include "migc_transport.h"

enum migc_credentials_kind {
	MIGC_CREDENTIALS_X509,
	MIGC_CREDENTIALS_PSK,
	MIGC_CREDENTIALS_INSECURE,
};

#define MIGC_PSK_USER_BYTES 128u
#define MIGC_PSK_KEY_BYTES_MIN 16u
#define MIGC_PSK_KEY_BYTES_MAX 64u

struct migc_psk_user {
	char name[MIGC_PSK_USER_BYTES];
	uint8_t key[MIGC_PSK_KEY_BYTES_MAX];
	unsigned int key_bytes;
};

/** Read-only once made. */
struct migc_credentials {
	enum migc_credentials_kind kind;
	bool server;
	gnutls_priority_t priority;
	gnutls_certificate_credentials_t certificate; /**< X.509 and insecure */
	gnutls_psk_client_credentials_t psk_client;
	gnutls_psk_server_credentials_t psk_server;
	struct migc_psk_user *users; /**< a client has one */
	unsigned int users_count;
};

/** @return credentials of that kind with the TLS 1.3 ciphers it uses, or NULL: no memory. */
struct migc_credentials *migc_credentials_alloc(enum migc_credentials_kind kind, bool server);

/** Look up the key of a user for GnuTLS's PSK server callback. @return entry or NULL. */
const struct migc_psk_user *migc_credentials_psk_find(const struct migc_credentials *credentials,
						      const char *name);

#endif
