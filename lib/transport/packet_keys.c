/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_keys.h"

#include <gnutls/crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <string.h>

#include "endpoint.h"
#include "packet_seal.h"

static int expand(uint8_t *out, size_t length, const ngtcp2_crypto_md *md, const uint8_t *secret,
		  size_t secret_bytes, const char *label)
{
	return ngtcp2_crypto_hkdf_expand_label(out, length, md, secret, secret_bytes,
					       (const uint8_t *)label, strlen(label));
}

int migc_packet_keys_derive(const ngtcp2_crypto_ctx *ctx, const uint8_t *secret,
			    size_t secret_bytes, struct migc_packet_key_bytes *out)
{
	const ngtcp2_crypto_md *md = &ctx->md;

	out->key_bytes = ngtcp2_crypto_aead_keylen(&ctx->aead);
	if (out->key_bytes > sizeof(out->key) ||
	    ngtcp2_crypto_packet_protection_ivlen(&ctx->aead) != sizeof(out->iv))
		return -1;
	if (expand(out->key, out->key_bytes, md, secret, secret_bytes, "quic key") != 0 ||
	    expand(out->iv, sizeof(out->iv), md, secret, secret_bytes, "quic iv") != 0 ||
	    expand(out->header_key, out->key_bytes, md, secret, secret_bytes, "quic hp") != 0)
		return -1;
	return 0;
}

/* Of ngtcp2's two functions that install a 1-RTT key, for either direction. */
typedef int (*install_key)(ngtcp2_conn *conn, const uint8_t *secret, size_t secretlen,
			   const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *iv, size_t ivlen,
			   const ngtcp2_crypto_cipher_ctx *hp_ctx);

/* As ngtcp2_crypto makes and deletes it: AES-NI of our own would save 2 ns of 16 a packet. */
static int make_header_key(const ngtcp2_crypto_ctx *ctx, struct migc_packet_key_bytes *bytes,
			   ngtcp2_crypto_cipher_ctx *out)
{
	gnutls_cipher_algorithm_t cipher =
		(gnutls_cipher_algorithm_t)(uintptr_t)ctx->hp.native_handle;
	gnutls_datum_t key = {bytes->header_key, (unsigned int)bytes->key_bytes};
	gnutls_cipher_hd_t handle;

	if (gnutls_cipher_init(&handle, cipher, &key, NULL) < 0)
		return -1;
	out->native_handle = handle;
	return 0;
}

static int install_ipsec_mb(struct migc_transport *t, install_key install, const uint8_t *secret,
			    size_t secret_bytes)
{
	const ngtcp2_crypto_ctx *ctx = ngtcp2_conn_get_crypto_ctx(t->conn);
	struct migc_packet_key_bytes bytes;
	ngtcp2_crypto_cipher_ctx header_key = {0};
	ngtcp2_crypto_aead_ctx key = {0};
	int rc = migc_packet_keys_derive(ctx, secret, secret_bytes, &bytes);

	if (rc == 0)
		rc = make_header_key(ctx, &bytes, &header_key);
	if (rc == 0) {
		key.native_handle = migc_packet_key_new(t->sealer, bytes.key, bytes.key_bytes);
		rc = key.native_handle ? install(t->conn, secret, secret_bytes, &key, bytes.iv,
						 sizeof(bytes.iv), &header_key)
				       : -1;
	}
	gnutls_memset(&bytes, 0, sizeof(bytes));
	if (rc == 0)
		return 0;
	if (key.native_handle)
		migc_packet_key_free(key.native_handle);
	ngtcp2_crypto_delete_crypto_cipher_ctx_cb(t->conn, &header_key, t);
	return -1;
}

