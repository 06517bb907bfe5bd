/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_LOG_H
#define MIGC_LOG_H

/**
 * @file
 * The log sink. Libraries never print: they call the sink they were given. Never called in an
 * lcore loop.
 */

enum migc_log_level {
	MIGC_LOG_ERROR,
	MIGC_LOG_WARNING,
	MIGC_LOG_INFO,
	MIGC_LOG_DEBUG,
};

/** Where messages go. A NULL sink, or one with a NULL write, drops them. */
struct migc_log {
	void (*write)(void *ctx, enum migc_log_level level, const char *text);
	void *ctx;
	enum migc_log_level level; /**< messages above this level are dropped */
};

/** Send one line (no newline at its end) to the sink. Any thread that the sink allows. */
void migc_log(const struct migc_log *log, enum migc_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
