/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <string.h>

#include "migc_delta.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * The guest may write the page while it is read. The empty asm statements keep the compiler from
 * reading a byte a second time: version and residue must come from the same.
 */

#define LINE_BYTES 64u
#define LINE_WORDS (LINE_BYTES / 8u)

unsigned int migc_delta_update_scalar(const void *page, void *version, void *residue)
{
	const uint8_t *p = page;
	uint8_t *v = version, *r = residue;
	unsigned int changed = 0;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += sizeof(uint64_t)) {
		uint64_t now, before, differs;

		memcpy(&now, p + at, sizeof(now));
		__asm__("" : "+r"(now));
		memcpy(&before, v + at, sizeof(before));
		differs = now ^ before;
		changed += differs != 0;
		memcpy(r + at, &differs, sizeof(differs));
		memcpy(v + at, &now, sizeof(now));
	}
	return changed;
}

void migc_delta_apply_scalar(void *page, const void *residue)
{
	const uint8_t *r = residue;
	uint8_t *p = page;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += LINE_BYTES) {
		uint64_t differs[LINE_WORDS], line[LINE_WORDS], any = 0;

		memcpy(differs, r + at, sizeof(differs));
		for (unsigned int i = 0; i < LINE_WORDS; i++)
			any |= differs[i];
		if (!any)
			continue;
		memcpy(line, p + at, sizeof(line));
		for (unsigned int i = 0; i < LINE_WORDS; i++)
			line[i] ^= differs[i];
		memcpy(p + at, line, sizeof(line));
	}
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static unsigned int update_avx2(const void *page, void *version,
								void *residue)
{
	const __m256i *p = page;
	__m256i *v = version, *r = residue;
	__m256i same = _mm256_setzero_si256();

	for (size_t i = 0; i < MIGC_PAGE_BYTES / sizeof(*p); i++) {
		__m256i now = _mm256_load_si256(p + i), differs;

		__asm__("" : "+x"(now));
		differs = _mm256_xor_si256(now, _mm256_load_si256(v + i));
		_mm256_store_si256(r + i, differs);
		_mm256_store_si256(v + i, now);
		/* each word that is equal takes one off its counter */
		same = _mm256_add_epi64(same, _mm256_cmpeq_epi64(differs, _mm256_setzero_si256()));
	}
	return MIGC_PAGE_WORDS +
	       (unsigned int)(_mm256_extract_epi64(same, 0) + _mm256_extract_epi64(same, 1) +
			      _mm256_extract_epi64(same, 2) + _mm256_extract_epi64(same, 3));
}

__attribute__((target("avx2"))) static void apply_avx2(void *page, const void *residue)
{
	const __m256i *r = residue;
	__m256i *p = page;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += LINE_BYTES, p += 2, r += 2) {
		__m256i a = _mm256_load_si256(r), b = _mm256_load_si256(r + 1);
		__m256i any = _mm256_or_si256(a, b);

		if (_mm256_testz_si256(any, any))
			continue;
		_mm256_store_si256(p, _mm256_xor_si256(_mm256_load_si256(p), a));
		_mm256_store_si256(p + 1, _mm256_xor_si256(_mm256_load_si256(p + 1), b));
	}
}

__attribute__((target("avx512f,popcnt"))) static unsigned int update_avx512(const void *page,
									    void *version,
									    void *residue)
{
	const uint8_t *p = page;
	uint8_t *v = version, *r = residue;
	unsigned int changed = 0;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += LINE_BYTES) {
		__m512i now = _mm512_load_si512(p + at), differs;

		__asm__("" : "+v"(now));
		differs = _mm512_xor_si512(now, _mm512_load_si512(v + at));
		_mm512_store_si512(r + at, differs);
		_mm512_store_si512(v + at, now);
		changed += (unsigned int)_mm_popcnt_u32(_mm512_test_epi64_mask(differs, differs));
	}
	return changed;
}

__attribute__((target("avx512f"))) static void apply_avx512(void *page, const void *residue)
{
	const uint8_t *r = residue;
	uint8_t *p = page;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += LINE_BYTES) {
		__m512i differs = _mm512_load_si512(r + at);

		if (_mm512_test_epi64_mask(differs, differs))
			_mm512_store_si512(p + at,
					   _mm512_xor_si512(_mm512_load_si512(p + at), differs));
	}
}

static bool runs_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool runs_avx512(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("popcnt");
}

#endif

static bool runs_anywhere(void)
{
	return true;
}

/* Fastest first. */
static const struct delta_variant {
	const char *name;
	bool (*runs_here)(void);
	migc_delta_update_fn update;
	migc_delta_apply_fn apply;
} delta_variants[] = {
#if defined(__x86_64__)
	{"avx512", runs_avx512, update_avx512, apply_avx512},
	{"avx2", runs_avx2, update_avx2, apply_avx2},
#endif
	{"scalar", runs_anywhere, migc_delta_update_scalar, migc_delta_apply_scalar},
};

#define VARIANTS (sizeof(delta_variants) / sizeof(delta_variants[0]))

/** @param name NULL: the fastest. @return NULL: none that runs here. */
static const struct delta_variant *find(const char *name)
{
	for (size_t i = 0; i < VARIANTS; i++) {
		const struct delta_variant *variant = &delta_variants[i];

		if ((name == NULL || !strcmp(variant->name, name)) && variant->runs_here())
			return variant;
	}
	return NULL;
}

migc_delta_update_fn migc_delta_update(void)
{
	return find(NULL)->update;
}

migc_delta_apply_fn migc_delta_apply(void)
{
	return find(NULL)->apply;
}

migc_delta_update_fn migc_delta_update_by_name(const char *name)
{
	const struct delta_variant *variant = find(name);

	return variant ? variant->update : NULL;
}

migc_delta_apply_fn migc_delta_apply_by_name(const char *name)
{
	const struct delta_variant *variant = find(name);

	return variant ? variant->apply : NULL;
}