static int install_one(struct migc_transport *t, ngtcp2_crypto_level level, const uint8_t *secret,
		       size_t secret_bytes, bool receive)
{
	if (!secret)
		return 0;
	if (level == NGTCP2_CRYPTO_LEVEL_APPLICATION && t->seal_ops == &migc_packet_seal_ipsec_mb)
		return install_ipsec_mb(
			t, receive ? ngtcp2_conn_install_rx_key : ngtcp2_conn_install_tx_key,
			secret, secret_bytes);
	if (receive)
		return ngtcp2_crypto_derive_and_install_rx_key(t->conn, NULL, NULL, NULL, level,
							       secret, secret_bytes);
	return ngtcp2_crypto_derive_and_install_tx_key(t->conn, NULL, NULL, NULL, level, secret,
						       secret_bytes);
}

int migc_packet_keys_install(gnutls_session_t session,
			     gnutls_record_encryption_level_t gnutls_level, const void *rx_secret,
			     const void *tx_secret, size_t secret_bytes)
{
	ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);
	struct migc_transport *t = ref->user_data;
	ngtcp2_crypto_level level =
		ngtcp2_crypto_gnutls_from_gnutls_record_encryption_level(gnutls_level);

	/* The suite is known since the keys of the handshake were made. */
	if (level == NGTCP2_CRYPTO_LEVEL_APPLICATION)
		t->seal_ops = migc_packet_sealer_for(t->sealer,
						     &ngtcp2_conn_get_crypto_ctx(t->conn)->aead);
	if (install_one(t, level, rx_secret, secret_bytes, true) != 0 ||
	    install_one(t, level, tx_secret, secret_bytes, false) != 0)
		return -1;
	return 0;
}

int migc_packet_keys_update(ngtcp2_conn *conn, uint8_t *rx_secret, uint8_t *tx_secret,
			    ngtcp2_crypto_aead_ctx *rx_aead_ctx, uint8_t *rx_iv,
			    ngtcp2_crypto_aead_ctx *tx_aead_ctx, uint8_t *tx_iv,
			    const uint8_t *current_rx_secret, const uint8_t *current_tx_secret,
			    size_t secret_bytes, void *user_data)
{
	uint8_t rx_key[MIGC_PACKET_KEY_BYTES_MAX], tx_key[MIGC_PACKET_KEY_BYTES_MAX];
	struct migc_transport *t = user_data;
	size_t key_bytes;
	int rc;

	if (t->seal_ops != &migc_packet_seal_ipsec_mb)
		return ngtcp2_crypto_update_key_cb(conn, rx_secret, tx_secret, rx_aead_ctx, rx_iv,
						   tx_aead_ctx, tx_iv, current_rx_secret,
						   current_tx_secret, secret_bytes, user_data);
	key_bytes = ngtcp2_crypto_aead_keylen(&ngtcp2_conn_get_crypto_ctx(conn)->aead);
	rc = ngtcp2_crypto_update_key(conn, rx_secret, tx_secret, rx_aead_ctx, rx_key, rx_iv,
				      tx_aead_ctx, tx_key, tx_iv, current_rx_secret,
				      current_tx_secret, secret_bytes);
	if (rc == 0) {
		/* The bytes are wanted; the keys that GnuTLS made of them are not. */
		ngtcp2_crypto_aead_ctx_free(rx_aead_ctx);
		ngtcp2_crypto_aead_ctx_free(tx_aead_ctx);
		rx_aead_ctx->native_handle = migc_packet_key_new(t->sealer, rx_key, key_bytes);
		tx_aead_ctx->native_handle = migc_packet_key_new(t->sealer, tx_key, key_bytes);
	}
	/* Some of them may have been made where the update failed. */
	gnutls_memset(rx_key, 0, sizeof(rx_key));
	gnutls_memset(tx_key, 0, sizeof(tx_key));
	if (rc != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (rx_aead_ctx->native_handle && tx_aead_ctx->native_handle)
		return 0;
	/* ngtcp2 does not take what a failed call returns. */
	if (rx_aead_ctx->native_handle)
		migc_packet_key_free(rx_aead_ctx->native_handle);
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

void migc_packet_keys_delete(ngtcp2_conn *conn, ngtcp2_crypto_aead_ctx *aead_ctx, void *user_data)
{
	const struct migc_transport *t = user_data;

	migc_packet_sealer_of(t->sealer, aead_ctx->native_handle)
		->delete_key(conn, aead_ctx, user_data);
}
