/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_SESSIONS_H
#define CONTROL_SESSIONS_H

#include "migc_control.h"

/** @file Of the sessions, what only the server needs. */

/** Readable when an order was answered, or a session ended. */
int control_wake_fd(const struct migc_control *control);

#endif
