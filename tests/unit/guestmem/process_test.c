/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "huge_pages.h"
#include "migc_bitmap.h"
#include "migc_guestmem.h"

/**
 * @file
 * Memory of another process; file systems that only root can mount, in a mount namespace of our
 * own, which ends with us.
 */

#define PAGE ((uint64_t)MIGC_PAGE_BYTES)
#define HUGE ((uint64_t)2 << 20)

struct fixture {
	struct migc_guestmem *gm;
	struct migc_error err;
	char dir[2][32];
	char path[2][64];
	pid_t pid;
	int hold; /**< the child ends when this is closed */
	struct huge_pages huge_pages;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->hold = -1;
	f->huge_pages.lock = -1;
	for (unsigned int i = 0; i < 2; i++) {
		strcpy(f->dir[i], "/tmp/migc-process-XXXXXX");
		if (mkdtemp(f->dir[i]) == NULL)
			return -1;
		snprintf(f->path[i], sizeof(f->path[i]), "%s/ram", f->dir[i]);
	}
	*state = f;
	return migc_guestmem_create(&f->gm);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->pid > 0) {
		kill(f->pid, SIGKILL);
		waitpid(f->pid, NULL, 0);
	}
	if (f->hold >= 0)
		close(f->hold);
	migc_guestmem_free(f->gm);
	for (unsigned int i = 0; i < 2; i++) {
		unlink(f->path[i]);
		umount(f->dir[i]);
		rmdir(f->dir[i]);
	}
	huge_pages_give_back(&f->huge_pages);
	free(f);
	return 0;
}

static void mount_or_skip(const char *type, const char *dir, const char *options)
{
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("none", dir, type, 0, options) != 0) {
		print_message("skipped: %s cannot be mounted: %s\n", type, strerror(errno));
		skip();
	}
}

/** A child that has all that we have now, and waits. */
static void fork_child(struct fixture *f)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	f->pid = fork();
	assert_true(f->pid >= 0);
	if (f->pid == 0) {
		char c;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(p[1]);
		if (read(p[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(p[0]);
	f->hold = p[1];
}

static uint8_t *map(int fd, uint64_t bytes, int first_byte)
{
	uint8_t *memory;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(memory, MAP_FAILED);
	memory[0] = (uint8_t)first_byte;
	return memory;
}

static int add(struct fixture *f, const char *name, const uint8_t *addr, uint64_t bytes)
{
	memset(&f->err, 0, sizeof(f->err));
	return migc_guestmem_add_process(f->gm, name, f->pid, (uintptr_t)addr, bytes, true,
					 &f->err);
}

static void memfds_of_one_name_are_told_apart(void **state)
{
	struct fixture *f = *state;
	uint8_t *a = map(memfd_create("ram", MFD_CLOEXEC), 10 * PAGE, 1);
	uint8_t *b = map(memfd_create("ram", MFD_CLOEXEC), 10 * PAGE, 2);

	fork_child(f);
	assert_int_equal(add(f, "b", b, 10 * PAGE), 0);
	assert_int_equal(add(f, "a", a, 10 * PAGE), 0);
	assert_int_equal(migc_guestmem_region(f->gm, 0)->addr[0], 2);
	assert_int_equal(migc_guestmem_region(f->gm, 1)->addr[0], 1);
	assert_int_equal(migc_guestmem_region(f->gm, 1)->pid, f->pid);
	assert_int_equal(migc_guestmem_region(f->gm, 1)->qemu_addr, (uintptr_t)a);
	/* the same memory, not a copy */
	migc_guestmem_region(f->gm, 1)->addr[9 * PAGE] = 77;
	assert_int_equal(a[9 * PAGE], 77);
	munmap(a, 10 * PAGE);
	munmap(b, 10 * PAGE);
}

static void a_part_of_a_mapping_is_that_part_of_the_file(void **state)
{
	struct fixture *f = *state;
	int fd = memfd_create("ram", MFD_CLOEXEC);
	uint8_t *whole = map(fd, 20 * PAGE, 1);
	uint8_t *a =
		mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(5 * PAGE));
	uint64_t words[1] = {0};

	whole[8 * PAGE] = 8;
	fork_child(f);
	assert_int_equal(add(f, "ram", a + 2 * PAGE, 4 * PAGE), 0);
	assert_int_equal(migc_guestmem_region(f->gm, 0)->file_offset_bytes, 7 * PAGE);
	assert_int_equal(migc_guestmem_region(f->gm, 0)->addr[PAGE], 8);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	assert_int_equal(words[0], 1u << 1);
	munmap(a, 10 * PAGE);
	munmap(whole, 20 * PAGE);
	close(fd);
}

static void a_mapping_that_the_kernel_has_in_pieces_is_found(void **state)
{
	struct fixture *f = *state;
	uint8_t *a = map(memfd_create("ram", MFD_CLOEXEC), 10 * PAGE, 1);

	/* another protection makes three lines of it in maps */
	assert_int_equal(mprotect(a + 4 * PAGE, PAGE, PROT_READ), 0);
	fork_child(f);
	assert_int_equal(add(f, "ram", a, 10 * PAGE), 0);
	assert_int_equal(migc_guestmem_region(f->gm, 0)->pages, 10);
	munmap(a, 10 * PAGE);
}

static void what_is_not_mapped_there_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t *a = map(memfd_create("ram", MFD_CLOEXEC), 10 * PAGE, 1);
	uint8_t *gone = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	munmap(gone, PAGE);
	fork_child(f);
	assert_int_equal(add(f, "ram", gone, PAGE), -ENOENT);
	assert_non_null(strstr(f->err.text, "nothing of that size"));
	assert_int_equal(add(f, "ram", a, 1000 * PAGE), -ERANGE);
	assert_int_equal(migc_guestmem_regions(f->gm), 0);
	munmap(a, 10 * PAGE);
}

static void private_memory_is_refused_and_says_how_to_start_qemu(void **state)
{
	struct fixture *f = *state;
	uint8_t *a =
		mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = memfd_create("ram", MFD_CLOEXEC);
	uint8_t *shared = map(fd, 10 * PAGE, 1);
	uint8_t *b = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	a[0] = 1;
	fork_child(f);
	assert_int_equal(add(f, "ram", a, PAGE), -EINVAL);
	assert_non_null(strstr(f->err.text, "share=on"));
	assert_int_equal(add(f, "ram", b, PAGE), -EINVAL);
	assert_non_null(strstr(f->err.text, "share=on"));
	munmap(a, 10 * PAGE);
	munmap(b, 10 * PAGE);
	munmap(shared, 10 * PAGE);
	close(fd);
}

static void a_process_that_is_not_there_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t *a = map(memfd_create("ram", MFD_CLOEXEC), 10 * PAGE, 1);

	fork_child(f);
	kill(f->pid, SIGKILL);
	waitpid(f->pid, NULL, 0);
	assert_int_equal(add(f, "ram", a, 10 * PAGE), -ENOENT);
	f->pid = 0;
	munmap(a, 10 * PAGE);
}

