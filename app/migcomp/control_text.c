/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_text.h"

#include <stdbool.h>
#include <string.h>

#include "migc_report.h"

static const char *text(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "?";
}

static long long number(const json_t *object, const char *key)
{
	return (long long)json_integer_value(json_object_get(object, key));
}

static void print_bytes(const char *before, long long bytes, FILE *out)
{
	char value[32];

	migc_report_bytes(bytes > 0 ? (uint64_t)bytes : 0, value, sizeof(value));
	fprintf(out, "%s%s", before, value);
}

static void print_progress(const json_t *status, bool source, FILE *out)
{
	const json_t *ram = json_object_get(status, "ram");
	long long round_bytes = number(ram, "round-bytes"), left = number(ram, "remaining");

	if (source && round_bytes) {
		fprintf(out, "  round        %lld: ", number(ram, "dirty-sync-count") + 1);
		print_bytes("", left, out);
		print_bytes(" of ", round_bytes, out);
		fprintf(out, " left (%lld %% done)\n", (round_bytes - left) * 100 / round_bytes);
	}
	fprintf(out, "  guest RAM    ");
	print_bytes("", number(ram, "total"), out);
	fprintf(out, ": %lld pages of data and %lld zero pages %s", number(ram, "normal"),
		number(ram, "duplicate"), source ? "sent" : "here");
	if (number(ram, "dirty-pages-rate"))
		fprintf(out, ", %lld written a second", number(ram, "dirty-pages-rate"));
	fprintf(out, "\n  rate         %.1f Mbit/s now",
		json_real_value(json_object_get(status, "current-mbps")));
	print_bytes(", ", number(ram, "transferred"), out);
	fprintf(out, " sent\n");
}

static void print_settings(const json_t *p, FILE *out)
{
	double mbps = (double)number(p, "max-bandwidth") * 8 / 1e6;

	fprintf(out, "  settings     downtime-limit %lld ms, max-bandwidth ",
		number(p, "downtime-limit"));
	if (mbps > 0)
		fprintf(out, "%.6g Mbit/s", mbps);
	else
		fprintf(out, "none");
	if (number(p, "timeout"))
		fprintf(out, ", timeout %lld s (then %s)", number(p, "timeout"),
			text(p, "timeout-action"));
	else
		fprintf(out, ", timeout none");
	fprintf(out, ", pause-before-switchover %s, throttle %s\n",
		json_is_true(json_object_get(p, "pause-before-switchover")) ? "on" : "off",
		text(p, "throttle"));
}

void control_text_status(const json_t *status, FILE *out)
{
	const json_t *expected = json_object_get(status, "expected-downtime");
	const json_t *settings = json_object_get(status, "parameters");
	bool source = strcmp(text(status, "role"), "source") == 0;

	fprintf(out, "%s (%s): %s, %s, for %.1f s\n", text(status, "guest"), text(status, "role"),
		text(status, "status"), text(status, "session-state"),
		(double)number(status, "total-time") / 1000);
	if (strcmp(text(status, "status"), "pre-switchover") == 0)
		fprintf(out,
			"  the guest is stopped and all its RAM is at the receiver: continue or "
			"cancel\n");
	print_progress(status, source, out);
	if (number(status, "cpu-throttle-percentage"))
		fprintf(out,
			"  throttle     the guest is kept from running for %lld %% of the time\n",
			number(status, "cpu-throttle-percentage"));
	if (source && expected)
		fprintf(out, "  downtime     would be %lld ms\n",
			(long long)json_integer_value(expected));
	else if (source)
		fprintf(out, "  downtime     cannot be told yet\n");
	if (settings)
		print_settings(settings, out);
}
