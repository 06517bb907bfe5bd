/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <rte_eal.h>

#include "receive_path.h"

/**
 * @file
 * Blocks of deltas at the destination, over 64 pages of plain memory. The codec is the test's: a
 * payload of one byte says how often it stands in the "decompressed" pages, each place being
 * (page's index in the block * 8 + 1); 0 does not decompress.
 */

#define PAGES 64u
#define JOBS_MAX 128u

static struct {
	struct migc_codec_job *job[JOBS_MAX];
	unsigned int jobs, polls;
	uint64_t consumed;
	char failure[128];
} seen;

static uint8_t *memory;
static uint8_t presence[PAGES];
static struct migc_region region;
static struct receive_shared shared;
static struct worker worker;
static struct receive_path *path;

/* ---- what is below ---- */

unsigned int migc_codec_room(const struct migc_codec *codec)
{
	(void)codec;
	return JOBS_MAX - seen.jobs;
}

unsigned int migc_codec_in_flight(const struct migc_codec *codec)
{
	(void)codec;
	return seen.jobs;
}

int migc_codec_submit(struct migc_codec *codec, struct migc_codec_job *job)
{
	(void)codec;
	seen.job[seen.jobs++] = job;
	return 0;
}

/** The oldest job, to the end or, when it fails, halfway. */
unsigned int migc_codec_poll(struct migc_codec *codec, struct migc_codec_job **done,
			     unsigned int max)
{
	struct migc_codec_job *job = seen.job[0];
	uint8_t byte;

	(void)codec;
	seen.polls++;
	if (seen.jobs == 0 || max == 0)
		return 0;
	byte = job->packed[0];
	job->status = byte ? 0 : -EBADMSG;
	for (unsigned int i = 0; i < job->pages; i++) {
		memset(job->page[i], byte ? 0 : 0xee, MIGC_PAGE_BYTES);
		job->page[i][i * 8 + 1] = byte;
	}
	free(job->packed);
	memmove(seen.job, seen.job + 1, --seen.jobs * sizeof(seen.job[0]));
	done[0] = job;
	return 1;
}

uint8_t *migc_codec_buffer(struct migc_codec *codec)
{
	(void)codec;
	return malloc(MIGC_CODEC_BUFFER_BYTES);
}

void migc_codec_stats(const struct migc_codec *codec, struct migc_codec_stats *out)
{
	(void)codec;
	(void)out;
}

void migc_transport_consumed(struct migc_transport *transport, unsigned int stream, size_t bytes)
{
	(void)transport;
	(void)stream;
	seen.consumed += bytes;
}

void worker_fail(struct worker *w, int code, const char *text)
{
	(void)w;
	(void)code;
	snprintf(seen.failure, sizeof(seen.failure), "%s", text);
}

/* ---- the source ---- */

/** Send one block. @return what receive_path_data() says. */
static int give(bool delta, uint32_t page, uint16_t count, uint8_t payload)
{
	struct migc_block_header header = {.type = MIGC_BLOCK_PAGES, .codec = MIGC_CODEC_LZ4};
	uint8_t bytes[MIGC_BLOCK_HEADER_BYTES_MAX + 1];
	int length;

	header.delta = delta;
	header.round = 2;
	header.payload_bytes = 1;
	header.pages.count = count;
	for (unsigned int i = 0; i < count; i++)
		header.pages.page[i] = page + i;
	length = migc_block_header_encode(&header, bytes, sizeof(bytes));
	assert_true(length > 0);
	bytes[length] = payload;
	return receive_path_data(path, 0, bytes, (size_t)length + 1);
}

static void finish(void)
{
	while (receive_path_turn(path))
		;
}

static int set_up(void **state)
{
	struct receive_path_config config = {&worker, &shared, (struct migc_codec *)&seen,
					     SOCKET_ID_ANY};
	struct migc_error err = {0};

	(void)state;
	memset(&seen, 0, sizeof(seen));
	memset(&worker, 0, sizeof(worker));
	memset(presence, PAGE_WRITTEN, sizeof(presence));
	memory = aligned_alloc(MIGC_PAGE_BYTES, PAGES * MIGC_PAGE_BYTES);
	assert_non_null(memory);
	memset(memory, 0x50, PAGES * MIGC_PAGE_BYTES);
	region = (struct migc_region){.addr = memory, .pages = PAGES};
	shared = (struct receive_shared){.regions = 1, .block_pages = 16, .deflate_pages = 16};
	shared.region[0] = &region;
	shared.region_pages[0] = PAGES;
	shared.presence[0] = presence;
	shared.codecs = 1u << MIGC_CODEC_RAW | 1u << MIGC_CODEC_LZ4 | MIGC_CODECS_DELTA;
	shared.round = 2;
	assert_int_equal(receive_path_create(&config, &path, &err), 0);
	receive_path_admit(path);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	receive_path_free(path);
	free(memory);
	return 0;
}

