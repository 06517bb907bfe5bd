/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "made_up_tree.h"

#define PATH_BYTES 512

static void make_directories(char *path)
{
	for (char *at = strchr(path + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(path, 0755);
		*at = '/';
	}
}

static void place(const struct made_up_tree *t, char *path, const char *fmt, va_list args)
{
	int length = snprintf(path, PATH_BYTES, "%s", t->root);

	vsnprintf(path + length, PATH_BYTES - (size_t)length, fmt, args);
	make_directories(path);
}

void made_up_tree_write(struct made_up_tree *t, const char *text, const char *fmt, ...)
{
	char path[PATH_BYTES];
	va_list args;
	FILE *f;

	va_start(args, fmt);
	place(t, path, fmt, args);
	va_end(args);
	f = fopen(path, "w");
	assert_non_null(f);
	fprintf(f, "%s\n", text);
	fclose(f);
}

void made_up_tree_link(struct made_up_tree *t, const char *target, const char *fmt, ...)
{
	char path[PATH_BYTES];
	va_list args;

	va_start(args, fmt);
	place(t, path, fmt, args);
	va_end(args);
	unlink(path);
	assert_int_equal(symlink(target, path), 0);
}

void made_up_tree_pci(struct made_up_tree *t, const char *bdf, unsigned int device,
		      unsigned int class, const char *driver)
{
	char text[64];

	made_up_tree_write(t, "0x8086", "/sys/bus/pci/devices/%s/vendor", bdf);
	snprintf(text, sizeof(text), "0x%04x", device);
	made_up_tree_write(t, text, "/sys/bus/pci/devices/%s/device", bdf);
	snprintf(text, sizeof(text), "0x%04x00", class);
	made_up_tree_write(t, text, "/sys/bus/pci/devices/%s/class", bdf);
	if (driver == NULL)
		return;
	snprintf(text, sizeof(text), "../../../bus/pci/drivers/%s", driver);
	made_up_tree_link(t, text, "/sys/bus/pci/devices/%s/driver", bdf);
}

void made_up_tree_vf(struct made_up_tree *t, const char *pf, unsigned int i, const char *bdf,
		     unsigned int device, const char *driver)
{
	char text[64];

	made_up_tree_pci(t, bdf, device, 0x0b40, driver);
	snprintf(text, sizeof(text), "../%s", pf);
	made_up_tree_link(t, text, "/sys/bus/pci/devices/%s/physfn", bdf);
	snprintf(text, sizeof(text), "../%s", bdf);
	made_up_tree_link(t, text, "/sys/bus/pci/devices/%s/virtfn%u", pf, i);
	snprintf(text, sizeof(text), "../../../kernel/iommu_groups/%u", 100 + i);
	made_up_tree_link(t, text, "/sys/bus/pci/devices/%s/iommu_group", bdf);
	made_up_tree_write(t, "", "/sys/kernel/iommu_groups/%u/type", 100 + i);
	made_up_tree_write(t, "", "/dev/vfio/%u", 100 + i);
}

void made_up_tree_make(struct made_up_tree *t)
{
	strcpy(t->root, "/tmp/migc-doctor-test-XXXXXX");
	assert_non_null(mkdtemp(t->root));
	made_up_tree_write(t,
			   "processor\t: 0\nflags\t\t: fpu sse4_2 aes pclmulqdq avx2 avx512f vaes",
			   "/proc/cpuinfo");
	made_up_tree_write(t, "MemTotal: 9000000 kB\nMemAvailable: 8388608 kB", "/proc/meminfo");
	made_up_tree_write(t, "Name:\tx\nCapEff:\t000001ffffffffff", "/proc/self/status");
	made_up_tree_write(t, "0", "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages");
	made_up_tree_write(t, "0", "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
	made_up_tree_write(t, "1", "/sys/class/net/eth0/type");
	made_up_tree_write(t, "up", "/sys/class/net/eth0/operstate");
	made_up_tree_write(t, "772", "/sys/class/net/lo/type");
	made_up_tree_write(t, "up", "/sys/class/net/lo/operstate");
	made_up_tree_pci(t, "0000:17:00.0", 0x1592, 0x0200, "ice");
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void made_up_tree_remove(struct made_up_tree *t)
{
	nftw(t->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
