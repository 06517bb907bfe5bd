/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PACKET_WATCH_H
#define PACKET_WATCH_H

#include <stddef.h>
#include <stdint.h>

#include <ngtcp2/ngtcp2.h>

#include "packet_seal.h"

/**
 * @file
 * Counts what ngtcp2 does not tell: packets that do not open, packets that came before, and stream
 * bytes put into packets. It sits in ngtcp2's callbacks that seal and open packets, and hands each
 * to who made its key. They carry no context, so the endpoint that is being worked for is noted for
 * the thread while ngtcp2 runs.
 */

/** Packets back that a replay is seen for: the packets of one round trip and more. */
#define MIGC_PACKET_WATCH_NONCES 8192u

struct migc_packet_watch {
	struct migc_packet_sealer *sealer; /**< of the endpoint; has the keys of IPsec-MB */
	/* Of the datagram at hand, set to 0 by migc_packet_watch_begin(). */
	uint64_t sealed_stream_bytes;
	unsigned int opened;
	unsigned int forged;
	unsigned int replayed;
	/* The nonce is the packet number masked with a constant of the key, so its low bits are a
	 * direct-mapped place for it, and a nonce seen again is a packet seen again. */
	uint64_t nonces[MIGC_PACKET_WATCH_NONCES];
};

/** Packets are being read or written for this watch on this thread, until the end. */
void migc_packet_watch_begin(struct migc_packet_watch *watch);
void migc_packet_watch_end(void);

int migc_packet_watch_seal(uint8_t *dest, const ngtcp2_crypto_aead *aead,
			   const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *plaintext,
			   size_t plaintextlen, const uint8_t *nonce, size_t noncelen,
			   const uint8_t *aad, size_t aadlen);
int migc_packet_watch_open(uint8_t *dest, const ngtcp2_crypto_aead *aead,
			   const ngtcp2_crypto_aead_ctx *aead_ctx, const uint8_t *ciphertext,
			   size_t ciphertextlen, const uint8_t *nonce, size_t noncelen,
			   const uint8_t *aad, size_t aadlen);

#endif
