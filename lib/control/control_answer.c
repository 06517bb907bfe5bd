/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_answer.h"

#include <stdlib.h>
#include <string.h>

#include "control_settings.h"

#define REAL_DIGITS 9

static json_t *number(uint64_t value)
{
	return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

/** What a person wants to know now. */
static json_t *status(const struct migc_control_view *v)
{
	const struct migc_report *r = &v->report;
	json_t *ram = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "total", number(r->ram.total_bytes),
		"transferred", number(r->ram.transferred_bytes), "remaining",
		number(r->ram.remaining_bytes), "round-bytes", number(r->ram.round_bytes),
		"duplicate", number(r->ram.duplicate_pages), "normal", number(r->ram.normal_pages),
		"dirty-sync-count", number(r->ram.dirty_sync_count), "dirty-pages-rate",
		number(r->ram.dirty_pages_rate));
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:f, s:o}", "guest", v->guest, "role",
			      v->source ? "source" : "destination", "status", r->status,
			      "session-state", r->state, "total-time", number(r->total_time_ms),
			      "setup-time", number(r->setup_time_ms), "current-mbps",
			      (double)v->wire_bits_per_s / 1e6, "ram", ram);
	int rc = 0;

	if (v->source) {
		json_object_set_new(o, "cpu-throttle-percentage", number(r->throttle.percent));
		json_object_set_new(o, "parameters", json_object());
		rc = control_settings_put(&v->settings, json_object_get(o, "parameters"));
	}
	if (r->has_expected_downtime)
		json_object_set_new(o, "expected-downtime", number(r->expected_downtime_ms));
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *config(const struct migc_control_view *v)
{
	const struct migc_report *r = &v->report;
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o}", "guest", v->guest,
			      "role", v->source ? "source" : "destination", "codec",
			      r->compression.codec, "device", r->compression.device, "tracker",
			      r->dirty.tracker, "ethdev", r->network.ethdev, "driver",
			      r->network.driver, "mtu", number(r->network.mtu), "workers",
			      number(r->network.workers));

	if (v->source && control_settings_put(&v->settings, o) != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/** The report as it stands. */
static json_t *stats(const struct migc_control_view *v)
{
	json_t *o = migc_report_value(&v->report);

	if (json_object_set_new(o, "guest", json_string(v->guest)) != 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

json_t *control_answer_view(enum control_command query, const struct migc_control_view *view)
{
	switch (query) {
	case CONTROL_QUERY_STATUS:
		return status(view);
	case CONTROL_QUERY_CONFIG:
		return config(view);
	default:
		return stats(view);
	}
}

static char *line(json_t *object, json_t *id)
{
	char *text = NULL;
	size_t length;

	if (id)
		json_object_set(object, "id", id);
	length = json_dumpb(object, NULL, 0, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
	if (length)
		text = malloc(length + 2);
	if (text) {
		json_dumpb(object, text, length, JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS));
		memcpy(text + length, "\n", 2);
	}
	json_decref(object);
	return text;
}

char *control_answer_return(json_t *value, json_t *id)
{
	return value ? line(json_pack("{s:o}", "return", value), id) : NULL;
}

char *control_answer_error(enum control_error_class error_class, const char *desc, json_t *id)
{
	static const char *const classes[] = {
		[CONTROL_GENERIC_ERROR] = "GenericError",
		[CONTROL_COMMAND_NOT_FOUND] = "CommandNotFound",
		[CONTROL_DEVICE_NOT_FOUND] = "DeviceNotFound",
	};
	json_t *text = json_string(desc);

	/* what is wrong with a line may be that it is no UTF-8 */
	if (text == NULL)
		text = json_string("the line is not valid UTF-8");
	return line(
		json_pack("{s:{s:s, s:o}}", "error", "class", classes[error_class], "desc", text),
		id);
}
