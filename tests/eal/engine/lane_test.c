/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <rte_eal.h>
#include <rte_ring.h>

#include "clock.h"
#include "lanes.h"
#include "receive_path.h"
#include "send_path.h"

/** @file Two lanes over a port of rings; transports are the test's own. */

#define LANES 2u
#define PORT_BASE 4433u
#define OWN_IP 0x0a000002u
#define PEER_IP 0x0a000001u
#define PEER_PORT 50000u
#define PAYLOAD_BYTES 64u
#define STEADY_DATAGRAMS 20000u
#define COMINGS 100u

static struct lanes *lanes;
static struct migc_inet *peer;
static struct rte_ring *wire[LANES]; /**< of the port's queues: what they are given comes back */

/* ---- a transport that counts ---- */

struct migc_transport {
	uint32_t reads; /**< written by the lane, read by the test */
	uint32_t strangers; /**< datagrams whose first byte is not `own` */
	uint8_t own;
	bool gone; /**< out of its lane: nobody may touch it */
	uint32_t touched; /**< ... and was, all the same */
	bool talks; /**< always has a datagram to send */
};

static void touch(const struct migc_transport *t)
{
	struct migc_transport *touched = (struct migc_transport *)(uintptr_t)t;

	if (__atomic_load_n(&touched->gone, __ATOMIC_RELAXED))
		__atomic_fetch_add(&touched->touched, 1, __ATOMIC_RELAXED);
}

void migc_transport_read(struct migc_transport *t, const struct migc_addr *from, uint8_t *data,
			 size_t length, uint64_t now_ns)
{
	(void)now_ns;
	touch(t);
	if (data[0] != t->own || length != PAYLOAD_BYTES || from->ip != PEER_IP)
		t->strangers++;
	/* pairs with the acquire in reads(): strangers is counted */
	__atomic_store_n(&t->reads, t->reads + 1, __ATOMIC_RELEASE);
}

int migc_transport_write(struct migc_transport *t, uint8_t *data, size_t capacity,
			 struct migc_addr *to, uint64_t now_ns)
{
	(void)capacity;
	(void)now_ns;
	touch(t);
	if (!t->talks)
		return 0;
	memset(data, t->own, PAYLOAD_BYTES);
	*to = (struct migc_addr){PEER_IP, PEER_PORT};
	return PAYLOAD_BYTES;
}

uint64_t migc_transport_expiry(const struct migc_transport *t)
{
	touch(t);
	return UINT64_MAX;
}

enum migc_transport_state migc_transport_state(const struct migc_transport *t)
{
	touch(t);
	return MIGC_TRANSPORT_CONNECTED;
}

void migc_transport_stats(const struct migc_transport *t, struct migc_transport_stats *out)
{
	touch(t);
	memset(out, 0, sizeof(*out));
}

const struct migc_error *migc_transport_error(const struct migc_transport *t)
{
	static const struct migc_error none;

	touch(t);
	return &none;
}

void migc_transport_expire(struct migc_transport *t, uint64_t now_ns)
{
	(void)t;
	(void)now_ns;
}

void migc_transport_close(struct migc_transport *t, uint64_t code, const char *reason,
			  uint64_t now_ns)
{
	(void)t;
	(void)code;
	(void)reason;
	(void)now_ns;
}

int migc_transport_send(struct migc_transport *t, unsigned int stream,
			const struct migc_slice *slices, unsigned int count)
{
	(void)t;
	(void)stream;
	(void)slices;
	(void)count;
	return 0;
}

void migc_transport_consumed(struct migc_transport *t, unsigned int stream, uint64_t bytes)
{
	(void)t;
	(void)stream;
	(void)bytes;
}

/* ---- no data paths ---- */

bool send_path_turn(struct send_path *path, uint64_t now_ns)
{
	(void)path;
	(void)now_ns;
	return false;
}

void send_path_acked(struct send_path *path, void *cookie)
{
	(void)path;
	(void)cookie;
}

void send_path_counters(const struct send_path *path, struct worker_counters *out)
{
	(void)path;
	(void)out;
}

int receive_path_data(struct receive_path *path, unsigned int stream, const uint8_t *data,
		      size_t length)
{
	(void)path;
	(void)stream;
	(void)data;
	(void)length;
	return 0;
}

