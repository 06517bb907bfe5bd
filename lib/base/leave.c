/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_leave.h"

static bool leaving;

void migc_leave(void)
{
	leaving = true;
}

bool migc_leaving(void)
{
	return leaving;
}
