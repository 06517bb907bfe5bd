/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_memory.h>

#include "migc_bitmap.h"
#include "migc_guestmem.h"
#include "qatlike.h"

/** @file Guest memory mapped for a device that pins what it maps, as VFIO does. */

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)

struct fixture {
	char path[64];
	struct migc_guestmem *gm;
	struct rte_device *device;
	struct migc_error err;
};

static struct rte_device *first_device(void)
{
	struct rte_dev_iterator it;

	assert_int_equal(rte_dev_iterator_init(&it, "bus=pci"), 0);
	return rte_dev_iterator_next(&it);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fd;

	strcpy(f->path, "/dev/shm/migc-dma-XXXXXX");
	fd = mkstemp(f->path);
	if (fd < 0)
		return -1;
	close(fd);
	*state = f;
	return migc_guestmem_create(&f->gm);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	migc_guestmem_dma_unmap(f->gm);
	migc_guestmem_free(f->gm);
	unlink(f->path);
	free(f);
	return qatlike_configure(NULL);
}

static void make(struct fixture *f, uint64_t size)
{
	assert_int_equal(truncate(f->path, (off_t)size), 0);
}

static void fill(struct fixture *f, uint64_t offset, uint64_t bytes)
{
	int fd = open(f->path, O_WRONLY | O_CLOEXEC);
	uint8_t *data = malloc(bytes);

	memset(data, 0x5a, bytes);
	assert_int_equal(pwrite(fd, data, bytes, (off_t)offset), (ssize_t)bytes);
	free(data);
	close(fd);
}

static uint64_t on_disk(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static void open_region(struct fixture *f, const char *devices, bool writable)
{
	assert_int_equal(qatlike_configure(devices), 0);
	f->device = first_device();
	assert_non_null(f->device);
	assert_int_equal(migc_guestmem_add_file(f->gm, "ram", f->path, 0, 0, writable, &f->err), 0);
}

static uint64_t address(const struct fixture *f, uint64_t offset)
{
	return (uint64_t)(uintptr_t)migc_guestmem_region(f->gm, 0)->addr + offset;
}

static void data_is_mapped_and_holes_stay_holes(void **state)
{
	struct fixture *f = *state;
	const struct migc_dma_range *range;
	struct migc_dma_cost cost;
	unsigned int count;

	make(f, 64 * MIB);
	fill(f, 0, 2 * MIB);
	fill(f, 10 * MIB, 3 * MIB);
	/* too small to be worth a map */
	fill(f, 20 * MIB, 8 * KIB);
	open_region(f, "gen=4", false);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(cost.maps, 2);
	assert_int_equal(cost.mapped_bytes, 5 * MIB);
	assert_int_equal(cost.scattered_bytes, 8 * KIB);
	assert_int_equal(cost.hole_bytes, 59 * MIB - 8 * KIB);
	/* planned, and not done */
	migc_guestmem_dma_ranges(f->gm, &count);
	assert_int_equal(count, 0);
	assert_int_equal(qatlike_stats().maps, 0);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), 0);
	assert_int_equal(qatlike_stats().maps, 2);
	assert_int_equal(qatlike_mapped_bytes(), 5 * MIB);
	/* at the addresses where we read it, though our mapping may only be read */
	assert_true(qatlike_is_mapped(address(f, 0), 2 * MIB));
	assert_true(qatlike_is_mapped(address(f, 10 * MIB), 3 * MIB));
	assert_false(qatlike_is_mapped(address(f, 2 * MIB), 1));
	assert_false(qatlike_is_mapped(address(f, 20 * MIB), 1));
	range = migc_guestmem_dma_ranges(f->gm, &count);
	assert_int_equal(count, 2);
	assert_int_equal((uintptr_t)range[0].addr, address(f, 0));
	assert_int_equal(range[0].bytes, 2 * MIB);
	assert_int_equal((uintptr_t)range[1].addr, address(f, 10 * MIB));
	/* what pinning would have filled */
	assert_int_equal(on_disk(f), 5 * MIB + 8 * KIB);
	migc_guestmem_dma_unmap(f->gm);
	assert_int_equal(qatlike_stats().unmaps, 2);
	assert_int_equal(qatlike_mapped_bytes(), 0);
}

static void nothing_is_mapped_of_a_guest_that_is_a_hole(void **state)
{
	struct fixture *f = *state;
	struct migc_dma_cost cost;

	make(f, 16 * MIB);
	open_region(f, "gen=4", true);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(cost.maps, 0);
	assert_int_equal(cost.hole_bytes, 16 * MIB);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), 0);
	assert_int_equal(on_disk(f), 0);
}

static void of_very_many_pieces_the_largest_are_mapped(void **state)
{
	struct fixture *f = *state;
	struct migc_dma_cost cost;
	uint64_t data = 0;

	make(f, 300 * MIB);
	for (unsigned int i = 0; i < 300; i++) {
		/* the last ones are the larger ones */
		uint64_t bytes = (i < 100 ? 256 : 512) * KIB;

		fill(f, i * MIB, bytes);
		data += bytes;
	}
	open_region(f, "gen=4", false);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(cost.maps, MIGC_DMA_MAPS_MAX);
	assert_int_equal(cost.mapped_bytes, 200 * 512 * KIB + 40 * 256 * KIB);
	assert_int_equal(cost.scattered_bytes, data - cost.mapped_bytes);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), 0);
	assert_int_equal(qatlike_mapped_bytes(), cost.mapped_bytes);
	assert_int_equal(on_disk(f), data);
}

