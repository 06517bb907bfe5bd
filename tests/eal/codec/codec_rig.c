/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include <rte_eal.h>

#include "codec_rig.h"

struct rig_faults rig_faults = {-1, -1, -1, -1, NULL, NULL};

/** Of the test that runs; copies, since a test that fails leaves its stack. */
static struct rig_engine opened[4];

void rig_forget(const struct rig_engine *e)
{
	struct migc_codec_devices *devices = e->devices;

	for (unsigned int i = 0; i < RTE_DIM(opened); i++) {
		if (opened[i].devices == devices)
			memset(&opened[i], 0, sizeof(opened[i]));
	}
}

void rig_discard(struct rig_engine *e)
{
	struct rig_engine engine = *e;

	rig_forget(e);
	migc_codec_free(engine.codec);
	migc_codec_devices_close(engine.devices);
}

void rig_reset(void)
{
	rig_faults = (struct rig_faults){-1, -1, -1, -1, NULL, NULL};
	for (unsigned int i = 0; i < RTE_DIM(opened); i++) {
		if (opened[i].devices)
			rig_discard(&opened[i]);
	}
}

int rig_init(void)
{
	static char program[] = "codec_test", huge[] = "--no-huge", m[] = "-m", megabytes[] = "512",
		    pci[] = "--no-pci", iova[] = "--iova-mode=va", l[] = "-l", lcores[] = "0",
		    telemetry[] = "--no-telemetry", level[] = "--log-level=error",
		    isal_0[] = "--vdev=compress_isal0", isal_1[] = "--vdev=compress_isal1",
		    zlib_0[] = "--vdev=compress_zlib0", zlib_1[] = "--vdev=compress_zlib1",
		    shared[] = "--no-shconf";
	char *arguments[] = {program, huge,  m,         megabytes, pci,    iova,   l,     lcores,
			     shared,  level, telemetry, isal_0,    isal_1, zlib_0, zlib_1};

	return rte_eal_init(RTE_DIM(arguments), arguments) < 0 ? -1 : 0;
}

struct migc_codec_devices_config rig_config(const char *device, bool compress)
{
	struct migc_codec_devices_config config = {
		.codecs = 1u << MIGC_CODEC_DEFLATE,
		.request = {.compress = compress, .level = 1, .block_pages = 16},
		.workers = 2,
		.compressdev = device,
		.no_fallback = true,
	};

	return config;
}

static void available(const struct rig_engine *e, unsigned int count[5])
{
	struct rte_mempool *pools[5] = {e->codec->ops, e->codec->externals, e->codec->segments,
					e->codec->buffers, e->codec->bounces};

	for (unsigned int i = 0; i < 5; i++)
		count[i] = pools[i] ? rte_mempool_avail_count(pools[i]) : 0;
}

void rig_open(struct rig_engine *e, const struct migc_codec_devices_config *config)
{
	struct migc_error err = {0};

	if (migc_codec_devices_open(config, &e->devices, &err) != 0)
		fail_msg("%s", err.text);
	if (migc_codec_create(e->devices, 0, !config->request.compress, SOCKET_ID_ANY, &e->codec,
			      &err) != 0)
		fail_msg("%s", err.text);
	available(e, e->available);
	for (unsigned int i = 0; i < RTE_DIM(opened); i++) {
		if (opened[i].devices == NULL) {
			opened[i] = *e;
			break;
		}
	}
}

void rig_close(struct rig_engine *e)
{
	unsigned int now[5];

	assert_int_equal(migc_codec_in_flight(e->codec), 0);
	available(e, now);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(now[i], e->available[i]);
	rig_discard(e);
}

struct migc_codec_stats rig_stats(const struct rig_engine *e)
{
	struct migc_codec_stats stats;

	migc_codec_stats(e->codec, &stats);
	return stats;
}

void rig_pages_create(struct rig_pages *p, unsigned int count)
{
	size_t bytes = (2 * (size_t)count + 1) * MIGC_PAGE_BYTES;

	p->count = count;
	p->memory = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(p->memory, MAP_FAILED);
	for (unsigned int i = 0; i < count; i++) {
		/* 7 and the counts of up to 32 pages but multiples of it have no common factor */
		unsigned int place = count % 7 ? i * 7 % count : i;

		p->page[i] = p->memory + (2 * (size_t)place + 1) * MIGC_PAGE_BYTES;
		assert_int_equal(mprotect(p->page[i], MIGC_PAGE_BYTES, PROT_READ | PROT_WRITE), 0);
	}
}

void rig_pages_free(struct rig_pages *p)
{
	munmap(p->memory, (2 * (size_t)p->count + 1) * MIGC_PAGE_BYTES);
}

