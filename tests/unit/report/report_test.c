/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <jansson.h>

#include "migc_report.h"

static void fill(struct migc_report *r)
{
	memset(r, 0, sizeof(*r));
	r->source = true;
	strcpy(r->status, "completed");
	strcpy(r->state, "DONE");
	r->total_time_ms = 12345;
	r->downtime_ms = 67;
	r->setup_time_ms = 8;
	r->ram.total_bytes = UINT64_C(4) << 30;
	r->ram.transferred_bytes = 1000;
	r->ram.duplicate_pages = 500;
	r->ram.normal_pages = 300;
	r->ram.page_bytes = 4096;
	r->ram.mbps_x100 = 941277;
	r->ram.dirty_sync_count = 2;
	r->ram.dirty_pages_rate = 1234;
	strcpy(r->compression.codec, "deflate");
	r->compression.devices = 2;
	strcpy(r->compression.device[0].name, "0000:6b:00.0_qat_comp");
	strcpy(r->compression.device[0].driver, "compress_qat");
	r->compression.device[0].blocks = 16;
	strcpy(r->compression.device[1].name, "compress_isal0");
	strcpy(r->compression.device[1].driver, "compress_isal");
	r->compression.device[1].blocks = 4;
	r->compression.pages = 290;
	r->compression.in_bytes = 300 * 4096;
	r->compression.compressed_bytes = 409600;
	r->compression.blocks[MIGC_CODEC_RAW] = 1;
	r->compression.blocks[MIGC_CODEC_DEFLATE] = 20;
	r->compression.zero_blocks = 3;
	r->compression.fallback_blocks = 4;
	r->compression.errors = 5;
	r->delta.cache_bytes = 64 << 20;
	r->delta.blocks = 7;
	r->delta.pages = 100;
	r->delta.bytes = 40960;
	r->delta.unchanged = 31;
	r->delta.lookups = 200;
	r->delta.misses = 50;
	r->delta.overflow = 19;
	r->network.wire_bytes = 500000;
	r->network.packets_sent = 400;
	r->network.lost = 6;
	r->network.retransmitted_bytes = 7000;
	r->network.rtt_us = 55;
	r->network.cwnd_bytes = 66000;
	r->cpu.user_ms = 1500;
	r->cpu.system_ms = 250;
	r->cpu.busy_cycles = 3;
	r->cpu.idle_cycles = 1;
	r->memory.own_bytes_peak = 1 << 20;
	r->memory.mempool_bytes = 2 << 20;
	strcpy(r->dirty.tracker, "pagemap");
	r->dirty.scans = 3;
	r->recovery.count = 2;
	r->recovery.held_pages = 4711;
	r->recovery.lost_ms = 12500;
	r->inject.any = true;
	r->inject.loss = 11;
	r->inject.reorder = 12;
	r->inject.duplicate = 13;
	r->inject.corrupt = 14;
	r->drops.rx_bad_checksum = 21;
	r->drops.tx_no_mbuf = 22;
	r->round_count = 2;
	r->round[0] = (struct migc_report_round){.pages = 800, .bytes = 3276800, .ms = 900};
	r->round[1] = (struct migc_report_round){.pages = 10, .bytes = 40960, .ms = 11};
}

static json_t *parse(const struct migc_report *r)
{
	json_error_t error;
	char *text = NULL;
	json_t *o;

	assert_int_equal(migc_report_json(r, &text), 0);
	o = json_loads(text, 0, &error);
	free(text);
	assert_non_null(o);
	return o;
}

/* The value at "a.b". */
static const json_t *at(const json_t *o, const char *path)
{
	char word[64];

	while (*path) {
		size_t length = strcspn(path, ".");

		memcpy(word, path, length);
		word[length] = '\0';
		o = json_object_get(o, word);
		if (!o)
			fail_msg("no '%s'", word);
		path += length + (path[length] == '.');
	}
	return o;
}

static void assert_number(const json_t *o, const char *path, json_int_t expected)
{
	assert_true(json_is_integer(at(o, path)));
	assert_int_equal(json_integer_value(at(o, path)), expected);
}

static void assert_real(const json_t *o, const char *path, double expected)
{
	double value = json_number_value(at(o, path));

	assert_true(value > expected - 0.0001 && value < expected + 0.0001);
}

