/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor_private.h"

void migc_doctor_init(struct migc_doctor *d, const char *root)
{
	memset(d, 0, sizeof(*d));
	d->root = root;
}

/** When there are too many, what is missing takes the place of what is not. @return NULL: none. */
static struct migc_doctor_finding *place_for(struct migc_doctor *d, enum migc_doctor_level level)
{
	if (d->count < MIGC_DOCTOR_FINDINGS_MAX)
		return &d->finding[d->count++];
	for (unsigned int i = d->count; level == MIGC_DOCTOR_MISSING && i > 0; i--) {
		if (d->finding[i - 1].level != MIGC_DOCTOR_MISSING)
			return &d->finding[i - 1];
	}
	return NULL;
}

void doctor_add(struct migc_doctor *d, enum migc_doctor_level level, const char *what,
		const char *remedy, const char *fmt, ...)
{
	struct migc_doctor_finding *f = place_for(d, level);
	va_list args;

	if (f == NULL)
		return;
	f->level = level;
	snprintf(f->what, sizeof(f->what), "%s", what);
	snprintf(f->remedy, sizeof(f->remedy), "%s", remedy ? remedy : "");
	va_start(args, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, args);
	va_end(args);
}

void migc_doctor_ask(struct migc_doctor_answers *out)
{
	struct rlimit limit;
	int fd;

	memset(out, 0, sizeof(*out));
	migc_dirty_probe(&out->features);
	out->memlock_bytes = UINT64_MAX;
	if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		out->memlock_bytes = limit.rlim_cur;
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	out->packet_socket = fd >= 0;
	if (fd >= 0)
		close(fd);
}

void migc_doctor_host(struct migc_doctor *d, const struct migc_doctor_answers *answers)
{
	doctor_cpu(d);
	doctor_iommu(d);
	doctor_qat(d);
	doctor_ports(d, answers);
	/* after the devices: what they need depends on whether there are any */
	doctor_memory(d);
	doctor_tracker(d, answers);
	doctor_privileges(d, answers);
}

bool migc_doctor_works(const struct migc_doctor *d)
{
	for (unsigned int i = 0; i < d->count; i++) {
		if (d->finding[i].level == MIGC_DOCTOR_MISSING)
			return false;
	}
	return true;
}

const char *migc_doctor_level_name(enum migc_doctor_level level)
{
	static const char *const names[] = {"ok", "warn", "missing"};

	return names[level];
}