bool receive_path_turn(struct receive_path *path)
{
	(void)path;
	return false;
}

void receive_path_counters(const struct receive_path *path, struct worker_counters *out)
{
	(void)path;
	(void)out;
}

/* ---- the other end of the wire ---- */

/** A datagram to a UDP port, to a queue of the port. @return false: it is full. */
static bool put_into(unsigned int queue, uint16_t to_port, uint8_t own)
{
	struct migc_addr to = {OWN_IP, to_port};
	struct rte_mbuf *m = rte_pktmbuf_alloc(lanes->lane[0].pool);
	uint8_t *payload;
	size_t frame_bytes;

	if (m == NULL)
		return false;
	payload = rte_pktmbuf_mtod_offset(m, uint8_t *, MIGC_INET_HEADROOM_BYTES);
	memset(payload, own, PAYLOAD_BYTES);
	if (migc_inet_output(peer, payload, PAYLOAD_BYTES, &to, PEER_PORT, 0, 1, &frame_bytes) != 0)
		abort();
	m->data_len = (uint16_t)frame_bytes;
	m->pkt_len = (uint32_t)frame_bytes;
	if (rte_ring_enqueue(wire[queue], m) == 0)
		return true;
	rte_pktmbuf_free(m);
	return false;
}

/** The same to the first queue: the lanes have to sort it out. */
static bool put(uint16_t to_port, uint8_t own)
{
	return put_into(0, to_port, own);
}

static void turn(unsigned int times)
{
	for (unsigned int i = 0; i < times; i++) {
		for (unsigned int k = 0; k < LANES; k++)
			lane_turn(&lanes->lane[k]);
	}
}

static uint32_t reads(const struct migc_transport *t)
{
	/* pairs with the release in migc_transport_read() */
	return __atomic_load_n(&t->reads, __ATOMIC_ACQUIRE);
}

/* ---- workers ---- */

struct set {
	struct worker worker[LANES];
	struct migc_transport transport[LANES];
};

static uint8_t mark(unsigned int slot, unsigned int lane)
{
	return (uint8_t)(1 + slot * LANES + lane);
}

static struct set *attach(unsigned int slot)
{
	struct set *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	for (unsigned int i = 0; i < LANES; i++) {
		s->worker[i].index = i;
		s->worker[i].count = LANES;
		s->worker[i].started = 1;
		s->worker[i].transport = &s->transport[i];
		s->transport[i].own = mark(slot, i);
		lane_attach(&lanes->lane[i], slot, &s->worker[i]);
	}
	return s;
}

static void take_out(unsigned int slot, struct set *s)
{
	for (unsigned int i = 0; i < LANES; i++)
		lane_detach(&lanes->lane[i], slot);
	lanes_await_detached(lanes, slot);
	for (unsigned int i = 0; i < LANES; i++)
		__atomic_store_n(&s->transport[i].gone, true, __ATOMIC_RELAXED);
}

static uint64_t unknown_ports(void)
{
	return lanes->lane[0].counters.rx_unknown_port + lanes->lane[1].counters.rx_unknown_port;
}

/* ---- tests ---- */

static void a_datagram_comes_to_the_slot_and_lane_of_its_port(void **state)
{
	const unsigned int slots[] = {0, 3, LANE_SLOTS_MAX - 1};
	struct set *set[3];

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		set[i] = attach(slots[i]);
	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int k = 0; k < LANES; k++) {
			uint16_t port = (uint16_t)(lanes_udp_port(lanes, slots[i]) + k);

			assert_int_equal(port, PORT_BASE + slots[i] * LANES + k);
			for (unsigned int n = 0; n <= i * LANES + k; n++)
				assert_true(put(port, mark(slots[i], k)));
		}
	}
	turn(4);
	for (unsigned int i = 0; i < 3; i++) {
		for (unsigned int k = 0; k < LANES; k++) {
			assert_int_equal(reads(&set[i]->transport[k]), 1 + i * LANES + k);
			assert_int_equal(set[i]->transport[k].strangers, 0);
			assert_int_equal(set[i]->worker[k].counters.rx_packets, 1 + i * LANES + k);
		}
		take_out(slots[i], set[i]);
		free(set[i]);
	}
	assert_int_equal(unknown_ports(), 0);
}