static void files_of_two_file_systems_with_one_inode_number_are_told_apart(void **state)
{
	struct fixture *f = *state;
	struct stat st[2];
	int other, fd;
	uint8_t *a;

	mount_or_skip("tmpfs", f->dir[0], "size=1m");
	mount_or_skip("tmpfs", f->dir[1], "size=1m");
	/* the wrong one has the lower descriptor, and is met first */
	other = open(f->path[0], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(other, 10 * (off_t)PAGE), 0);
	fd = open(f->path[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	a = map(fd, 10 * PAGE, 9);
	assert_int_equal(fstat(other, &st[0]), 0);
	assert_int_equal(fstat(fd, &st[1]), 0);
	assert_int_equal(st[0].st_ino, st[1].st_ino);
	fork_child(f);
	assert_int_equal(add(f, "ram", a, 10 * PAGE), 0);
	assert_int_equal(migc_guestmem_region(f->gm, 0)->addr[0], 9);
	munmap(a, 10 * PAGE);
	close(fd);
	close(other);
}

static void a_file_system_without_room_is_refused_with_both_numbers(void **state)
{
	struct fixture *f = *state;

	mount_or_skip("tmpfs", f->dir[0], "size=8m");
	assert_int_equal(
		migc_guestmem_add_file(f->gm, "ram", f->path[0], 0, 1 << 26, true, &f->err), 0);
	assert_int_equal(migc_guestmem_check_budget(f->gm, 8 * 256, 0, &f->err), 0);
	assert_int_equal(migc_guestmem_check_budget(f->gm, 8 * 256 + 1, 0, &f->err), -ENOSPC);
	assert_non_null(strstr(f->err.text, "needs 9 MiB"));
	assert_non_null(strstr(f->err.text, "has 8 MiB"));
	assert_non_null(strstr(f->err.text, "ram"));
}

static void file_systems_are_counted_once_each(void **state)
{
	struct fixture *f = *state;
	char second[80];

	mount_or_skip("tmpfs", f->dir[0], "size=8m");
	mount_or_skip("tmpfs", f->dir[1], "size=4m");
	snprintf(second, sizeof(second), "%s2", f->path[0]);
	assert_int_equal(migc_guestmem_add_file(f->gm, "a", f->path[0], 0, PAGE, true, &f->err), 0);
	assert_int_equal(migc_guestmem_add_file(f->gm, "b", second, 0, PAGE, true, &f->err), 0);
	unlink(second);
	assert_int_equal(migc_guestmem_check_budget(f->gm, 9 * 256, 0, &f->err), -ENOSPC);
	assert_int_equal(migc_guestmem_add_file(f->gm, "c", f->path[1], 0, PAGE, true, &f->err), 0);
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_guestmem_check_budget(f->gm, 12 * 256, 0, &f->err), 0);
	assert_int_equal(migc_guestmem_check_budget(f->gm, 13 * 256, 0, &f->err), -ENOSPC);
}

static void memory_that_the_host_does_not_have_is_refused(void **state)
{
	struct fixture *f = *state;
	uint8_t *a = map(memfd_create("ram", MFD_CLOEXEC), 10 * PAGE, 1);

	fork_child(f);
	assert_int_equal(add(f, "ram", a, 10 * PAGE), 0);
	assert_int_equal(migc_guestmem_check_budget(f->gm, 10, 0, &f->err), 0);
	assert_int_equal(migc_guestmem_check_budget(f->gm, UINT64_C(1) << 40, 0, &f->err), -ENOMEM);
	assert_non_null(strstr(f->err.text, "available"));
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_guestmem_check_budget(f->gm, 0, UINT64_C(1) << 52, &f->err), -ENOMEM);
	munmap(a, 10 * PAGE);
}

