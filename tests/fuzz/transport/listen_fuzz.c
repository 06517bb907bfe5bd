/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams from anybody into a server that listens: records of one byte (0x80: padded to the size
 * of a first contact, the other bits: who it comes from), two bytes of length, and the datagram.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "migc_cursor.h"
#include "migc_transport.h"

#define DATAGRAM_BYTES_MAX 4096u
#define CONTACT_BYTES 1200u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_data(void *ctx, unsigned int stream, const uint8_t *data, size_t length)
{
	(void)ctx;
	(void)stream;
	(void)data;
	(void)length;
	/* Nobody here can be authenticated. */
	abort();
}

static void on_acked(void *ctx, void *cookie)
{
	(void)ctx;
	(void)cookie;
	abort();
}

static void answer(struct migc_transport *server, uint64_t now_ns)
{
	uint8_t out[2048];
	struct migc_addr to;
	unsigned int answers = 0;
	int length;

	while ((length = migc_transport_write(server, out, sizeof(out), &to, now_ns)) > 0) {
		/* One answer to one datagram, no longer than a first contact. */
		if (++answers > 1 || length > 1280)
			abort();
	}
}

static void feed(struct migc_transport *server, struct migc_reader *r, uint64_t now_ns)
{
	uint8_t kind = migc_read_u8(r);
	size_t length = migc_read_u16(r);
	uint8_t datagram[DATAGRAM_BYTES_MAX] = {0};
	struct migc_addr from = {.ip = 0x0a000001, .port = (uint16_t)(1000 + (kind & 0x7f))};
	const uint8_t *bytes;

	if (length > migc_reader_left(r))
		length = migc_reader_left(r);
	if (length > sizeof(datagram))
		length = sizeof(datagram);
	bytes = migc_read_bytes(r, length);
	if (bytes)
		memcpy(datagram, bytes, length);
	if (kind & 0x80 && length < CONTACT_BYTES)
		length = CONTACT_BYTES;
	migc_transport_read(server, &from, datagram, length, now_ns);
	answer(server, now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct migc_credentials *credentials;
	struct migc_transport_config config = {
		.server = true,
		.local = {.ip = 0x0a000002, .port = 4433},
		.payload_bytes = 1400,
		.callbacks = {.on_data = on_data, .on_acked = on_acked},
	};
	struct migc_transport *server = NULL;
	uint64_t now_ns = 1000000000;
	struct migc_reader r;

	if (!credentials && migc_credentials_insecure(true, &credentials, NULL) != 0)
		abort();
	config.credentials = credentials;
	if (migc_transport_create(&config, now_ns, &server, NULL) != 0)
		abort();
	migc_reader_init(&r, data, size);
	while (migc_reader_left(&r)) {
		feed(server, &r, now_ns);
		now_ns += 1000000;
	}
	/* Without a token of its own no datagram makes a connection. */
	if (migc_transport_state(server) != MIGC_TRANSPORT_LISTEN)
		abort();
	migc_transport_free(server);
	return 0;
}