static void fill_text(uint8_t *page, struct migc_random *r)
{
	static const char *const words[] = {"page ",  "guest ", "memory ", "the ",    "of ",
					    "round ", "dirty ", "0x00 ",   "return ", "\n"};
	size_t at = 0;

	while (at < MIGC_PAGE_BYTES) {
		const char *word = words[migc_random_next(r) % RTE_DIM(words)];

		while (*word && at < MIGC_PAGE_BYTES)
			page[at++] = (uint8_t)*word++;
	}
}

static void fill_binary(uint8_t *page, struct migc_random *r)
{
	uint64_t base = migc_random_next(r) & UINT64_C(0xffff88800000);

	/* pointers near to each other, small counts, some noise */
	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += 32) {
		uint64_t record[4] = {base + (migc_random_next(r) & 0xfff8), at / 32,
				      migc_random_next(r) & 0xf, 0};

		memcpy(page + at, record, sizeof(record));
	}
}

static void fill_random(uint8_t *page, struct migc_random *r)
{
	for (size_t at = 0; at < MIGC_PAGE_BYTES; at += 8) {
		uint64_t value = migc_random_next(r);

		memcpy(page + at, &value, 8);
	}
}

void rig_fill(struct rig_pages *p, enum rig_content content, uint64_t seed)
{
	struct migc_random r;

	migc_random_seed(&r, seed);
	for (unsigned int i = 0; i < p->count; i++) {
		enum rig_content kind = content;

		if (content == RIG_MIXED)
			kind = (enum rig_content)(migc_random_next(&r) % 4);
		if (kind == RIG_TEXT)
			fill_text(p->page[i], &r);
		else if (kind == RIG_BINARY)
			fill_binary(p->page[i], &r);
		else if (kind == RIG_RANDOM)
			fill_random(p->page[i], &r);
		else
			memset(p->page[i], 0, MIGC_PAGE_BYTES);
		/* half a page of data, half of zeros */
		if (kind == RIG_MIXED)
			fill_text(p->page[i], &r);
		if (content == RIG_MIXED && migc_random_next(&r) % 2)
			memset(p->page[i] + 1000, 0, 3000);
	}
}

void rig_wait(struct rig_engine *e, struct migc_codec_job **done, unsigned int count)
{
	unsigned int have = 0;

	/* a device that never answers is the engine's to notice: seconds, not for ever */
	for (uint64_t i = 0; have < count && i < UINT64_C(4000000000); i++)
		have += migc_codec_poll(e->codec, done + have, count - have);
	assert_int_equal(have, count);
}

void rig_take(struct migc_codec_job *job, struct rig_packed *out)
{
	uint32_t at = 0;

	out->status = job->status;
	out->bytes = job->data_bytes;
	if (job->status != 0) {
		assert_null(job->data);
		assert_int_equal(job->data_bytes, 0);
		return;
	}
	assert_in_range(job->data_bytes, 1, (uint32_t)job->pages * MIGC_PAGE_BYTES - 1);
	assert_int_equal(job->data->pkt_len, job->data_bytes);
	for (const struct rte_mbuf *m = job->data; m; m = m->next) {
		assert_in_range(m->data_len, 1, MIGC_PAGE_BYTES);
		memcpy(out->data + at, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
		at += m->data_len;
	}
	assert_int_equal(at, job->data_bytes);
	rte_pktmbuf_free(job->data);
}

void rig_compress(struct rig_engine *e, const struct rig_pages *p, struct rig_packed *out)
{
	struct migc_codec_job job = {.codec = MIGC_CODEC_DEFLATE, .pages = (uint16_t)p->count},
			      *done;

	memcpy(job.page, p->page, sizeof(job.page));
	assert_int_equal(migc_codec_submit(e->codec, &job), 0);
	rig_wait(e, &done, 1);
	assert_ptr_equal(done, &job);
	rig_take(&job, out);
}

int rig_decompress(struct rig_engine *e, const struct rig_pages *p, const uint8_t *data,
		   uint32_t bytes)
{
	struct migc_codec_job job = {.codec = MIGC_CODEC_DEFLATE,
				     .pages = (uint16_t)p->count,
				     .data_bytes = bytes},
			      *done;

	memcpy(job.page, p->page, sizeof(job.page));
	job.packed = migc_codec_buffer(e->codec);
	assert_non_null(job.packed);
	memcpy(job.packed, data, bytes);
	assert_int_equal(migc_codec_submit(e->codec, &job), 0);
	rig_wait(e, &done, 1);
	assert_ptr_equal(done, &job);
	assert_null(job.packed);
	return job.status;
}

bool rig_give(struct rig_engine *e, struct migc_codec_job *job, const uint8_t *data, uint32_t bytes)
{
	job->packed = migc_codec_buffer(e->codec);
	if (job->packed == NULL)
		return false;
	memcpy(job->packed, data, bytes);
	job->data_bytes = bytes;
	return true;
}
