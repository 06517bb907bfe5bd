/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_SETTINGS_H
#define MIGC_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

/** @file What the operator may change while a migration runs; on the command line its options. */

#define MIGC_DOWNTIME_LIMIT_MS_MAX 2000000u /* as QEMU's */
#define MIGC_TIMEOUT_S_MAX (UINT32_MAX / 1000u)
/** Bit/s. QEMU's name takes bytes/s, as a signed number of 64 bits. */
#define MIGC_MAX_BANDWIDTH_BITS_MAX (UINT64_C(8) * (INT64_MAX / 8))

struct migc_settings {
	uint32_t downtime_limit_ms; /**< 1 to MIGC_DOWNTIME_LIMIT_MS_MAX */
	uint64_t max_bandwidth_bits; /**< on the wire, a second; 0: no limit */
	uint32_t timeout_s; /**< since the start; 0: none */
	bool timeout_suspends; /**< at the timeout: stop the guest and finish, instead of cancel */
	bool pause_before_switchover;
	bool throttle; /**< slow a guest down that writes faster than can be sent */
};

enum migc_setting {
	MIGC_SETTING_DOWNTIME_LIMIT,
	MIGC_SETTING_MAX_BANDWIDTH,
	MIGC_SETTING_TIMEOUT,
	MIGC_SETTING_TIMEOUT_ACTION,
	MIGC_SETTING_PAUSE,
	MIGC_SETTING_THROTTLE,
	MIGC_SETTINGS
};

/** Some of them. */
struct migc_settings_change {
	uint32_t given; /**< bit per enum migc_setting */
	struct migc_settings to; /**< of those that are given */
};

static inline bool migc_settings_given(const struct migc_settings_change *change,
				       enum migc_setting setting)
{
	return change->given >> setting & 1;
}

/** Let what is given be so. */
void migc_settings_change(struct migc_settings *settings,
			  const struct migc_settings_change *change);
/** QEMU's name of a setting, which is its option's as well. */
const char *migc_setting_name(enum migc_setting setting);

#endif
