/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dirty_private.h"
#include "migc_bitmap.h"
#include "uapi.h"

#define FEATURES                                                            \
	(UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | \
	 UFFD_FEATURE_WP_UNPOPULATED | UFFD_FEATURE_WP_ASYNC)
#define RANGES 512u
/** Dirty ranges that are so near to each other are write-protected in one call. */
#define MERGE_BYTES (16u * MIGC_PAGE_BYTES)

static int check_kernel(struct migc_error *err)
{
	struct migc_dirty_features features;

	migc_dirty_probe(&features);
	if (features.missing[0])
		return migc_error_set(err, -EOPNOTSUPP, "this kernel lacks %s", features.missing);
	return 0;
}

static int attach(struct migc_dirty *d, pid_t pid, struct migc_error *err)
{
	struct uffdio_api api = {.api = UFFD_API, .features = FEATURES};
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)pid);
	d->pagemap_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (d->pagemap_fd < 0)
		return migc_error_set(err, -errno, "%s cannot be opened: %s", path,
				      strerror(errno));
	d->userfault_fd = dirty_inject_userfaultfd(pid, UFFD_USER_MODE_ONLY, &d->stats.inject_ns);
	if (d->userfault_fd < 0)
		return migc_error_set(
			err, d->userfault_fd,
			"cannot attach to QEMU (process %d): %s (root, or QEMU's user with "
			"ptrace allowed, and no debugger on it)",
			(int)pid, strerror(-d->userfault_fd));
	if (ioctl(d->userfault_fd, UFFDIO_API, &api) != 0)
		return migc_error_set(err, -errno,
				      "userfaultfd does not take the features it has: %s",
				      strerror(errno));
	return 0;
}

static int pagemap_open(struct migc_dirty *d, struct migc_error *err)
{
	pid_t pid = dirty_traced_pid(d);
	int rc = check_kernel(err);

	if (rc != 0)
		return rc;
	if (pid == 0)
		return migc_error_set(err, -EOPNOTSUPP,
				      "there is no process whose writes to track");
	rc = attach(d, pid, err);
	for (unsigned int i = 0; rc == 0 && i < migc_guestmem_regions(d->gm); i++) {
		const struct migc_region *region = migc_guestmem_region(d->gm, i);
		struct uffdio_register range = {
			.range = {region->qemu_addr, region->size_bytes},
			.mode = UFFDIO_REGISTER_MODE_WP,
		};

		if (ioctl(d->userfault_fd, UFFDIO_REGISTER, &range) == 0)
			continue;
		rc = errno == EBUSY
			     ? migc_error_set(
				       err, -EBUSY,
				       "another tracker holds this QEMU's memory: is another "
				       "migration of it running?")
			     : migc_error_set(err, -errno, "region %s cannot be tracked: %s",
					      region->name, strerror(errno));
	}
	d->registered = rc == 0;
	return rc;
}

static int pagemap_arm(struct migc_dirty *d, struct migc_error *err)
{
	for (unsigned int i = 0; i < migc_guestmem_regions(d->gm); i++) {
		const struct migc_region *region = migc_guestmem_region(d->gm, i);
		/* this way, not by PAGEMAP_SCAN: it splits transparent huge pages, which would be
		 * reported whole for a single write */
		struct uffdio_writeprotect wp = {
			.range = {region->qemu_addr, region->size_bytes},
			.mode = UFFDIO_WRITEPROTECT_MODE_WP,
		};

		if (ioctl(d->userfault_fd, UFFDIO_WRITEPROTECT, &wp) != 0)
			return migc_error_set(err, -errno,
					      "region %s cannot be write-protected: %s",
					      region->name, strerror(errno));
	}
	return 0;
}

/** A page of a huge page: written, or only its neighbour? */
static bool unchanged(struct migc_dirty *d, unsigned int index, uint64_t page)
{
	const struct migc_region *region = migc_guestmem_region(d->gm, index);

	return region->backing_page_bytes != MIGC_PAGE_BYTES &&
	       !sent_hash_differs(&d->sent[index], page, region->addr + page * MIGC_PAGE_BYTES);
}

static void report(struct migc_dirty *d, unsigned int index, uint64_t start, uint64_t end,
		   uint64_t *words)
{
	const struct migc_region *region = migc_guestmem_region(d->gm, index);
	uint64_t first = (start - region->qemu_addr) / MIGC_PAGE_BYTES;
	uint64_t last = (end - region->qemu_addr) / MIGC_PAGE_BYTES;

	d->stats.reported_pages += last - first;
	if (region->backing_page_bytes == MIGC_PAGE_BYTES) {
		migc_bitmap_set_range(words, first, last - first);
		return;
	}
	for (uint64_t page = first; page < last; page++) {
		if (unchanged(d, index, page))
			d->stats.narrowed_pages++;
		else
			migc_bitmap_set(words, page);
	}
}

