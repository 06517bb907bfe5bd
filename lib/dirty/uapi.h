/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef UAPI_H
#define UAPI_H

#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>

/**
 * @file
 * What Debian 12's kernel headers (6.1) do not have yet: asynchronous write protection (Linux 6.7)
 * and PAGEMAP_SCAN (Documentation/admin-guide/mm/pagemap.rst, uapi/linux/fs.h).
 */

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef UFFD_FEATURE_WP_ASYNC
#define UFFD_FEATURE_WP_ASYNC (1 << 15)
#endif

#define UAPI_PAGE_IS_WRITTEN (UINT64_C(1) << 1)
#define UAPI_PM_SCAN_WP_MATCHING (UINT64_C(1) << 0)
#define UAPI_PM_SCAN_CHECK_WPASYNC (UINT64_C(1) << 1)

struct uapi_page_region {
	uint64_t start, end, categories;
};

struct uapi_pm_scan_arg {
	uint64_t size, flags, start, end, walk_end;
	uint64_t vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define UAPI_PAGEMAP_SCAN _IOWR('f', 16, struct uapi_pm_scan_arg)

#endif
