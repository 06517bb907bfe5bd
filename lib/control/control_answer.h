/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_ANSWER_H
#define CONTROL_ANSWER_H

#include <jansson.h>

#include "control_request.h"

/** @file What is answered, as JSON. */

/** One migration as a query has it. @return NULL: no memory */
json_t *control_answer_view(enum control_command query, const struct migc_control_view *view);
/**
 * The line of an answer, with its newline; freed with free().
 * @param value the "return" value, stolen; NULL gives NULL
 * @param id    borrowed; NULL: none
 */
char *control_answer_return(json_t *value, json_t *id);
/** The line of an error. */
char *control_answer_error(enum control_error_class error_class, const char *desc, json_t *id);

#endif
