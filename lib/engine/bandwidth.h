/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BANDWIDTH_H
#define BANDWIDTH_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * --max-bandwidth: what one worker may send now, and how the workers share the limit. Pure: time
 * and counters come from outside. doc/design/convergence.md, "The rate on the wire".
 */

#define BANDWIDTH_WORKERS_MAX 32u
/** The main lcore looks at what was used so often. */
#define BANDWIDTH_PERIOD_NS UINT64_C(50000000)

/** A worker's own: what it may still send, in millionths of bits; below 0: nothing. */
struct bandwidth_pace {
	int64_t even; /**< at its share */
	int64_t peak; /**< at a quarter more, so that what is made up for is no burst */
	uint64_t last_ns;
};

/** Main lcore's: shares, and the account of what all have sent. */
struct bandwidth {
	uint64_t bits_per_s; /**< of all; 0: no limit */
	uint64_t share_bits_per_s[BANDWIDTH_WORKERS_MAX]; /**< 0: no limit */
	uint64_t sent_bytes[BANDWIDTH_WORKERS_MAX]; /**< at last_ns */
	uint64_t last_ns; /**< 0: nothing counted yet */
	int64_t debt_bits; /**< sent beyond the limit; negative: not sent though it was allowed */
};

/** May a frame go now? `share` 0: always. */
bool bandwidth_allows(struct bandwidth_pace *pace, uint64_t share_bits_per_s, uint64_t now_ns);
/** A frame goes. */
void bandwidth_charge(struct bandwidth_pace *pace, uint64_t share_bits_per_s, uint32_t frame_bytes);

/** A limit from now on, shared evenly at first. 0: none. */
void bandwidth_set(struct bandwidth *b, uint64_t bits_per_s, unsigned int workers);
/**
 * Share anew by what was used since the last call.
 * @param sent_bytes by worker, since its start; less than before: it is another one
 */
void bandwidth_share(struct bandwidth *b, unsigned int workers, const uint64_t *sent_bytes,
		     uint64_t now_ns);

#endif
