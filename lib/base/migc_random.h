/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_RANDOM_H
#define MIGC_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/** @file Small seeded generator (splitmix64) for faults and tests; never for keys. */

struct migc_random {
	uint64_t state;
};

static inline void migc_random_seed(struct migc_random *r, uint64_t seed)
{
	r->state = seed;
}

static inline uint64_t migc_random_next(struct migc_random *r)
{
	uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/** @return true with a probability of `per_billion` in 10^9. */
static inline bool migc_random_chance(struct migc_random *r, uint32_t per_billion)
{
	return per_billion && migc_random_next(r) % UINT64_C(1000000000) < per_billion;
}

#endif
