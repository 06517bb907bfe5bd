/* SPDX-License-Identifier: BSD-3-Clause */
#include "credentials.h"

#include <errno.h>
#include <stdlib.h>

#define TLS13_ONLY                                                                 \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:" \
	"+GROUP-SECP384R1:%DISABLE_TLS13_COMPAT_MODE:%SERVER_PRECEDENCE:-CIPHER-ALL:"

/* A PSK is bound to its hash (RFC 8446 section 4.2.11), SHA-256 here: no cipher of SHA-384. Its key
 * exchange is always with ECDHE, so that a key that leaks later opens nothing recorded before. */
static const char certificate_priority[] = TLS13_ONLY "+AES-128-GCM:+AES-256-GCM";
static const char psk_priority[] = TLS13_ONLY "+AES-128-GCM:-KX-ALL:+ECDHE-PSK";

struct migc_credentials *migc_credentials_alloc(enum migc_credentials_kind kind, bool server)
{
	struct migc_credentials *credentials = calloc(1, sizeof(*credentials));
	const char *priority = kind == MIGC_CREDENTIALS_PSK ? psk_priority : certificate_priority;

	if (!credentials)
		return NULL;
	credentials->kind = kind;
	credentials->server = server;
	if (gnutls_priority_init(&credentials->priority, priority, NULL) < 0) {
		free(credentials);
		return NULL;
	}
	return credentials;
}

void migc_credentials_free(struct migc_credentials *credentials)
{
	if (!credentials)
		return;
	if (credentials->certificate)
		gnutls_certificate_free_credentials(credentials->certificate);
	if (credentials->psk_client)
		gnutls_psk_free_client_credentials(credentials->psk_client);
	if (credentials->psk_server)
		gnutls_psk_free_server_credentials(credentials->psk_server);
	gnutls_priority_deinit(credentials->priority);
	if (credentials->users)
		gnutls_memset(credentials->users, 0,
			      credentials->users_count * sizeof(*credentials->users));
	free(credentials->users);
	free(credentials);
}
