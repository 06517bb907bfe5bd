/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bus_guard.h"

enum range_state {
	RANGE_FREE,
	RANGE_TAKEN, /**< being filled, or emptied */
	RANGE_GUARDED,
};

struct range {
	uint32_t state; /**< enum range_state: whose the rest is */
	uint32_t lost;
	int protection;
	uint8_t *addr;
	uint64_t bytes;
};

struct migc_bus_guard {
	struct range range[MIGC_BUS_GUARD_RANGES];
};

int migc_bus_guard_create(struct migc_bus_guard **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void migc_bus_guard_free(struct migc_bus_guard *guard)
{
	free(guard);
}

int bus_guard_add(struct migc_bus_guard *guard, void *addr, uint64_t bytes, int protection)
{
	for (unsigned int i = 0; i < MIGC_BUS_GUARD_RANGES; i++) {
		struct range *r = &guard->range[i];
		uint32_t free_state = RANGE_FREE;

		/* several controllers add their guests at a time */
		if (!__atomic_compare_exchange_n(&r->state, &free_state, RANGE_TAKEN, false,
						 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			continue;
		r->addr = addr;
		r->bytes = bytes;
		r->protection = protection;
		__atomic_store_n(&r->lost, 0, __ATOMIC_RELAXED);
		/* pairs with the acquire in migc_bus_guard_handle(): the range is complete */
		__atomic_store_n(&r->state, RANGE_GUARDED, __ATOMIC_RELEASE);
		return (int)i;
	}
	return -ENOSPC;
}

void bus_guard_remove(struct migc_bus_guard *guard, int range)
{
	/* pairs with the acquire of the next bus_guard_add() that takes the place */
	__atomic_store_n(&guard->range[range].state, RANGE_FREE, __ATOMIC_RELEASE);
}

void bus_guard_lose(struct migc_bus_guard *guard, int range)
{
	/* pairs with the acquire in bus_guard_lost() */
	__atomic_store_n(&guard->range[range].lost, 1, __ATOMIC_RELEASE);
}

bool bus_guard_lost(const struct migc_bus_guard *guard, int range)
{
	/* pairs with the release in bus_guard_lose() and migc_bus_guard_handle() */
	return __atomic_load_n(&guard->range[range].lost, __ATOMIC_ACQUIRE) != 0;
}

/**
 * All of it at once: each page by itself would be a signal a page. MAP_NORESERVE: most of it is
 * never touched. Another thread may be doing the same; what it wrote in between is as lost.
 */
static bool replace(struct range *r)
{
	int saved = errno;
	void *at = mmap(r->addr, r->bytes, r->protection,
			MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	errno = saved;
	return at != MAP_FAILED;
}

bool migc_bus_guard_handle(struct migc_bus_guard *guard, const void *addr)
{
	for (unsigned int i = 0; guard && i < MIGC_BUS_GUARD_RANGES; i++) {
		struct range *r = &guard->range[i];

		/* pairs with the release in bus_guard_add() */
		if (__atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != RANGE_GUARDED ||
		    (uintptr_t)addr - (uintptr_t)r->addr >= r->bytes)
			continue;
		/* pairs with the acquire in bus_guard_lost(): before the thread can go on, and say
		 * of the page that it was read or written */
		__atomic_store_n(&r->lost, 1, __ATOMIC_RELEASE);
		return replace(r);
	}
	return false;
}
