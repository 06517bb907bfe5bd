/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ENGINE_INJECT_H
#define ENGINE_INJECT_H

#include "migc_error.h"
#include "migc_qemu.h"

struct engine;

/** @file --inject, testing only: carries out the faults that strike at places of a run. */

/** Before anything: can all faults that were asked for strike? @return 0, -EINVAL. */
int engine_inject_check(struct engine *e, struct migc_error *err);
/** The session has come into `state`, and nothing that it asks for has been done yet. */
void engine_inject_enter(struct engine *e, const char *state);
/** QEMU is about to be told `command`. */
enum migc_qemu_fault engine_inject_command(void *engine, const char *command);

#endif
