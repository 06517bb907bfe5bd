/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_settings.h"

void migc_settings_change(struct migc_settings *settings, const struct migc_settings_change *change)
{
	if (migc_settings_given(change, MIGC_SETTING_DOWNTIME_LIMIT))
		settings->downtime_limit_ms = change->to.downtime_limit_ms;
	if (migc_settings_given(change, MIGC_SETTING_MAX_BANDWIDTH))
		settings->max_bandwidth_bits = change->to.max_bandwidth_bits;
	if (migc_settings_given(change, MIGC_SETTING_TIMEOUT))
		settings->timeout_s = change->to.timeout_s;
	if (migc_settings_given(change, MIGC_SETTING_TIMEOUT_ACTION))
		settings->timeout_suspends = change->to.timeout_suspends;
	if (migc_settings_given(change, MIGC_SETTING_PAUSE))
		settings->pause_before_switchover = change->to.pause_before_switchover;
	if (migc_settings_given(change, MIGC_SETTING_THROTTLE))
		settings->throttle = change->to.throttle;
}

const char *migc_setting_name(enum migc_setting setting)
{
	static const char *const names[MIGC_SETTINGS] = {
		[MIGC_SETTING_DOWNTIME_LIMIT] = "downtime-limit",
		[MIGC_SETTING_MAX_BANDWIDTH] = "max-bandwidth",
		[MIGC_SETTING_TIMEOUT] = "timeout",
		[MIGC_SETTING_TIMEOUT_ACTION] = "timeout-action",
		[MIGC_SETTING_PAUSE] = "pause-before-switchover",
		[MIGC_SETTING_THROTTLE] = "throttle",
	};

	return names[setting];
}
