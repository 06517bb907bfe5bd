/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_ERROR_H
#define MIGC_ERROR_H

/**
 * @file
 * One error of an operation that a person will read: an errno and one line that says what is wrong
 * and what to do. Filled once, at the place that knows; passed up unchanged.
 */

#define MIGC_ERROR_TEXT_BYTES 480

/** An error for a person. All zero: no error. */
struct migc_error {
	int code; /**< negative errno, 0 when no error is held */
	char text[MIGC_ERROR_TEXT_BYTES]; /**< one line, no newline at its end */
};

/**
 * Fill an error.
 *
 * @param err  where to put it; may be NULL. An error already held is kept: the first cause wins.
 * @param code negative errno
 * @param fmt  printf format of the line
 * @return code, so that `return migc_error_set(err, -EINVAL, ...)` reads well.
 */
int migc_error_set(struct migc_error *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
