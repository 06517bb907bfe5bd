/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "migc_delta.h"

/*
 * Ages are in rounds. What was of use in this round or the last keeps its place: when more pages
 * come again each round than there are slots, those that have one go on having deltas, and the rest
 * is sent whole. Were the oldest to go always, as in a ring, none would ever be found.
 */
#define EVICTABLE_AGE 2u

#define SET_BYTES (sizeof(struct migc_delta_set) + MIGC_DELTA_WAYS * (size_t)MIGC_PAGE_BYTES)

size_t migc_delta_cache_bytes(uint64_t pages)
{
	uint64_t sets = pages / MIGC_DELTA_WAYS + (pages % MIGC_DELTA_WAYS != 0);

	return (size_t)(sets ? sets : 1) * SET_BYTES;
}

int migc_delta_cache_init(struct migc_delta_cache *c, void *memory, size_t bytes)
{
	size_t sets = bytes / SET_BYTES;

	*c = (struct migc_delta_cache){0};
	if (sets == 0 || (uintptr_t)memory % MIGC_PAGE_BYTES)
		return -EINVAL;
	c->set_count = sets < UINT32_MAX ? (uint32_t)sets : UINT32_MAX;
	c->slots = memory;
	/* behind the slots, whose bytes are a multiple of a page's */
	c->sets = (void *)(c->slots + c->set_count * (size_t)MIGC_DELTA_WAYS * MIGC_PAGE_BYTES);
	c->update = migc_delta_update();
	migc_delta_cache_clear(c);
	migc_delta_cache_begin_round(c, 1);
	return 0;
}

uint64_t migc_delta_cache_pages(const struct migc_delta_cache *c)
{
	return (uint64_t)c->set_count * MIGC_DELTA_WAYS;
}

void migc_delta_cache_begin_round(struct migc_delta_cache *c, uint32_t round)
{
	c->round = (uint16_t)round;
	/* of the first round nobody knows whether they will come again */
	c->fresh = round == 1 ? 0 : (uint16_t)round;
}

void migc_delta_cache_clear(struct migc_delta_cache *c)
{
	for (uint32_t i = 0; i < c->set_count; i++)
		memset(c->sets[i].region, MIGC_DELTA_NO_REGION, sizeof(c->sets[i].region));
}

/** Multiplied by the golden ratio, neighbours spread evenly; a worker's share of them does too. */
static struct migc_delta_set *set_of(const struct migc_delta_cache *c, uint16_t region,
				     uint32_t page)
{
	uint64_t key = (uint64_t)region << 32 | page;
	uint64_t hash = (key * UINT64_C(0x9e3779b97f4a7c15)) >> 32;

	return &c->sets[(hash * c->set_count) >> 32];
}

/** @return MIGC_DELTA_WAYS: not there. */
static unsigned int way_of(const struct migc_delta_set *set, uint16_t region, uint32_t page)
{
	unsigned int way = 0;

	while (way < MIGC_DELTA_WAYS && (set->page[way] != page || set->region[way] != region))
		way++;
	return way;
}

static uint8_t *slot_of(const struct migc_delta_cache *c, const struct migc_delta_set *set,
			unsigned int way)
{
	size_t slot = (size_t)(set - c->sets) * MIGC_DELTA_WAYS + way;

	return c->slots + slot * MIGC_PAGE_BYTES;
}

const uint8_t *migc_delta_cache_find(const struct migc_delta_cache *c, uint16_t region,
				     uint32_t page)
{
	const struct migc_delta_set *set = set_of(c, region, page);
	unsigned int way = way_of(set, region, page);

	return region < MIGC_DELTA_NO_REGION && way < MIGC_DELTA_WAYS ? slot_of(c, set, way) : NULL;
}

void migc_delta_cache_drop(struct migc_delta_cache *c, uint16_t region, uint32_t page)
{
	struct migc_delta_set *set = set_of(c, region, page);
	unsigned int way = way_of(set, region, page);

	if (way < MIGC_DELTA_WAYS)
		set->region[way] = MIGC_DELTA_NO_REGION;
}

/** A way for a new page: a free one, else the oldest that may go. MIGC_DELTA_WAYS: none. */
static unsigned int way_for_new(struct migc_delta_cache *c, const struct migc_delta_set *set)
{
	unsigned int oldest = MIGC_DELTA_WAYS, most = EVICTABLE_AGE - 1;

	for (unsigned int way = 0; way < MIGC_DELTA_WAYS; way++) {
		unsigned int age = (uint16_t)(c->round - set->used[way]);

		if (set->region[way] == MIGC_DELTA_NO_REGION)
			return way;
		if (age > most) {
			oldest = way;
			most = age;
		}
	}
	if (oldest < MIGC_DELTA_WAYS)
		c->stats.evicted++;
	else
		c->stats.refused++;
	return oldest;
}

static enum migc_delta_kind take(struct migc_delta_cache *c, struct migc_delta_set *set,
				 uint16_t region, uint32_t page, const void *bytes,
				 const uint8_t **slot)
{
	unsigned int way;
	uint8_t *to;

	c->stats.misses++;
	if (region >= MIGC_DELTA_NO_REGION)
		return MIGC_DELTA_PASS;
	way = way_for_new(c, set);
	if (way == MIGC_DELTA_WAYS)
		return MIGC_DELTA_PASS;
	set->page[way] = page;
	set->region[way] = (uint8_t)region;
	set->used[way] = c->fresh;
	to = slot_of(c, set, way);
	memcpy(to, bytes, MIGC_PAGE_BYTES);
	*slot = to;
	return MIGC_DELTA_WHOLE;
}

enum migc_delta_kind migc_delta_page(struct migc_delta_cache *c, uint16_t region, uint32_t page,
				     const void *bytes, void *residue, const uint8_t **slot)
{
	struct migc_delta_set *set = set_of(c, region, page);
	unsigned int way = way_of(set, region, page), words;
	uint8_t *version;

	*slot = NULL;
	if (way == MIGC_DELTA_WAYS || region >= MIGC_DELTA_NO_REGION)
		return take(c, set, region, page, bytes, slot);
	version = slot_of(c, set, way);
	words = c->update(bytes, version, residue);
	if (words > MIGC_DELTA_WORDS_MAX) {
		/* its place is another's from the next round on, unless it is of use then */
		set->used[way] = (uint16_t)(c->round - EVICTABLE_AGE + 1);
		c->stats.dense++;
		*slot = version;
		return MIGC_DELTA_WHOLE;
	}
	set->used[way] = c->round;
	if (words == 0) {
		c->stats.same++;
		return MIGC_DELTA_SAME;
	}
	c->stats.deltas++;
	*slot = version;
	return MIGC_DELTA_XOR;
}
