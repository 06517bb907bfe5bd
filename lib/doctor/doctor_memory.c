/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "doctor_private.h"

/** What one end takes besides the guest's RAM, with two workers (doc/guide/tuning.md). */
#define OWN_MIB 256u

struct pools {
	uint64_t pages, free_mib;
	char text[160];
};

/** A directory of /sys/kernel/mm/hugepages: "hugepages-2048kB" */
static void add_pool(struct migc_doctor *d, const char *name, void *ctx)
{
	char path[DOCTOR_PATH_BYTES];
	struct pools *pools = ctx;
	uint64_t kib, pages, unused;
	size_t used = strlen(pools->text);

	if (strncmp(name, "hugepages-", strlen("hugepages-")) != 0)
		return;
	kib = strtoull(name + strlen("hugepages-"), NULL, 10);
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/nr_hugepages", name);
	pages = doctor_number(d, path);
	snprintf(path, sizeof(path), "/sys/kernel/mm/hugepages/%s/free_hugepages", name);
	unused = doctor_number(d, path);
	if (!pages)
		return;
	pools->pages += pages;
	pools->free_mib += unused * kib / 1024;
	snprintf(pools->text + used, sizeof(pools->text) - used,
		 "%s%" PRIu64 " of %" PRIu64 " MiB, %" PRIu64 " free", used ? "; " : "", pages,
		 kib / 1024, unused);
}

static void huge_pages(struct migc_doctor *d)
{
	static const char remedy[] =
		"drivers-config/hugepages/setup, or: echo 128 > /proc/sys/vm/nr_hugepages";
	struct pools pools = {0};

	doctor_each(d, "/sys/kernel/mm/hugepages", add_pool, &pools);
	if (!pools.pages)
		doctor_add(d, MIGC_DOCTOR_WARN, "huge pages", remedy,
			   "none: EAL needs --no-huge, and devices that do DMA cannot be used");
	else if (!pools.free_mib)
		doctor_add(d, MIGC_DOCTOR_WARN, "huge pages", remedy, "all in use: %s", pools.text);
	else
		doctor_add(d, MIGC_DOCTOR_OK, "huge pages", NULL, "%s", pools.text);
}

static void available(struct migc_doctor *d)
{
	char text[64];
	uint64_t mib = 0;

	if (doctor_line(d, "/proc/meminfo", "MemAvailable", text, sizeof(text)) == 0)
		mib = strtoull(text, NULL, 10) / 1024;
	if (mib < OWN_MIB)
		doctor_add(d, MIGC_DOCTOR_WARN, "memory",
			   "stop something, or give EAL less with -m",
			   "%" PRIu64 " MiB available: a migration takes up to %u MiB for itself",
			   mib, OWN_MIB);
	else
		doctor_add(d, MIGC_DOCTOR_OK, "memory", NULL, "%" PRIu64 " MiB available", mib);
}

void doctor_memory(struct migc_doctor *d)
{
	huge_pages(d);
	available(d);
}
