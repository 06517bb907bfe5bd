/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PACKET_SEAL_H
#define PACKET_SEAL_H

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "migc_transport.h"

/**
 * @file
 * Who protects packets (RFC 9001 section 5): GnuTLS, as ngtcp2_crypto has it, or IPsec-MB, which
 * does AES-GCM several times as fast. IPsec-MB takes 1-RTT packets of the AES-GCM suites; Initial,
 * Handshake and Retry packets, other suites and the masks of headers are GnuTLS's always.
 *
 * ngtcp2 hands its callbacks the handle of a key and nothing else to know an endpoint by. Keys of
 * IPsec-MB lie in places of their endpoint's sealer, so a handle tells whose it is.
 */

/** To open: the last, this and the next phase's key; to seal: this and the next one's. */
#define MIGC_PACKET_KEYS_MAX 5u
#define MIGC_PACKET_TAG_BYTES 16u
#define MIGC_PACKET_NONCE_BYTES 12u

struct migc_packet_sealer;

/** What ngtcp2 wants to have done to packets, in its own types. */
struct migc_packet_seal_ops {
	const char *name;
	ngtcp2_encrypt seal;
	ngtcp2_decrypt open;
	ngtcp2_delete_crypto_aead_ctx delete_key;
};

extern const struct migc_packet_seal_ops migc_packet_seal_gnutls;
extern const struct migc_packet_seal_ops migc_packet_seal_ipsec_mb;

/**
 * Choose once for an endpoint. AUTO is IPsec-MB where the CPU can.
 * @return 0, -ENOMEM, -ENOTSUP: IPsec-MB was asked for and this CPU cannot.
 */
int migc_packet_sealer_create(enum migc_transport_sealer choice, struct migc_packet_sealer **out);
/** NULL is allowed. Wipes what keys are left. */
void migc_packet_sealer_free(struct migc_packet_sealer *sealer);
/** @return whether IPsec-MB is worth it on a CPU with these IMB_FEATURE_ bits. */
bool migc_packet_sealer_cpu_can(uint64_t features);
const struct migc_packet_seal_ops *migc_packet_sealer_chosen(
	const struct migc_packet_sealer *sealer);
/** @return who is to make the 1-RTT keys of this AEAD. */
const struct migc_packet_seal_ops *migc_packet_sealer_for(const struct migc_packet_sealer *sealer,
							  const ngtcp2_crypto_aead *aead);
/** @return who made the key with this handle. `sealer` may be NULL. */
const struct migc_packet_seal_ops *migc_packet_sealer_of(const struct migc_packet_sealer *sealer,
							 const void *handle);

/**
 * Expand a key of IPsec-MB, to seal or open with. Takes no memory.
 * @param key_bytes 16 or 32
 * @return the handle for ngtcp2, or NULL: all places are taken.
 */
void *migc_packet_key_new(struct migc_packet_sealer *sealer, const uint8_t *key, size_t key_bytes);
/** Wipe it. */
void migc_packet_key_free(void *handle);

#endif
