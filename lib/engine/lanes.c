/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>

#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "clock.h"
#include "lanes.h"

#define RX_RING_FRAMES 1024u
#define TX_RING_FRAMES 256u
/** Ephemeral ports of a source: one block of LANES_MAX, chosen at random for each run. */
#define SOURCE_PORT_FIRST 49152u
#define SOURCE_PORT_BLOCKS 500u
#define DETACH_SLEEP_NS 50000
#define PORT_EVERY_NS UINT64_C(1000000000)

static uint16_t random_port_base(void)
{
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint16_t)clock_now_ns();
	return (uint16_t)(SOURCE_PORT_FIRST + random % SOURCE_PORT_BLOCKS * LANES_MAX);
}

static struct rte_ring *make_ring(const char *kind, unsigned int index, unsigned int count,
				  int socket)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", kind, index);
	return rte_ring_create(name, count, socket, RING_F_SC_DEQ);
}

static int open_lane(struct lanes *lanes, struct lane *l, const struct lanes_config *config,
		     struct migc_error *err)
{
	int socket = (int)rte_lcore_to_socket_id(l->lcore);
	struct migc_inet_config inet = {
		.address = config->address,
		.gateway = config->gateway,
		.mtu = lanes->info.mtu,
	};
	bool shared;
	int rc;

	memcpy(inet.mac, lanes->info.mac, sizeof(inet.mac));
	l->count = lanes->count;
	l->all = lanes->lane;
	l->port = &lanes->info;
	l->queue = migc_port_queue(&lanes->info, l->index);
	l->polls = l->index < lanes->info.queues;
	l->pool = migc_port_pool(lanes->port, l->index);
	l->udp_port_base = lanes->udp_port_base;
	lane_find_pause(l);
	migc_inject_init(&l->inject_rx, &config->inject, 2 * l->index);
	migc_inject_init(&l->inject_tx, &config->inject, 2 * l->index + 1);
	shared = l->polls && lanes->info.queues < lanes->count;
	l->rx_ring = make_ring("rx", l->index, RX_RING_FRAMES, socket);
	if (shared)
		l->tx_ring = make_ring("tx", l->index, TX_RING_FRAMES, socket);
	if (l->rx_ring == NULL || (shared && l->tx_ring == NULL))
		return migc_error_set(err, -ENOMEM, "no memory for lcore %u: give EAL more (-m)",
				      l->lcore);
	rc = migc_inet_create(&inet, &l->inet, err);
	/* all lanes have one address: one of them says so */
	if (rc == 0 && l->index == 0)
		migc_inet_announce(l->inet);
	return rc;
}

