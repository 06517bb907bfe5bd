/* SPDX-License-Identifier: BSD-3-Clause */
#include "codec_private.h"

/** @return whether it is more than what was told of it; that is all of it from now on. */
static bool is_news(const uint32_t *now, uint32_t *told)
{
	uint32_t value = __atomic_load_n(now, __ATOMIC_RELAXED);
	bool news = value != *told;

	*told = value;
	return news;
}

void migc_codec_devices_tell(struct migc_codec_devices *devices)
{
	const struct migc_log *log = devices->config.log;

	for (unsigned int i = 0; i < devices->count; i++) {
		struct codec_device *d = &devices->device[i];
		bool first = d->lost_told == 0, first_back = d->back_told == 0;

		if (is_news(&d->unusable, &d->unusable_told) && d->unusable_told == 1)
			migc_log(log, MIGC_LOG_WARNING,
				 "compression device %s: its firmware cannot compress and verify; "
				 "blocks go elsewhere",
				 d->name);
		if (is_news(&d->lost, &d->lost_told) && first)
			migc_log(log, MIGC_LOG_WARNING,
				 "compression device %s stopped answering; blocks go elsewhere",
				 d->name);
		if (is_news(&d->back, &d->back_told) && first_back)
			migc_log(log, MIGC_LOG_INFO, "compression device %s answers again",
				 d->name);
	}
}
