/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_TEXT_H
#define CONTROL_TEXT_H

#include <stdio.h>

#include <jansson.h>

/** @file What query-status answers, for a person. */

/** One migration: some lines. What an older or newer process does not say is left out. */
void control_text_status(const json_t *status, FILE *out);

#endif