/** One PAGEMAP_SCAN from arg->start on. @return ranges found, or -errno. */
static int scan_some(const struct migc_dirty *d, struct uapi_pm_scan_arg *arg, uint64_t flags,
		     struct uapi_page_region *ranges)
{
	int n;

	arg->size = sizeof(*arg);
	arg->flags = flags;
	arg->vec = (uintptr_t)ranges;
	arg->vec_len = RANGES;
	arg->category_mask = UAPI_PAGE_IS_WRITTEN;
	arg->return_mask = UAPI_PAGE_IS_WRITTEN;
	n = ioctl(d->pagemap_fd, UAPI_PAGEMAP_SCAN, arg);
	return n < 0 ? -errno : n;
}

/** Clear and arm again what is dirty in a range; report it. */
static int take_range(struct migc_dirty *d, unsigned int index, uint64_t start, uint64_t end,
		      uint64_t *words)
{
	struct uapi_page_region ranges[RANGES];

	while (start < end) {
		struct uapi_pm_scan_arg arg = {.start = start, .end = end};
		int n = scan_some(d, &arg, UAPI_PM_SCAN_WP_MATCHING | UAPI_PM_SCAN_CHECK_WPASYNC,
				  ranges);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++)
			report(d, index, ranges[i].start, ranges[i].end, words);
		if (arg.walk_end <= start)
			return -EIO;
		start = arg.walk_end;
	}
	return 0;
}

/**
 * Look first without write-protecting, then write-protect only what is dirty: each clearing walk
 * makes a hypervisor's second-level page tables forget all of the range it was asked for.
 */
static int scan_region(struct migc_dirty *d, unsigned int index, uint64_t *words)
{
	const struct migc_region *region = migc_guestmem_region(d->gm, index);
	uint64_t at = region->qemu_addr, end = at + region->size_bytes;
	struct uapi_page_region ranges[RANGES];

	while (at < end) {
		struct uapi_pm_scan_arg arg = {.start = at, .end = end};
		int n = scan_some(d, &arg, 0, ranges);
		uint64_t from = 0, to = 0;
		int rc = 0;

		if (n < 0)
			return n;
		for (int i = 0; rc == 0 && i < n; i++) {
			if (to && ranges[i].start - to > MERGE_BYTES) {
				rc = take_range(d, index, from, to, words);
				to = 0;
			}
			if (to == 0)
				from = ranges[i].start;
			to = ranges[i].end;
		}
		if (rc == 0 && to)
			rc = take_range(d, index, from, to, words);
		if (rc != 0)
			return rc;
		if (arg.walk_end <= at)
			return -EIO;
		at = arg.walk_end;
	}
	return 0;
}

static int pagemap_scan(struct migc_dirty *d, unsigned int index, uint64_t *words,
			void (*idle)(void *ctx), void *ctx, struct migc_error *err)
{
	const struct migc_region *region = migc_guestmem_region(d->gm, index);
	int rc = scan_region(d, index, words);
	uint64_t entry;

	/* a process that has gone has no memory, and none of it is dirty: only read() tells */
	if (rc == 0 && pread(d->pagemap_fd, &entry, sizeof(entry),
			     (off_t)(region->qemu_addr / MIGC_PAGE_BYTES * sizeof(entry))) !=
			       (ssize_t)sizeof(entry))
		rc = -ESRCH;
	(void)idle;
	(void)ctx;
	if (rc == -ESRCH)
		return migc_error_set(err, rc, "QEMU has gone");
	if (rc != 0)
		return migc_error_set(err, rc, "dirty pages of region %s cannot be read: %s",
				      region->name, strerror(-rc));
	return 0;
}

static void pagemap_disarm(struct migc_dirty *d)
{
	for (unsigned int i = 0; d->registered && i < migc_guestmem_regions(d->gm); i++) {
		const struct migc_region *region = migc_guestmem_region(d->gm, i);
		struct uffdio_range range = {region->qemu_addr, region->size_bytes};

		/* fails when QEMU has gone, and then there is nothing to undo */
		ioctl(d->userfault_fd, UFFDIO_UNREGISTER, &range);
	}
	d->registered = false;
	if (d->userfault_fd >= 0)
		close(d->userfault_fd);
	if (d->pagemap_fd >= 0)
		close(d->pagemap_fd);
	d->userfault_fd = -1;
	d->pagemap_fd = -1;
}

static bool pagemap_needs_copy(const struct migc_dirty *d, unsigned int region)
{
	return migc_guestmem_region(d->gm, region)->backing_page_bytes != MIGC_PAGE_BYTES;
}

const struct dirty_ops dirty_pagemap_ops = {
	.name = "pagemap",
	.open = pagemap_open,
	.arm = pagemap_arm,
	.scan = pagemap_scan,
	.disarm = pagemap_disarm,
	.needs_copy = pagemap_needs_copy,
	.misses_late_writes = true,
};
