/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_log.h"

#include <stdarg.h>
#include <stdio.h>

/* Longer lines are cut: room for a message of MIGC_ERROR_TEXT_BYTES and what leads up to it. */
#define LINE_BYTES 1024

void migc_log(const struct migc_log *log, enum migc_log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	va_list args;

	if (!log || !log->write || level > log->level)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	log->write(log->ctx, level, line);
}
