/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QAT_LIMITS_H
#define QAT_LIMITS_H

#include "migc_codec.h"

/** @file What capabilities do not say of QAT: from the driver's source, not yet seen on hardware.
 */

/**
 * Fit a plan to a QAT generation.
 * @param most pages a block may have by what the plan says already
 * @return pages a block may have
 */
unsigned int qat_limits_apply(unsigned int generation, const struct migc_codec_request *request,
			      struct migc_codec_plan *plan, unsigned int most);

#endif
