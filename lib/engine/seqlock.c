/* SPDX-License-Identifier: BSD-3-Clause */
#include "seqlock.h"

/** A part of whatever is copied. */
typedef uint32_t __attribute__((may_alias)) word;

/*
 * No fences: each word is atomic itself, so nothing is a data race to the compiler or to
 * ThreadSanitizer, and on x86 all of these are plain loads and stores. A reader that sees a word of
 * a value being written (acquire, paired with the word's release) also sees the odd sequence that
 * was stored before it, or a later one, and reads again.
 */

void seqlock_write(uint32_t *sequence, void *to, const void *from, size_t bytes)
{
	uint32_t now = *sequence;
	const word *source = from;
	word *destination = to;

	__atomic_store_n(sequence, now + 1, __ATOMIC_RELAXED);
	/* each pairs with the acquire of that word in seqlock_read() */
	for (size_t i = 0; i < bytes / sizeof(word); i++)
		__atomic_store_n(&destination[i], source[i], __ATOMIC_RELEASE);
	/* pairs with the first load in seqlock_read(): all words are written */
	__atomic_store_n(sequence, now + 2, __ATOMIC_RELEASE);
}

void seqlock_read(const uint32_t *sequence, void *out, const void *from, size_t bytes)
{
	const word *source = from;
	word *destination = out;
	uint32_t before, after;

	do {
		/* pairs with the last store in seqlock_write() */
		before = __atomic_load_n(sequence, __ATOMIC_ACQUIRE);
		/* each pairs with the release of that word in seqlock_write() */
		for (size_t i = 0; i < bytes / sizeof(word); i++)
			destination[i] = __atomic_load_n(&source[i], __ATOMIC_ACQUIRE);
		after = __atomic_load_n(sequence, __ATOMIC_RELAXED);
	} while (before != after || before & 1);
}
