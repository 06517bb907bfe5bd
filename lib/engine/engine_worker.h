/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "engine.h"

/** Make all workers with what each owns: rings, network, transport, codec engine, data path. */
int engine_open_workers(struct engine *e, struct migc_error *err);
/** After they have stopped. */
void engine_close_workers(struct engine *e);

#endif
