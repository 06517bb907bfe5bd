/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include <rte_cycles.h>

#include "qat_rig.h"

#define SLOTS 96u
#define PAGES_MOST 12u
#define BURST 16u
/** No block of the soak takes so long, however slow the machine: something is lost. */
#define LOST_SECONDS 60u

struct slot {
	struct rig_pages pages, copy;
	struct migc_codec_job job;
	uint8_t *packed;
	bool busy;
};

struct bench {
	struct rig_engine *engine;
	struct slot slot[SLOTS];
	struct migc_random random;
	bool decompress;
	unsigned int submitted, returned;
	struct soak_result result;
};

struct migc_codec_devices_config qat_config(bool compress)
{
	struct migc_codec_devices_config config = rig_config(NULL, compress);

	config.request.block_pages = 0;
	config.no_fallback = false;
	config.workers = 2;
	return config;
}

uint32_t qat_zlib_deflate(const struct rig_pages *p, uint8_t *out, uint32_t room)
{
	/* made once: it is 256 KiB, and blocks are many */
	static z_stream z;
	int rc = Z_OK;

	if (z.state == NULL)
		assert_int_equal(deflateInit2(&z, 1, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflateReset(&z), Z_OK);
	z.next_out = out;
	z.avail_out = room;
	for (unsigned int i = 0; i < p->count && rc == Z_OK; i++) {
		z.next_in = p->page[i];
		z.avail_in = MIGC_PAGE_BYTES;
		rc = deflate(&z, i + 1 == p->count ? Z_FINISH : Z_NO_FLUSH);
		if (z.avail_in)
			rc = Z_BUF_ERROR;
	}
	return rc == Z_STREAM_END ? room - z.avail_out : 0;
}

bool qat_zlib_is(const struct rig_pages *p, const uint8_t *data, uint32_t bytes)
{
	static z_stream z;
	uint8_t page[MIGC_PAGE_BYTES], beyond;
	bool same = true;
	int rc = Z_OK;

	if (z.state == NULL)
		assert_int_equal(inflateInit2(&z, -15), Z_OK);
	assert_int_equal(inflateReset(&z), Z_OK);
	z.next_in = (uint8_t *)(uintptr_t)data;
	z.avail_in = bytes;
	for (unsigned int i = 0; i < p->count && same; i++) {
		z.next_out = page;
		z.avail_out = sizeof(page);
		rc = inflate(&z, Z_SYNC_FLUSH);
		same = z.avail_out == 0 && (rc == Z_OK || rc == Z_STREAM_END) &&
		       memcmp(page, p->page[i], sizeof(page)) == 0;
	}
	z.next_out = &beyond;
	z.avail_out = 1;
	if (same && rc == Z_OK)
		rc = inflate(&z, Z_SYNC_FLUSH);
	same = same && rc == Z_STREAM_END && z.avail_out == 1 && z.avail_in == 0;
	return same;
}

static void set_up(struct bench *b, struct rig_engine *e, uint64_t seed, bool decompress)
{
	memset(b, 0, sizeof(*b));
	b->engine = e;
	b->decompress = decompress;
	migc_random_seed(&b->random, seed);
	for (unsigned int i = 0; i < SLOTS; i++) {
		rig_pages_create(&b->slot[i].pages, PAGES_MOST);
		rig_pages_create(&b->slot[i].copy, PAGES_MOST);
		b->slot[i].packed = test_malloc(RIG_PACKED_MAX);
	}
}

static void tear_down(struct bench *b)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		b->slot[i].pages.count = PAGES_MOST;
		b->slot[i].copy.count = PAGES_MOST;
		rig_pages_free(&b->slot[i].pages);
		rig_pages_free(&b->slot[i].copy);
		test_free(b->slot[i].packed);
	}
}

static struct slot *free_slot(struct bench *b)
{
	for (unsigned int i = 0; i < SLOTS; i++) {
		if (!b->slot[i].busy)
			return &b->slot[i];
	}
	return NULL;
}

/** Mostly small blocks, so that there are many; some as large as they come. */
static void fill(struct bench *b, struct slot *s)
{
	uint64_t r = migc_random_next(&b->random);
	enum rig_content content = (enum rig_content)(r / 64 % RIG_CONTENTS);

	s->pages.count = r % 16 == 0 ? PAGES_MOST : 1 + r / 16 % 2;
	s->copy.count = s->pages.count;
	/* what comes in was worth compressing */
	if (b->decompress && content == RIG_RANDOM)
		content = RIG_BINARY;
	rig_fill(&s->pages, content, r);
}

static bool submit(struct bench *b)
{
	struct slot *s = free_slot(b);

	if (s == NULL || migc_codec_room(b->engine->codec) == 0)
		return false;
	fill(b, s);
	memset(&s->job, 0, sizeof(s->job));
	s->job.codec = MIGC_CODEC_DEFLATE;
	s->job.pages = (uint16_t)s->pages.count;
	s->job.cookie = s;
	memcpy(s->job.page, b->decompress ? s->copy.page : s->pages.page, sizeof(s->job.page));
	if (b->decompress) {
		uint32_t bytes = qat_zlib_deflate(&s->pages, s->packed, RIG_PACKED_MAX);

		if (!rig_give(b->engine, &s->job, s->packed, bytes))
			return false;
	}
	assert_int_equal(migc_codec_submit(b->engine->codec, &s->job), 0);
	s->busy = true;
	b->submitted++;
	return true;
}

static void check_compressed(struct bench *b, struct slot *s)
{
	static struct rig_packed packed;

	rig_take(&s->job, &packed);
	switch (packed.status) {
	case 0:
		assert_true(qat_zlib_is(&s->pages, packed.data, packed.bytes));
		b->result.compressed++;
		break;
	case -ENOSPC:
		b->result.raw++;
		break;
	default:
		b->result.failed++;
	}
}

static void check_decompressed(struct bench *b, struct slot *s)
{
	if (s->job.status != 0) {
		b->result.failed++;
		return;
	}
	for (unsigned int i = 0; i < s->pages.count; i++)
		assert_memory_equal(s->copy.page[i], s->pages.page[i], MIGC_PAGE_BYTES);
	b->result.compressed++;
}

static struct soak_result run(struct rig_engine *e, const struct soak *soak, bool decompress)
{
	static struct bench b;
	uint64_t last = rte_rdtsc();

	set_up(&b, e, soak->seed, decompress);
	while (b.returned < soak->blocks) {
		struct migc_codec_job *done[BURST];
		unsigned int count;

		while (b.submitted < soak->blocks && submit(&b)) {
			if (soak->at_half && b.submitted == soak->blocks / 2)
				soak->at_half(soak->ctx);
		}
		count = migc_codec_poll(e->codec, done, BURST);
		if (count)
			last = rte_rdtsc();
		else if (rte_rdtsc() - last > LOST_SECONDS * rte_get_tsc_hz())
			fail_msg("%u of %u blocks came back", b.returned, b.submitted);
		for (unsigned int i = 0; i < count; i++) {
			struct slot *s = done[i]->cookie;

			/* once, and not twice */
			assert_true(s->busy && done[i] == &s->job);
			s->busy = false;
			if (decompress)
				check_decompressed(&b, s);
			else
				check_compressed(&b, s);
		}
		b.returned += count;
	}
	assert_int_equal(migc_codec_in_flight(e->codec), 0);
	tear_down(&b);
	return b.result;
}

struct soak_result qat_soak(struct rig_engine *e, const struct soak *soak)
{
	return run(e, soak, false);
}

struct soak_result qat_soak_decompress(struct rig_engine *e, const struct soak *soak)
{
	return run(e, soak, true);
}