static int open_all(struct lanes *lanes, const struct lanes_config *config, struct migc_error *err)
{
	bool on_main = lanes->single || lanes->attended;
	unsigned int lcore = on_main ? rte_get_main_lcore() : rte_get_next_lcore(-1U, 1, 0);
	int rc = 0;

	lanes->lane = rte_zmalloc("lanes", lanes->count * sizeof(*lanes->lane), 64);
	if (lanes->lane == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for %u workers", lanes->count);
	for (unsigned int i = 0; i < lanes->count && rc == 0; i++) {
		lanes->lane[i].index = i;
		lanes->lane[i].lcore = lcore;
		rc = open_lane(lanes, &lanes->lane[i], config, err);
		if (!on_main)
			lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	return rc;
}

int lanes_open(const struct lanes_config *config, struct lanes **out, struct migc_error *err)
{
	struct migc_port_config port = {
		.name = config->ethdev,
		.mtu = config->mtu,
		.log = config->log,
	};
	struct lanes *lanes;
	unsigned int lcores = rte_lcore_count(), count = lcores == 1 ? 1 : lcores - 1;
	int rc;

	*out = NULL;
	if (count > LANES_MAX)
		return migc_error_set(err, -EINVAL, "%u worker lcores are too many: at most %u",
				      count, LANES_MAX);
	if (config->udp_port_base + config->sessions * count > UINT16_MAX + 1u)
		return migc_error_set(
			err, -EINVAL,
			"--port %u leaves no room for %u UDP ports: %u for each guest, "
			"one a worker",
			config->udp_port_base, config->sessions * count, count);
	lanes = calloc(1, sizeof(*lanes));
	if (lanes == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for workers");
	lanes->single = lcores == 1 && !config->attended;
	lanes->attended = lcores == 1 && config->attended;
	lanes->count = count;
	lanes->log = config->log;
	lanes->udp_port_base = config->udp_port_base ? config->udp_port_base : random_port_base();
	port.workers = (uint16_t)lanes->count;
	rc = migc_port_open(&port, &lanes->port, err);
	if (rc == 0) {
		migc_port_info(lanes->port, &lanes->info);
		rc = open_all(lanes, config, err);
	}
	if (rc != 0) {
		lanes_close(lanes);
		return rc;
	}
	*out = lanes;
	return 0;
}

/** Lcores, where there are any for lanes, begin to run them. */
static int begin(struct lanes *lanes, struct migc_error *err)
{
	if (lanes->single || lanes->attended)
		return 0;
	for (unsigned int i = 0; i < lanes->count; i++) {
		int rc;

		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): opened before */
		lanes->lane[i].stop = 0;
		rc = rte_eal_remote_launch(lane_main, &lanes->lane[i], lanes->lane[i].lcore);
		if (rc != 0) {
			/* who takes a worker out must not wait for a lane that nobody runs */
			lanes->running = i;
			return migc_error_set(err, rc, "lcore %u is busy", lanes->lane[i].lcore);
		}
		lanes->running = RTE_MAX(lanes->running, i + 1);
	}
	return 0;
}

/** Nobody runs a lane any more. */
static void end(struct lanes *lanes)
{
	/* pairs with the acquire in lane_main() */
	for (unsigned int i = 0; i < lanes->count; i++)
		__atomic_store_n(&lanes->lane[i].stop, 1, __ATOMIC_RELEASE);
	if (!lanes->single && !lanes->attended)
		rte_eal_mp_wait_lcore();
	else
		lane_publish(&lanes->lane[0]);
}

int lanes_launch(struct lanes *lanes, struct migc_error *err)
{
	prctl(PR_SET_TIMERSLACK, 1UL);
	lanes->launched = true;
	lanes->running = lanes->attended;
	lanes->port_looked_ns = clock_now_ns();
	return begin(lanes, err);
}

void lanes_stop(struct lanes *lanes)
{
	if (lanes == NULL || !lanes->launched)
		return;
	end(lanes);
	lanes->launched = false;
	lanes->running = 0;
}

/** Sessions do not notice, but for a moment: `launched` and `running` stay. */
static void use_port(struct lanes *lanes, bool use)
{
	struct migc_error error = {0};

	end(lanes);
	for (unsigned int i = 0; i < lanes->count; i++)
		lanes->lane[i].port_off = !use;
	if (use)
		migc_inet_announce(lanes->lane[0].inet);
	if (begin(lanes, &error) != 0)
		migc_log(lanes->log, MIGC_LOG_ERROR, "%s", error.text);
}

static void tell_port(struct lanes *lanes, bool lost)
{
	if (lanes->port_lost == lost)
		return;
	lanes->port_lost = lost;
	if (lost)
		migc_log(lanes->log, MIGC_LOG_WARNING,
			 "port %s: its peer is gone, connecting again", lanes->info.name);
	else
		migc_log(lanes->log, MIGC_LOG_INFO, "port %s: connected again", lanes->info.name);
}

void lanes_mind_port(struct lanes *lanes, uint64_t now_ns)
{
	int rc;

	if (lanes->reviving) {
		rc = migc_port_revived(lanes->port);
		if (rc == -EINPROGRESS)
			return;
		lanes->reviving = false;
		if (rc == 0)
			use_port(lanes, true);
		return;
	}
	if (now_ns - lanes->port_looked_ns < PORT_EVERY_NS)
		return;
	lanes->port_looked_ns = now_ns;
	if (!migc_port_forsaken(lanes->port)) {
		tell_port(lanes, false);
		return;
	}
	tell_port(lanes, true);
	use_port(lanes, false);
	lanes->reviving = migc_port_revive(lanes->port) == 0;
}

static void free_ring(struct rte_ring *ring)
{
	void *m;

	if (ring == NULL)
		return;
	while (rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

static void close_lane(struct lane *l)
{
	migc_inet_free(l->inet);
	migc_inject_drain(&l->inject_rx);
	migc_inject_drain(&l->inject_tx);
	for (unsigned int i = 0; i < l->tx_count; i++)
		rte_pktmbuf_free(l->tx_pending[l->tx_first + i]);
	free_ring(l->rx_ring);
	free_ring(l->tx_ring);
}

void lanes_close(struct lanes *lanes)
{
	if (lanes == NULL)
		return;
	for (unsigned int i = 0; lanes->lane && i < lanes->count; i++)
		close_lane(&lanes->lane[i]);
	rte_free(lanes->lane);
	migc_port_close(lanes->port);
	free(lanes);
}

void lanes_pump(struct lanes *lanes, long sleep_ns)
{
	struct timespec sleep = {0, sleep_ns};

	if (lanes->single)
		lane_step(&lanes->lane[0]);
	else
		nanosleep(&sleep, NULL);
}

void lanes_attend(struct lanes *lanes, long sleep_ns)
{
	struct timespec sleep = {0, sleep_ns};

	if (lanes->attended)
		lane_step(&lanes->lane[0]);
	else
		nanosleep(&sleep, NULL);
}

void lanes_await_detached(struct lanes *lanes, unsigned int slot)
{
	struct timespec sleep = {0, DETACH_SLEEP_NS};

	for (unsigned int i = 0; i < lanes->count; i++) {
		/* where nobody else runs the lane, it looks when we do */
		if (i >= lanes->running)
			lane_take_changes(&lanes->lane[i]);
		while (!lane_detached(&lanes->lane[i], slot))
			nanosleep(&sleep, NULL);
	}
}

uint16_t lanes_udp_port(const struct lanes *lanes, unsigned int slot)
{
	return (uint16_t)(lanes->udp_port_base + slot * lanes->count);
}
