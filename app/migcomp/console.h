/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "migc_log.h"
#include "migc_parse.h"
#include "migc_report.h"
#include "options.h"

/**
 * @file
 * What a run prints: progress and messages on stderr, "listening" on stdout. Nothing of it waits
 * for who reads stderr: what does not fit its pipe or terminal now is left out, and that is said.
 */

struct console {
	struct migc_log log;
	const char *guest; /**< whose messages these are, when there are several; else NULL */
	bool live; /**< one line on a terminal, written over and over */
	bool plain; /**< a line a second, and one for each state */
	bool line_open; /**< the live line stands there without a newline */
	unsigned int unread; /**< messages left out since the last that was not */
	uint64_t last_ms;
	const volatile sig_atomic_t *asked; /**< counts SIGUSR1: print the statistics */
	sig_atomic_t answered;
};

/**
 * Consoles of several guests print whole lines, each with the guest's name in front, and may be
 * used by a thread each.
 * @param guest its name; NULL: there is one, or this is of them all
 */
void console_init(struct console *console, const char *guest, enum options_progress progress,
		  const volatile sig_atomic_t *asked);
/** Callbacks of the engine; ctx is the console. */
void console_progress(void *ctx, const struct migc_report *report);
void console_state(void *ctx, const char *state);
void console_listening(void *ctx, const struct migc_addr *addr);
/** The table at the end (none with --progress none). */
void console_end(struct console *console, const struct migc_report *report);

#endif