/** Four huge pages more, and a file of four with the second in use. */
static const struct migc_region *huge_region(struct fixture *f)
{
	uint8_t *memory;
	int fd;

	if (!huge_pages_take(&f->huge_pages, 4)) {
		print_message("skipped: huge pages cannot be had here and now\n");
		skip();
	}
	mount_or_skip("hugetlbfs", f->dir[0], "pagesize=2M,size=8M");
	fd = open(f->path[0], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	memory = map(fd, 4 * HUGE, 0);
	/* touching page 0 took it: give it back */
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE), 0);
	memory[HUGE + 3 * PAGE + 1] = 5;
	munmap(memory, 4 * HUGE);
	close(fd);
	if (migc_guestmem_add_file(f->gm, "ram", f->path[0], 0, 0, true, &f->err) != 0)
		fail_msg("%s", f->err.text);
	return migc_guestmem_region(f->gm, 0);
}

static blkcnt_t blocks(const struct fixture *f)
{
	struct stat st;

	assert_int_equal(stat(f->path[0], &st), 0);
	return st.st_blocks;
}

static void holes_of_huge_pages_stay_holes_when_looked_at(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region = huge_region(f);
	uint8_t digest[MIGC_DIGEST_BYTES];
	uint64_t *words = migc_bitmap_alloc(region->pages);

	assert_int_equal(region->backing_page_bytes, HUGE);
	assert_int_equal((uintptr_t)region->addr % HUGE, 0);
	assert_int_equal(blocks(f), HUGE / 512);
	assert_int_equal(migc_guestmem_data_map(f->gm, 0, words), 0);
	/* one page of 4 KiB holds something */
	assert_int_equal(migc_bitmap_count(words, region->pages), 1);
	assert_true(migc_bitmap_test(words, HUGE / PAGE + 3));
	assert_int_equal(migc_guestmem_digest(f->gm, 0, NULL, NULL, digest), 0);
	assert_int_equal(blocks(f), HUGE / 512);
	free(words);
}

