/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_seal.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <intel-ipsec-mb.h>
#include <stdlib.h>
#include <string.h>

/* What IPsec-MB's widest loads are quickest with. */
#define KEY_ALIGNMENT 64

struct packet_key {
	struct gcm_key_data gcm;
	struct migc_packet_sealer *sealer; /* NULL: the place is free */
	aes_gcm_enc_dec_t seal, open;
} __attribute__((aligned(KEY_ALIGNMENT)));

struct migc_packet_sealer {
	struct packet_key keys[MIGC_PACKET_KEYS_MAX];
	struct gcm_context_data scratch;
	IMB_MGR *mgr; /* NULL: GnuTLS does everything */
	const struct migc_packet_seal_ops *chosen;
};

bool migc_packet_sealer_cpu_can(uint64_t features)
{
	const uint64_t needed = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;

	/* Without these IPsec-MB does AES in software, slower than GnuTLS. */
	if ((features & needed) != needed)
		return false;
	return !(features & IMB_FEATURE_SELF_TEST) || features & IMB_FEATURE_SELF_TEST_PASS;
}

static int find_ipsec_mb(IMB_MGR **out)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);

	if (!mgr)
		return -ENOMEM;
	init_mb_mgr_auto(mgr, NULL);
	/* imb_get_errno() would also tell what went wrong in other threads. */
	if (mgr->imb_errno || !migc_packet_sealer_cpu_can(mgr->features)) {
		free_mb_mgr(mgr);
		return -ENOTSUP;
	}
	*out = mgr;
	return 0;
}

int migc_packet_sealer_create(enum migc_transport_sealer choice, struct migc_packet_sealer **out)
{
	struct migc_packet_sealer *sealer = aligned_alloc(KEY_ALIGNMENT, sizeof(*sealer));
	int rc = 0;

	if (!sealer)
		return -ENOMEM;
	memset(sealer, 0, sizeof(*sealer));
	if (choice != MIGC_TRANSPORT_SEALER_GNUTLS)
		rc = find_ipsec_mb(&sealer->mgr);
	if (rc == -ENOTSUP && choice == MIGC_TRANSPORT_SEALER_AUTO)
		rc = 0;
	if (rc < 0) {
		free(sealer);
		return rc;
	}
	sealer->chosen = sealer->mgr ? &migc_packet_seal_ipsec_mb : &migc_packet_seal_gnutls;
	*out = sealer;
	return 0;
}

const struct migc_packet_seal_ops *migc_packet_sealer_chosen(
	const struct migc_packet_sealer *sealer)
{
	return sealer->chosen;
}

void migc_packet_sealer_free(struct migc_packet_sealer *sealer)
{
	if (!sealer)
		return;
	if (sealer->mgr)
		free_mb_mgr(sealer->mgr);
	gnutls_memset(sealer, 0, sizeof(*sealer));
	free(sealer);
}

const struct migc_packet_seal_ops *migc_packet_sealer_for(const struct migc_packet_sealer *sealer,
							  const ngtcp2_crypto_aead *aead)
{
	/* ngtcp2_crypto_gnutls keeps GnuTLS's number of the cipher in the handle. */
	uintptr_t cipher = (uintptr_t)aead->native_handle;

	if (cipher == GNUTLS_CIPHER_AES_128_GCM || cipher == GNUTLS_CIPHER_AES_256_GCM)
		return sealer->chosen;
	return &migc_packet_seal_gnutls;
}

const struct migc_packet_seal_ops *migc_packet_sealer_of(const struct migc_packet_sealer *sealer,
							 const void *handle)
{
	if (sealer && (uintptr_t)handle - (uintptr_t)sealer->keys < sizeof(sealer->keys))
		return &migc_packet_seal_ipsec_mb;
	return &migc_packet_seal_gnutls;
}

void *migc_packet_key_new(struct migc_packet_sealer *sealer, const uint8_t *key, size_t key_bytes)
{
	struct packet_key *place = sealer->keys;

	while (place->sealer) {
		if (++place == sealer->keys + MIGC_PACKET_KEYS_MAX)
			return NULL;
	}
	place->sealer = sealer;
	if (key_bytes == IMB_GCM_128_KEY_LEN) {
		IMB_AES128_GCM_PRE(sealer->mgr, key, &place->gcm);
		place->seal = sealer->mgr->gcm128_enc;
		place->open = sealer->mgr->gcm128_dec;
	} else {
		IMB_AES256_GCM_PRE(sealer->mgr, key, &place->gcm);
		place->seal = sealer->mgr->gcm256_enc;
		place->open = sealer->mgr->gcm256_dec;
	}
	return place;
}

void migc_packet_key_free(void *handle)
{
	gnutls_memset(handle, 0, sizeof(struct packet_key));
}

static int ipsec_mb_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
			 const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *plaintext,
			 size_t plaintextlen, const uint8_t *nonce, size_t noncelen,
			 const uint8_t *aad, size_t aadlen)
{
	const struct packet_key *key = aead_ctx->native_handle;

	(void)aead;
	if (noncelen != MIGC_PACKET_NONCE_BYTES)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	key->seal(&key->gcm, &key->sealer->scratch, dest, plaintext, plaintextlen, nonce, aad,
		  aadlen, dest + plaintextlen, MIGC_PACKET_TAG_BYTES);
	return 0;
}

static int ipsec_mb_open(uint8_t *dest, const ngtcp2_crypto_aead *aead,
			 const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *ciphertext,
			 size_t ciphertextlen, const uint8_t *nonce, size_t noncelen,
			 const uint8_t *aad, size_t aadlen)
{
	const struct packet_key *key = aead_ctx->native_handle;
	uint8_t tag[MIGC_PACKET_TAG_BYTES];
	size_t length;

	(void)aead;
	if (noncelen != MIGC_PACKET_NONCE_BYTES)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	if (ciphertextlen < sizeof(tag))
		return NGTCP2_ERR_DECRYPT;
	length = ciphertextlen - sizeof(tag);
	key->open(&key->gcm, &key->sealer->scratch, dest, ciphertext, length, nonce, aad, aadlen,
		  tag, sizeof(tag));
	if (gnutls_memcmp(tag, ciphertext + length, sizeof(tag)) == 0)
		return 0;
	/* Nobody may see what a forger made of it, nor the tag it should have had. */
	gnutls_memset(dest, 0, length);
	gnutls_memset(tag, 0, sizeof(tag));
	return NGTCP2_ERR_DECRYPT;
}

static void ipsec_mb_delete_key(ngtcp2_conn *conn, ngtcp2_crypto_aead_ctx *aead_ctx,
				void *user_data)
{
	(void)conn;
	(void)user_data;
	migc_packet_key_free(aead_ctx->native_handle);
}

const struct migc_packet_seal_ops migc_packet_seal_ipsec_mb = {
	.name = "ipsec-mb",
	.seal = ipsec_mb_seal,
	.open = ipsec_mb_open,
	.delete_key = ipsec_mb_delete_key,
};

const struct migc_packet_seal_ops migc_packet_seal_gnutls = {
	.name = "gnutls",
	.seal = ngtcp2_crypto_encrypt_cb,
	.open = ngtcp2_crypto_decrypt_cb,
	.delete_key = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
};
