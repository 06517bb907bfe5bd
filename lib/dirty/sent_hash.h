/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SENT_HASH_H
#define SENT_HASH_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * What was sent of each page, as its XXH3-128: a page is unchanged when it hashes to what was sent,
 * and to nothing else. So a page that changed and changed back between two looks is seen too, when
 * the state in between was sent.
 */

struct sent_hash {
	uint64_t (*entry)[2]; /**< a page each; {0, 0}: never sent */
	uint64_t pages;
	uint64_t zero[2]; /**< the hash of zeros */
};

int sent_hash_create(struct sent_hash *h, uint64_t pages);
void sent_hash_free(struct sent_hash *h);
/** As if nothing had been sent. */
void sent_hash_forget(struct sent_hash *h);
/** These bytes (NULL: zeros) were sent for the page. */
void sent_hash_put(struct sent_hash *h, uint64_t page, const void *bytes);
/** Was the page sent, and not as zeros? */
bool sent_hash_is_data(const struct sent_hash *h, uint64_t page);
/** Does the page hold something else than what was sent? */
bool sent_hash_differs(const struct sent_hash *h, uint64_t page, const void *bytes);

#endif
