/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_session.h"

#define NS_PER_MS UINT64_C(1000000)

/** a * b, or the largest number when it is larger. */
static uint64_t multiply(uint64_t a, uint64_t b)
{
	uint64_t product;

	return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint32_t migc_converge_downtime_ms(const struct migc_converge_input *in)
{
	uint64_t whole_ns, rest_ns, ms;

	if (in->dirty_pages == 0)
		return in->fixed_cost_ms;
	if (in->last_pages == 0 || in->rounds == 0)
		return UINT32_MAX;
	/* by whole nanoseconds a page first, then the rest of them: exact for pages that are fast
	 */
	whole_ns = multiply(in->last_ns / in->last_pages, in->dirty_pages);
	rest_ns = multiply(in->last_ns % in->last_pages, in->dirty_pages) / in->last_pages;
	ms = whole_ns / NS_PER_MS + rest_ns / NS_PER_MS + in->fixed_cost_ms +
	     (whole_ns % NS_PER_MS + rest_ns % NS_PER_MS) / NS_PER_MS;
	return ms >= UINT32_MAX ? UINT32_MAX - 1 : (uint32_t)ms;
}
