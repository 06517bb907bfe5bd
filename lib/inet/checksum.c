/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "checksum.h"

/* One's complement sums do not care for the order of bytes within words (RFC 1071, 2 B): add as the
 * machine loads, swap once at the end. Words of 32 bits are added in 64: no carry is lost before
 * 2^32 of them. */
static uint64_t add_words(uint64_t sum, const uint8_t *data, size_t length_bytes)
{
	while (length_bytes) {
		size_t piece = length_bytes < 4 ? length_bytes : 4;
		uint32_t word = 0;

		memcpy(&word, data, piece);
		sum += word;
		data += piece;
		length_bytes -= piece;
	}
	return sum;
}

#if defined(__x86_64__)

#define AVX2_STEP_BYTES 64u

__attribute__((target("avx2"))) static uint64_t add_steps_avx2(const uint8_t *data, size_t steps)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i a = _mm256_setzero_si256(), b = a;
	uint64_t lane[4];

	for (; steps; steps--, data += AVX2_STEP_BYTES) {
		__m256i x = _mm256_loadu_si256((const void *)data);
		__m256i y = _mm256_loadu_si256((const void *)(data + 32));

		a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
		a = _mm256_add_epi64(a, _mm256_and_si256(y, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(y, 32));
	}
	_mm256_storeu_si256((void *)lane, _mm256_add_epi64(a, b));
	return lane[0] + lane[1] + lane[2] + lane[3];
}

static uint64_t add_steps(const uint8_t **data, size_t *length_bytes)
{
	size_t steps = *length_bytes / AVX2_STEP_BYTES;
	uint64_t sum;

	if (steps == 0 || !__builtin_cpu_supports("avx2"))
		return 0;
	sum = add_steps_avx2(*data, steps);
	*data += steps * AVX2_STEP_BYTES;
	*length_bytes -= steps * AVX2_STEP_BYTES;
	return sum;
}

#else

static uint64_t add_steps(const uint8_t **data, size_t *length_bytes)
{
	(void)data;
	(void)length_bytes;
	return 0;
}

#endif

uint64_t checksum_sum(const uint8_t *data, size_t length_bytes)
{
	uint64_t sum = add_steps(&data, &length_bytes);
	uint32_t folded = checksum_fold(add_words(sum, data, length_bytes));

	return (folded >> 8 | folded << 8) & 0xffff;
}

uint64_t checksum_pseudo(uint32_t from_ip, uint32_t to_ip, uint8_t protocol, uint16_t length_bytes)
{
	return (uint64_t)(from_ip >> 16) + (from_ip & 0xffff) + (to_ip >> 16) + (to_ip & 0xffff) +
	       protocol + length_bytes;
}

uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}
