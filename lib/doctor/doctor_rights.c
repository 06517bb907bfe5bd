/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>

#include "doctor_private.h"

#define REMEDY                                          \
	"run as root; or as QEMU's user, with: setcap " \
	"cap_net_admin,cap_net_raw,cap_sys_ptrace+ep "  \
	"dpdk-migcomp"

bool doctor_capable(const struct migc_doctor *d, unsigned int capability)
{
	char text[32];

	return doctor_line(d, "/proc/self/status", "CapEff", text, sizeof(text)) == 0 &&
	       strtoull(text, NULL, 16) >> capability & 1;
}

void doctor_tracker(struct migc_doctor *d, const struct migc_doctor_answers *answers)
{
	if (answers->features.missing[0])
		doctor_add(d, MIGC_DOCTOR_WARN, "dirty tracker",
			   "Linux 6.7 or later (and no seccomp filter on userfaultfd)",
			   "hash only, which reads all RAM each round: the kernel lacks %s",
			   answers->features.missing);
	else
		doctor_add(d, MIGC_DOCTOR_OK, "dirty tracker", NULL,
			   "pagemap: userfaultfd WP_ASYNC and PAGEMAP_SCAN are there "
			   "(vm.unprivileged_userfaultfd=%" PRIu64 " does not matter)",
			   doctor_number(d, "/proc/sys/vm/unprivileged_userfaultfd"));
}

static void ptrace(struct migc_doctor *d)
{
	uint64_t scope = doctor_number(d, "/proc/sys/kernel/yama/ptrace_scope");

	if (doctor_capable(d, CAP_SYS_PTRACE) && doctor_capable(d, CAP_DAC_OVERRIDE))
		doctor_add(d, MIGC_DOCTOR_OK, "privileges", NULL,
			   "any QEMU's memory can be taken and tracked");
	else if (doctor_capable(d, CAP_SYS_PTRACE))
		doctor_add(d, MIGC_DOCTOR_OK, "privileges", NULL,
			   "CAP_SYS_PTRACE: a QEMU of this user can be moved");
	else if (scope)
		doctor_add(d, MIGC_DOCTOR_WARN, "privileges", REMEDY,
			   "no CAP_SYS_PTRACE, and kernel.yama.ptrace_scope is %" PRIu64
			   ": a sender must take --dirty hash, and QEMU must be this user's",
			   scope);
	else
		doctor_add(d, MIGC_DOCTOR_OK, "privileges", NULL,
			   "no CAP_SYS_PTRACE: a QEMU of this user can be moved");
}

static void memlock(struct migc_doctor *d, const struct migc_doctor_answers *answers)
{
	if (answers->memlock_bytes == UINT64_MAX || doctor_capable(d, CAP_IPC_LOCK))
		doctor_add(d, MIGC_DOCTOR_OK, "memlock", NULL, "no limit");
	else if (!d->vfio_devices)
		doctor_add(d, MIGC_DOCTOR_OK, "memlock", NULL,
			   "limit of %" PRIu64 " MiB: enough as long as no device does DMA",
			   answers->memlock_bytes >> 20);
	else
		doctor_add(d, MIGC_DOCTOR_WARN, "memlock",
			   "ulimit -l unlimited (drivers-config/systemd has it for services and "
			   "logins)",
			   "limit of %" PRIu64 " MiB: EAL's memory, and the guest's where a device "
			   "maps it, must fit",
			   answers->memlock_bytes >> 20);
}

void doctor_privileges(struct migc_doctor *d, const struct migc_doctor_answers *answers)
{
	ptrace(d);
	memlock(d, answers);
}
