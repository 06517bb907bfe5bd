/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>

#include "doctor_private.h"
#include "migc_guestmem.h"
#include "migc_qemu.h"

static void discovered(struct migc_doctor *d, const struct migc_qemu *q,
		       const struct migc_guestmem *gm)
{
	struct migc_qemu_info info;

	migc_qemu_info(q, &info);
	doctor_add(d, MIGC_DOCTOR_OK, "QEMU", NULL,
		   "%s, process %d, %s%s%s: %s, %" PRIu64 " MiB of RAM in %u shared region(s)",
		   info.version, (int)info.pid, info.machine, info.name[0] ? ", " : "", info.name,
		   info.incoming  ? "waits for a guest"
		   : info.running ? "runs and can be moved"
				  : "is paused and can be moved",
		   migc_guestmem_total_bytes(gm) >> 20, migc_guestmem_regions(gm));
}

void migc_doctor_qemu(struct migc_doctor *d, const char *qmp_path)
{
	struct migc_qemu_config config = {.qmp_path = qmp_path, .either = true};
	struct migc_guestmem *gm = NULL;
	struct migc_qemu *q = NULL;
	struct migc_error err = {0};
	int rc = migc_guestmem_create(&gm);

	if (rc != 0)
		migc_error_set(&err, rc, "no memory");
	if (rc == 0)
		rc = migc_qemu_open(&config, &q, &err);
	if (rc == 0)
		rc = migc_qemu_discover(q, gm, &err);
	if (rc == 0)
		discovered(d, q, gm);
	else
		/* the message says what to do */
		doctor_add(d, MIGC_DOCTOR_MISSING, "QEMU", NULL, "%s: %s", qmp_path, err.text);
	migc_qemu_close(q);
	if (gm)
		migc_guestmem_free(gm);
}
