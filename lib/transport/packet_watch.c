/* SPDX-License-Identifier: BSD-3-Clause */
#include "packet_watch.h"

#include "frame_bytes.h"

#include <string.h>

/* The only state outside an endpoint: see packet_watch.h. NULL whenever ngtcp2 is not running. */
static _Thread_local struct migc_packet_watch *current_watch;

void migc_packet_watch_begin(struct migc_packet_watch *watch)
{
	watch->sealed_stream_bytes = 0;
	watch->opened = 0;
	watch->forged = 0;
	watch->replayed = 0;
	current_watch = watch;
}

void migc_packet_watch_end(void)
{
	current_watch = NULL;
}

static const struct migc_packet_seal_ops *ops_of(const void *handle)
{
	return migc_packet_sealer_of(current_watch ? current_watch->sealer : NULL, handle);
}

int migc_packet_watch_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
			   const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *plaintext,
			   size_t plaintextlen, const uint8_t *nonce, size_t noncelen,
			   const uint8_t *aad, size_t aadlen)
{
	if (current_watch)
		current_watch->sealed_stream_bytes +=
			migc_frame_stream_bytes(plaintext, plaintextlen);
	return ops_of(aead_ctx->native_handle)
		->seal(dest, aead, aead_ctx, plaintext, plaintextlen, nonce, noncelen, aad, aadlen);
}

/* @return whether this nonce was noted before; notes it. */
static int note_nonce(struct migc_packet_watch *watch, const uint8_t *nonce, size_t noncelen)
{
	uint64_t value;
	uint64_t *slot;

	memcpy(&value, nonce + noncelen - sizeof(value), sizeof(value));
	value = __builtin_bswap64(value);
	slot = &watch->nonces[value % MIGC_PACKET_WATCH_NONCES];
	if (*slot == value)
		return 1;
	*slot = value;
	return 0;
}

int migc_packet_watch_open(uint8_t *dest, const ngtcp2_crypto_aead *aead,
			   const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *ciphertext,
			   size_t ciphertextlen, const uint8_t *nonce, size_t noncelen,
			   const uint8_t *aad, size_t aadlen)
{
	int rc = ops_of(aead_ctx->native_handle)
			 ->open(dest, aead, aead_ctx, ciphertext, ciphertextlen, nonce, noncelen,
				aad, aadlen);

	if (!current_watch)
		return rc;
	if (rc != 0)
		current_watch->forged++;
	else if (note_nonce(current_watch, nonce, noncelen))
		current_watch->replayed++;
	else
		current_watch->opened++;
	return rc;
}
