/* SPDX-License-Identifier: BSD-3-Clause */
#include "qemu_private.h"

/** Events tell of a migration; should one be missed, it is asked so often. */
#define ASK_EVERY_NS UINT64_C(20000000)

void qemu_migration_watch(struct migc_qemu *q)
{
	q->asked_ns = qmp_now_ns();
	q->asked_migrations = q->qmp.migrations;
}

bool qemu_migration_moved(struct migc_qemu *q)
{
	struct migc_error ignored = {0};

	/* a socket that has closed will be noticed by the question */
	if (qmp_poll(&q->qmp, &ignored) == 0 && q->qmp.migrations == q->asked_migrations &&
	    qmp_now_ns() - q->asked_ns < ASK_EVERY_NS)
		return false;
	qemu_migration_watch(q);
	return true;
}
