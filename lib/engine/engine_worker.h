/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "engine.h"

/** Make all workers with what each owns: transport, codec engine, data path. */
int engine_open_workers(struct engine *e, struct migc_error *err);
/** Into the lanes with them. */
void engine_attach_workers(struct engine *e);
/** Out of the lanes; what they counted is complete then. */
void engine_detach_workers(struct engine *e);
/** Out of the lanes, and everything back. */
void engine_close_workers(struct engine *e);

#endif
