/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_error.h"

#include <stdarg.h>
#include <stdio.h>

int migc_error_set(struct migc_error *err, int code, const char *fmt, ...)
{
	va_list args;

	if (!err || err->code)
		return code;
	err->code = code;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}
