/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MTREE_H
#define MTREE_H

#include <stdbool.h>
#include <stdint.h>

/** @file The text of the monitor's `info mtree -f`: which guest-physical ranges are which RAM. */

struct mtree_range {
	uint64_t first, last; /**< guest-physical, both inside */
	uint64_t offset; /**< of `first` within the RAM block */
	char name[128];
	bool ram; /**< "ram"; else rom, i/o ... */
};

/**
 * Take the next range from the text.
 * @param at in and out: where to go on @return whether there was one.
 */
bool mtree_next(const char **at, struct mtree_range *out);

#endif