static void a_datagram_to_nobody_is_counted_and_dropped(void **state)
{
	const uint16_t ports[] = {
		PORT_BASE - 1, /* before the first */
		PORT_BASE + 2 * LANES, /* of a slot without anybody */
		PORT_BASE + 2 * LANES + 1, /* the same in the other lane */
		PORT_BASE + LANE_SLOTS_MAX * LANES, /* behind the last */
	};
	struct set *s = attach(0);
	uint64_t before = unknown_ports();

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		assert_true(put(ports[i], 0));
	turn(4);
	assert_int_equal(unknown_ports() - before, 4);
	assert_int_equal(reads(&s->transport[0]) + reads(&s->transport[1]), 0);
	take_out(0, s);
	/* nor is one who has left given any more */
	assert_true(put(PORT_BASE, mark(0, 0)));
	turn(4);
	assert_int_equal(unknown_ports() - before, 5);
	assert_int_equal(s->transport[0].touched, 0);
	free(s);
}

static void one_that_is_not_started_gets_nothing(void **state)
{
	struct set *s = attach(0);

	(void)state;
	s->worker[0].started = 0;
	assert_true(put(PORT_BASE, mark(0, 0)));
	turn(2);
	assert_int_equal(reads(&s->transport[0]), 0);
	take_out(0, s);
	free(s);
}

/** It may have seen the worker before it was taken out, and not come to it yet. */
static void a_worker_is_not_let_go_of_before_the_lane_has_looked(void **state)
{
	struct set *s = attach(2);

	(void)state;
	for (unsigned int i = 0; i < LANES; i++) {
		lane_detach(&lanes->lane[i], 2);
		assert_false(lane_detached(&lanes->lane[i], 2));
	}
	lane_turn(&lanes->lane[0]);
	assert_true(lane_detached(&lanes->lane[0], 2));
	assert_false(lane_detached(&lanes->lane[1], 2));
	turn(1);
	assert_true(lane_detached(&lanes->lane[1], 2));
	free(s);
}

/** The port takes less than all want to send: nobody sends more than a burst more than another. */
static void who_always_has_something_to_send_gets_an_equal_share(void **state)
{
	const unsigned int slots[] = {1, 4, 7};
	struct set *set[3];
	uint64_t least = UINT64_MAX, most = 0;

	(void)state;
	migc_inet_learn(lanes->lane[0].inet, PEER_IP, (const uint8_t[6]){2, 0, 0, 0, 0, 1},
			clock_now_ns());
	for (unsigned int i = 0; i < 3; i++) {
		set[i] = attach(slots[i]);
		set[i]->transport[0].talks = true;
	}
	for (unsigned int i = 0; i < 1000; i++)
		lane_turn(&lanes->lane[0]);
	assert_true(lanes->lane[0].counters.tx_port_full > 0);
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t sent = set[i]->worker[0].counters.tx_packets;

		least = RTE_MIN(least, sent);
		most = RTE_MAX(most, sent);
		take_out(slots[i], set[i]);
		free(set[i]);
	}
	assert_true(least > LANE_BURST);
	assert_in_range(most - least, 0, LANE_BURST);
	turn(1000);
}

static void *send_steadily(void *unused)
{
	struct timespec pause = {0, 20000};
	unsigned int sent = 0;

	(void)unused;
	while (sent < STEADY_DATAGRAMS) {
		unsigned int lane = sent % LANES;

		if (put_into(lane, (uint16_t)(PORT_BASE + lane), mark(0, lane)))
			sent++;
		else
			nanosleep(&pause, NULL);
		/* and for one who comes and goes */
		put_into(lane, (uint16_t)(PORT_BASE + LANES + lane), mark(1, lane));
	}
	return NULL;
}

