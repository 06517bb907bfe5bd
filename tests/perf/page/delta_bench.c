/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What deltas cost a page: XOR and apply of each variant, and the cache. In a working set that the
 * nearest caches hold, and in one that they do not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "migc_delta.h"
#include "migc_random.h"

#define NEAR_PAGES 16u
#define FAR_PAGES 32768u
#define PASSES_PAGES 262144u
#define CHANGED_WORDS 16u

struct memory {
	uint8_t *guest, *version, *residue;
	uint32_t pages;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint8_t *room(size_t bytes)
{
	uint8_t *memory = aligned_alloc(MIGC_PAGE_BYTES, bytes);

	if (!memory)
		exit(1);
	memset(memory, 1, bytes);
	return memory;
}

static void report(const char *what, uint32_t pages, uint64_t begin, uint64_t rounds)
{
	printf("%-28s %6u pages  %6.1f ns/page\n", what, pages,
	       (double)(now_ns() - begin) / (double)(rounds * pages));
}

/** A few words of every page, as a guest changes them. */
static void change(const struct memory *m, struct migc_random *random)
{
	for (uint32_t page = 0; page < m->pages; page++) {
		for (unsigned int i = 0; i < CHANGED_WORDS; i++)
			m->guest[(size_t)page * MIGC_PAGE_BYTES +
				 migc_random_next(random) % MIGC_PAGE_BYTES]++;
	}
}

static void bench_copy(const struct memory *m)
{
	uint64_t begin = now_ns(), rounds = PASSES_PAGES / m->pages;

	for (uint64_t round = 0; round < rounds; round++) {
		for (size_t at = 0; at < (size_t)m->pages * MIGC_PAGE_BYTES;
		     at += MIGC_PAGE_BYTES) {
			memcpy(m->residue + at, m->guest + at, MIGC_PAGE_BYTES);
			__asm__ volatile("" ::: "memory");
		}
	}
	report("memcpy, to compare", m->pages, begin, rounds);
}

static void bench_xor(const struct memory *m, const char *name)
{
	migc_delta_update_fn update = migc_delta_update_by_name(name);
	migc_delta_apply_fn apply = migc_delta_apply_by_name(name);
	uint64_t begin, rounds = PASSES_PAGES / m->pages;
	char text[64];

	if (!update) {
		printf("%s does not run here\n", name);
		return;
	}
	begin = now_ns();
	for (uint64_t round = 0; round < rounds; round++) {
		for (size_t at = 0; at < (size_t)m->pages * MIGC_PAGE_BYTES; at += MIGC_PAGE_BYTES)
			update(m->guest + at, m->version + at, m->residue + at);
	}
	snprintf(text, sizeof(text), "update %s", name);
	report(text, m->pages, begin, rounds);
	begin = now_ns();
	for (uint64_t round = 0; round < rounds; round++) {
		for (size_t at = 0; at < (size_t)m->pages * MIGC_PAGE_BYTES; at += MIGC_PAGE_BYTES)
			apply(m->guest + at, m->residue + at);
	}
	snprintf(text, sizeof(text), "apply %s", name);
	report(text, m->pages, begin, rounds);
}

static void bench_cache(const struct memory *m, struct migc_random *random)
{
	size_t bytes = migc_delta_cache_bytes(2ul * m->pages);
	uint8_t *memory = room((bytes + MIGC_PAGE_BYTES - 1) & ~(MIGC_PAGE_BYTES - 1ul));
	uint64_t begin, found = 0, rounds = PASSES_PAGES / m->pages;
	struct migc_delta_cache cache;
	const uint8_t *slot;

	if (migc_delta_cache_init(&cache, memory, bytes) != 0)
		exit(1);
	for (uint32_t round = 2; round < 5; round++) {
		if (round == 4)
			change(m, random);
		migc_delta_cache_begin_round(&cache, round);
		begin = now_ns();
		for (uint32_t page = 0; page < m->pages; page++)
			migc_delta_page(&cache, 0, page, m->guest + (size_t)page * MIGC_PAGE_BYTES,
					m->residue + page % NEAR_PAGES * MIGC_PAGE_BYTES, &slot);
		report(round == 2   ? "page taken by the cache"
		       : round == 3 ? "page that is the same"
				    : "page to a delta",
		       m->pages, begin, 1);
	}
	begin = now_ns();
	for (uint64_t round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < m->pages; i++)
			found += migc_delta_cache_find(
					 &cache, 0, (uint32_t)(i * 2654435761u % m->pages)) != NULL;
	}
	report("lookup, found", m->pages, begin, rounds);
	begin = now_ns();
	for (uint64_t round = 0; round < rounds; round++) {
		for (uint32_t i = 0; i < m->pages; i++)
			found += migc_delta_cache_find(&cache, 1, (uint32_t)(i * 2654435761u)) !=
				 NULL;
	}
	report("lookup, not there", m->pages, begin, rounds);
	/* also keeps the compiler from leaving the look-ups out */
	printf("%-28s %6u pages  %6.1f %% found\n", "", m->pages,
	       100.0 * (double)found / (double)(rounds * m->pages));
	free(memory);
}

int main(void)
{
	static const uint32_t sizes[] = {NEAR_PAGES, FAR_PAGES};
	struct migc_random random;

	migc_random_seed(&random, 1);
	for (unsigned int i = 0; i < 2; i++) {
		size_t bytes = (size_t)sizes[i] * MIGC_PAGE_BYTES;
		struct memory m = {room(bytes), room(bytes), room(bytes), sizes[i]};

		change(&m, &random);
		bench_copy(&m);
		bench_xor(&m, "scalar");
		bench_xor(&m, "avx2");
		bench_xor(&m, "avx512");
		bench_cache(&m, &random);
		free(m.guest);
		free(m.version);
		free(m.residue);
	}
	return 0;
}
