/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PACKET_KEYS_H
#define PACKET_KEYS_H

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>

/**
 * @file
 * The keys that packets are protected with: made of TLS's secrets as they come, put into the hands
 * of who seals (packet_seal.h), renewed and deleted as ngtcp2 asks.
 */

#define MIGC_PACKET_KEY_BYTES_MAX 32u

/** RFC 9001 section 5.1. */
struct migc_packet_key_bytes {
	uint8_t key[MIGC_PACKET_KEY_BYTES_MAX];
	uint8_t header_key[MIGC_PACKET_KEY_BYTES_MAX];
	uint8_t iv[12];
	size_t key_bytes;
};

/** Derive the keys of one direction from its secret. @return 0 or -1. To be wiped after use. */
int migc_packet_keys_derive(const ngtcp2_crypto_ctx *ctx, const uint8_t *secret,
			    size_t secret_bytes, struct migc_packet_key_bytes *out);

/** GnuTLS has the secrets of a level: let packets be protected with them from now on. */
int migc_packet_keys_install(gnutls_session_t session, gnutls_record_encryption_level_t level,
			     const void *rx_secret, const void *tx_secret, size_t secret_bytes);

/* ngtcp2's callbacks; the user data is the transport. */
int migc_packet_keys_update(ngtcp2_conn *conn, uint8_t *rx_secret, uint8_t *tx_secret,
			    ngtcp2_crypto_aead_ctx *rx_aead_ctx, uint8_t *rx_iv,
			    ngtcp2_crypto_aead_ctx *tx_aead_ctx, uint8_t *tx_iv,
			    const uint8_t *current_rx_secret, const uint8_t *current_tx_secret,
			    size_t secret_bytes, void *user_data);
void migc_packet_keys_delete(ngtcp2_conn *conn, ngtcp2_crypto_aead_ctx *aead_ctx, void *user_data);

#endif
