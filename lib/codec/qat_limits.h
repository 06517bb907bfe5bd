/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QAT_LIMITS_H
#define QAT_LIMITS_H

#include "migc_codec.h"

/**
 * @file
 * What capabilities do not say of QAT: from the driver's source (DPDK 22.11, drivers/compress/qat
 * and drivers/common/qat; what 23.11 to 26.07 add), not yet seen on hardware.
 */

#define QAT_DRIVER "compress_qat"

/**
 * Generation of a virtual function by its PCI device id (vendor 8086).
 * @return 1 DH895xCC, 2 C62x, C3xxx, D15xx, 200xx, 3 C4xxx, 300xx, 4 4xxx, 401xx, 402xx and
 *   vQAT (0da5, a guest's), 5 420xx;
 *   0: an id that DPDK's driver does not name
 */
unsigned int qat_generation_of_id(uint16_t device_id);
/**
 * Generation by what the device tells of itself, where its id is not known: one whose limits are
 * true of it, and not always its own (1 is told as 2, 5 as 4).
 */
unsigned int qat_generation_of_caps(const struct migc_codec_caps *caps);
/**
 * Fit a plan to a QAT generation.
 * @param most pages a block may have by what the plan says already; out: by QAT as well
 * @return 0, -ENOTSUP with the reason.
 */
int qat_limits_apply(const struct migc_codec_caps *caps, const struct migc_codec_request *request,
		     struct migc_codec_plan *plan, unsigned int *most, struct migc_error *err);

#endif
