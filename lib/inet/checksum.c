/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "checksum.h"

static uint64_t add_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

uint64_t checksum_sum(const uint8_t *data, size_t length_bytes)
{
	uint64_t sum = 0, word = 0;
	uint32_t folded;

	/* one's complement sums do not care for the order of bytes within words (RFC 1071, 2 B):
	 * add as the machine loads, swap once at the end */
	while (length_bytes >= 32) {
		uint64_t w[4];

		memcpy(w, data, sizeof(w));
		sum = add_carry(sum, w[0]);
		sum = add_carry(sum, w[1]);
		sum = add_carry(sum, w[2]);
		sum = add_carry(sum, w[3]);
		data += 32;
		length_bytes -= 32;
	}
	while (length_bytes >= 8) {
		memcpy(&word, data, 8);
		sum = add_carry(sum, word);
		data += 8;
		length_bytes -= 8;
	}
	if (length_bytes) {
		word = 0;
		memcpy(&word, data, length_bytes);
		sum = add_carry(sum, word);
	}
	folded = checksum_fold(sum);
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
