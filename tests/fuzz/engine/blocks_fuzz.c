/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes of block streams, as a worker of the destination gets them, over two small regions between
 * which nobody may write. Records: a byte for the stream (low 4 bits) and for what comes: 0x10: the
 * codec works; 0x20: as many zero bytes as the next two bytes say; else as many bytes of the input
 * as the next byte says. Codec and transport are the fuzzer's: a payload whose first byte is odd
 * does not decompress.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_eal.h>

#include "migc_cursor.h"
#include "receive_path.h"

#define REGIONS 2u
#define PAGES 48u
#define REGION_BYTES ((size_t)PAGES * MIGC_PAGE_BYTES)
#define JOBS_MAX 6u
/** As many as streams and jobs can hold: no configuration has fewer. */
#define BUFFERS (JOBS_MAX + MIGC_TRANSPORT_BLOCK_STREAMS)
#define ROUND 1u

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *memory[REGIONS];
static uint8_t presence[REGIONS][PAGES];
static struct migc_region region[REGIONS];
static struct receive_shared shared;
static struct worker worker;
static uint8_t *buffer[BUFFERS];

/** The codec. */
static struct {
	struct migc_codec_job *job[JOBS_MAX];
	unsigned int jobs;
	uint8_t *free[BUFFERS];
	unsigned int buffers;
	bool failed;
	uint64_t consumed;
} below;

static void require(bool condition)
{
	if (!condition)
		abort();
}

unsigned int migc_codec_room(const struct migc_codec *codec)
{
	(void)codec;
	return JOBS_MAX - below.jobs;
}

unsigned int migc_codec_in_flight(const struct migc_codec *codec)
{
	(void)codec;
	return below.jobs;
}

int migc_codec_submit(struct migc_codec *codec, struct migc_codec_job *job)
{
	(void)codec;
	require(below.jobs < JOBS_MAX && job->pages >= 1 && job->pages <= MIGC_BLOCK_PAGES_MAX);
	require(job->data_bytes >= 1 && job->data_bytes < job->pages * MIGC_PAGE_BYTES);
	below.job[below.jobs++] = job;
	return 0;
}

unsigned int migc_codec_poll(struct migc_codec *codec, struct migc_codec_job **done,
			     unsigned int max)
{
	struct migc_codec_job *job = below.job[0];

	(void)codec;
	if (below.jobs == 0 || max == 0)
		return 0;
	job->status = job->packed[0] & 1 ? -EBADMSG : 0;
	for (unsigned int i = 0; i < job->pages; i++)
		memset(job->page[i], job->packed[0], MIGC_PAGE_BYTES);
	below.free[below.buffers++] = job->packed;
	memmove(below.job, below.job + 1, --below.jobs * sizeof(below.job[0]));
	done[0] = job;
	return 1;
}

uint8_t *migc_codec_buffer(struct migc_codec *codec)
{
	(void)codec;
	return below.buffers ? below.free[--below.buffers] : NULL;
}

void migc_codec_stats(const struct migc_codec *codec, struct migc_codec_stats *out)
{
	(void)codec;
	(void)out;
}

void migc_transport_consumed(struct migc_transport *transport, unsigned int stream, size_t bytes)
{
	(void)transport;
	require(stream < MIGC_TRANSPORT_BLOCK_STREAMS);
	below.consumed += bytes;
}

void worker_fail(struct worker *w, int code, const char *text)
{
	(void)w;
	require(code < 0 && text[0]);
	below.failed = true;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char words[][20] = {"blocks_fuzz",
				   "--no-huge",
				   "-m",
				   "64",
				   "--no-shconf",
				   "--no-pci",
				   "--no-telemetry",
				   "--log-level=3",
				   "--iova-mode=va"};
	char *word[sizeof(words) / sizeof(words[0])];

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		word[i] = words[i];
	require(rte_eal_init((int)(sizeof(words) / sizeof(words[0])), word) >= 0);
	for (unsigned int i = 0; i < REGIONS; i++) {
		uint8_t *at = mmap(NULL, REGION_BYTES + 2 * MIGC_PAGE_BYTES, PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		require(at != MAP_FAILED);
		memory[i] = at + MIGC_PAGE_BYTES;
		require(!mprotect(memory[i], REGION_BYTES, PROT_READ | PROT_WRITE));
		region[i] = (struct migc_region){.addr = memory[i], .pages = PAGES};
		shared.region[i] = &region[i];
		shared.region_pages[i] = PAGES;
		shared.presence[i] = presence[i];
	}
	for (unsigned int i = 0; i < BUFFERS; i++) {
		buffer[i] = malloc(MIGC_CODEC_BUFFER_BYTES);
		require(buffer[i] != NULL);
	}
	shared.regions = REGIONS;
	shared.block_pages = 16;
	shared.deflate_pages = 12;
	shared.codecs = 1u << MIGC_CODEC_RAW | 1u << MIGC_CODEC_DEFLATE | 1u << MIGC_CODEC_LZ4 |
			MIGC_CODECS_DELTA;
	shared.round = ROUND;
	return 0;
}

/** @return what receive_path_data() says: after a failure the connection is over. */
static int step(struct receive_path *path, struct migc_reader *r)
{
	static const uint8_t zeros[UINT16_MAX];
	uint8_t what = migc_read_u8(r);
	size_t length;
	uint8_t *copy;
	int rc;

	if (what & 0x10) {
		(void)receive_path_turn(path);
		return 0;
	}
	length = what & 0x20 ? migc_read_u16(r) : migc_read_u8(r);
	if (what & 0x20)
		return receive_path_data(path, what & 0xf, zeros, length);
	if (length > migc_reader_left(r))
		length = migc_reader_left(r);
	copy = malloc(length ? length : 1);
	require(copy != NULL);
	if (length)
		memcpy(copy, migc_read_bytes(r, length), length);
	rc = receive_path_data(path, what & 0xf, copy, length);
	free(copy);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct receive_path_config config = {&worker, &shared, (struct migc_codec *)&below,
					     SOCKET_ID_ANY};
	struct migc_msg_block_failed failed;
	struct receive_path *path;
	struct migc_error err = {0};
	struct migc_reader r;
	int rc = 0;

	memset(&below, 0, sizeof(below));
	memcpy(below.free, buffer, sizeof(buffer));
	below.buffers = BUFFERS;
	memset(&worker, 0, sizeof(worker));
	memset(presence, PAGE_ABSENT, sizeof(presence));
	require(receive_path_create(&config, &path, &err) == 0);
	receive_path_admit(path);
	migc_reader_init(&r, data, size);
	while (rc == 0 && migc_reader_left(&r))
		rc = step(path, &r);
	while (receive_path_turn(path))
		;
	require((rc != 0) == below.failed || below.failed);
	require(below.consumed <= size + (uint64_t)UINT16_MAX * size);
	while (receive_path_failed(path, &failed))
		require(failed.round == ROUND && failed.pages.region < REGIONS &&
			failed.pages.page[failed.pages.count - 1] < PAGES);
	receive_path_free(path);
	return 0;
}
