/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_REQUEST_H
#define CONTROL_REQUEST_H

#include <jansson.h>

#include "migc_control.h"

/** @file A line from outside: which command, for whom, with what. Pure. */

/** Longest line, its newline not counted. */
#define CONTROL_LINE_BYTES 4096u

enum control_command {
	CONTROL_QUERY_STATUS,
	CONTROL_QUERY_STATS,
	CONTROL_QUERY_CONFIG,
	CONTROL_QUERY_COMMANDS,
	CONTROL_ORDER, /**< `order` says what */
};

/** QMP's classes of errors, those that there are here. */
enum control_error_class {
	CONTROL_GENERIC_ERROR,
	CONTROL_COMMAND_NOT_FOUND,
	CONTROL_DEVICE_NOT_FOUND, /**< no such guest */
};

struct control_request {
	enum control_command command;
	char guest[MIGC_CONTROL_GUEST_BYTES]; /**< "": all, or the only one */
	struct migc_order order;
	json_t *id; /**< to be given back with the answer; NULL: none. Also of a line in error. */
};

/**
 * Parse a line.
 * @param error_class why not, next to err
 * @return 0; -EINVAL with a message. Either way control_request_free() follows.
 */
int control_request_parse(const char *line, size_t length, struct control_request *out,
			  enum control_error_class *error_class, struct migc_error *err);
void control_request_free(struct control_request *request);
/** Name of a command by number, NULL after the last. */
const char *control_request_name(unsigned int number);

#endif
