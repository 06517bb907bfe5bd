/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/mman.h>

#include "migc_guestmem.h"

void migc_guestmem_prefault(uint8_t *addr, uint64_t pages)
{
	/* older kernels do not know it, a full file system refuses it: then each page is faulted
	 * in when it is touched, and that tells what is wrong */
	if (pages >= MIGC_PREFAULT_PAGES_MIN)
		madvise(addr, pages * MIGC_PAGE_BYTES, MADV_POPULATE_WRITE);
}

void migc_guestmem_touch(const uint8_t *addr, uint64_t pages)
{
	/* most are mapped by then, but for those that the kernel has passed over */
	for (uint64_t page = 0; page < pages; page++)
		*(const volatile uint8_t *)(addr + page * MIGC_PAGE_BYTES);
}
