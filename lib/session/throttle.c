/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_session.h"

/** What QEMU's auto-converge has: cpu-throttle-initial, -increment and max-cpu-throttle. */
#define PERCENT_INITIAL 20u
#define PERCENT_MORE 10u
#define PERCENT_MAX 99u
/** So many rounds in a row, as there. */
#define ROUNDS_ENOUGH 2u
/** A round of fewer pages says nothing. */
#define PAGES_MEASURED 256u

/** Has less than an eighth of what the round sent been gained on the guest? */
static bool gains_nothing(uint64_t sent_pages, uint64_t dirty_pages)
{
	return sent_pages >= PAGES_MEASURED && dirty_pages * 8 >= sent_pages * 7;
}

bool migc_throttle_round(struct migc_throttle *t, uint64_t sent_pages, uint64_t dirty_pages)
{
	if (!gains_nothing(sent_pages, dirty_pages)) {
		t->rounds = 0;
		return false;
	}
	if (++t->rounds < ROUNDS_ENOUGH)
		return false;
	t->rounds = 0;
	if (t->percent == PERCENT_MAX)
		return false;
	t->percent = t->percent ? t->percent + PERCENT_MORE : PERCENT_INITIAL;
	if (t->percent > PERCENT_MAX)
		t->percent = PERCENT_MAX;
	return true;
}
