/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_DELTA_H
#define MIGC_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include "migc_page.h"

/**
 * @file
 * Pages that are sent again, as what changed since they were sent last: the XOR of the two, of
 * which most is zero. doc/design/delta.md has the argument why the destination always holds what
 * the cache says, the policy and the measurements. One cache a worker; no locks, no allocation.
 */

/* ---- XOR of a page ---- */

/**
 * residue = page ^ version; version = page. Each byte of the page is read once, so what is left in
 * `version` is exactly what residue leads to, also when the guest writes the page meanwhile. All
 * three are MIGC_PAGE_BYTES, aligned to 64, and do not overlap.
 * @return how many of the page's MIGC_PAGE_WORDS 8-byte words differ.
 */
typedef unsigned int (*migc_delta_update_fn)(const void *page, void *version, void *residue);

/** page ^= residue; 64-byte lines that do not change are not written. Aligned to 64. */
typedef void (*migc_delta_apply_fn)(void *page, const void *residue);

#define MIGC_PAGE_WORDS (MIGC_PAGE_BYTES / 8u)

/** The oracles: plain C, any CPU. */
unsigned int migc_delta_update_scalar(const void *page, void *version, void *residue);
void migc_delta_apply_scalar(void *page, const void *residue);

/** The fastest this CPU runs (AVX-512F, AVX2, else scalar). */
migc_delta_update_fn migc_delta_update(void);
migc_delta_apply_fn migc_delta_apply(void);

/**
 * Those of that name ("scalar", "avx2", "avx512"), for tests and measurements.
 * @return NULL when there is none of that name or this CPU cannot run it.
 */
migc_delta_update_fn migc_delta_update_by_name(const char *name);
migc_delta_apply_fn migc_delta_apply_by_name(const char *name);

/* ---- cache of what was sent last ---- */

#define MIGC_DELTA_WAYS 8u

/** One set: a cache line. Entry i of set s has slot s * MIGC_DELTA_WAYS + i. */
struct migc_delta_set {
	uint32_t page[MIGC_DELTA_WAYS];
	uint16_t used[MIGC_DELTA_WAYS]; /**< low bits of the round in which it was of use last */
	uint8_t region[MIGC_DELTA_WAYS]; /**< MIGC_DELTA_NO_REGION: empty */
} __attribute__((aligned(64)));

#define MIGC_DELTA_NO_REGION UINT8_MAX

struct migc_delta_stats {
	uint64_t deltas; /**< pages that go as a delta */
	uint64_t same; /**< pages that are what the destination has: not sent */
	uint64_t dense; /**< were in the cache, but too much of them changed: sent whole */
	uint64_t misses; /**< were not in the cache: sent whole */
	uint64_t refused; /**< of the misses: not taken, all of the set is in use */
	uint64_t evicted; /**< gave their place to another page */
};

/** Fields are the cache's own. */
struct migc_delta_cache {
	struct migc_delta_set *sets;
	uint8_t *slots;
	uint32_t set_count;
	uint16_t round; /**< low bits of the open round */
	uint16_t fresh; /**< what `used` of an entry made in the open round begins with */
	migc_delta_update_fn update;
	struct migc_delta_stats stats;
};

/** What becomes of a page that is to be sent. */
enum migc_delta_kind {
	MIGC_DELTA_PASS, /**< the cache has no part in it: send it, from where it is */
	MIGC_DELTA_WHOLE, /**< send the whole page, from the slot */
	MIGC_DELTA_XOR, /**< send the residue */
	MIGC_DELTA_SAME, /**< send nothing: the destination holds these bytes */
};

/**
 * A page goes as a delta when no more than this many of its words changed: above it, the page
 * compresses better than the XOR (measured with lz4, zstd and isal: doc/design/delta.md, 4).
 */
#define MIGC_DELTA_WORDS_MAX 192u

/** @return bytes of memory for at least `pages` pages; MIGC_DELTA_WAYS pages are the least. */
size_t migc_delta_cache_bytes(uint64_t pages);
/**
 * Make an empty cache of as many sets as fit into the memory, which is the caller's, aligned to
 * MIGC_PAGE_BYTES, and stays until the last page sent from a slot is applied.
 * @return 0; -EINVAL (not aligned, or too small for one set).
 */
int migc_delta_cache_init(struct migc_delta_cache *c, void *memory, size_t bytes);
/** @return pages the cache holds at most. */
uint64_t migc_delta_cache_pages(const struct migc_delta_cache *c);
/**
 * A round begins; all blocks of the one before are applied. Slots that are handed out stay as they
 * are until then.
 * @param round from 1. In round 1 only free slots are taken, and they are the first to be lost.
 */
void migc_delta_cache_begin_round(struct migc_delta_cache *c, uint32_t round);
/** Forget all pages: what the destination holds is not known any more. */
void migc_delta_cache_clear(struct migc_delta_cache *c);
/** Forget one page: it was sent as zeros, or failed. Nothing happens when it is not there. */
void migc_delta_cache_drop(struct migc_delta_cache *c, uint16_t region, uint32_t page);
/** @return the last version sent of a page, NULL when it is not there. */
const uint8_t *migc_delta_cache_find(const struct migc_delta_cache *c, uint16_t region,
				     uint32_t page);
/**
 * Decide how a page is sent, and keep what is sent. At most once a page and round.
 *
 * @param bytes   the page, in the guest or a copy; read once. Aligned to 64
 * @param residue room for a page, aligned to 64; written also when it is not to be sent
 * @param slot    WHOLE, XOR: the bytes that the destination will hold, unchanged until the next
 *                migc_delta_cache_begin_round(); else NULL
 */
enum migc_delta_kind migc_delta_page(struct migc_delta_cache *c, uint16_t region, uint32_t page,
				     const void *bytes, void *residue, const uint8_t **slot);

#endif