static void a_huge_page_that_was_punched_is_lost_until_it_is_data_again(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region = huge_region(f);
	uint64_t *known = migc_bitmap_alloc(region->pages);
	uint64_t *holes = migc_bitmap_alloc(region->pages);
	int fd = open(f->path[0], O_RDWR | O_CLOEXEC);
	uint8_t *memory;

	migc_bitmap_set(known, HUGE / PAGE + 3);
	migc_bitmap_set(known, HUGE / PAGE + 4);
	/* as when it is sent */
	assert_int_equal(*(volatile uint8_t *)(region->addr + HUGE + 3 * PAGE + 1), 5);
	assert_int_equal(migc_guestmem_lost_map(f->gm, 0, known, holes), 0);
	assert_int_equal(migc_bitmap_count(holes, region->pages), 0);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, HUGE, HUGE), 0);
	assert_int_equal(migc_guestmem_lost_map(f->gm, 0, known, holes), 0);
	assert_int_equal(migc_bitmap_count(holes, region->pages), 2);
	assert_int_equal(blocks(f), 0);
	memory = map(fd, 4 * HUGE, 0);
	memory[HUGE + 3 * PAGE] = 1;
	munmap(memory, 4 * HUGE);
	assert_int_equal(migc_guestmem_lost_map(f->gm, 0, known, holes), 0);
	assert_int_equal(migc_bitmap_count(holes, region->pages), 1);
	assert_true(migc_bitmap_test(holes, HUGE / PAGE + 4));
	close(fd);
	free(known);
	free(holes);
}

static void a_digest_is_the_same_behind_huge_and_small_pages(void **state)
{
	struct fixture *f = *state;
	uint8_t huge[MIGC_DIGEST_BYTES], small[MIGC_DIGEST_BYTES];
	int fd;

	huge_region(f);
	assert_int_equal(migc_guestmem_digest(f->gm, 0, NULL, NULL, huge), 0);
	fd = open(f->path[1], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(fd, 4 * (off_t)HUGE), 0);
	assert_int_equal(pwrite(fd, "\5", 1, (off_t)(HUGE + 3 * PAGE + 1)), 1);
	close(fd);
	assert_int_equal(migc_guestmem_add_file(f->gm, "small", f->path[1], 0, 0, false, &f->err),
			 0);
	assert_int_equal(migc_guestmem_digest(f->gm, 1, NULL, NULL, small), 0);
	assert_memory_equal(huge, small, sizeof(small));
}

static void places_in_hugetlbfs_are_multiples_of_its_page(void **state)
{
	struct fixture *f = *state;

	huge_region(f);
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_guestmem_add_file(f->gm, "b", f->path[0], PAGE, HUGE, true, &f->err),
			 -EINVAL);
	assert_non_null(strstr(f->err.text, "2097152"));
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(
		migc_guestmem_add_file(f->gm, "b", f->path[0], 0, HUGE + PAGE, true, &f->err),
		-EINVAL);
	memset(&f->err, 0, sizeof(f->err));
	assert_int_equal(migc_guestmem_add_file(f->gm, "b", f->path[0], HUGE, HUGE, true, &f->err),
			 0);
	assert_int_equal(migc_guestmem_region(f->gm, 1)->addr[3 * PAGE + 1], 5);
}

static void punched_huge_pages_are_free_again(void **state)
{
	struct fixture *f = *state;
	const struct migc_region *region = huge_region(f);

	assert_int_equal(migc_guestmem_punch(f->gm, 0, HUGE / PAGE, HUGE / PAGE), 0);
	assert_int_equal(blocks(f), 0);
	assert_int_equal(region->addr[HUGE + 3 * PAGE + 1], 0);
}

static void the_budget_of_huge_pages_is_that_of_mount_and_pool(void **state)
{
	struct fixture *f = *state;

	huge_region(f);
	memset(&f->err, 0, sizeof(f->err));
	/* the mount has four, however many the pool has */
	assert_int_equal(migc_guestmem_check_budget(f->gm, 5 * HUGE / PAGE, 0, &f->err), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(memfds_of_one_name_are_told_apart),
		TEST(a_part_of_a_mapping_is_that_part_of_the_file),
		TEST(a_mapping_that_the_kernel_has_in_pieces_is_found),
		TEST(what_is_not_mapped_there_is_refused),
		TEST(private_memory_is_refused_and_says_how_to_start_qemu),
		TEST(a_process_that_is_not_there_is_refused),
		TEST(files_of_two_file_systems_with_one_inode_number_are_told_apart),
		TEST(a_file_system_without_room_is_refused_with_both_numbers),
		TEST(file_systems_are_counted_once_each),
		TEST(memory_that_the_host_does_not_have_is_refused),
		TEST(holes_of_huge_pages_stay_holes_when_looked_at),
		TEST(a_huge_page_that_was_punched_is_lost_until_it_is_data_again),
		TEST(a_digest_is_the_same_behind_huge_and_small_pages),
		TEST(places_in_hugetlbfs_are_multiples_of_its_page),
		TEST(punched_huge_pages_are_free_again),
		TEST(the_budget_of_huge_pages_is_that_of_mount_and_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
