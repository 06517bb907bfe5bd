/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdbool.h>

#include "migc_report.h"
#include "migc_session.h"

/** @file What became of a migration, in its report. */

/** Say "completed", "failed", "unconfirmed" or "cancelled", and why. */
void outcome_report(struct migc_report *report, enum migc_outcome outcome, bool cancelled,
		    const struct migc_error *err);

#endif
