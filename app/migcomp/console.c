/* SPDX-License-Identifier: BSD-3-Clause */
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "console.h"

#define LIVE_EVERY_MS 200u
#define PLAIN_EVERY_MS 1000u
#define TABLE_BYTES 9216u

/** May PIPE_BUF bytes be written without waiting for who reads them (poll(2), pipe(7))? */
static bool is_read(void)
{
	struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};

	return poll(&fd, 1, 0) > 0;
}

/**
 * A guest that is paused must not wait for a pager or a terminal that is halted: what nobody reads
 * is left out, and counted.
 */
static void write_or_leave(struct console *console, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t written;

		if (!is_read()) {
			console->unread++;
			return;
		}
		written = write(STDERR_FILENO, text, length < PIPE_BUF ? length : PIPE_BUF);
		if (written < 0)
			return;
		text += written;
		length -= (size_t)written;
	}
}

static void say(struct console *console, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct console *console, const char *format, ...)
{
	char text[TABLE_BYTES + 512];
	va_list words;
	int length;

	if (console->unread && is_read()) {
		length = snprintf(text, sizeof(text),
				  "dpdk-migcomp: %u messages were left out: nobody read them\n",
				  console->unread);
		console->unread = 0;
		write_or_leave(console, text, (size_t)length);
	}
	va_start(words, format);
	length = vsnprintf(text, sizeof(text), format, words);
	va_end(words);
	if (length > 0)
		write_or_leave(console, text,
			       (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
}

static void close_line(struct console *console)
{
	if (console->line_open)
		say(console, "\n");
	console->line_open = false;
}

static const char *name(const struct console *console)
{
	return console->guest ? console->guest : "";
}

static const char *separator(const struct console *console)
{
	return console->guest ? ": " : "";
}

static void write_log(void *ctx, enum migc_log_level level, const char *text)
{
	struct console *console = ctx;

	close_line(console);
	say(console, "dpdk-migcomp: %s%s%s%s\n", name(console), separator(console),
	    level == MIGC_LOG_WARNING ? "warning: " : "", text);
}

void console_init(struct console *console, const char *guest, enum options_progress progress,
		  const volatile sig_atomic_t *asked)
{
	memset(console, 0, sizeof(*console));
	console->log.write = write_log;
	console->log.ctx = console;
	console->log.level = MIGC_LOG_INFO;
	console->guest = guest;
	/* one line cannot be that of several */
	console->live = progress == OPTIONS_PROGRESS_AUTO && isatty(STDERR_FILENO) && !guest;
	console->plain = progress != OPTIONS_PROGRESS_NONE && !console->live;
	console->asked = asked;
	console->answered = *asked;
}

static void print_table(struct console *console, const struct migc_report *report)
{
	char table[TABLE_BYTES];

	close_line(console);
	migc_report_table(report, table, sizeof(table));
	/* at one go, as far as that goes: others may write as well */
	say(console, "%s%s%s", name(console), console->guest ? ":\n" : "", table);
}

void console_progress(void *ctx, const struct migc_report *report)
{
	struct console *console = ctx;
	char line[512];

	if (*console->asked != console->answered) {
		console->answered = *console->asked;
		print_table(console, report);
	}
	if (!console->live && !console->plain)
		return;
	if (report->total_time_ms - console->last_ms <
		    (console->live ? LIVE_EVERY_MS : PLAIN_EVERY_MS) &&
	    report->total_time_ms >= console->last_ms)
		return;
	console->last_ms = report->total_time_ms;
	migc_report_line(report, line, sizeof(line));
	if (console->live) {
		/* clear to the end of the line: the last one may have been longer */
		say(console, "\r%s\033[K", line);
		console->line_open = true;
	} else {
		say(console, "%s%s%s\n", name(console), separator(console), line);
	}
}

void console_state(void *ctx, const char *state)
{
	struct console *console = ctx;

	if (console->plain)
		say(console, "%s%sstate %s\n", name(console), separator(console), state);
}

void console_listening(void *ctx, const struct migc_addr *addr)
{
	struct console *console = ctx;
	char text[32];

	printf("listening on %s%s%s\n", migc_addr_text(addr, text), console->guest ? " " : "",
	       name(console));
	fflush(stdout);
}

void console_end(struct console *console, const struct migc_report *report)
{
	if (console->live || console->plain)
		print_table(console, report);
}
