/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine.h"
#include "send_path.h"

/** @file The report of an engine whose workers are dropped and made anew; all else is none. */

#define WORKERS 2u
#define DEVICES 3u

static const struct migc_engine_config config = {.source = true};
static struct worker workers[WORKERS];
static struct migc_report report;
static struct engine e;

/* ---- workers and devices are the test's own ---- */

void worker_read_counters(const struct worker *w, struct worker_counters *out)
{
	*out = w->counters;
}

unsigned int migc_codec_devices_count(const struct migc_codec_devices *devices)
{
	(void)devices;
	return DEVICES;
}

const char *migc_codec_device_name(const struct migc_codec_devices *devices, unsigned int i)
{
	static const char *const names[DEVICES] = {"a", "b", "c"};

	(void)devices;
	return names[i];
}

const char *migc_codec_device_driver(const struct migc_codec_devices *devices, unsigned int i)
{
	(void)devices;
	(void)i;
	return "driver";
}

/** Worker 0 has its first lane at device 1, worker 1 at device 2. */
int migc_codec_lane_device(const struct migc_codec_devices *devices, unsigned int worker,
			   unsigned int lane)
{
	(void)devices;
	return lane == 0 ? (int)worker + 1 : -1;
}

uint64_t migc_codec_memory_bytes(const struct migc_codec_devices *devices)
{
	(void)devices;
	return 0;
}

const char *migc_codec_text(enum migc_codec_id id)
{
	(void)id;
	return "raw";
}

/* ---- what there is not ---- */

uint64_t send_path_delta_pages(const struct send_path *path)
{
	(void)path;
	return 0;
}

void lane_read_counters(const struct lane *l, struct lane_counters *out)
{
	(void)l;
	memset(out, 0, sizeof(*out));
}

uint64_t migc_port_missed(const struct migc_port *port)
{
	(void)port;
	return 0;
}

uint64_t migc_guestmem_total_bytes(const struct migc_guestmem *gm)
{
	(void)gm;
	return 0;
}

const char *migc_dirty_name(const struct migc_dirty *d)
{
	(void)d;
	return "none";
}

void migc_dirty_stats(const struct migc_dirty *d, struct migc_dirty_stats *out)
{
	(void)d;
	memset(out, 0, sizeof(*out));
}

void migc_qemu_throttle_stats(const struct migc_qemu *q, struct migc_qemu_throttle *out)
{
	(void)q;
	memset(out, 0, sizeof(*out));
}

/* ---- rounds: two, one before the session was lost and one after ---- */

static struct rounds_record records[2];
static unsigned int record_count;

static void close_round(void)
{
	records[record_count++] = (struct rounds_record){.wire_bytes = engine_wire_bytes(&e)};
}

unsigned int rounds_records(const struct rounds *r, const struct rounds_record **out)
{
	(void)r;
	*out = records;
	return record_count;
}

unsigned int rounds_closed(const struct rounds *r)
{
	(void)r;
	return record_count;
}

uint64_t rounds_left(const struct rounds *r)
{
	(void)r;
	return 0;
}

uint64_t rounds_pages(const struct rounds *r)
{
	(void)r;
	return 0;
}

uint64_t rounds_dirty_rate(const struct rounds *r)
{
	(void)r;
	return 0;
}

/* ---- tests ---- */

static int set_up(void **state)
{
	(void)state;
	memset(&e, 0, sizeof(e));
	memset(workers, 0, sizeof(workers));
	record_count = 0;
	e.config = &config;
	e.report = &report;
	e.workers = workers;
	e.worker_count = e.connections = WORKERS;
	for (unsigned int i = 0; i < WORKERS; i++)
		workers[i].number = i;
	/* only whether there are any matters */
	e.devices = (struct migc_codec_devices *)&e;
	e.rounds = (struct rounds *)&e;
	return 0;
}

static void count(uint64_t wire_bytes, uint64_t device_blocks)
{
	for (unsigned int i = 0; i < WORKERS; i++) {
		workers[i].counters.wire_bytes += wire_bytes;
		workers[i].counters.codec.lane_blocks[0] += device_blocks * (i + 1);
	}
}

static void lose_workers(void)
{
	engine_keep_counters(&e);
	for (unsigned int i = 0; i < WORKERS; i++)
		memset(&workers[i].counters, 0, sizeof(workers[i].counters));
}

static void rounds_after_a_lost_session_have_their_own_bytes(void **state)
{
	(void)state;
	count(500, 0);
	close_round();
	count(30, 0);
	lose_workers();
	count(7, 0);
	close_round();
	engine_fill_report(&e, "ROUND");
	assert_int_equal(report.round_count, 2);
	assert_int_equal(report.round[0].wire_bytes, WORKERS * 500);
	assert_int_equal(report.round[1].wire_bytes, WORKERS * (30 + 7));
	assert_int_equal(report.network.wire_bytes, WORKERS * (500 + 30 + 7));
}

static void blocks_of_a_device_stay_when_the_workers_go(void **state)
{
	(void)state;
	count(0, 10);
	lose_workers();
	count(0, 1);
	engine_fill_report(&e, "ROUND");
	assert_int_equal(report.compression.devices, DEVICES);
	assert_string_equal(report.compression.device[2].name, "c");
	assert_int_equal(report.compression.device[0].blocks, 0);
	assert_int_equal(report.compression.device[1].blocks, 11);
	assert_int_equal(report.compression.device[2].blocks, 22);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rounds_after_a_lost_session_have_their_own_bytes, set_up),
		cmocka_unit_test_setup(blocks_of_a_device_stay_when_the_workers_go, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
