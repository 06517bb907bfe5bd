/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "console.h"

#define LIVE_EVERY_MS 200u
#define PLAIN_EVERY_MS 1000u
#define TABLE_BYTES 9216u

static void close_line(struct console *console)
{
	if (console->line_open)
		fputc('\n', stderr);
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
	fprintf(stderr, "dpdk-migcomp: %s%s%s%s\n", name(console), separator(console),
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
	/* in one piece: others may write as well */
	fprintf(stderr, "%s%s%s", name(console), console->guest ? ":\n" : "", table);
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
		fprintf(stderr, "\r%s\033[K", line);
		console->line_open = true;
	} else {
		fprintf(stderr, "%s%s%s\n", name(console), separator(console), line);
	}
	fflush(stderr);
}

void console_state(void *ctx, const char *state)
{
	struct console *console = ctx;

	if (console->plain)
		fprintf(stderr, "%s%sstate %s\n", name(console), separator(console), state);
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
