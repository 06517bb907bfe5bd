/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_dirty.h"
#include "send_path.h"
#include "source_run.h"

/** Regions whose pages may be read, bit i: region i. */
static uint64_t readable(const struct engine *e)
{
	uint64_t regions = 0;

	for (unsigned int i = 0; i < migc_guestmem_regions(e->gm); i++) {
		/* a tracker that hashes pages looks at all of them, each round, through the mapping
		 */
		if (migc_guestmem_can_read(e->gm, i) &&
		    !(e->dirty && migc_dirty_needs_copy(e->dirty, i)))
			regions |= UINT64_C(1) << i;
	}
	return regions;
}

static void warn_of_others(const struct engine *e, uint64_t regions)
{
	for (unsigned int i = 0; i < migc_guestmem_regions(e->gm); i++) {
		if (!(regions >> i & 1))
			migc_log(e->config->log, MIGC_LOG_WARNING,
				 "--guest-read pread: region %s is read in place: it is not in "
				 "memory of 4 KiB pages, or a device or the tracker (--dirty hash) "
				 "needs the mapping",
				 migc_guestmem_region(e->gm, i)->name);
	}
}

/** The kernel's work is the same for all of them: ask the largest. */
static unsigned int largest(const struct engine *e, uint64_t regions)
{
	unsigned int found = 0;
	uint64_t pages = 0;

	for (unsigned int i = 0; i < migc_guestmem_regions(e->gm); i++) {
		if (regions >> i & 1 && migc_guestmem_region(e->gm, i)->pages > pages) {
			pages = migc_guestmem_region(e->gm, i)->pages;
			found = i;
		}
	}
	return found;
}

/**
 * Read, if that takes less than two thirds of what a mapping takes: what was copied takes room in
 * the core's caches, which is not measured here.
 */
static bool reading_pays(const struct engine *e, uint64_t regions)
{
	struct migc_read_cost cost;
	bool pays;

	if (migc_guestmem_read_cost(e->gm, largest(e, regions), &cost) != 0)
		return false;
	pays = 3 * cost.read_ns < 2 * cost.mapped_ns;
	migc_log(e->config->log, MIGC_LOG_INFO,
		 "guest pages are %s: %llu ns a page through a mapping, %llu ns by pread()",
		 pays ? "read by pread()" : "read in place", (unsigned long long)cost.mapped_ns,
		 (unsigned long long)cost.read_ns);
	return pays;
}

void source_prepare_reading(struct engine *e)
{
	enum migc_guest_read how = e->config->guest_read;
	uint64_t regions = how == MIGC_GUEST_READ_MMAP ? 0 : readable(e);
	int rc = 0;

	/* --verify hashes all of it while the guest stands still: the first round maps it for that
	 */
	if (how == MIGC_GUEST_READ_AUTO && e->config->verify)
		regions = 0;
	if (regions && how == MIGC_GUEST_READ_AUTO) {
		/* once: a session that is taken over goes on as it was */
		if (e->reading == READING_UNKNOWN)
			e->reading = reading_pays(e, regions) ? READING_PAYS : READING_COSTS;
		if (e->reading == READING_COSTS)
			regions = 0;
	}
	if (how == MIGC_GUEST_READ_PREAD)
		warn_of_others(e, regions);
	for (unsigned int i = 0; i < e->connections && rc == 0; i++)
		rc = send_path_set_read(e->workers[i].send, regions);
	if (rc != 0)
		migc_log(e->config->log, MIGC_LOG_WARNING,
			 "no memory to read guest pages into: not all workers do, the others touch "
			 "them in place (give EAL more, -m)");
}
