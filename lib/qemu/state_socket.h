/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_QEMU_STATE_SOCKET_H
#define MIGC_QEMU_STATE_SOCKET_H

#include <sys/types.h>

#include "migc_error.h"

/**
 * @file
 * The unix socket the device state goes through, in a directory of its own that only we and
 * QEMU's user can get into. Its name is gone as soon as both ends are connected.
 */

struct state_socket {
	char directory[64]; /**< "": none */
	char path[96];
	int listen_fd; /**< -1: none */
	int fd; /**< connected; -1: none */
};

void state_socket_init(struct state_socket *s);
/** Make the directory; QEMU's user owns it, so that it may make a socket there. */
int state_socket_make(struct state_socket *s, pid_t qemu, struct migc_error *err);
/** Source: listen, QEMU's user may connect. */
int state_socket_listen(struct state_socket *s, pid_t qemu, struct migc_error *err);
/** Source: @return 1 when QEMU has connected (fd is set, the name is gone), 0 not yet, -errno. */
int state_socket_accept(struct state_socket *s, struct migc_error *err);
/** Destination: connect to what QEMU listens on now; the name is gone then. */
int state_socket_connect(struct state_socket *s, struct migc_error *err);
/** Remove the name and the directory. */
void state_socket_unlink(struct state_socket *s);
/** Unlink, close both. */
void state_socket_close(struct state_socket *s);

#endif
