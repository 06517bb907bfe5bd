/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_mbuf.h>

#include "port_limits.h"

#define ETHER_BYTES 14u
#define MTU_MIN 1280u
#define MTU_DEFAULT 1500u
/** QUIC datagrams of a whole jumbo frame, and one byte more is no Ethernet. */
#define MTU_MAX 65000u
/** net_memif: bsize when its devargs do not say (its documentation). */
#define MEMIF_BSIZE_DEFAULT 2048u
/** net_af_packet: framesz when its devargs do not say, and what of it is the kernel's header. */
#define AF_PACKET_FRAMESZ_DEFAULT 2048u
#define AF_PACKET_OVERHEAD_BYTES 52u
/** The smallest buffer worth having: an MTU of 1500 with room for VLAN tags. */
#define ROOM_MIN_BYTES 1664u

const char *port_devarg(const char *devargs, const char *key)
{
	size_t length = strlen(key);
	const char *at = devargs;

	while (at && *at) {
		if (strncmp(at, key, length) == 0 && at[length] == '=')
			return at + length + 1;
		at = strchr(at, ',');
		if (at)
			at++;
	}
	return NULL;
}

static const char *devarg_text(const struct rte_eth_dev_info *dev, const char *key)
{
	const struct rte_devargs *devargs = dev->device ? rte_dev_devargs(dev->device) : NULL;

	return devargs ? port_devarg(devargs->args, key) : NULL;
}

static unsigned long devarg(const struct rte_eth_dev_info *dev, const char *key,
			    unsigned long otherwise)
{
	const char *text = devarg_text(dev, key);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

/** The MTU of the kernel's interface; the driver says 1500 of each. */
static int interface_mtu(const struct rte_eth_dev_info *dev, uint16_t *mtu)
{
	const char *name = devarg_text(dev, "iface");
	struct ifreq request;
	int fd, rc;

	memset(&request, 0, sizeof(request));
	if (name == NULL)
		return -ENODEV;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%.*s", (int)strcspn(name, ","), name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = ioctl(fd, SIOCGIFMTU, &request) == 0 ? 0 : -errno;
	close(fd);
	if (rc == 0)
		*mtu = request.ifr_mtu > (int)MTU_MAX ? MTU_MAX : (uint16_t)request.ifr_mtu;
	return rc;
}

/** memif reports 1518 and refuses more, yet carries frames as large as its buffers. */
static int memif_limits(const struct rte_eth_dev_info *dev, uint16_t wanted,
			struct port_limits *out, struct migc_error *err)
{
	unsigned long bsize = devarg(dev, "bsize", MEMIF_BSIZE_DEFAULT);
	const char *role = devarg_text(dev, "role");
	uint16_t mtu = wanted ? wanted : MTU_DEFAULT;

	if (mtu + ETHER_BYTES > bsize)
		return migc_error_set(err, -EINVAL,
				      "--mtu %u does not fit this memif's buffers: give both ends "
				      "bsize=%u or more in --vdev net_memif",
				      mtu, mtu + ETHER_BYTES + 50);
	out->mtu = mtu;
	out->device_mtu = MTU_DEFAULT;
	out->buffer_bytes = mtu + ETHER_BYTES;
	out->queues = 0;
	out->connects = role == NULL || strncmp(role, "server", strlen("server")) != 0;
	return 0;
}

/** af_packet copies whole ring frames: the buffer must hold what the ring's frame can hold. */
static int af_packet_limits(const struct rte_eth_dev_info *dev, uint16_t wanted,
			    struct port_limits *out, struct migc_error *err)
{
	unsigned long framesz = devarg(dev, "framesz", AF_PACKET_FRAMESZ_DEFAULT);
	uint16_t have = MTU_DEFAULT;
	unsigned int need;
	uint16_t mtu;
	int rc = interface_mtu(dev, &have);

	if (rc != 0)
		return migc_error_set(err, rc,
				      "the interface of this af_packet port does not say its MTU");
	mtu = wanted ? wanted : have;
	if (mtu > have)
		return migc_error_set(
			err, -EINVAL,
			"--mtu %u is more than the interface's %u: ip link set dev ... mtu %u", mtu,
			have, mtu);
	need = mtu + ETHER_BYTES + AF_PACKET_OVERHEAD_BYTES;
	if (need > framesz)
		return migc_error_set(
			err, -EINVAL,
			"an MTU of %u does not fit this af_packet's ring frames of %lu bytes: "
			"give %s in --vdev net_af_packet, or a smaller --mtu",
			mtu, framesz,
			need > 10240  ? "framesz=16384,blocksz=65536"
			: need > 8192 ? "framesz=10240,blocksz=40960"
				      : "framesz=8192,blocksz=65536");
	out->mtu = mtu;
	/* the driver refuses to be configured with more, and carries what the interface does */
	out->device_mtu = MTU_DEFAULT;
	out->buffer_bytes = (uint32_t)framesz;
	out->queues = (uint16_t)devarg(dev, "qpairs", 1);
	return 0;
}

static int nic_limits(uint16_t port_id, const struct rte_eth_dev_info *dev, uint16_t wanted,
		      struct port_limits *out, struct migc_error *err)
{
	uint16_t mtu = wanted ? wanted : MTU_DEFAULT;

	if (!wanted)
		rte_eth_dev_get_mtu(port_id, &mtu);
	if (dev->max_mtu && mtu > dev->max_mtu)
		return migc_error_set(err, -EINVAL,
				      "--mtu %u is more than the port carries: at most %u", mtu,
				      dev->max_mtu);
	out->mtu = mtu;
	out->device_mtu = mtu;
	out->buffer_bytes = mtu + ETHER_BYTES + 12; /* CRC and two VLAN tags */
	out->queues = 0;
	return 0;
}

int port_limits_find(uint16_t port_id, const struct rte_eth_dev_info *dev, uint16_t wanted_mtu,
		     struct port_limits *out, struct migc_error *err)
{
	int rc;

	out->connects = false;
	if (wanted_mtu && (wanted_mtu < MTU_MIN || wanted_mtu > MTU_MAX))
		return migc_error_set(err, -EINVAL, "--mtu %u: %u to %u", wanted_mtu, MTU_MIN,
				      MTU_MAX);
	if (strcmp(dev->driver_name, "net_memif") == 0)
		rc = memif_limits(dev, wanted_mtu, out, err);
	else if (strcmp(dev->driver_name, "net_af_packet") == 0)
		rc = af_packet_limits(dev, wanted_mtu, out, err);
	else
		rc = nic_limits(port_id, dev, wanted_mtu, out, err);
	if (rc != 0)
		return rc;
	if (out->mtu < MTU_MIN)
		return migc_error_set(err, -EINVAL, "the port's MTU is %u: at least %u is needed",
				      out->mtu, MTU_MIN);
	if (out->buffer_bytes < ROOM_MIN_BYTES)
		out->buffer_bytes = ROOM_MIN_BYTES;
	out->buffer_bytes += RTE_PKTMBUF_HEADROOM;
	return 0;
}
