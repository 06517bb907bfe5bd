/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_PARSE_H
#define MIGC_PARSE_H

#include <stdint.h>

/**
 * @file
 * Words of the command line to numbers and addresses. Every function returns 0, -EINVAL (not of
 * that form) or -ERANGE (does not fit), and leaves the result untouched then.
 */

/** An IPv4 address in host byte order with a UDP port; what names a flow's end. */
struct migc_addr {
	uint32_t ip; /**< host byte order, 0 = unset */
	uint16_t port; /**< host byte order, 0 = unset */
};

/** An interface's address and the length of its on-link prefix. */
struct migc_prefix {
	uint32_t ip; /**< host byte order */
	uint8_t length; /**< 0..32 */
};

/** Decimal or 0x number, whole string, within [min, max]. */
int migc_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out);
/** A size in bytes with an optional suffix K, M, G, T (powers of 1024, either case). */
int migc_parse_size(const char *text, uint64_t *bytes);
/** A rate in bit/s with an optional suffix k, m, g (powers of 1000, either case), > 0. */
int migc_parse_rate(const char *text, uint64_t *bits_per_s);
/** A.B.C.D */
int migc_parse_ip(const char *text, uint32_t *ip);
/** A.B.C.D/LEN */
int migc_parse_prefix(const char *text, struct migc_prefix *out);
/** A.B.C.D[:PORT]; the port is left as it is when absent. */
int migc_parse_addr(const char *text, struct migc_addr *out);
/** @return the text of an address, in `out` of at least 22 bytes; ":port" only when port is set. */
const char *migc_addr_text(const struct migc_addr *addr, char *out);

#endif
