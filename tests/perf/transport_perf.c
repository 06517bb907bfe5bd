/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the transport alone costs: a client and a server in one thread, datagrams handed over in
 * memory, virtual time, processor time measured at each end. Printed are the Gbit/s of stream data
 * that one core could send if it did nothing else, and that one could receive. The runs are
 * interleaved and the median of them is shown, so that what else the machine does meets all alike.
 * usage: transport_perf [MIB_A_RUN [ROUNDS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "migc_transport.h"

#define HALF_TRIP_NS 20000u
#define BURST 64u
#define DATAGRAM_BYTES 9216u
#define SOURCE_BYTES (8u << 20)
/* As the engine sends: a block's header and what it was compressed to. */
#define HEADER_BYTES 16u
#define BLOCK_BYTES 24000u
#define ROUNDS_MAX 31u
#define CASES (sizeof(cases) / sizeof(cases[0]))

struct perf_case {
	uint32_t payload_bytes;
	enum migc_transport_sealer sealer;
	double tx[ROUNDS_MAX], rx[ROUNDS_MAX];
};

static uint8_t source[SOURCE_BYTES];

static struct perf_case cases[] = {
	{.payload_bytes = 1452, .sealer = MIGC_TRANSPORT_SEALER_GNUTLS},
	{.payload_bytes = 1452, .sealer = MIGC_TRANSPORT_SEALER_AUTO},
	{.payload_bytes = 8952, .sealer = MIGC_TRANSPORT_SEALER_GNUTLS},
	{.payload_bytes = 8952, .sealer = MIGC_TRANSPORT_SEALER_AUTO},
};

struct perf_end {
	struct migc_transport *transport;
	struct migc_addr addr;
	double cpu_s;
	uint64_t received;
};

struct perf_run {
	struct perf_end client, server;
	uint64_t now_ns;
	uint64_t to_send, queued;
	unsigned int next_stream;
	size_t lengths[BURST];
	uint8_t datagrams[BURST][DATAGRAM_BYTES];
};

static double cpu_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int on_data(void *ctx, unsigned int stream, const uint8_t *data, size_t length)
{
	struct perf_end *end = ctx;

	(void)data;
	end->received += length;
	migc_transport_consumed(end->transport, stream, length);
	return 0;
}

static void on_acked(void *ctx, void *cookie)
{
	(void)ctx;
	(void)cookie;
}

static void create(struct perf_run *run, struct perf_end *end, const struct perf_case *perf_case,
		   const struct migc_credentials *credentials, bool server)
{
	struct migc_transport_config config = {
		.server = server,
		.credentials = credentials,
		.local = {.ip = server ? 0x0a000002 : 0x0a000001, .port = 4433},
		.remote = {.ip = 0x0a000002, .port = 4433},
		.payload_bytes = perf_case->payload_bytes,
		.sealer = perf_case->sealer,
		.callbacks = {.on_data = on_data, .on_acked = on_acked, .ctx = end},
	};
	struct migc_error err = {0};

	if (migc_transport_create(&config, run->now_ns, &end->transport, &err) < 0) {
		fprintf(stderr, "transport_perf: %s\n", err.text);
		exit(1);
	}
	end->addr = config.local;
}

/* As many streams as the engine's, each block on the next. */
static void fill_streams(struct perf_run *run)
{
	while (run->queued < run->to_send) {
		size_t at = run->queued % (SOURCE_BYTES - BLOCK_BYTES - HEADER_BYTES);
		const struct migc_slice slices[] = {
			{source + at, HEADER_BYTES, NULL},
			{source + at + HEADER_BYTES, BLOCK_BYTES, run},
		};

		if (migc_transport_unsent_bytes(run->client.transport) > 1u << 20 ||
		    migc_transport_send(run->client.transport, run->next_stream, slices, 2) != 0)
			return;
		run->next_stream = (run->next_stream + 1) % MIGC_TRANSPORT_BLOCK_STREAMS;
		run->queued += HEADER_BYTES + BLOCK_BYTES;
	}
}

/* Datagrams from one end to the other. @return how many. */
static unsigned int pass(struct perf_run *run, struct perf_end *from, struct perf_end *to)
{
	struct migc_addr where;
	unsigned int count = 0, i;
	double start = cpu_now();
	double middle;
	int length;

	if (from == &run->client &&
	    migc_transport_state(from->transport) == MIGC_TRANSPORT_CONNECTED)
		fill_streams(run);
	while (count < BURST &&
	       (length = migc_transport_write(from->transport, run->datagrams[count],
					      DATAGRAM_BYTES, &where, run->now_ns)) > 0)
		run->lengths[count++] = (size_t)length;
	middle = cpu_now();
	from->cpu_s += middle - start;
	run->now_ns += HALF_TRIP_NS;
	for (i = 0; i < count; i++)
		migc_transport_read(to->transport, &from->addr, run->datagrams[i], run->lengths[i],
				    run->now_ns);
	to->cpu_s += cpu_now() - middle;
	return count;
}

static void expire(struct perf_run *run, struct perf_end *end)
{
	if (migc_transport_expiry(end->transport) <= run->now_ns)
		migc_transport_expire(end->transport, run->now_ns);
}

static void wait_for_timer(struct perf_run *run)
{
	uint64_t client_ns = migc_transport_expiry(run->client.transport);
	uint64_t server_ns = migc_transport_expiry(run->server.transport);
	uint64_t next_ns = client_ns < server_ns ? client_ns : server_ns;

	if (next_ns > run->now_ns)
		run->now_ns = next_ns;
	expire(run, &run->client);
	expire(run, &run->server);
}

static void fail(const struct perf_run *run)
{
	fprintf(stderr, "transport_perf: %s; %s\n",
		migc_transport_error(run->client.transport)->text,
		migc_transport_error(run->server.transport)->text);
	exit(1);
}

static void transfer(struct perf_run *run)
{
	while (run->server.received < run->to_send) {
		unsigned int moved = pass(run, &run->client, &run->server);

		moved += pass(run, &run->server, &run->client);
		if (!moved)
			wait_for_timer(run);
		if (migc_transport_state(run->client.transport) == MIGC_TRANSPORT_CLOSED)
			fail(run);
		/* The handshake, and the caches' first touch, are not what is asked for. */
		if (run->server.received < run->to_send / 8) {
			run->client.cpu_s = 0;
			run->server.cpu_s = 0;
		}
	}
}

static const char *measure(struct perf_run *run, struct perf_case *perf_case, unsigned int round,
			   const struct migc_credentials *client,
			   const struct migc_credentials *server)
{
	double bits = (double)run->to_send * 7;
	const char *name;

	run->now_ns = UINT64_C(1000000000);
	run->queued = 0;
	memset(&run->client, 0, sizeof(run->client));
	memset(&run->server, 0, sizeof(run->server));
	create(run, &run->client, perf_case, client, false);
	create(run, &run->server, perf_case, server, true);
	transfer(run);
	perf_case->tx[round] = bits / run->client.cpu_s / 1e9;
	perf_case->rx[round] = bits / run->server.cpu_s / 1e9;
	name = migc_transport_sealer_name(run->client.transport);
	migc_transport_free(run->client.transport);
	migc_transport_free(run->server.transport);
	return name;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int count)
{
	qsort(values, count, sizeof(*values), compare);
	return values[count / 2];
}

static unsigned int argument(int argc, char **argv, int at, unsigned int otherwise)
{
	return argc > at ? (unsigned int)strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	unsigned int mib = argument(argc, argv, 1, 256);
	unsigned int rounds = argument(argc, argv, 2, 7);
	struct migc_credentials *client = NULL, *server = NULL;
	static struct perf_run run;
	const char *names[CASES] = {NULL};
	unsigned int i, round;

	if (!mib || !rounds || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: %s [MIB_A_RUN [ROUNDS]]\n", argv[0]);
		return 2;
	}
	if (migc_credentials_insecure(false, &client, NULL) != 0 ||
	    migc_credentials_insecure(true, &server, NULL) != 0)
		return 1;
	memset(source, 0x5a, sizeof(source));
	run.to_send = (uint64_t)mib << 20;
	for (round = 0; round < rounds; round++) {
		for (i = 0; i < CASES; i++)
			names[i] = measure(&run, &cases[i], round, client, server);
	}
	printf("payload sealer    tx Gbit/s  rx Gbit/s  (a core; median of %u runs)\n", rounds);
	for (i = 0; i < CASES; i++)
		printf("%7u %-9s %9.1f %10.1f\n", cases[i].payload_bytes, names[i],
		       median(cases[i].tx, rounds), median(cases[i].rx, rounds));
	migc_credentials_free(client);
	migc_credentials_free(server);
	return 0;
}
