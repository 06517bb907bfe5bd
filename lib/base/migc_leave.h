/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_LEAVE_H
#define MIGC_LEAVE_H

#include <stdbool.h>

/**
 * The process ends soon: memory of EAL's need not be given back to EAL, as the kernel takes all of
 * it. rte_free() would write zeros over it first; and pools are larger than what most runs use of
 * them, so that without huge pages much of it would be faulted in for that.
 */
void migc_leave(void);
bool migc_leaving(void);

#endif
