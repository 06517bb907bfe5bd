/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_BUS_GUARD_H
#define MIGC_BUS_GUARD_H

#include <stdbool.h>
#include <stdint.h>

/**
 * @file
 * Guest memory is file memory: touching a page that its file has no more (cut short), or that its
 * file system or the pool of huge pages has no room for, is SIGBUS. The guard knows which regions
 * are whose. What was touched and is not there is replaced by memory of nobody's, so that the
 * thread goes on, and the region is lost: whoever has it looks (migc_guestmem_check_intact()), and
 * must neither run nor commit a guest that has such a region.
 *
 * One object a process, which the program's signal handler finds by a pointer of its own.
 */

/** 32 guests, as many as a receiver takes, of 32 regions each. */
#define MIGC_BUS_GUARD_RANGES 1024u

struct migc_bus_guard;

/** @return 0, -ENOMEM. */
int migc_bus_guard_create(struct migc_bus_guard **out);
/** After all guest memory that it guards was freed, and when no handler can use it any more. */
void migc_bus_guard_free(struct migc_bus_guard *guard);

/**
 * The signal handler, for SIGBUS with SA_SIGINFO: async-signal-safe, any thread, several at once.
 * @param addr si_addr @return whether it is in a region: the thread can go on. false: it cannot.
 */
bool migc_bus_guard_handle(struct migc_bus_guard *guard, const void *addr);

#endif
