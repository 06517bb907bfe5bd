/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Payloads of LZ4 and Zstandard blocks. The first byte says the codec (its highest bit) and the
 * number of pages. The libraries are not instrumented: what they read and write lies right before a
 * page that nobody may touch, and how far they wrote is what steers. A hostile block must not spoil
 * the next one.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "method.h"
#include "migc_page.h"

#define BLOCK_BYTES ((size_t)MIGC_BLOCK_PAGES_MAX * MIGC_PAGE_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define UNTOUCHED 0xe7

/** Counted by a fuzzer as coverage is: by codec, and by how much was not written. */
static uint8_t reached[2][BLOCK_BYTES / 64 + 2]
	__attribute__((section("__libfuzzer_extra_counters"), used));

struct codec {
	const struct codec_method *method;
	void *context;
	uint8_t good[MIGC_PAGE_BYTES]; /**< a page of `byte`, compressed */
	size_t good_bytes;
};

/** @return the end of BLOCK_BYTES of memory, behind which is none. */
static uint8_t *make_room(void)
{
	uint8_t *room = mmap(NULL, BLOCK_BYTES + MIGC_PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED || mprotect(room + BLOCK_BYTES, MIGC_PAGE_BYTES, PROT_NONE) != 0)
		abort();
	return room + BLOCK_BYTES;
}

static void set_up(struct codec *c, enum migc_codec_id id)
{
	uint8_t page[MIGC_PAGE_BYTES];
	void *compressor;

	c->method = codec_method_find(id);
	c->context = c->method->create(true, 1);
	compressor = c->method->create(false, 1);
	if (c->context == NULL || compressor == NULL)
		abort();
	memset(page, 0x5a, sizeof(page));
	c->good_bytes =
		c->method->compress(compressor, c->good, sizeof(c->good), page, sizeof(page), 0);
	c->method->destroy(compressor);
	if (c->good_bytes == 0)
		abort();
}

static void require_good(struct codec *c)
{
	uint8_t page[MIGC_PAGE_BYTES];

	if (!c->method->decompress(c->context, page, sizeof(page), c->good, c->good_bytes))
		abort();
	for (size_t i = 0; i < sizeof(page); i++) {
		if (page[i] != 0x5a)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct codec codec[2];
	static uint8_t *in_end, *out_end;
	struct codec *c;
	size_t length;

	if (in_end == NULL) {
		set_up(&codec[0], MIGC_CODEC_LZ4);
		set_up(&codec[1], MIGC_CODEC_ZSTD);
		in_end = make_room();
		out_end = make_room();
	}
	if (size < 2 || size - 1 > BLOCK_BYTES)
		return 0;
	c = &codec[data[0] >> 7];
	length = (1u + data[0] % MIGC_BLOCK_PAGES_MAX) * (size_t)MIGC_PAGE_BYTES;
	size--;
	memcpy(in_end - size, data + 1, size);
	memset(out_end - length, UNTOUCHED, length);
	if (c->method->decompress(c->context, out_end - length, length, in_end - size, size))
		reached[data[0] >> 7][length / 64 + 1]++;
	/* what is left behind the first byte that was not written */
	while (length && *(out_end - length) != UNTOUCHED)
		length--;
	reached[data[0] >> 7][length / 64]++;
	require_good(c);
	return 0;
}
