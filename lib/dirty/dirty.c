/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "dirty_private.h"
#include "late_writes.h"

/** Longest time that an I/O may take to land that was submitted before a scan. */
#define LATE_NS UINT64_C(200000000)

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static int none_open(struct migc_dirty *d, struct migc_error *err)
{
	(void)d;
	(void)err;
	return 0;
}

static int none_scan(struct migc_dirty *d, unsigned int region, uint64_t *words,
		     void (*idle)(void *ctx), void *ctx, struct migc_error *err)
{
	(void)d;
	(void)region;
	(void)words;
	(void)idle;
	(void)ctx;
	(void)err;
	return 0;
}

static void none_disarm(struct migc_dirty *d)
{
	(void)d;
}

static bool none_needs_copy(const struct migc_dirty *d, unsigned int region)
{
	(void)d;
	(void)region;
	return false;
}

const struct dirty_ops dirty_none_ops = {
	.name = "none",
	.open = none_open,
	.arm = none_open,
	.scan = none_scan,
	.disarm = none_disarm,
	.needs_copy = none_needs_copy,
};

static int make_tables(struct migc_dirty *d, struct migc_error *err)
{
	for (unsigned int i = 0; i < migc_guestmem_regions(d->gm); i++) {
		if (d->ops->needs_copy(d, i) && !d->sent[i].entry &&
		    sent_hash_create(&d->sent[i], migc_guestmem_region(d->gm, i)->pages) != 0)
			return migc_error_set(err, -ENOMEM, "no memory for the hashes of pages");
	}
	return 0;
}

static int try_kind(struct migc_dirty *d, const struct dirty_ops *ops, struct migc_error *err)
{
	int rc;

	d->ops = ops;
	rc = ops->open(d, err);
	if (rc == 0)
		rc = make_tables(d, err);
	if (rc != 0)
		ops->disarm(d);
	return rc;
}

static int choose(struct migc_dirty *d, enum migc_dirty_kind kind, struct migc_error *err)
{
	struct migc_error error = {0};
	int rc;

	if (kind == MIGC_DIRTY_NONE)
		return try_kind(d, &dirty_none_ops, err);
	if (kind == MIGC_DIRTY_HASH)
		return try_kind(d, &dirty_hash_ops, err);
	rc = try_kind(d, &dirty_pagemap_ops, &error);
	if (rc == 0)
		return 0;
	/* somebody else tracks this guest: two migrations of it are one too many */
	if (kind == MIGC_DIRTY_PAGEMAP || rc == -EBUSY || rc == -ESRCH) {
		*err = error;
		return rc;
	}
	migc_log(d->log, MIGC_LOG_WARNING,
		 "%s: dirty pages are found by hashing, which takes longer", error.text);
	return try_kind(d, &dirty_hash_ops, err);
}

int migc_dirty_create(enum migc_dirty_kind kind, struct migc_guestmem *gm,
		      const struct migc_log *log, struct migc_dirty **out, struct migc_error *err)
{
	struct migc_dirty *d = calloc(1, sizeof(*d));
	int rc;

	*out = NULL;
	if (d == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a tracker");
	d->gm = gm;
	d->log = log;
	d->userfault_fd = -1;
	d->pagemap_fd = -1;
	rc = choose(d, kind, err);
	if (rc != 0) {
		migc_dirty_free(d);
		return rc;
	}
	*out = d;
	return 0;
}

const char *migc_dirty_name(const struct migc_dirty *d)
{
	return d->ops->name;
}

int migc_dirty_arm(struct migc_dirty *d, struct migc_error *err)
{
	for (unsigned int i = 0; i < MIGC_REGIONS_MAX; i++)
		sent_hash_forget(&d->sent[i]);
	return d->ops->arm(d, err);
}

int migc_dirty_scan(struct migc_dirty *d, unsigned int region, uint64_t *words,
		    void (*idle)(void *ctx), void *ctx, struct migc_error *err)
{
	uint64_t begin = clock_ns(), took;
	int rc = d->ops->scan(d, region, words, idle, ctx, err);

	took = clock_ns() - begin;
	d->stats.scans++;
	d->stats.scan_ns += took;
	if (took > d->stats.scan_ns_max)
		d->stats.scan_ns_max = took;
	return rc;
}

pid_t dirty_traced_pid(const struct migc_dirty *d)
{
	return migc_guestmem_regions(d->gm) ? migc_guestmem_region(d->gm, 0)->pid : 0;
}

uint64_t migc_dirty_settle_ns(struct migc_dirty *d)
{
	char what[128];

	if (!d->ops->misses_late_writes ||
	    !late_writes_possible(dirty_traced_pid(d), what, sizeof(what)))
		return 0;
	if (!d->told_of_late_writes)
		migc_log(d->log, MIGC_LOG_INFO,
			 "pages rest %u ms after each scan, for I/O that may land late: %s",
			 (unsigned int)(LATE_NS / 1000000), what);
	d->told_of_late_writes = true;
	return LATE_NS;
}

bool migc_dirty_needs_copy(const struct migc_dirty *d, unsigned int region)
{
	return d->ops->needs_copy(d, region);
}

void migc_dirty_sent(struct migc_dirty *d, unsigned int region, uint64_t page, const void *bytes)
{
	sent_hash_put(&d->sent[region], page, bytes);
}

void migc_dirty_disarm(struct migc_dirty *d)
{
	d->ops->disarm(d);
}

void migc_dirty_free(struct migc_dirty *d)
{
	if (d == NULL)
		return;
	if (d->ops)
		d->ops->disarm(d);
	for (unsigned int i = 0; i < MIGC_REGIONS_MAX; i++)
		sent_hash_free(&d->sent[i]);
	free(d);
}

void migc_dirty_stats(const struct migc_dirty *d, struct migc_dirty_stats *out)
{
	*out = d->stats;
}
