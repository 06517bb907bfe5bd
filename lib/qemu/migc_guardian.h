/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_GUARDIAN_H
#define MIGC_GUARDIAN_H

#include "migc_error.h"

/**
 * @file
 * Who looks after the source VM when the sender is killed: a small process that waits for the
 * sender's end. While the VM is stopped for a switchover and COMMIT is not out, nobody else would
 * ever let it run again; and QEMU's migration settings would stay as we left them.
 */

struct migc_guardian;

/**
 * Start the guardian. Before EAL and any thread: it is a fork of this process.
 * @param qmp_path as given to migc_qemu_open()
 */
int migc_guardian_start(const char *qmp_path, struct migc_guardian **out, struct migc_error *err);
/** It is not needed any more: it ends. NULL is allowed. */
void migc_guardian_stop(struct migc_guardian *guardian);

#endif
