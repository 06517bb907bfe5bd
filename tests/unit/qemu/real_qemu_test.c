/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "qemu_pair.h"

#define WAITING "-incoming", "defer", "-S"

static const char *const file_source[] = {FILE_MEMORY, NULL};
static const char *const file_destination[] = {FILE_MEMORY, WAITING, NULL};

/** Some 1.7 MB of device state: far more than a unix socket holds. */
#define DEVICES                                                                                \
	"-device", "VGA", "-device", "e1000", "-device", "e1000", "-device", "virtio-rng-pci", \
		"-device", "nec-usb-xhci", "-device", "virtio-net-pci", "-device",             \
		"virtio-balloon-pci"
static const char *const large_source[] = {FILE_MEMORY, DEVICES, NULL};
static const char *const large_destination[] = {FILE_MEMORY, DEVICES, WAITING, NULL};

static struct vm source, destination;

static int end_all(void **state)
{
	(void)state;
	vm_end(&source);
	vm_end(&destination);
	return 0;
}

static void assert_region(const struct vm *vm, const char *name, uint64_t bytes)
{
	int i = migc_guestmem_find(vm->gm, name);

	assert_true(i >= 0);
	assert_int_equal(migc_guestmem_region(vm->gm, (unsigned int)i)->size_bytes, bytes);
	assert_int_equal(migc_guestmem_region(vm->gm, (unsigned int)i)->pid, vm->pid);
}

static void assert_refused(const char *const *words, bool is_destination, const char *said)
{
	struct migc_error err = {0};

	vm_begin(&source, words, is_destination);
	assert_true(migc_qemu_discover(source.qemu, source.gm, &err) < 0);
	if (strstr(err.text, said) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.text, said);
}

/* ---- discovery */

static void file_memory_is_found(void **state)
{
	struct migc_qemu_info info;

	(void)state;
	vm_begin(&source, file_source, false);
	vm_discover(&source);
	migc_qemu_info(source.qemu, &info);
	assert_int_equal(info.pid, source.pid);
	assert_true(info.running);
	assert_int_equal(migc_guestmem_regions(source.gm), 1);
	assert_region(&source, "mem", MIB(128));
}

static const char *const split_memory[] = {
	"-m",       "4G",
	"-machine", "q35,memory-backend=mem",
	"-object",  "memory-backend-memfd,id=mem,size=4G,share=on",
	NULL};

static void memory_split_at_4_gib_is_one_region(void **state)
{
	(void)state;
	vm_begin(&source, split_memory, false);
	vm_discover(&source);
	assert_int_equal(migc_guestmem_regions(source.gm), 1);
	assert_region(&source, "mem", MIB(4096));
}

#define NUMA_AND_DIMM                                                                     \
	"-m", "128,slots=2,maxmem=1G", "-machine", "q35", "-object",                      \
		"memory-backend-memfd,id=m0,size=64M,share=on", "-object",                \
		"memory-backend-memfd,id=m1,size=64M,share=on", "-numa",                  \
		"node,nodeid=0,memdev=m0", "-numa", "node,nodeid=1,memdev=m1", "-object", \
		"memory-backend-memfd,id=hp0,size=128M,share=on", "-device",              \
		"pc-dimm,id=dimm0,memdev=hp0", "-object",                                 \
		"memory-backend-memfd,id=unplugged,size=16M,share=on"

static const char *const numa_source[] = {NUMA_AND_DIMM, NULL};
static const char *const numa_destination[] = {NUMA_AND_DIMM, WAITING, NULL};

/** Two memfds have one name and here one size too: they must not be taken for each other. */
static void numa_memfds_and_dimm_are_told_apart(void **state)
{
	uint64_t a, b;

	(void)state;
	vm_begin(&source, numa_source, false);
	vm_discover(&source);
	assert_int_equal(migc_guestmem_regions(source.gm), 3);
	assert_region(&source, "m0", MIB(64));
	assert_region(&source, "m1", MIB(64));
	assert_region(&source, "hp0", MIB(128));
	a = migc_guestmem_region(source.gm, (unsigned int)migc_guestmem_find(source.gm, "m0"))
		    ->qemu_addr;
	b = migc_guestmem_region(source.gm, (unsigned int)migc_guestmem_find(source.gm, "m1"))
		    ->qemu_addr;
	assert_true(a != b);
}

