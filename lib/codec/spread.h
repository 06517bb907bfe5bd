/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SPREAD_H
#define SPREAD_H

#include "codec_private.h"

/**
 * @file
 * Who has which queue pair: a pure function. A queue pair belongs to one worker. Devices of a
 * lower tier are used first; those of one tier share the work.
 */

struct spread_device {
	int socket; /**< NUMA node; negative: any */
	unsigned int queue_pairs; /**< 0: as many as are asked for */
	unsigned int tier;
};

struct spread {
	struct codec_share share[CODEC_WORKERS_MAX]; /**< of each worker, first to be used first */
	unsigned int used[MIGC_CODEC_DEVICES_MAX]; /**< queue pairs of each device */
};

/**
 * Each worker gets a queue pair of the first tier that has one left, then, while there are any, one
 * more of that tier to fall back to, and one of each tier after it. Of the devices of a tier those
 * on the worker's NUMA node come first, then those least used.
 * @param worker_socket of each worker; NULL: any
 */
void spread_queue_pairs(const struct spread_device *devices, unsigned int count,
			const int *worker_socket, unsigned int workers, struct spread *out);

#endif
