/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <zlib.h>

#include "migc_codec.h"
#include "migc_random.h"

/** @file A compressed block may be one buffer or a chain, whatever the device takes. */

#define STREAM_BYTES 65535u

static uint8_t *memory;
static struct migc_codec_devices *devices;
static struct migc_codec *codec;
static uint8_t source[MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES];
static uint8_t stream[2 * sizeof(source)];

/** Pages with a page that cannot be touched on both sides. */
static uint8_t *page_at(unsigned int i)
{
	return memory + (2 * (size_t)i + 1) * MIGC_PAGE_BYTES;
}

static int open_engine(const char *driver)
{
	struct migc_codec_devices_config config = {
		.codecs = 1u << MIGC_CODEC_DEFLATE,
		.request = {.block_pages = MIGC_BLOCK_PAGES_MAX},
		.workers = 1,
		.compressdev = driver,
		.no_fallback = true,
	};
	struct migc_error err = {0};
	int rc = migc_codec_devices_open(&config, &devices, &err);

	if (rc == 0)
		rc = migc_codec_create(devices, 0, true, -1, &codec, &err);
	if (rc != 0)
		print_error("%s\n", err.text);
	return rc;
}

static int isal(void **state)
{
	(void)state;
	return open_engine("compress_isal");
}

static int zlib(void **state)
{
	(void)state;
	return open_engine("compress_zlib");
}

static int done_with_engine(void **state)
{
	(void)state;
	migc_codec_free(codec);
	migc_codec_devices_close(devices);
	return 0;
}

/** A block in segments of at most `piece` bytes. */
static struct rte_mbuf *block(const uint8_t *data, uint32_t bytes, uint32_t piece)
{
	struct rte_mbuf *head = NULL;

	for (uint32_t at = 0; at < bytes; at += piece) {
		uint32_t length = bytes - at < piece ? bytes - at : piece;
		struct rte_mbuf *m = migc_codec_buffer(codec);

		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)length), data + at, length);
		if (head == NULL)
			head = m;
		else
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
	}
	return head;
}

static int decompress(unsigned int pages, const uint8_t *data, uint32_t bytes, uint32_t piece)
{
	struct migc_codec_job job = {.codec = MIGC_CODEC_DEFLATE, .pages = (uint16_t)pages}, *done;

	for (unsigned int i = 0; i < pages; i++)
		job.page[i] = page_at(i);
	job.data = block(data, bytes, piece);
	job.data_bytes = bytes;
	assert_int_equal(migc_codec_submit(codec, &job), 0);
	while (migc_codec_poll(codec, &done, 1) == 0)
		;
	assert_ptr_equal(done, &job);
	return job.status;
}

static bool pages_are_source(unsigned int pages)
{
	for (unsigned int i = 0; i < pages; i++) {
		if (memcmp(page_at(i), source + (size_t)i * MIGC_PAGE_BYTES, MIGC_PAGE_BYTES) != 0)
			return false;
	}
	return true;
}

/* ---- streams ---- */

/** Fill `source` by seed, compress it by zlib. @return bytes of the stream. */
static uint32_t make_stream(unsigned int pages, uint64_t seed)
{
	uint32_t bytes = pages * MIGC_PAGE_BYTES;
	struct migc_random random;
	z_stream z = {0};

	migc_random_seed(&random, seed);
	for (uint32_t i = 0; i < bytes; i++)
		source[i] = (uint8_t)(migc_random_next(&random) % (1u + (i >> 10) % 60));
	z.next_in = source;
	z.avail_in = bytes;
	z.next_out = stream;
	z.avail_out = sizeof(stream);
	if (deflateInit2(&z, 6, Z_DEFLATED, -15, 8, seed & 1 ? Z_FIXED : Z_DEFAULT_STRATEGY) !=
		    Z_OK ||
	    deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	deflateEnd(&z);
	return z.total_out < STREAM_BYTES ? (uint32_t)z.total_out : STREAM_BYTES;
}

/* ---- tests ---- */

static void a_block_may_come_in_a_chain(void **state)
{
	static const uint32_t pieces[] = {STREAM_BYTES, 20000, 4096, 1399};

	(void)state;
	for (unsigned int i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		uint32_t bytes = make_stream(15, 4);

		/* more often than there are buffers: none of a chain is lost */
		for (unsigned int k = 0; k < 20; k++) {
			for (unsigned int n = 0; n < 15; n++)
				memset(page_at(n), 0xee, MIGC_PAGE_BYTES);
			assert_int_equal(decompress(15, stream, bytes, pieces[i]), 0);
			assert_true(pages_are_source(15));
		}
	}
}

#define ISAL(name) cmocka_unit_test_setup_teardown(name, isal, done_with_engine)
#define ZLIB(name) cmocka_unit_test_setup_teardown(name, zlib, done_with_engine)

int main(void)
{
	int failed;
	const char *arguments[] = {"chained_block_test",
				   "--no-huge",
				   "-m",
				   "128",
				   "--no-pci",
				   "--iova-mode=va",
				   "--no-telemetry",
				   "--no-shconf",
				   "--log-level=3",
				   "-l",
				   "0"};
	char *argv[sizeof(arguments) / sizeof(arguments[0])];
	char *copies[sizeof(argv) / sizeof(argv[0])];
	const int argc = (int)(sizeof(argv) / sizeof(argv[0]));
	const struct CMUnitTest tests[] = {
		ISAL(a_block_may_come_in_a_chain),
		ZLIB(a_block_may_come_in_a_chain),
	};
	const size_t bytes = (2 * MIGC_BLOCK_PAGES_MAX + 1) * (size_t)MIGC_PAGE_BYTES;

	for (int i = 0; i < argc; i++)
		argv[i] = copies[i] = strdup(arguments[i]);
	if (rte_eal_init(argc, argv) < 0)
		return 1;
	memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	for (unsigned int i = 0; i < MIGC_BLOCK_PAGES_MAX; i++) {
		if (mprotect(page_at(i), MIGC_PAGE_BYTES, PROT_READ | PROT_WRITE) != 0)
			return 1;
	}
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	/* EAL has put argv into its own order */
	for (int i = 0; i < argc; i++)
		free(copies[i]);
	return failed;
}
