/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ENDPOINT_FIXTURE_H
#define ENDPOINT_FIXTURE_H

#include <stdlib.h>

#include "transport_pair.h"

/** @file A pair that nobody started yet, for each test. */

#define DATAGRAMS_MAX 64u

struct captured {
	struct migc_addr from, to;
	size_t length;
	uint8_t data[2048];
};

struct fixture {
	struct migc_credentials *client, *server;
	struct transport_pair pair;
	struct captured captured[DATAGRAMS_MAX];
	unsigned int captured_count;
	unsigned int drop_ordinal; /**< of the datagrams captured, from 1: it is lost */
	unsigned int seen, damage_every, damaged; /**< datagrams; every so many-th is changed */
};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f || migc_credentials_insecure(false, &f->client, NULL) != 0 ||
	    migc_credentials_insecure(true, &f->server, NULL) != 0)
		return -1;
	transport_pair_init(&f->pair, f->client, f->server);
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->pair.net)
		transport_pair_stop(&f->pair);
	migc_credentials_free(f->client);
	migc_credentials_free(f->server);
	free(f);
	return 0;
}

#endif
