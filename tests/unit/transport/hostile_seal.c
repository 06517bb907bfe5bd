/* SPDX-License-Identifier: BSD-3-Clause */
#include "hostile_seal.h"

#include <string.h>

#include "packet_watch.h"

#define FRAMES_BYTES 2048

/* The names are the linker's: --wrap. */
int __real_migc_packet_watch_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
				  const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *plaintext,
				  size_t plaintextlen, const uint8_t *nonce, size_t noncelen,
				  const uint8_t *aad, size_t aadlen);
int __wrap_migc_packet_watch_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
				  const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *plaintext,
				  size_t plaintextlen, const uint8_t *nonce, size_t noncelen,
				  const uint8_t *aad, size_t aadlen);

static uint8_t hostile_frames[FRAMES_BYTES];
static size_t hostile_length;
static int hostile_pending;

void hostile_seal_next(const uint8_t *frames, size_t length)
{
	if (length > sizeof(hostile_frames))
		length = sizeof(hostile_frames);
	memcpy(hostile_frames, frames, length);
	hostile_length = length;
	hostile_pending = 1;
}

int hostile_seal_pending(void)
{
	return hostile_pending;
}

void hostile_seal_forget(void)
{
	hostile_pending = 0;
}

int __wrap_migc_packet_watch_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
				  const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *plaintext,
				  size_t plaintextlen, const uint8_t *nonce, size_t noncelen,
				  const uint8_t *aad, size_t aadlen)
{
	uint8_t frames[FRAMES_BYTES] = {0};

	/* The packet's length is in its header already: only one with room will do. */
	if (hostile_pending && plaintextlen >= hostile_length && plaintextlen <= sizeof(frames)) {
		memcpy(frames, hostile_frames, hostile_length);
		plaintext = frames;
		hostile_pending = 0;
	}
	return __real_migc_packet_watch_seal(dest, aead, aead_ctx, plaintext, plaintextlen, nonce,
					     noncelen, aad, aadlen);
}
