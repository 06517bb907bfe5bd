/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_alarm.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mempool.h>

#include "migc_leave.h"
#include "migc_port.h"
#include "port_limits.h"

#define WORKERS_MAX 32u
#define DESCRIPTORS_RX 512u
#define DESCRIPTORS_TX 512u
/** What a pool of one worker may take, descriptors and what is on its way included. */
#define POOL_BYTES (20u << 20)
#define POOL_MBUFS_MIN 1536u
#define POOL_MBUFS_MAX 8192u
#define POOL_CACHE 128u
#define CLOSE_POLL_US 200u
/** The same bits as MIGC_INET_*_OFFLOAD: this module does not see lib/inet. */
#define IP_CHECKSUM_OFFLOAD 4u
#define UDP_CHECKSUM_OFFLOAD 8u

struct migc_port {
	struct migc_port_info info;
	unsigned int workers;
	struct rte_mempool *pool[WORKERS_MAX];
	bool connects; /**< memif's client */
	bool started;
	bool reviving;
	bool done; /**< what EAL's interrupt thread was asked for */
};

static int find_port(const char *name, uint16_t *port_id, struct migc_error *err)
{
	char names[256] = "";
	uint16_t id;

	if (name && rte_eth_dev_get_port_by_name(name, port_id) == 0)
		return 0;
	for (id = 0; id < RTE_MAX_ETHPORTS; id++) {
		char one[RTE_ETH_NAME_MAX_LEN];
		size_t used = strlen(names);

		if (!rte_eth_dev_is_valid_port(id))
			continue;
		if (name == NULL) {
			*port_id = id;
			return 0;
		}
		if (rte_eth_dev_get_name_by_port(id, one) == 0)
			snprintf(names + used, sizeof(names) - used, " %s", one);
	}
	if (name)
		return migc_error_set(err, -ENODEV, "there is no port %s; there are:%s", name,
				      names[0] ? names : " none");
	return migc_error_set(err, -ENODEV,
			      "there is no network port: give EAL one (-a PCI address, or --vdev "
			      "net_memif0,... or net_af_packet0,iface=...)");
}

static void choose_offloads(const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf,
			    struct migc_port_info *info)
{
	const uint64_t tx = RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	const uint64_t rx = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;

	if ((dev->tx_offload_capa & tx) == tx) {
		conf->txmode.offloads |= tx;
		info->tx_offload = IP_CHECKSUM_OFFLOAD | UDP_CHECKSUM_OFFLOAD;
	}
	if ((dev->rx_offload_capa & rx) == rx) {
		conf->rxmode.offloads |= rx;
		info->rx_checksum = true;
	}
	if (info->queues > 1 && (dev->flow_type_rss_offloads & RTE_ETH_RSS_NONFRAG_IPV4_UDP)) {
		conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf->rx_adv_conf.rss_conf.rss_hf = dev->flow_type_rss_offloads &
						    RTE_ETH_RSS_NONFRAG_IPV4_UDP;
	}
}

static int make_pools(struct migc_port *port, const struct migc_port_config *config, uint32_t room,
		      struct migc_error *err)
{
	uint32_t count = config->mbufs;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (count == 0) {
		count = POOL_BYTES / room;
		count = count < POOL_MBUFS_MIN ? POOL_MBUFS_MIN : count;
		count = count > POOL_MBUFS_MAX ? POOL_MBUFS_MAX : count;
	}
	for (unsigned int i = 0; i < port->workers; i++) {
		snprintf(name, sizeof(name), "packets-%u-%u", port->info.port_id, i);
		port->pool[i] = rte_pktmbuf_pool_create(name, count, POOL_CACHE, 0, (uint16_t)room,
							rte_eth_dev_socket_id(port->info.port_id));
		if (port->pool[i] == NULL)
			return migc_error_set(
				err, -ENOMEM,
				"no memory for %u packet buffers of %u bytes: give EAL more "
				"(-m, or hugepages)",
				count, room);
		port->info.memory_bytes += (uint64_t)count * (room + sizeof(struct rte_mbuf));
	}
	return 0;
}

static int setup_queues(struct migc_port *port, struct migc_error *err)
{
	uint16_t id = port->info.port_id;
	uint16_t rx = DESCRIPTORS_RX, tx = DESCRIPTORS_TX;
	int socket = rte_eth_dev_socket_id(id);
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);

	for (uint16_t q = 0; rc == 0 && q < port->info.queues; q++) {
		rc = rte_eth_rx_queue_setup(id, q, rx, (unsigned int)socket, NULL, port->pool[q]);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(id, q, tx, (unsigned int)socket, NULL);
	}
	if (rc != 0)
		return migc_error_set(err, rc, "port %s: its queues cannot be set up: %s",
				      port->info.name, rte_strerror(-rc));
	return 0;
}

static int start(struct migc_port *port, const struct migc_port_config *config,
		 struct migc_error *err)
{
	struct migc_port_info *info = &port->info;
	struct rte_eth_dev_info dev;
	struct port_limits limits;
	struct rte_ether_addr mac;
	struct rte_eth_conf conf;
	int rc = rte_eth_dev_info_get(info->port_id, &dev);