/** Nothing but these pages, from `page` on, is other than 0x50. */
static void expect(uint32_t page, unsigned int count, uint8_t byte)
{
	for (size_t i = 0; i < PAGES * (size_t)MIGC_PAGE_BYTES; i++) {
		size_t at = i / MIGC_PAGE_BYTES - page;
		bool hit = i / MIGC_PAGE_BYTES >= page && at < count &&
			   i % MIGC_PAGE_BYTES == at * 8 + 1;

		assert_int_equal(memory[i], hit ? byte : 0x50);
	}
}

static void a_delta_is_xored_onto_its_pages(void **state)
{
	(void)state;
	assert_int_equal(give(true, 5, 3, 0x0f), 0);
	/* not before all of it is there */
	expect(0, 0, 0);
	assert_int_equal(receive_path_applied(path), 0);
	finish();
	expect(5, 3, 0x5f);
	assert_int_equal(receive_path_applied(path), 1);
	assert_int_equal(worker.counters.delta_blocks, 1);
	assert_int_equal(worker.counters.delta_pages, 3);
	assert_int_equal(worker.counters.delta_bytes, 1);
	assert_int_equal(worker.counters.data_pages, 3);
	assert_string_equal(seen.failure, "");
}

static void a_block_without_the_flag_replaces_its_pages(void **state)
{
	(void)state;
	assert_int_equal(give(false, 5, 1, 0x0f), 0);
	finish();
	assert_int_equal(memory[5 * MIGC_PAGE_BYTES], 0);
	assert_int_equal(memory[5 * MIGC_PAGE_BYTES + 1], 0x0f);
	assert_int_equal(worker.counters.delta_blocks, 0);
}

static void a_delta_that_does_not_decompress_leaves_its_pages_and_is_reported(void **state)
{
	struct migc_msg_block_failed failed;

	(void)state;
	assert_int_equal(give(true, 7, 2, 0), 0);
	finish();
	expect(0, 0, 0);
	assert_int_equal(receive_path_applied(path), 1);
	assert_true(receive_path_failed(path, &failed));
	assert_int_equal(failed.pages.count, 2);
	assert_int_equal(failed.pages.page[0], 7);
	assert_int_equal(worker.counters.delta_blocks, 0);
	assert_int_equal(worker.counters.blocks_failed, 1);
}

static void deltas_that_were_not_agreed_on_are_refused(void **state)
{
	(void)state;
	shared.codecs &= ~MIGC_CODECS_DELTA;
	assert_int_equal(give(true, 5, 1, 0x0f), -EBADMSG);
	assert_string_equal(seen.failure, "the peer sent a delta, which was not agreed on");
	assert_int_equal(seen.jobs, 0);
	expect(0, 0, 0);
}

static void deltas_to_pages_that_are_not_there_are_refused(void **state)
{
	(void)state;
	assert_int_equal(give(true, PAGES - 1, 2, 0x0f), -EBADMSG);
	assert_int_equal(seen.jobs, 0);
	expect(0, 0, 0);
}

/** There is memory for a few only: the codec is waited for. */
static void any_number_of_deltas_comes_in_one_go(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3 * PAGES; i++)
		assert_int_equal(give(true, i % PAGES, 1, i < PAGES ? 0x10 : 0x01), 0);
	finish();
	assert_int_equal(receive_path_applied(path), 3 * PAGES);
	for (uint32_t page = 0; page < PAGES; page++)
		assert_int_equal(memory[page * MIGC_PAGE_BYTES + 1], 0x50 ^ 0x10);
	/* failures give their memory back, too */
	for (unsigned int i = 0; i < 60; i++)
		assert_int_equal(give(true, i, 1, 0), 0);
	finish();
	assert_int_equal(give(true, 1, 1, 0x10), 0);
	finish();
	assert_int_equal(memory[MIGC_PAGE_BYTES + 1], 0x50);
	assert_string_equal(seen.failure, "");
}

int main(void)
{
	static char program[] = "receive_path_test", huge[] = "--no-huge", m[] = "-m",
		    megabytes[] = "64", pci[] = "--no-pci", l[] = "-l", lcores[] = "0",
		    telemetry[] = "--no-telemetry", level[] = "--log-level=error",
		    shared_conf[] = "--no-shconf";
	char *arguments[] = {program, huge,   m,         megabytes, pci,
			     l,       lcores, telemetry, level,     shared_conf};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_delta_is_xored_onto_its_pages, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_block_without_the_flag_replaces_its_pages, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			a_delta_that_does_not_decompress_leaves_its_pages_and_is_reported, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(deltas_that_were_not_agreed_on_are_refused, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(deltas_to_pages_that_are_not_there_are_refused,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(any_number_of_deltas_comes_in_one_go, set_up,
						tear_down),
	};

	if (rte_eal_init((int)(sizeof(arguments) / sizeof(arguments[0])), arguments) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
