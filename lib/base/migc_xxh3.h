/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_XXH3_H
#define MIGC_XXH3_H

/**
 * @file
 * XXH3 of libxxhash by the widest vectors that the CPU has: the same hashes in half the time of
 * xxhash.h's own functions, which are built for every CPU of the architecture.
 */

#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#endif
