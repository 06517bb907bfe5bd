/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/mman.h>

#include "migc_guestmem.h"

/** What a read fault maps at one go: fault_around_bytes, unless somebody has changed it. */
#define NEIGHBOURS_BYTES UINT64_C(65536)

void migc_guestmem_prefault(uint8_t *addr, uint64_t pages)
{
	/* older kernels do not know it, a full file system refuses it: then each page is faulted
	 * in when it is touched, and that tells what is wrong */
	if (pages >= MIGC_PREFAULT_PAGES_MIN)
		madvise(addr, pages * MIGC_PAGE_BYTES, MADV_POPULATE_WRITE);
}

void migc_guestmem_touch(const uint8_t *addr, uint64_t pages)
{
	const uint8_t *end = addr + pages * MIGC_PAGE_BYTES;

	while (addr < end) {
		*(const volatile uint8_t *)addr;
		addr += NEIGHBOURS_BYTES - (uintptr_t)addr % NEIGHBOURS_BYTES;
	}
}
