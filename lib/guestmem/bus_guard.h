/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef BUS_GUARD_H
#define BUS_GUARD_H

#include "migc_bus_guard.h"

/** @file What guest memory tells the guard of its regions. */

/**
 * Guard a mapping. Any thread.
 * @param protection of the memory that takes its place
 * @return its number, or -ENOSPC.
 */
int bus_guard_add(struct migc_bus_guard *guard, void *addr, uint64_t bytes, int protection);
/** The mapping is about to go; nobody touches it any more. */
void bus_guard_remove(struct migc_bus_guard *guard, int range);
/** What was to be read of it is not there. Any thread, before it says that it was read. */
void bus_guard_lose(struct migc_bus_guard *guard, int range);
/** Was there a fault in it, or was it lost? */
bool bus_guard_lost(const struct migc_bus_guard *guard, int range);

#endif
