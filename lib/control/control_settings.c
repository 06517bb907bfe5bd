/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_settings.h"

#include <errno.h>
#include <string.h>

/** A whole number of the range. QEMU's messages. */
static int take_number(const char *name, const json_t *value, json_int_t min, json_int_t max,
		       json_int_t *out, struct migc_error *err)
{
	if (!json_is_integer(value))
		return migc_error_set(err, -EINVAL,
				      "Invalid parameter type for '%s', expected: integer", name);
	*out = json_integer_value(value);
	if (*out < min || *out > max)
		return migc_error_set(err, -EINVAL,
				      "Parameter '%s' expects a value in the range of %lld to %lld",
				      name, (long long)min, (long long)max);
	return 0;
}

static int take_bool(const char *name, const json_t *value, bool *out, struct migc_error *err)
{
	if (!json_is_boolean(value))
		return migc_error_set(err, -EINVAL,
				      "Invalid parameter type for '%s', expected: boolean", name);
	*out = json_is_true(value);
	return 0;
}

/** One of two words. */
static int take_word(const char *name, const json_t *value, const char *no, const char *yes,
		     bool *out, struct migc_error *err)
{
	const char *text = json_string_value(value);

	if (text == NULL || (strcmp(text, no) != 0 && strcmp(text, yes) != 0))
		return migc_error_set(err, -EINVAL, "Parameter '%s' expects '%s' or '%s'", name, no,
				      yes);
	*out = strcmp(text, yes) == 0;
	return 0;
}

static int take(enum migc_setting setting, const char *name, const json_t *value,
		struct migc_settings *to, struct migc_error *err)
{
	json_int_t n = 0;
	int rc;

	switch (setting) {
	case MIGC_SETTING_DOWNTIME_LIMIT:
		rc = take_number(name, value, 1, MIGC_DOWNTIME_LIMIT_MS_MAX, &n, err);
		to->downtime_limit_ms = (uint32_t)n;
		return rc;
	case MIGC_SETTING_MAX_BANDWIDTH:
		rc = take_number(name, value, 0, MIGC_MAX_BANDWIDTH_BITS_MAX / 8, &n, err);
		to->max_bandwidth_bits = (uint64_t)n * 8;
		return rc;
	case MIGC_SETTING_TIMEOUT:
		rc = take_number(name, value, 0, MIGC_TIMEOUT_S_MAX, &n, err);
		to->timeout_s = (uint32_t)n;
		return rc;
	case MIGC_SETTING_TIMEOUT_ACTION:
		return take_word(name, value, "cancel", "suspend", &to->timeout_suspends, err);
	case MIGC_SETTING_THROTTLE:
		return take_word(name, value, "off", "auto", &to->throttle, err);
	default:
		return take_bool(name, value, &to->pause_before_switchover, err);
	}
}

int control_settings_take(const char *name, const json_t *value,
			  struct migc_settings_change *change, struct migc_error *err)
{
	for (unsigned int i = 0; i < MIGC_SETTINGS; i++) {
		int rc;

		if (strcmp(name, migc_setting_name((enum migc_setting)i)) != 0)
			continue;
		rc = take((enum migc_setting)i, name, value, &change->to, err);
		if (rc == 0)
			change->given |= 1u << i;
		return rc;
	}
	return migc_error_set(err, -EINVAL, "Parameter '%.64s' is unexpected", name);
}

int control_settings_put(const struct migc_settings *settings, json_t *object)
{
	json_t *all = json_pack("{s:I, s:I, s:I, s:s, s:b, s:s}", "downtime-limit",
				(json_int_t)settings->downtime_limit_ms, "max-bandwidth",
				(json_int_t)(settings->max_bandwidth_bits / 8), "timeout",
				(json_int_t)settings->timeout_s, "timeout-action",
				settings->timeout_suspends ? "suspend" : "cancel",
				"pause-before-switchover", (int)settings->pause_before_switchover,
				"throttle", settings->throttle ? "auto" : "off");
	int rc = all && json_object_update(object, all) == 0 ? 0 : -ENOMEM;

	json_decref(all);
	return rc;
}