static void waiting_destination_is_found_writable(void **state)
{
	(void)state;
	vm_begin(&destination, numa_destination, true);
	vm_discover(&destination);
	assert_int_equal(migc_guestmem_regions(destination.gm), 3);
	assert_true(migc_guestmem_region(destination.gm, 0)->writable);
}

static void unchanged_memory_is_unchanged(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, numa_source, false);
	vm_discover(&source);
	assert_int_equal(migc_qemu_check_unchanged(source.qemu, &err), 0);
}

/* ---- refusals */

static void plain_memory_is_refused(void **state)
{
	static const char *const words[] = {"-m", "128", "-machine", "q35", NULL};

	(void)state;
	assert_refused(words, false, "share=on");
}

static void private_backend_is_refused(void **state)
{
	static const char *const words[] = {"-m",
					    "128",
					    "-machine",
					    "q35,memory-backend=mem",
					    "-object",
					    "memory-backend-memfd,id=mem,size=128M,"
					    "share=off",
					    NULL};

	(void)state;
	assert_refused(words, false, "share=on");
}

/** Unlike ivshmem-doorbell it needs no server; its memory is written by others all the same. */
static void ivshmem_plain_is_refused(void **state)
{
	static const char *const words[] = {FILE_MEMORY,
					    "-object",
					    "memory-backend-memfd,id=iv,size=1M,share=on",
					    "-device",
					    "ivshmem-plain,memdev=iv",
					    NULL};

	(void)state;
	assert_refused(words, false, "ivshmem");
}

static void running_guest_is_no_destination(void **state)
{
	struct migc_error err = {0};
	int rc;

	(void)state;
	if (!vm_available()) {
		print_message("SKIPPED: no /usr/bin/qemu-system-x86_64\n");
		skip();
	}
	vm_start(&source, file_source);
	rc = vm_open(&source, true, &err);
	if (rc == 0)
		rc = migc_qemu_discover(source.qemu, source.gm, &err);
	assert_true(rc < 0);
	assert_non_null(strstr(err.text, "-incoming defer"));
}

static void destination_without_stop_is_refused(void **state)
{
	static const char *const words[] = {FILE_MEMORY, "-incoming", "defer", NULL};
	struct migc_error err = {0};
	int rc;

	(void)state;
	if (!vm_available()) {
		print_message("SKIPPED: no /usr/bin/qemu-system-x86_64\n");
		skip();
	}
	vm_start(&source, words);
	rc = vm_open(&source, true, &err);
	if (rc == 0)
		rc = migc_qemu_discover(source.qemu, source.gm, &err);
	assert_true(rc < 0);
	assert_non_null(strstr(err.text, "-S"));
}

/* ---- the switchover */

static uint64_t deadline_s(time_t seconds)
{
	return (uint64_t)(time(NULL) + seconds);
}

static void start_pair(const char *const *source_words, const char *const *destination_words)
{
	vm_begin(&source, source_words, false);
	vm_discover(&source);
	vm_begin(&destination, destination_words, true);
	vm_discover(&destination);
}

static void copy_memory(void)
{
	for (unsigned int i = 0; i < migc_guestmem_regions(source.gm); i++) {
		const struct migc_region *from = migc_guestmem_region(source.gm, i);
		int to = migc_guestmem_find(destination.gm, from->name);

		assert_true(to >= 0);
		memcpy(migc_guestmem_region(destination.gm, (unsigned int)to)->addr, from->addr,
		       from->size_bytes);
	}
}

/** Device state out of the source, and into the destination unless it is NULL. */
static uint64_t relay(struct vm *to)
{
	struct migc_error err = {0};
	uint64_t total = 0, end = deadline_s(30);
	uint8_t bytes[4096];
	int rc = 0;

	if (migc_qemu_continue(source.qemu, &err) != 0)
		fail_msg("%s", err.text);
	while (rc >= 0 && (uint64_t)time(NULL) < end) {
		rc = migc_qemu_read_state(source.qemu, bytes, sizeof(bytes), &err);
		if (rc > 0 && to && migc_qemu_write_state(to->qemu, bytes, (size_t)rc, &err) != 0)
			fail_msg("%s", err.text);
		total += rc > 0 ? (uint64_t)rc : 0;
	}
	if (rc != -ENODATA)
		fail_msg("%d: %s", rc, err.text);
	return total;
}

