/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Why pages rest after a scan: a read() whose data land after it. With O_DIRECT, and from a file
 * system that pins the reader's pages without (FUSE with direct_io).
 * usage: late_landing_test slow_disk.py
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dirty_fixture.h"

/** A read takes so long, and is in flight for sure after so much of it. */
#define READ_MS "1000"
#define IN_FLIGHT_MS 200

#define PAGE 9u
#define ON_DISK 0x5a

static struct {
	const char *script;
	char directory[64], file[80], served[96];
	pid_t pid; /**< 0: none */
} disk;

static void make_file(void)
{
	uint8_t page[MIGC_PAGE_BYTES];
	int fd = open(disk.file, O_WRONLY | O_CREAT, 0600);

	memset(page, ON_DISK, sizeof(page));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, page, sizeof(page)), sizeof(page));
	close(fd);
}

/** Its mount is in a namespace of our own, and goes with us. @return whether the disk is there. */
static bool start_disk(void)
{
	int said[2];
	char line[8];
	FILE *out;
	bool ready;

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		return false;
	assert_int_equal(pipe(said), 0);
	disk.pid = fork();
	if (disk.pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(said[1], STDOUT_FILENO);
		close(said[0]);
		close(said[1]);
		execl("/usr/bin/python3", "python3", disk.script, disk.file, disk.directory,
		      READ_MS, NULL);
		_exit(1);
	}
	close(said[1]);
	out = fdopen(said[0], "r");
	assert_non_null(out);
	ready = fgets(line, sizeof(line), out) != NULL;
	fclose(out);
	return ready;
}

static int begin(void **state)
{
	(void)state;
	snprintf(disk.directory, sizeof(disk.directory), "/dev/shm/migc-late-%d", (int)getpid());
	snprintf(disk.file, sizeof(disk.file), "%s.img", disk.directory);
	snprintf(disk.served, sizeof(disk.served), "%s/migc-late-%d.img", disk.directory,
		 (int)getpid());
	if (mkdir(disk.directory, 0700) != 0)
		return -1;
	make_file();
	if (!start_disk())
		print_message("skipped: no FUSE here and now (root, /dev/fuse)\n");
	return 0;
}

static int end(void **state)
{
	(void)state;
	umount2(disk.directory, MNT_DETACH);
	if (disk.pid > 0) {
		kill(disk.pid, SIGKILL);
		waitpid(disk.pid, NULL, 0);
	}
	unlink(disk.file);
	return rmdir(disk.directory);
}

static bool all_of_page_is(const struct fixture *f, uint8_t byte)
{
	for (unsigned int i = 0; i < MIGC_PAGE_BYTES; i++) {
		if (page_of(f, PAGE)[i] != byte)
			return false;
	}
	return true;
}

/** A read has been submitted, and nothing has landed. */
static void start_reading(struct fixture *f, enum migc_dirty_kind kind, int flags)
{
	const struct timespec in_flight = {0, IN_FLIGHT_MS * 1000000};

	if (access(disk.served, F_OK) != 0)
		skip();
	guest_reads_from(disk.served, O_RDONLY | flags);
	start(f, kind);
	assert_true(guest_do(&f->child, GUEST_WRITE, PAGE, 1));
	arm(f);
	guest_tell(&f->child, GUEST_KERNEL_WRITE, PAGE, 0);
	nanosleep(&in_flight, NULL);
}

static void check_lands_unseen(struct fixture *f, int flags)
{
	start_reading(f, MIGC_DIRTY_PAGEMAP, flags);
	/* told when it was submitted */
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, PAGE));
	assert_int_equal(migc_dirty_settle_ns(f->dirty), 200000000);
	assert_int_equal(scan(f), 0);
	assert_false(guest_answers_now(&f->child));
	assert_false(all_of_page_is(f, ON_DISK));
	assert_true(guest_answered(&f->child));
	assert_true(all_of_page_is(f, ON_DISK));
	/* and never again: it is as if it had always been there */
	assert_int_equal(scan(f), 0);
}

static void what_lands_after_the_scan_is_not_reported_with_o_direct(void **state)
{
	check_lands_unseen(*state, O_DIRECT);
}

static void nor_without_where_the_file_system_pins(void **state)
{
	check_lands_unseen(*state, 0);
}

static void a_hash_finds_it(void **state)
{
	struct fixture *f = *state;

	start_reading(f, MIGC_DIRTY_HASH, O_DIRECT);
	for (uint64_t page = 0; page < PAGES; page++)
		migc_dirty_sent(f->dirty, 0, page, page_of(f, page));
	assert_int_equal(migc_dirty_settle_ns(f->dirty), 0);
	assert_int_equal(scan(f), 0);
	assert_false(guest_answers_now(&f->child));
	assert_true(guest_answered(&f->child));
	assert_int_equal(scan(f), 1);
	assert_true(migc_bitmap_test(f->words, PAGE));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(what_lands_after_the_scan_is_not_reported_with_o_direct),
		TEST(nor_without_where_the_file_system_pins),
		TEST(a_hash_finds_it),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: late_landing_test slow_disk.py\n");
		return 1;
	}
	disk.script = argv[1];
	return cmocka_run_group_tests(tests, begin, end);
}