static void a_device_that_runs_out_of_maps_has_none(void **state)
{
	struct fixture *f = *state;
	struct migc_dma_cost cost;
	unsigned int count;

	make(f, 10 * MIB);
	for (unsigned int i = 0; i < 10; i++)
		fill(f, i * MIB, 512 * KIB);
	open_region(f, "gen=4,dma=4", false);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(cost.maps, 10);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), -ENOMEM);
	assert_non_null(strstr(f->err.text, "ram"));
	assert_int_equal(qatlike_stats().maps, 4);
	assert_int_equal(qatlike_stats().unmaps, 4);
	migc_guestmem_dma_ranges(f->gm, &count);
	assert_int_equal(count, 0);
}

static void a_device_that_cannot_map_says_so(void **state)
{
	struct fixture *f = *state;
	struct migc_dma_cost cost;

	make(f, MIB);
	fill(f, 0, MIB);
	open_region(f, "gen=4,dma=0", false);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), -ENOTSUP);
}

static void a_region_of_an_odd_size_is_mapped_to_its_end(void **state)
{
	struct fixture *f = *state;
	struct migc_dma_cost cost;

	make(f, 3 * MIB + 4 * KIB);
	fill(f, 0, 3 * MIB + 4 * KIB);
	open_region(f, "gen=4", false);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), 0);
	assert_true(qatlike_is_mapped(address(f, 0), 3 * MIB + 4 * KIB));
	/* mapped again after it was given back, as a second migration would */
	migc_guestmem_dma_unmap(f->gm);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), 0);
	assert_int_equal(qatlike_mapped_bytes(), 3 * MIB + 4 * KIB);
}

static void pages_that_are_mapped_become_zero_instead_of_holes(void **state)
{
	struct fixture *f = *state;
	struct migc_dma_cost cost;
	const uint8_t *ram;

	make(f, 8 * MIB);
	fill(f, 0, 4 * MIB);
	open_region(f, "gen=4", true);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &cost), 0);
	assert_int_equal(migc_guestmem_dma_map(f->gm, f->device, &f->err), 0);
	fill(f, 4 * MIB, 4 * MIB);
	/* half of it is mapped, and half came later */
	assert_int_equal(
		migc_guestmem_punch(f->gm, 0, 2 * MIB / MIGC_PAGE_BYTES, 4 * MIB / MIGC_PAGE_BYTES),
		0);
	assert_int_equal(on_disk(f), 6 * MIB);
	ram = migc_guestmem_region(f->gm, 0)->addr;
	assert_int_equal(ram[2 * MIB - 1], 0x5a);
	assert_int_equal(ram[6 * MIB], 0x5a);
	for (uint64_t i = 2 * MIB; i < 6 * MIB; i++)
		assert_int_equal(ram[i], 0);
	migc_guestmem_dma_unmap(f->gm);
	assert_int_equal(
		migc_guestmem_punch(f->gm, 0, 2 * MIB / MIGC_PAGE_BYTES, 4 * MIB / MIGC_PAGE_BYTES),
		0);
	assert_int_equal(on_disk(f), 4 * MIB);
}

/** Take away, or give back, the privilege that has no limit. */
static void set_ipc_lock(bool on)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	if (on)
		data[0].effective |= data[0].permitted & (1u << CAP_IPC_LOCK);
	else
		data[0].effective &= ~(1u << CAP_IPC_LOCK);
	assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

static void what_is_locked_and_may_be_locked_is_told(void **state)
{
	struct fixture *f = *state;
	struct migc_dma_cost before, after;
	struct rlimit limit;
	uint8_t *locked = aligned_alloc(4096, MIB);

	make(f, MIB);
	fill(f, 0, MIB);
	open_region(f, "gen=4", false);
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	set_ipc_lock(false);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &before), 0);
	if (limit.rlim_cur == RLIM_INFINITY)
		assert_true(before.limit_bytes == UINT64_MAX);
	else
		assert_int_equal(before.limit_bytes, limit.rlim_cur);
	/* the sanitizer makes nothing of mlock() */
	assert_int_equal(syscall(SYS_mlock, locked, MIB), 0);
	assert_int_equal(migc_guestmem_dma_plan(f->gm, &after), 0);
	assert_int_equal(after.locked_bytes, before.locked_bytes + MIB);
	syscall(SYS_munlock, locked, MIB);
	free(locked);
	set_ipc_lock(true);
	if (geteuid() == 0) {
		assert_int_equal(migc_guestmem_dma_plan(f->gm, &after), 0);
		assert_true(after.limit_bytes == UINT64_MAX);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static char program[] = "dma_test", huge[] = "--no-huge", m[] = "-m", megabytes[] = "64",
		    pci[] = "--no-pci", iova[] = "--iova-mode=va", l[] = "-l", lcores[] = "0",
		    telemetry[] = "--no-telemetry", level[] = "--log-level=error",
		    shared[] = "--no-shconf";
	char *arguments[] = {program, huge,   m,         megabytes, pci,   iova,
			     l,       lcores, telemetry, level,     shared};
	const struct CMUnitTest tests[] = {
		TEST(data_is_mapped_and_holes_stay_holes),
		TEST(nothing_is_mapped_of_a_guest_that_is_a_hole),
		TEST(of_very_many_pieces_the_largest_are_mapped),
		TEST(a_device_that_runs_out_of_maps_has_none),
		TEST(a_device_that_cannot_map_says_so),
		TEST(a_region_of_an_odd_size_is_mapped_to_its_end),
		TEST(pages_that_are_mapped_become_zero_instead_of_holes),
		TEST(what_is_locked_and_may_be_locked_is_told),
	};

	if (rte_eal_init(RTE_DIM(arguments), arguments) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
