/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_page.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * The guest may write the page while it is looked at. Each byte counts once, whatever it was at
 * that time: a page that changed after is reported dirty again and comes back.
 *
 * Every variant stops at the first part that is not zero: most pages that hold data show it early.
 */

/* Bytes between two looks at whether to stop. */
#define SCALAR_STEP_BYTES 64u
#define AVX2_STEP_BYTES 128u
#define AVX512_STEP_BYTES 256u

bool migc_page_is_zero_scalar(const void *page)
{
	const uint8_t *p = page;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += SCALAR_STEP_BYTES) {
		uint64_t word[SCALAR_STEP_BYTES / sizeof(uint64_t)];

		memcpy(word, p + at, sizeof(word));
		if (word[0] | word[1] | word[2] | word[3] | word[4] | word[5] | word[6] | word[7])
			return false;
	}
	return true;
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static bool is_zero_avx2(const void *page)
{
	const __m256i *p = page;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += AVX2_STEP_BYTES, p += 4) {
		__m256i a = _mm256_or_si256(_mm256_load_si256(p), _mm256_load_si256(p + 1));
		__m256i b = _mm256_or_si256(_mm256_load_si256(p + 2), _mm256_load_si256(p + 3));
		__m256i all = _mm256_or_si256(a, b);

		if (!_mm256_testz_si256(all, all))
			return false;
	}
	return true;
}

__attribute__((target("avx512f"))) static bool is_zero_avx512(const void *page)
{
	const uint8_t *p = page;

	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += AVX512_STEP_BYTES, p += AVX512_STEP_BYTES) {
		__m512i a = _mm512_or_si512(_mm512_load_si512(p), _mm512_load_si512(p + 64));
		__m512i b = _mm512_or_si512(_mm512_load_si512(p + 128), _mm512_load_si512(p + 192));
		__m512i all = _mm512_or_si512(a, b);

		if (_mm512_test_epi64_mask(all, all))
			return false;
	}
	return true;
}

static bool runs_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

static bool runs_avx512(void)
{
	return __builtin_cpu_supports("avx512f");
}

#endif

static bool runs_anywhere(void)
{
	return true;
}

/* Fastest first. */
static const struct zero_variant {
	const char *name;
	bool (*runs_here)(void);
	migc_page_is_zero_fn is_zero;
} zero_variants[] = {
#if defined(__x86_64__)
	{"avx512", runs_avx512, is_zero_avx512},
	{"avx2", runs_avx2, is_zero_avx2},
#endif
	{"scalar", runs_anywhere, migc_page_is_zero_scalar},
};

#define VARIANTS (sizeof(zero_variants) / sizeof(zero_variants[0]))

migc_page_is_zero_fn migc_page_zero_test(void)
{
	for (size_t i = 0; i < VARIANTS; i++) {
		if (zero_variants[i].runs_here())
			return zero_variants[i].is_zero;
	}
	return migc_page_is_zero_scalar;
}

migc_page_is_zero_fn migc_page_zero_test_by_name(const char *name)
{
	for (size_t i = 0; i < VARIANTS; i++) {
		if (!strcmp(zero_variants[i].name, name))
			return zero_variants[i].runs_here() ? zero_variants[i].is_zero : NULL;
	}
	return NULL;
}
