/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_OFFER_H
#define CONTROL_OFFER_H

#include "migc_control.h"
#include "migc_log.h"
#include "options.h"

/** @file What a run offers to the operator while it goes on: the control socket, and telemetry. */

struct control_offer {
	struct migc_control *control;
	struct migc_control_server *server;
};

/**
 * Without a path asked for, a socket that cannot be made is a warning: the migration matters more.
 * @return 0, -errno with a message.
 */
int control_offer_open(struct control_offer *offer, const struct options *o,
		       const struct migc_log *log, struct migc_error *err);
/**
 * A guest, from now until migc_control_remove().
 * @param path its QMP socket, or the name of its memory
 * @return 0, -errno with a message.
 */
int control_offer_guest(struct control_offer *offer, const char *path, bool source,
			struct migc_control_session **out, struct migc_error *err);
/** All guests were removed. */
void control_offer_close(struct control_offer *offer);
/** Remove the socket. For signal handlers that do not come back. */
void control_offer_unlink(void);

#endif
