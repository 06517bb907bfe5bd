/* SPDX-License-Identifier: BSD-3-Clause */
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "short_slice.h"

/** sched_setattr(2): glibc 2.36 has neither the structure nor the calls. */
struct slice_attr {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime; /**< of the fair class: the slice, 0.1 to 100 ms */
	uint64_t deadline, period;
};

void short_slice(uint64_t slice_ns)
{
	struct slice_attr attr = {.size = sizeof(attr)};

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0) != 0 ||
	    (attr.policy != SCHED_OTHER && attr.policy != SCHED_BATCH))
		return;
	attr.size = sizeof(attr);
	attr.runtime = slice_ns;
	syscall(SYS_sched_setattr, 0, &attr, 0);
}