static void json_has_every_word_of_the_contract(void **state)
{
	static struct migc_report r;
	json_t *o;

	(void)state;
	fill(&r);
	o = parse(&r);
	assert_string_equal(json_string_value(at(o, "status")), "completed");
	assert_string_equal(json_string_value(at(o, "role")), "source");
	assert_string_equal(json_string_value(at(o, "session-state")), "DONE");
	assert_number(o, "total-time", 12345);
	assert_number(o, "downtime", 67);
	assert_number(o, "setup-time", 8);
	assert_number(o, "ram.total", (json_int_t)4 << 30);
	assert_number(o, "ram.transferred", 1000);
	assert_number(o, "ram.duplicate", 500);
	assert_number(o, "ram.normal", 300);
	assert_number(o, "ram.normal-bytes", 300 * 4096);
	assert_real(o, "ram.mbps", 9412.77);
	assert_number(o, "ram.dirty-sync-count", 2);
	assert_real(o, "ram.dirty-pages-rate", 1234);
	assert_number(o, "ram.page-size", 4096);
	assert_string_equal(json_string_value(at(o, "compression.codec")), "deflate");
	assert_string_equal(json_string_value(at(o, "compression.device")),
			    "0000:6b:00.0_qat_comp");
	assert_string_equal(json_string_value(at(o, "compression.driver")), "compress_qat");
	assert_int_equal(json_integer_value(json_object_get(at(o, "compression.by-device"),
							    "0000:6b:00.0_qat_comp")),
			 16);
	assert_number(o, "compression.by-device.compress_isal0", 4);
	assert_number(o, "compression.pages", 290);
	assert_number(o, "compression.compressed-size", 409600);
	assert_real(o, "compression.compression-rate", 3.0);
	assert_number(o, "compression.raw-blocks", 1);
	assert_number(o, "compression.fallback-blocks", 4);
	assert_number(o, "compression.errors", 5);
	assert_number(o, "compression.by-codec.raw", 1);
	assert_number(o, "compression.by-codec.deflate", 20);
	assert_number(o, "xbzrle-cache.cache-size", 64 << 20);
	assert_number(o, "xbzrle-cache.bytes", 40960);
	assert_number(o, "xbzrle-cache.pages", 100);
	assert_number(o, "xbzrle-cache.blocks", 7);
	assert_number(o, "xbzrle-cache.unchanged", 31);
	assert_number(o, "xbzrle-cache.cache-miss", 50);
	assert_real(o, "xbzrle-cache.cache-miss-rate", 0.25);
	assert_real(o, "xbzrle-cache.encoding-rate", 10);
	assert_number(o, "xbzrle-cache.overflow", 19);
	assert_number(o, "network.wire-bytes", 500000);
	assert_number(o, "recoveries", 2);
	assert_number(o, "recovery.held-pages", 4711);
	assert_number(o, "recovery.lost-time", 12500);
	assert_number(o, "network.packets", 400);
	assert_number(o, "network.lost", 6);
	assert_number(o, "network.retransmitted", 7000);
	assert_real(o, "network.rtt-us", 55);
	assert_number(o, "network.cwnd", 66000);
	assert_real(o, "cpu.user-s", 1.5);
	assert_real(o, "cpu.system-s", 0.25);
	assert_real(o, "cpu.busy-cycles-share", 0.75);
	assert_number(o, "memory.own-bytes", 1 << 20);
	assert_number(o, "memory.mempool-bytes", 2 << 20);
	assert_string_equal(json_string_value(at(o, "dirty.tracker")), "pagemap");
	assert_number(o, "dirty.scans", 3);
	assert_number(o, "inject.dropped", 11);
	assert_number(o, "inject.reordered", 12);
	assert_number(o, "inject.duplicated", 13);
	assert_number(o, "inject.corrupted", 14);
	assert_number(o, "drops.rx-bad-checksum", 21);
	assert_number(o, "drops.tx-no-mbuf", 22);
	assert_int_equal(json_array_size(at(o, "rounds")), 2);
	assert_number(json_array_get(at(o, "rounds"), 1), "pages", 10);
	assert_number(json_array_get(at(o, "rounds"), 0), "bytes", 3276800);
	assert_number(json_array_get(at(o, "rounds"), 0), "ms", 900);
	assert_true(json_is_null(at(o, "error")));
	assert_null(json_object_get(o, "expected-downtime"));
	json_decref(o);
}

static void an_error_and_an_expected_downtime_are_told_when_there_are_any(void **state)
{
	static struct migc_report r;
	json_t *o;

	(void)state;
	fill(&r);
	r.source = false;
	r.has_expected_downtime = true;
	r.expected_downtime_ms = 99;
	r.error.code = -EIO;
	strcpy(r.error.text, "the \"link\" is down");
	o = parse(&r);
	assert_string_equal(json_string_value(at(o, "role")), "destination");
	assert_number(o, "expected-downtime", 99);
	assert_string_equal(json_string_value(at(o, "error")), "the \"link\" is down");
	json_decref(o);
}

