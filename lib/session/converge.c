/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_session.h"

#define NS_PER_MS UINT64_C(1000000)

uint32_t migc_converge_downtime_ms(const struct migc_converge_input *in)
{
	uint64_t ms;

	if (in->dirty_pages == 0)
		return in->fixed_cost_ms;
	if (in->last_pages == 0 || in->rounds == 0)
		return UINT32_MAX;
	/* pages first by the whole, then the rest: no overflow for any guest and any time */
	ms = in->last_ns / in->last_pages * in->dirty_pages;
	ms += in->last_ns % in->last_pages * in->dirty_pages / in->last_pages;
	ms = ms / NS_PER_MS + in->fixed_cost_ms;
	return ms >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)ms;
}
