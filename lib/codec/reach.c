/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "codec_private.h"

#define GROW 64u

int migc_codec_devices_reach(struct migc_codec_devices *devices, const uint8_t *addr,
			     uint64_t bytes)
{
	if (devices->reaches % GROW == 0) {
		struct codec_reach *more = realloc(
			devices->reach, (devices->reaches + GROW) * sizeof(devices->reach[0]));

		if (more == NULL)
			return -ENOMEM;
		devices->reach = more;
	}
	devices->reach[devices->reaches++] = (struct codec_reach){addr, addr + bytes};
	return 0;
}

static bool reaches_page(const struct migc_codec_devices *devices, const uint8_t *page)
{
	unsigned int low = 0, high = devices->reaches;

	/* the last that begins at or before the page */
	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (devices->reach[middle].first <= page)
			low = middle + 1;
		else
			high = middle;
	}
	return low && page + MIGC_PAGE_BYTES <= devices->reach[low - 1].end;
}

bool reach_all(const struct migc_codec_devices *devices, const struct migc_codec_job *job)
{
	for (unsigned int i = 0; i < job->pages; i++) {
		if (!reaches_page(devices, job->page[i]))
			return false;
	}
	return true;
}
