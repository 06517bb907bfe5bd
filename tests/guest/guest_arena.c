/* SPDX-License-Identifier: BSD-3-Clause */
#include "guest_arena.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

/* Pages are cut from these at an offset of their own: that is fast under emulation. */
#define POOL_BYTES (1u << 20)
#define HEADER_MAGIC UINT64_C(0x6567617074736574)

struct page_header {
	uint64_t magic, page, version, stroke;
};

#define BODY_WORDS ((GUEST_PAGE_BYTES - sizeof(struct page_header)) / sizeof(uint64_t))

static uint64_t scramble(uint64_t value)
{
	value ^= value >> 31;
	value *= UINT64_C(0x7fb5d329728ea185);
	value ^= value >> 27;
	value *= UINT64_C(0x81dadef4bc2dd44d);
	return value ^ (value >> 33);
}

static void *reserve(uint64_t bytes)
{
	return mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void make_noise(uint8_t *out)
{
	for (uint64_t i = 0; i < POOL_BYTES / sizeof(i); i++) {
		uint64_t word = scramble(i + 1);

		memcpy(out + i * sizeof(word), &word, sizeof(word));
	}
}

static void make_text(uint8_t *out)
{
	static const char *const words[] = {
		"page ",        "round ", "the ",   "guest ", "memory ", "of ",     "is ",
		"a ",           "dirty ", "queue ", "burst ", "lcore ",  "switch ", "over ",
		"and ",         "moves ", "while ", "it ",    "runs.\n", "source ", "to ",
		"destination ", "(",      ")\t",    "0x",     "42 ",     "struct ", "return ",
		"-> ",          "if ",    "/* ",    "*/\n",
	};
	uint32_t used = 0;

	for (uint64_t i = 0; used < POOL_BYTES; i++) {
		uint64_t pick = scramble(i ^ UINT64_C(0x74786574));
		const char *word = words[(pick & pick >> 5) % (sizeof(words) / sizeof(words[0]))];
		uint32_t length = (uint32_t)strlen(word);

		if (length > POOL_BYTES - used)
			length = POOL_BYTES - used;
		memcpy(out + used, word, length);
		used += length;
	}
}

/** What the page must hold: a slice of a pool behind a header, or NULL for all zero. */
static const uint8_t *content(const struct guest_arena *arena, uint64_t page, uint32_t version)
{
	uint64_t offset = scramble(page << 24 ^ version) % (POOL_BYTES - GUEST_PAGE_BYTES);

	switch (page % 8) {
	case 0:
	case 2:
	case 4:
		return arena->noise + (offset & ~UINT64_C(7));
	case 6:
		return NULL;
	case 7:
		return version % 2 == 0 ? NULL : arena->text + offset;
	default:
		return arena->text + offset;
	}
}

/** Change words of a page that is not zero, in place. */
static void write_words(const struct guest_arena *arena, uint8_t *memory, uint64_t page,
			uint32_t stroke)
{
	uint64_t number = stroke;

	memcpy(memory + offsetof(struct page_header, stroke), &number, sizeof(number));
	for (unsigned int i = 0; i < arena->sparse_words; i++) {
		uint64_t word = scramble(page << 24 ^ i) % BODY_WORDS;
		uint64_t value = scramble(page << 32 ^ (uint64_t)stroke << 16 ^ i);

		memcpy(memory + sizeof(struct page_header) + word * sizeof(value), &value,
		       sizeof(value));
	}
}

static void write_page(struct guest_arena *arena, uint64_t page, uint32_t version)
{
	const struct page_header header = {HEADER_MAGIC, page, version, 0};
	const uint8_t *slice = content(arena, page, version);
	uint8_t *memory = arena->memory + page * GUEST_PAGE_BYTES;

	arena->strokes[page] = 0;
	if (slice == NULL) {
		memset(memory, 0, GUEST_PAGE_BYTES);
		return;
	}
	memcpy(memory, &header, sizeof(header));
	memcpy(memory + sizeof(header), slice, GUEST_PAGE_BYTES - sizeof(header));
}

static bool page_is_right(const struct guest_arena *arena, uint64_t page)
{
	static const uint8_t zero[GUEST_PAGE_BYTES];
	uint32_t version = arena->versions[page];
	const struct page_header header = {HEADER_MAGIC, page, version, 0};
	const uint8_t *slice = content(arena, page, version);
	const uint8_t *memory = arena->memory + page * GUEST_PAGE_BYTES;
	uint8_t expected[GUEST_PAGE_BYTES];

	if (slice == NULL)
		return memcmp(memory, zero, GUEST_PAGE_BYTES) == 0;
	memcpy(expected, &header, sizeof(header));
	memcpy(expected + sizeof(header), slice, GUEST_PAGE_BYTES - sizeof(header));
	if (arena->strokes[page])
		write_words(arena, expected, page, arena->strokes[page]);
	return memcmp(memory, expected, GUEST_PAGE_BYTES) == 0;
}

static void rewrite_page(struct guest_arena *arena, uint64_t page)
{
	bool whole = arena->sparse_words == 0 || arena->strokes[page] + 1 == GUEST_STROKES_MAX ||
		     content(arena, page, arena->versions[page]) == NULL;

	if (whole)
		write_page(arena, page, ++arena->versions[page]);
	else
		write_words(arena, arena->memory + page * GUEST_PAGE_BYTES, page,
			    ++arena->strokes[page]);
}

int guest_arena_init(struct guest_arena *arena, uint64_t pages_max, unsigned int sparse_words)
{
	memset(arena, 0, sizeof(*arena));
	pthread_mutex_init(&arena->lock, NULL);
	arena->pages_max = pages_max;
	arena->sparse_words = sparse_words;
	arena->memory = reserve(pages_max * GUEST_PAGE_BYTES);
	arena->versions = reserve(pages_max * sizeof(arena->versions[0]));
	arena->strokes = reserve(pages_max * sizeof(arena->strokes[0]));
	arena->text = reserve(POOL_BYTES);
	arena->noise = reserve(POOL_BYTES);
	if (arena->memory == MAP_FAILED || arena->versions == MAP_FAILED ||
	    arena->strokes == MAP_FAILED || arena->text == MAP_FAILED || arena->noise == MAP_FAILED)
		return -ENOMEM;
	make_text(arena->text);
	make_noise(arena->noise);
	return 0;
}

int guest_arena_grow(struct guest_arena *arena, uint64_t pages)
{
	if (pages > arena->pages_max - arena->pages)
		return -ENOSPC;
	pthread_mutex_lock(&arena->lock);
	for (uint64_t i = 0; i < pages; i++)
		write_page(arena, arena->pages++, 0);
	pthread_mutex_unlock(&arena->lock);
	return 0;
}

void guest_arena_dirty(struct guest_arena *arena, uint64_t count)
{
	pthread_mutex_lock(&arena->lock);
	for (uint64_t i = 0; i < count && arena->pages > 0; i++) {
		uint64_t set = arena->set_pages;

		if (set == 0 || set > arena->pages)
			set = arena->pages;
		if (arena->cursor >= set)
			arena->cursor = 0;
		rewrite_page(arena, arena->cursor);
		arena->cursor++;
	}
	pthread_mutex_unlock(&arena->lock);
}

uint64_t guest_arena_verify(struct guest_arena *arena, uint64_t *first)
{
	uint64_t bad = 0;

	pthread_mutex_lock(&arena->lock);
	for (uint64_t page = 0; page < arena->pages; page++) {
		if (page_is_right(arena, page))
			continue;
		if (bad++ == 0)
			*first = page;
	}
	pthread_mutex_unlock(&arena->lock);
	return bad;
}
