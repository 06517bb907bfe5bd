/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "outcome.h"

void outcome_report(struct migc_report *report, enum migc_outcome outcome, bool cancelled,
		    const struct migc_error *err)
{
	const char *status = "failed";

	if (outcome == MIGC_OUTCOME_DONE)
		status = "completed";
	else if (outcome == MIGC_OUTCOME_UNCONFIRMED)
		status = "unconfirmed";
	else if (cancelled || strcmp(report->status, "cancelling") == 0)
		status = "cancelled";
	snprintf(report->status, sizeof(report->status), "%s", status);
	if (outcome != MIGC_OUTCOME_DONE)
		report->error = *err;
}
