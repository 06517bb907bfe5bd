/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PORT_LIMITS_H
#define PORT_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ethdev.h>

#include "migc_error.h"

/** @file What a port carries, where its driver says so, and where it does not (memif, af_packet).
 */

struct port_limits {
	uint16_t mtu; /**< IP MTU to use */
	uint16_t device_mtu; /**< MTU to configure the device with */
	uint32_t buffer_bytes; /**< data room of its packet buffers, headroom included */
	uint16_t queues; /**< queues its devargs give it; 0: as many as the driver says */
	bool connects; /**< to a peer, when it is started and never again: memif's client */
};

/** What stands behind `key=` in a device's arguments, up to a comma or the end; or NULL. */
const char *port_devarg(const char *devargs, const char *key);
/**
 * @param wanted_mtu 0: what the port has
 * @return 0; -EINVAL with a message that says what to give instead.
 */
int port_limits_find(uint16_t port_id, const struct rte_eth_dev_info *dev, uint16_t wanted_mtu,
		     struct port_limits *out, struct migc_error *err);

#endif
