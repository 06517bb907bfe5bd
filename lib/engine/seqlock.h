/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SEQLOCK_H
#define SEQLOCK_H

#include <stddef.h>
#include <stdint.h>

/**
 * @file
 * What one thread writes now and then and others read whole, without waiting for each other but
 * for the copy. A copy is of 4-byte words: sizes are multiples of 4, addresses too.
 */

/** Writer: a new value. @param sequence begins as 0; odd while `to` is being written */
void seqlock_write(uint32_t *sequence, void *to, const void *from, size_t bytes);
/** Reader: a value as it was written once. */
void seqlock_read(const uint32_t *sequence, void *out, const void *from, size_t bytes);

#endif