	if (rc == 0)
		rc = rte_eth_macaddr_get(info->port_id, &mac);
	if (rc != 0)
		return migc_error_set(err, rc, "port %s does not say what it is", info->name);
	memcpy(info->mac, mac.addr_bytes, sizeof(info->mac));
	snprintf(info->driver, sizeof(info->driver), "%s", dev.driver_name);
	rc = port_limits_find(info->port_id, &dev, config->mtu, &limits, err);
	if (rc != 0)
		return rc;
	info->mtu = limits.mtu;
	port->connects = limits.connects;
	info->queues = config->workers;
	if (info->queues > dev.max_rx_queues)
		info->queues = dev.max_rx_queues;
	if (info->queues > dev.max_tx_queues)
		info->queues = dev.max_tx_queues;
	if (limits.queues && info->queues > limits.queues)
		info->queues = limits.queues;
	memset(&conf, 0, sizeof(conf));
	choose_offloads(&dev, &conf, info);
	conf.rxmode.mtu = limits.device_mtu;
	rc = rte_eth_dev_configure(info->port_id, info->queues, info->queues, &conf);
	if (rc != 0)
		return migc_error_set(err, rc, "port %s cannot be configured: %s", info->name,
				      rte_strerror(-rc));
	rc = make_pools(port, config, limits.buffer_bytes, err);
	if (rc == 0)
		rc = setup_queues(port, err);
	if (rc != 0)
		return rc;
	rc = rte_eth_dev_start(info->port_id);
	if (rc != 0)
		return migc_error_set(err, rc, "port %s does not start: %s", info->name,
				      rte_strerror(-rc));
	port->started = true;
	return 0;
}

int migc_port_open(const struct migc_port_config *config, struct migc_port **out,
		   struct migc_error *err)
{
	struct migc_port *port;
	uint16_t port_id;
	int rc;

	*out = NULL;
	if (config->workers == 0 || config->workers > WORKERS_MAX)
		return migc_error_set(err, -EINVAL, "%u workers: 1 to %u", config->workers,
				      WORKERS_MAX);
	rc = find_port(config->name, &port_id, err);
	if (rc != 0)
		return rc;
	port = calloc(1, sizeof(*port));
	if (port == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a port");
	port->info.port_id = port_id;
	port->workers = config->workers;
	rte_eth_dev_get_name_by_port(port_id, port->info.name);
	rc = start(port, config, err);
	if (rc != 0) {
		migc_port_close(port);
		return rc;
	}
	*out = port;
	return 0;
}

int migc_port_wait_link(struct migc_port *port, unsigned int timeout_ms)
{
	for (unsigned int waited = 0; !migc_port_link_up(port); waited += 10) {
		if (waited >= timeout_ms)
			return -ETIMEDOUT;
		rte_delay_us_sleep(10000);
	}
	return 0;
}

static void stop_device(void *port)
{
	struct migc_port *p = port;

	if (p->started)
		rte_eth_dev_stop(p->info.port_id);
	rte_eth_dev_close(p->info.port_id);
	/* pairs with the acquire in await() */
	__atomic_store_n(&p->done, true, __ATOMIC_RELEASE);
}

static void restart_device(void *port)
{
	struct migc_port *p = port;

	if (p->started)
		rte_eth_dev_stop(p->info.port_id);
	p->started = rte_eth_dev_start(p->info.port_id) == 0;
	/* pairs with the acquire in migc_port_revived() */
	__atomic_store_n(&p->done, true, __ATOMIC_RELEASE);
}

static void await(const bool *done)
{
	while (!__atomic_load_n(done, __ATOMIC_ACQUIRE))
		rte_delay_us_sleep(CLOSE_POLL_US);
}

bool migc_port_forsaken(const struct migc_port *port)
{
	return port->connects && !migc_port_link_up(port);
}

int migc_port_revive(struct migc_port *port)
{
	port->done = false;
	port->reviving = true;
	/* in the thread that takes down what the old peer had: see close_device() */
	if (rte_eal_alarm_set(1, restart_device, port) == 0)
		return 0;
	port->reviving = false;
	return -EAGAIN;
}

int migc_port_revived(struct migc_port *port)
{
	/* pairs with the release in restart_device() */
	if (!__atomic_load_n(&port->done, __ATOMIC_ACQUIRE))
		return -EINPROGRESS;
	port->reviving = false;
	return port->started ? 0 : -ENOLINK;
}

static void note_round(void *passed)
{
	/* pairs with the acquire in await() */
	__atomic_store_n((bool *)passed, true, __ATOMIC_RELEASE);
}

/**
 * memif takes its rings down in EAL's interrupt thread when the peer goes, and so does its close()
 * in ours: at the end of a migration, when both ends go, both would free them. There is one
 * interrupt thread, so close it there.
 */
static void close_device(struct migc_port *port)
{
	if (port->reviving)
		await(&port->done);
	port->done = false;
	if (strcmp(port->info.driver, "net_memif") != 0 ||
	    rte_eal_alarm_set(1, stop_device, port) != 0) {
		stop_device(port);
		return;
	}
	await(&port->done);
	/* what it put off to later runs in that thread too, and must be over before EAL's memory
	 * goes: two rounds of the thread later it is */
	for (unsigned int round = 0; round < 2; round++) {
		bool passed = false;

		if (rte_eal_alarm_set(1, note_round, &passed) != 0)
			return;
		await(&passed);
	}
}

void migc_port_close(struct migc_port *port)
{
	if (port == NULL)
		return;
	close_device(port);
	/* the queues held buffers of the pools until now */
	for (unsigned int i = 0; i < port->workers && !migc_leaving(); i++)
		rte_mempool_free(port->pool[i]);
	free(port);
}

void migc_port_info(const struct migc_port *port, struct migc_port_info *out)
{
	*out = port->info;
}

struct rte_mempool *migc_port_pool(const struct migc_port *port, unsigned int worker)
{
	return port->pool[worker];
}

bool migc_port_link_up(const struct migc_port *port)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port->info.port_id, &link) == 0 &&
	       link.link_status == RTE_ETH_LINK_UP;
}

uint64_t migc_port_missed(const struct migc_port *port)
{
	struct rte_eth_stats stats;

	if (rte_eth_stats_get(port->info.port_id, &stats) != 0)
		return 0;
	return stats.imissed + stats.rx_nombuf;
}