static void nothing_done_yet_divides_by_no_zero(void **state)
{
	static struct migc_report r;
	json_t *o;

	(void)state;
	memset(&r, 0, sizeof(r));
	o = parse(&r);
	assert_real(o, "compression.compression-rate", 0);
	assert_real(o, "xbzrle-cache.cache-miss-rate", 0);
	assert_real(o, "xbzrle-cache.encoding-rate", 0);
	assert_real(o, "cpu.busy-cycles-share", 0);
	assert_int_equal(json_array_size(at(o, "rounds")), 0);
	json_decref(o);
}

static void a_text_that_is_not_utf8_does_not_cost_the_report(void **state)
{
	static struct migc_report r;
	json_t *o;

	(void)state;
	fill(&r);
	r.error.code = -ENOENT;
	strcpy(r.error.text, "no file \xff\xfe.img");
	o = parse(&r);
	assert_string_equal(json_string_value(at(o, "error")), "no file ??.img");
	json_decref(o);
}

static void write_puts_the_json_into_the_file(void **state)
{
	static struct migc_report r;
	struct migc_error err = {0};
	char path[] = "/tmp/report_test.XXXXXX";
	json_error_t json_error;
	json_t *o;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	fill(&r);
	/* A longer file of before must not show through. */
	assert_int_equal(ftruncate(fd, 100000), 0);
	close(fd);
	assert_int_equal(migc_report_write(&r, path, &err), 0);
	o = json_load_file(path, 0, &json_error);
	unlink(path);
	assert_non_null(o);
	assert_number(o, "total-time", 12345);
	json_decref(o);
}

static void several_guests_are_told_each_by_its_name(void **state)
{
	static struct migc_report r[2];
	const char *const guests[] = {"/run/a.qmp", "/run/b.qmp"};
	json_error_t json_error;
	char *text = NULL;
	json_t *o;

	(void)state;
	fill(&r[0]);
	fill(&r[1]);
	r[1].total_time_ms = 99;
	assert_int_equal(migc_report_guests_json(r, guests, 2, &text), 0);
	o = json_loads(text, 0, &json_error);
	free(text);
	assert_non_null(o);
	assert_int_equal(json_array_size(json_object_get(o, "guests")), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *one = json_array_get(json_object_get(o, "guests"), i);

		assert_string_equal(json_string_value(json_object_get(one, "guest")), guests[i]);
		assert_number(one, "total-time", i ? 99 : 12345);
	}
	json_decref(o);
}

static void a_full_disk_and_a_missing_directory_are_errors_with_the_path(void **state)
{
	static struct migc_report r;
	struct migc_error full = {0}, missing = {0};

	(void)state;
	fill(&r);
	assert_int_equal(migc_report_write(&r, "/dev/full", &full), -ENOSPC);
	assert_int_equal(full.code, -ENOSPC);
	assert_non_null(strstr(full.text, "/dev/full"));
	assert_int_equal(migc_report_write(&r, "/nonexistent/report.json", &missing), -ENOENT);
	assert_non_null(strstr(missing.text, "/nonexistent/report.json"));
}

