/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migc_wire.h"

#define VECTOR_BYTES_MAX 65536u

/* As the document says of the vectors. */
static const uint64_t region_pages[] = {1000, UINT64_C(1) << 32};

static void for_each_vector(const char *folder,
			    void (*check)(const char *name, const uint8_t *data, size_t size))
{
	static uint8_t data[VECTOR_BYTES_MAX];
	struct dirent **entry;
	char path[4096];
	int entries, vectors = 0;

	snprintf(path, sizeof(path), "%s/%s", WIRE_VECTORS, folder);
	entries = scandir(path, &entry, NULL, alphasort);
	assert_true(entries > 0);
	for (int i = 0; i < entries; i++) {
		if (entry[i]->d_name[0] != '.') {
			FILE *file;
			size_t size;
			uint8_t *exact;

			snprintf(path, sizeof(path), "%s/%s/%s", WIRE_VECTORS, folder,
				 entry[i]->d_name);
			file = fopen(path, "rb");
			assert_non_null(file);
			size = fread(data, 1, sizeof(data), file);
			fclose(file);
			/* As long as it is: a sanitizer sees reads behind its end. */
			exact = malloc(size ? size : 1);
			assert_non_null(exact);
			memcpy(exact, data, size);
			check(entry[i]->d_name, exact, size);
			free(exact);
			vectors++;
		}
		free(entry[i]);
	}
	free(entry);
	assert_true(vectors > 10);
}

static void require(bool condition, const char *name, const char *what)
{
	if (!condition)
		fail_msg("%s: %s", name, what);
}

static int decode_block(const uint8_t *data, size_t size, struct migc_block_header *h)
{
	return migc_block_header_decode(data, size, region_pages, 2, 16, h);
}

static void good_block(const char *name, const uint8_t *data, size_t size)
{
	uint8_t again[MIGC_BLOCK_HEADER_BYTES_MAX];
	struct migc_block_header h;

	require(migc_block_header_length(data, size) == (int)size, name, "length");
	require(decode_block(data, size, &h) == 0, name, "does not decode");
	require(migc_block_header_encode(&h, again, sizeof(again)) == (int)size &&
			!memcmp(again, data, size),
		name, "encodes differently");
}

static void bad_block(const char *name, const uint8_t *data, size_t size)
{
	struct migc_block_header h;

	require(decode_block(data, size, &h) == -EBADMSG, name, "decodes");
}

static void good_message(const char *name, const uint8_t *data, size_t size)
{
	static uint8_t again[MIGC_MSG_HEADER_BYTES + MIGC_MSG_BODY_BYTES_MAX];
	static struct migc_msg msg;
	int length;

	require(migc_msg_length(data, size) == (int)size, name, "length");
	require(migc_msg_decode(data, size, &msg) == 0, name, "does not decode");
	length = migc_msg_encode(&msg, again, sizeof(again));
	require(length > 0, name, "does not encode");
	if (msg.type == MIGC_MSG_HELLO && msg.hello.version_min > MIGC_WIRE_VERSION) {
		require(!memcmp(again + 8, data + 8, 8), name, "versions differ");
		return;
	}
	require(length == (int)size && !memcmp(again, data, size), name, "encodes differently");
}

static void bad_message(const char *name, const uint8_t *data, size_t size)
{
	static struct migc_msg msg;

	require(migc_msg_decode(data, size, &msg) == -EBADMSG, name, "decodes");
}

static void allowed_blocks_decode_and_encode_to_themselves(void **state)
{
	(void)state;
	for_each_vector("block-good", good_block);
}

static void forbidden_blocks_are_malformed(void **state)
{
	(void)state;
	for_each_vector("block-bad", bad_block);
}

static void allowed_messages_decode_and_encode_to_themselves(void **state)
{
	(void)state;
	for_each_vector("message-good", good_message);
}

static void forbidden_messages_are_malformed(void **state)
{
	(void)state;
	for_each_vector("message-bad", bad_message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allowed_blocks_decode_and_encode_to_themselves),
		cmocka_unit_test(forbidden_blocks_are_malformed),
		cmocka_unit_test(allowed_messages_decode_and_encode_to_themselves),
		cmocka_unit_test(forbidden_messages_are_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
