/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TOOL_RUN_H
#define TOOL_RUN_H

#include <stddef.h>

/** @file A program, run to its end, and what it printed. */

#define TOOL_OUTPUT_BYTES 65536u

struct tool_run {
	int status; /**< exit status; 128 + signal */
	char out[TOOL_OUTPUT_BYTES], err[TOOL_OUTPUT_BYTES];
};

/**
 * Run it; its output goes through files in `directory`.
 * @param argv ends with NULL
 * @param signal,after_ms sent to it then; 0: none
 * @return 0, -errno when it could not be run
 */
int tool_run(char *const *argv, const char *directory, int signal, unsigned int after_ms,
	     struct tool_run *out);

#endif
