/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_page.h"

static uint64_t common_divisor(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/** The golden section of all of them, or a little less: so that none is left out. */
static uint64_t stride(uint64_t spans)
{
	uint64_t step = spans / 1000 * 618 + spans % 1000 * 618 / 1000;

	while (step > 1 && common_divisor(spans, step) != 1)
		step--;
	return step ? step : 1;
}

void migc_span_order_begin(struct migc_span_order *o, uint64_t spans, bool spread)
{
	*o = (struct migc_span_order){.spans = spans, .step = spread ? stride(spans) : 1};
}

bool migc_span_order_next(struct migc_span_order *o, uint64_t *span)
{
	if (o->passed == o->spans)
		return false;
	o->passed++;
	*span = o->at;
	o->at += o->step;
	if (o->at >= o->spans)
		o->at -= o->spans;
	return true;
}