static void workers_come_and_go_while_others_go_on(void **state)
{
	struct timespec pause = {0, 200000};
	struct migc_error err = {0};
	struct set *steady = attach(0), *gone[COMINGS];
	uint32_t got = 0;
	pthread_t sender;

	(void)state;
	assert_int_equal(lanes_launch(lanes, &err), 0);
	assert_int_equal(pthread_create(&sender, NULL, send_steadily, NULL), 0);
	for (unsigned int i = 0; i < COMINGS; i++) {
		gone[i] = attach(1);
		nanosleep(&pause, NULL);
		take_out(1, gone[i]);
		got += reads(&gone[i]->transport[0]) + reads(&gone[i]->transport[1]);
	}
	pthread_join(sender, NULL);
	/* what was put on the wire last is still on its way */
	for (unsigned int i = 0; i < 10000 && (reads(&steady->transport[0]) +
					       reads(&steady->transport[1])) < STEADY_DATAGRAMS;
	     i++)
		nanosleep(&pause, NULL);
	take_out(0, steady);
	lanes_stop(lanes);
	assert_int_equal(reads(&steady->transport[0]), STEADY_DATAGRAMS / LANES);
	assert_int_equal(reads(&steady->transport[1]), STEADY_DATAGRAMS / LANES);
	assert_true(got > 0);
	for (unsigned int i = 0; i < COMINGS; i++) {
		for (unsigned int k = 0; k < LANES; k++) {
			assert_int_equal(gone[i]->transport[k].strangers, 0);
			assert_int_equal(gone[i]->transport[k].touched, 0);
		}
		free(gone[i]);
	}
	free(steady);
}

static void udp_ports_behind_the_last_are_refused(void **state)
{
	static const struct {
		uint16_t base;
		unsigned int sessions;
	} wrong[] = {{UINT16_MAX, 1}, {UINT16_MAX - 2 * LANES + 2, 2}};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		const struct lanes_config config = {
			.ethdev = "net_ring0",
			.address = {OWN_IP, 24},
			.udp_port_base = wrong[i].base,
			.sessions = wrong[i].sessions,
		};
		struct migc_error err = {0};
		struct lanes *none;

		assert_int_equal(lanes_open(&config, &none, &err), -EINVAL);
		assert_non_null(strstr(err.text, "--port"));
		assert_null(none);
	}
}

static int set_up(void **state)
{
	struct lanes_config config = {
		.ethdev = "net_ring0",
		.address = {OWN_IP, 24},
		.udp_port_base = PORT_BASE,
		.sessions = LANE_SLOTS_MAX,
	};
	struct migc_inet_config other = {
		.mac = {2, 0, 0, 0, 0, 1},
		.address = {PEER_IP, 24},
		.mtu = 1500,
	};
	struct migc_error err = {0};

	(void)state;
	if (lanes_open(&config, &lanes, &err) != 0 || lanes->count != LANES ||
	    migc_inet_create(&other, &peer, &err) != 0)
		return -1;
	migc_inet_learn(peer, OWN_IP, lanes->info.mac, 1);
	wire[0] = rte_ring_lookup("ETH_RXTX0_net_ring0");
	wire[1] = rte_ring_lookup("ETH_RXTX1_net_ring0");
	return wire[0] && wire[1] && lanes->info.queues == LANES ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	migc_inet_free(peer);
	lanes_close(lanes);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_comes_to_the_slot_and_lane_of_its_port),
		cmocka_unit_test(a_datagram_to_nobody_is_counted_and_dropped),
		cmocka_unit_test(one_that_is_not_started_gets_nothing),
		cmocka_unit_test(a_worker_is_not_let_go_of_before_the_lane_has_looked),
		cmocka_unit_test(who_always_has_something_to_send_gets_an_equal_share),
		cmocka_unit_test(udp_ports_behind_the_last_are_refused),
		cmocka_unit_test(workers_come_and_go_while_others_go_on),
	};
	char *eal[] = {"lane_test",
		       "--no-huge",
		       "-m",
		       "256",
		       "--no-pci",
		       "--iova-mode=va",
		       "--lcores=0@0,1@0,2@1",
		       "--no-telemetry",
		       "--log-level=error",
		       "--no-shconf",
		       "--vdev=net_ring0"};
	int rc;

	if (rte_eal_init((int)RTE_DIM(eal), eal) < 0)
		return 1;
	rc = cmocka_run_group_tests(tests, set_up, tear_down);
	rte_eal_cleanup();
	return rc;
}
