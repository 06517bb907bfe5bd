/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_WORDS_H
#define CONTROL_WORDS_H

#include <stdbool.h>

#include <jansson.h>

#include "migc_error.h"

/** @file The words of status, cancel, continue and set, parsed. */

struct control_words {
	const char *command; /**< the first word */
	const char *control; /**< NULL: find it */
	const char *guest; /**< NULL: all, or the only one */
	bool json, help;
	json_t *arguments; /**< of the command: guest, and what is set; json_decref() them */
};

/** @return 0; -EINVAL with one line that says what is wrong and what to do. */
int control_words_parse(int argc, char **argv, struct control_words *out, struct migc_error *err);

#endif
