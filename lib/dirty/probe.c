/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "migc_dirty.h"
#include "uapi.h"

static void probe_userfaultfd(struct migc_dirty_features *out)
{
	struct uffdio_api api = {.api = UFFD_API};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	if (fd < 0)
		return;
	out->userfaultfd = true;
	/* asking for nothing lists all that there is */
	if (ioctl(fd, UFFDIO_API, &api) == 0) {
		out->wp_async = api.features & UFFD_FEATURE_WP_ASYNC;
		out->wp_hugetlbfs_shmem = api.features & UFFD_FEATURE_WP_HUGETLBFS_SHMEM;
		out->wp_unpopulated = api.features & UFFD_FEATURE_WP_UNPOPULATED;
	}
	close(fd);
}

static void probe_pagemap_scan(struct migc_dirty_features *out)
{
	struct uapi_pm_scan_arg arg = {.size = sizeof(arg)};
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		/* a program with file capabilities may not read its own: both came with Linux 6.7
		 */
		out->pagemap_scan = errno == EACCES && out->wp_async;
		return;
	}
	/* an empty range: nothing to do, but the kernel has to know the call */
	out->pagemap_scan = ioctl(fd, UAPI_PAGEMAP_SCAN, &arg) >= 0 || errno != ENOTTY;
	close(fd);
}

static void name_missing(struct migc_dirty_features *out, bool there, const char *name)
{
	size_t used = strlen(out->missing);

	if (!there)
		snprintf(out->missing + used, sizeof(out->missing) - used, "%s%s", used ? ", " : "",
			 name);
}

void migc_dirty_probe(struct migc_dirty_features *out)
{
	memset(out, 0, sizeof(*out));
	probe_userfaultfd(out);
	probe_pagemap_scan(out);
	/* whether we may trace a process depends on the process: known at the attach */
	out->ptrace = true;
	name_missing(out, out->userfaultfd, "userfaultfd");
	name_missing(out, out->wp_async, "userfaultfd WP_ASYNC (Linux 6.7)");
	name_missing(out, out->wp_hugetlbfs_shmem, "userfaultfd WP_HUGETLBFS_SHMEM");
	name_missing(out, out->wp_unpopulated, "userfaultfd WP_UNPOPULATED");
	name_missing(out, out->pagemap_scan, "PAGEMAP_SCAN (Linux 6.7)");
}
