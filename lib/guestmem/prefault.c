/* SPDX-License-Identifier: BSD-3-Clause */
#include <sys/mman.h>

#include "migc_guestmem.h"

void migc_guestmem_prefault(uint8_t *addr, uint64_t pages, bool write)
{
	/* older kernels do not know it, a full file system refuses it: then each page is faulted
	 * in when it is touched, and that tells what is wrong */
	if (pages >= MIGC_PREFAULT_PAGES_MIN)
		madvise(addr, pages * MIGC_PAGE_BYTES,
			write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}
