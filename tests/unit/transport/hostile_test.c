/* SPDX-License-Identifier: BSD-3-Clause */
/* A peer with good credentials that does what it must not: it ends its own connection, no more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostile_seal.h"
#include "transport_pair.h"

struct hostile_case {
	const char *name;
	const char *server_says;
	size_t length;
	uint8_t frames[24];
};

/* Stream ids: RFC 9000 section 2.1. STREAM is 0x08, with offset 0x04, length 0x02, FIN 0x01. */
static struct hostile_case cases[] = {
	{"a_17th_block_stream",
	 "used a stream it must not use",
	 6,
	 {0x0a, 0x40, 66, 0x02, 'a', 'b'}},
	{"a_second_bidirectional_stream",
	 "used a stream it must not use",
	 5,
	 {0x0a, 0x04, 0x02, 'a', 'b'}},
	{"a_stream_of_the_server",
	 "used a stream it must not use",
	 5,
	 {0x0a, 0x03, 0x02, 'a', 'b'}},
	{"more_than_the_window",
	 "sent more than it was allowed to",
	 9,
	 {0x0e, 0x02, 0x80, 0x40, 0x00, 0x00, 0x02, 'a', 'b'}},
	{"the_end_of_a_stream", "closed a stream", 3, {0x0b, 0x02, 0x00}},
	{"a_reset_stream", "reset a stream", 4, {0x04, 0x02, 0x01, 0x00}},
	{"a_stream_it_does_not_read", "reset a stream", 3, {0x05, 0x00, 0x01}},
	{"an_unknown_frame", "broke the QUIC protocol", 1, {0x21}},
	{"an_acknowledgement_of_what_was_not_sent",
	 "broke the QUIC protocol",
	 8,
	 {0x02, 0x80, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00}},
	{"a_handshake_done_of_a_client", "broke the QUIC protocol", 1, {0x1e}},
};

static void ends_its_own_connection(void **state)
{
	const struct hostile_case *hostile = *state;
	struct migc_credentials *client = NULL;
	struct migc_credentials *server = NULL;
	struct transport_pair pair;

	assert_int_equal(migc_credentials_insecure(false, &client, NULL), 0);
	assert_int_equal(migc_credentials_insecure(true, &server, NULL), 0);
	transport_pair_init(&pair, client, server);
	transport_pair_start(&pair, NULL);
	assert_true(transport_pair_connect(&pair));
	hostile_seal_next(hostile->frames, hostile->length);
	assert_int_equal(transport_pair_send(pair.client.transport, 5, 100), 0);
	transport_pair_run(&pair, 600 * MS);
	assert_false(hostile_seal_pending());
	if (!strstr(transport_pair_error(pair.server.transport), hostile->server_says))
		print_message("%s\n", transport_pair_error(pair.server.transport));
	assert_int_equal(migc_transport_state(pair.server.transport), MIGC_TRANSPORT_CLOSED);
	assert_non_null(strstr(transport_pair_error(pair.server.transport), hostile->server_says));
	assert_int_equal(migc_transport_state(pair.client.transport), MIGC_TRANSPORT_CLOSED);
	assert_true(migc_transport_error(pair.client.transport)->code < 0);
	assert_int_equal(transport_pair_received(&pair.server), 0);
	transport_pair_stop(&pair);
	migc_credentials_free(client);
	migc_credentials_free(server);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(cases) / sizeof(cases[0])];
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		tests[i] = (struct CMUnitTest){cases[i].name, ends_its_own_connection, NULL, NULL,
					       &cases[i]};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
