/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef CONTROL_SETTINGS_H
#define CONTROL_SETTINGS_H

#include <jansson.h>

#include "migc_error.h"
#include "migc_settings.h"

/** @file Settings as JSON, with QEMU's names and units: max-bandwidth is in bytes a second. */

/** One parameter of migrate-set-parameters. @return 0; -EINVAL with a message. */
int control_settings_take(const char *name, const json_t *value,
			  struct migc_settings_change *change, struct migc_error *err);
/** Add all settings to an object. @return 0, -ENOMEM. */
int control_settings_put(const struct migc_settings *settings, json_t *object);

#endif
