/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/** @file The Internet checksum (RFC 1071), on bytes of any alignment and length. */

/** Sum of the bytes as big-endian words, not folded; add sums of even-length parts. */
uint64_t checksum_sum(const uint8_t *data, size_t length_bytes);
/** Sum of the pseudo header of UDP. */
uint64_t checksum_pseudo(uint32_t from_ip, uint32_t to_ip, uint8_t protocol, uint16_t length_bytes);
/** Fold a sum to the 16 bits that its one's complement sum has (not complemented). */
uint16_t checksum_fold(uint64_t sum);

#endif