static int await_loaded(struct migc_error *err)
{
	uint64_t end = deadline_s(30);
	int rc = migc_qemu_end_state(destination.qemu, err);

	while (rc == 0 && (uint64_t)time(NULL) < end)
		rc = migc_qemu_poll_loaded(destination.qemu, err);
	return rc;
}

static void move(void)
{
	struct migc_error err = {0};

	vm_reach_pre_switchover(&source);
	copy_memory();
	assert_int_equal(migc_qemu_prepare(destination.qemu, &err), 0);
	assert_int_equal(migc_qemu_begin_incoming(destination.qemu, &err), 0);
	assert_true(relay(&destination) > 4096);
	if (await_loaded(&err) != 1)
		fail_msg("%s", err.text);
	/* loaded is not running: that is for the commit to say */
	assert_false(vm_runs(&destination));
	assert_false(vm_runs(&source));
	if (migc_qemu_run(destination.qemu, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(vm_runs(&destination));
	assert_false(vm_runs(&source));
}

static void guest_moves_and_runs_at_one_place_only(void **state)
{
	(void)state;
	start_pair(file_source, file_destination);
	move();
}

/** QEMU answers nothing while it writes to a full socket: whoever waits for it must read on. */
static void guest_with_much_device_state_moves(void **state)
{
	(void)state;
	start_pair(large_source, large_destination);
	move();
}

static void cancelled_at_pre_switchover_the_guest_runs_again(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, file_source, false);
	vm_discover(&source);
	vm_reach_pre_switchover(&source);
	if (migc_qemu_resume(source.qemu, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(vm_runs(&source));
}

static void after_its_state_is_out_the_guest_can_run_again(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, file_source, false);
	vm_discover(&source);
	vm_reach_pre_switchover(&source);
	relay(NULL);
	assert_false(vm_runs(&source));
	if (migc_qemu_resume(source.qemu, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(vm_runs(&source));
}

/** QEMU is busy writing into a socket nobody reads when it is told to go on with its guest. */
static void state_nobody_reads_does_not_hold_the_guest(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, large_source, false);
	vm_discover(&source);
	vm_reach_pre_switchover(&source);
	assert_int_equal(migc_qemu_continue(source.qemu, &err), 0);
	if (migc_qemu_resume(source.qemu, &err) != 0)
		fail_msg("%s", err.text);
	assert_true(vm_runs(&source));
}

static void second_try_succeeds_after_a_cancel(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, file_source, false);
	vm_discover(&source);
	vm_reach_pre_switchover(&source);
	assert_int_equal(migc_qemu_resume(source.qemu, &err), 0);
	migc_qemu_restore(source.qemu);
	vm_reach_pre_switchover(&source);
	assert_int_equal(migc_qemu_resume(source.qemu, &err), 0);
	assert_true(vm_runs(&source));
}

/** As a management tool leaves it that migrates with QEMU's own means. */
static void set_up_for_qemus_own_migration(const struct vm *vm)
{
	assert_true(vm_says(vm, "migrate-set-capabilities",
			    "{\"capabilities\":[{\"capability\":\"multifd\",\"state\":true},"
			    "{\"capability\":\"return-path\",\"state\":true}]}",
			    "\"return\""));
	assert_true(
		vm_says(vm, "migrate-set-parameters", "{\"tls-creds\":\"nobody\"}", "\"return\""));
}

static void settings_of_qemus_own_migration_are_no_hindrance(void **state)
{
	(void)state;
	start_pair(file_source, file_destination);
	set_up_for_qemus_own_migration(&source);
	set_up_for_qemus_own_migration(&destination);
	move();
}

static void settings_are_as_they_were_after_a_cancel(void **state)
{
	static const char multifd[] = "\"state\": true, \"capability\": \"multifd\"";
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, file_source, false);
	vm_discover(&source);
	set_up_for_qemus_own_migration(&source);
	vm_reach_pre_switchover(&source);
	assert_false(vm_says(&source, "query-migrate-capabilities", "{}", multifd));
	assert_int_equal(migc_qemu_resume(source.qemu, &err), 0);
	migc_qemu_restore(source.qemu);
	assert_true(vm_says(&source, "query-migrate-capabilities", "{}", multifd));
	assert_true(vm_says(&source, "query-migrate-capabilities", "{}",
			    "\"state\": true, \"capability\": \"return-path\""));
	assert_true(vm_says(&source, "query-migrate-capabilities", "{}",
			    "\"state\": false, \"capability\": \"x-ignore-shared\""));
	assert_true(
		vm_says(&source, "query-migrate-parameters", "{}", "\"tls-creds\": \"nobody\""));
}

static void paused_guest_stays_paused(void **state)
{
	struct migc_error err = {0};

	(void)state;
	if (!vm_available()) {
		print_message("SKIPPED: no /usr/bin/qemu-system-x86_64\n");
		skip();
	}
	vm_start(&source, file_source);
	assert_true(vm_pause(&source));
	if (vm_open(&source, false, &err) != 0)
		fail_msg("%s", err.text);
	vm_discover(&source);
	vm_reach_pre_switchover(&source);
	if (migc_qemu_resume(source.qemu, &err) != 0)
		fail_msg("%s", err.text);
	assert_false(vm_runs(&source));
}

static void destination_killed_in_the_load_is_told(void **state)
{
	static const uint8_t some[65536];
	struct migc_error err = {0};
	int rc;

	(void)state;
	vm_begin(&destination, file_destination, true);
	vm_discover(&destination);
	assert_int_equal(migc_qemu_prepare(destination.qemu, &err), 0);
	assert_int_equal(migc_qemu_begin_incoming(destination.qemu, &err), 0);
	vm_kill(&destination);
	rc = migc_qemu_write_state(destination.qemu, some, sizeof(some), &err);
	assert_int_equal(rc, -EPIPE);
	assert_non_null(strstr(err.text, "QEMU"));
}

static void garbage_for_device_state_is_told(void **state)
{
	static const char garbage[] = "this is no device state, whatever it is";
	struct migc_error err = {0};
	int rc;

	(void)state;
	vm_begin(&destination, file_destination, true);
	vm_discover(&destination);
	assert_int_equal(migc_qemu_prepare(destination.qemu, &err), 0);
	assert_int_equal(migc_qemu_begin_incoming(destination.qemu, &err), 0);
	rc = migc_qemu_write_state(destination.qemu, (const uint8_t *)garbage, sizeof(garbage),
				   &err);
	if (rc == 0)
		rc = await_loaded(&err);
	assert_true(rc < 0);
	assert_true(err.text[0] != '\0');
}

static void killed_source_is_told(void **state)
{
	struct migc_error err = {0};

	(void)state;
	vm_begin(&source, file_source, false);
	vm_discover(&source);
	vm_reach_pre_switchover(&source);
	vm_kill(&source);
	assert_true(migc_qemu_resume(source.qemu, &err) < 0);
	assert_true(err.text[0] != '\0');
	migc_qemu_restore(source.qemu);
}

#define TEST(name) cmocka_unit_test_teardown(name, end_all)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(file_memory_is_found),
		TEST(memory_split_at_4_gib_is_one_region),
		TEST(numa_memfds_and_dimm_are_told_apart),
		TEST(waiting_destination_is_found_writable),
		TEST(unchanged_memory_is_unchanged),
		TEST(plain_memory_is_refused),
		TEST(private_backend_is_refused),
		TEST(ivshmem_plain_is_refused),
		TEST(running_guest_is_no_destination),
		TEST(destination_without_stop_is_refused),
		TEST(guest_moves_and_runs_at_one_place_only),
		TEST(guest_with_much_device_state_moves),
		TEST(cancelled_at_pre_switchover_the_guest_runs_again),
		TEST(after_its_state_is_out_the_guest_can_run_again),
		TEST(state_nobody_reads_does_not_hold_the_guest),
		TEST(second_try_succeeds_after_a_cancel),
		TEST(settings_of_qemus_own_migration_are_no_hindrance),
		TEST(settings_are_as_they_were_after_a_cancel),
		TEST(paused_guest_stays_paused),
		TEST(destination_killed_in_the_load_is_told),
		TEST(garbage_for_device_state_is_told),
		TEST(killed_source_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