static void of_a_file_that_finds_no_room_nothing_is_left(void **state)
{
	static struct migc_report r;
	char path[] = "/tmp/migc-report-XXXXXX";
	struct rlimit before, small;
	struct migc_error err = {0};
	int rc, fd = mkstemp(path);

	(void)state;
	fill(&r);
	assert_true(fd >= 0);
	close(fd);
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	small = (struct rlimit){100, before.rlim_max};
	setrlimit(RLIMIT_FSIZE, &small);
	rc = migc_report_write(&r, path, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(rc, -EFBIG);
	assert_int_not_equal(access(path, F_OK), 0);
}

static void a_full_disk_behind_standard_output_is_an_error(void **state)
{
	static struct migc_report r;
	struct migc_error err = {0};
	int saved, full, rc;

	(void)state;
	fill(&r);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	full = open("/dev/full", O_WRONLY);
	assert_true(saved >= 0 && full >= 0);
	dup2(full, STDOUT_FILENO);
	rc = migc_report_write(&r, "-", &err);
	__fpurge(stdout);
	clearerr(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(full);
	assert_int_equal(rc, -ENOSPC);
	assert_non_null(strstr(err.text, "standard output"));
}

static void the_table_tells_what_happened(void **state)
{
	static struct migc_report r;
	char table[8192];
	int length;

	(void)state;
	fill(&r);
	r.verified = true;
	length = migc_report_table(&r, table, sizeof(table));
	assert_int_equal(length, strlen(table));
	assert_non_null(strstr(table, "migration completed (source)"));
	assert_non_null(strstr(table, "downtime 67 ms"));
	assert_non_null(strstr(table, "4.00 GiB"));
	assert_non_null(strstr(table, "by 0000:6b:00.0_qat_comp (compress_qat)"));
	assert_non_null(strstr(table, "blocks by device: 0000:6b:00.0_qat_comp 16, "
				      "compress_isal0 4\n"));
	assert_non_null(strstr(table, "(3.00 : 1)"));
	assert_non_null(strstr(table, "9412.77 Mbit/s"));
	assert_non_null(strstr(table, "2 times, 12500 ms without a connection; 4711 pages"));
	assert_non_null(strstr(table,
			       "deltas       100 pages in 40.00 KiB, 31 unchanged, 19 changed "
			       "too much, 50 not in 64.00 MiB\n"));
	assert_non_null(strstr(table, "verified"));
	assert_non_null(strstr(table, "21 bad checksum; 22 no mbuf\n"));
	assert_null(strstr(table, "fragments"));
	assert_null(strstr(table, "error        "));
	assert_int_equal(table[length - 1], '\n');
	r.error.code = -EIO;
	strcpy(r.error.text, "the link is down");
	migc_report_table(&r, table, sizeof(table));
	assert_non_null(strstr(table, "the link is down"));
}

static void the_largest_table_fits_9_kib(void **state)
{
	static struct migc_report r;
	char table[9216];

	(void)state;
	/* All counters at their largest, all texts full. */
	memset(&r, 0xff, sizeof(r));
	r.source = r.has_expected_downtime = r.inject.any = r.verified = true;
	memset(r.status, 'x', sizeof(r.status) - 1);
	r.status[sizeof(r.status) - 1] = '\0';
	memcpy(r.compression.codec, "deflate", 8);
	r.compression.devices = MIGC_REPORT_DEVICES_MAX;
	for (unsigned int i = 0; i < MIGC_REPORT_DEVICES_MAX; i++) {
		r.compression.device[i].name[63] = '\0';
		r.compression.device[i].driver[63] = '\0';
	}
	r.network.ethdev[63] = '\0';
	r.network.driver[63] = '\0';
	strcpy(r.dirty.tracker, "pagemap");
	memset(r.error.text, 'x', sizeof(r.error.text) - 1);
	r.error.text[sizeof(r.error.text) - 1] = '\0';
	assert_in_range(migc_report_table(&r, table, sizeof(table)), 1, sizeof(table) - 1);
}

static void a_short_buffer_is_filled_and_not_overrun(void **state)
{
	static struct migc_report r;
	char whole[8192], part[64], none[1] = {'x'};
	int length;

	(void)state;
	fill(&r);
	length = migc_report_table(&r, whole, sizeof(whole));
	for (size_t room = 1; room < sizeof(part); room++) {
		memset(part, 'z', sizeof(part));
		assert_int_equal(migc_report_table(&r, part, room), length);
		assert_int_equal(strlen(part), room - 1);
		assert_memory_equal(part, whole, room - 1);
		assert_int_equal(part[room], 'z');
	}
	assert_int_equal(migc_report_table(&r, none, 0), length);
	assert_int_equal(none[0], 'x');
}

static void the_line_is_one_line_for_either_role(void **state)
{
	static struct migc_report r;
	char line[512];
	int length;

	(void)state;
	fill(&r);
	strcpy(r.state, "ROUND");
	r.ram.remaining_bytes = 3 << 20;
	r.has_expected_downtime = true;
	r.expected_downtime_ms = 250;
	length = migc_report_line(&r, line, sizeof(line));
	assert_int_equal(length, strlen(line));
	assert_null(strchr(line, '\n'));
	assert_non_null(strstr(line, "ROUND: 2 rounds done"));
	assert_non_null(strstr(line, "3.00 MiB left"));
	assert_non_null(strstr(line, "9413 Mbit/s"));
	assert_non_null(strstr(line, "250 ms"));
	r.source = false;
	migc_report_line(&r, line, sizeof(line));
	assert_null(strstr(line, "left"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_every_word_of_the_contract),
		cmocka_unit_test(an_error_and_an_expected_downtime_are_told_when_there_are_any),
		cmocka_unit_test(nothing_done_yet_divides_by_no_zero),
		cmocka_unit_test(a_text_that_is_not_utf8_does_not_cost_the_report),
		cmocka_unit_test(write_puts_the_json_into_the_file),
		cmocka_unit_test(several_guests_are_told_each_by_its_name),
		cmocka_unit_test(a_full_disk_and_a_missing_directory_are_errors_with_the_path),
		cmocka_unit_test(of_a_file_that_finds_no_room_nothing_is_left),
		cmocka_unit_test(a_full_disk_behind_standard_output_is_an_error),
		cmocka_unit_test(the_table_tells_what_happened),
		cmocka_unit_test(the_largest_table_fits_9_kib),
		cmocka_unit_test(a_short_buffer_is_filled_and_not_overrun),
		cmocka_unit_test(the_line_is_one_line_for_either_role),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
