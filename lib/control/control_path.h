/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_PATH_H
#define CONTROL_PATH_H

#include <sys/un.h>

#include "migc_control.h"

/** @file Where control sockets are, and whether somebody is behind one. */

/** The directory of control sockets. @return 0, -EACCES: a user without one; with a message. */
int control_directory(char *out, size_t capacity, struct migc_error *err);
/** @return 0, -ENAMETOOLONG with a message. */
int control_address(const char *path, struct sockaddr_un *out, struct migc_error *err);
/** Is there a socket that nobody listens at? */
bool control_stale(const char *path);
/** Remove such sockets of the directory. The caller holds its lock. */
void control_clean(const char *directory);
/**
 * Make, check and lock the directory: as long as the descriptor is open nobody else makes or
 * removes sockets in it.
 * @return a descriptor, -errno with a message.
 */
int control_lock_directory(const char *directory, bool make, struct migc_error *err);

#endif
