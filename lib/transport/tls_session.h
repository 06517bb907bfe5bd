/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include <gnutls/gnutls.h>

#include "migc_transport.h"

/** @file The TLS 1.3 side of a connection, in GnuTLS. */

/** What both ends speak; a peer that does not offer it is refused (RFC 7301). */
#define MIGC_TLS_ALPN "dpdk-migcomp/1"

/** Make t->tls for t's role and credentials. @return 0 or -ENOMEM. */
int migc_tls_session_create(struct migc_transport *t);
/** The handshake is done: check what was agreed on, note the peer's name. @return 0 or -EACCES. */
int migc_tls_session_completed(struct migc_transport *t);
/** GnuTLS's callback: is the peer's certificate good? Fills t->error and t->alert when not. */
int migc_tls_verify_peer(gnutls_session_t session);
/** GnuTLS's callback: the key of a PSK user. */
int migc_tls_find_psk(gnutls_session_t session, const char *user, gnutls_datum_t *key);
/** @return what is wrong by a certificate status of GnuTLS, to follow "the certificate". */
const char *migc_tls_status_text(unsigned int status);

#endif
