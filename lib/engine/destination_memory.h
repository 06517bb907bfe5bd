/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DESTINATION_MEMORY_H
#define DESTINATION_MEMORY_H

#include "engine.h"

/** How far memory has been mapped ahead; zeroed at first. */
struct map_ahead {
	unsigned int region;
	uint64_t page;
};

/**
 * Map some of the memory that is data before a source comes (a QEMU's with prealloc=on, an old
 * image), some milliseconds' work: its first round is spared that.
 * @return whether anything was done.
 */
bool destination_memory_map_ahead(const struct engine *e, struct map_ahead *at);
/**
 * Does the guest that the source announces fit ours? Regions are matched by name and put into
 * e->shared in the source's order of our own guest memory; files are sized; room is checked.
 * @return 0; -ESTALE (the guests differ), or another -errno, with a message.
 */
int destination_memory_check(struct engine *e, const struct migc_msg_hello *hello,
			     struct migc_error *err);
/** Ranges that are holes at the source. @return 0, -EBADMSG, -errno. */
int destination_memory_punch(struct engine *e, const struct migc_msg_punch *punch,
			     struct migc_error *err);
void destination_memory_free(struct engine *e);

#endif
