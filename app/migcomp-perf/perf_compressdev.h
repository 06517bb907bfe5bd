/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PERF_COMPRESSDEV_H
#define PERF_COMPRESSDEV_H

#include <rte_comp.h>
#include <rte_mbuf.h>
#include <rte_memzone.h>

#include "perf_run.h"

/** @file The path of dpdk-test-compress-perf: ops on mbuf chains, given to the driver as they are.
 */

/** The devices of one driver, started. */
struct perf_devices {
	uint8_t id[64];
	unsigned int count;
	unsigned int started;
	uint16_t segs_max; /**< 1 where the driver takes no chains */
	uint16_t window;
	bool shareable; /**< xforms */
	bool isal; /**< needs what doc/design says of compress_isal */
	uint16_t queue_pairs;
};

/** Behind each op. */
struct perf_op_tag {
	uint32_t index; /**< of the chains */
	uint64_t begin_tsc;
};

/** Memory of one pool of mbufs with external buffers. */
struct perf_zones {
	const struct rte_memzone **zone;
	unsigned int count;
};

/** Chains of one worker: plain[i] compresses to packed[i] and back. */
struct perf_buffers {
	struct rte_mempool *plain_pool, *packed_pool, *scratch_pool;
	struct perf_zones plain_zones, packed_zones;
	struct rte_mbuf **plain, **packed;
	uint32_t *plain_bytes;
	uint32_t *packed_bytes; /**< 0: not compressed yet */
	uint32_t count;
	uint32_t plain_seg, packed_seg; /**< bytes of a segment */
	uint32_t packed_stream_bytes; /**< --operation decomp: of the file, without its tail */
	bool scratch; /**< plain chains have a scratch segment at their end */
};

/** A worker's own of this path. */
struct perf_ops {
	uint8_t device;
	uint16_t queue_pair;
	struct perf_devices *devices;
	struct perf_buffers buffers;
	struct rte_mempool *pool;
	struct rte_comp_op **held; /**< filled in, not given yet */
	struct rte_comp_op **done;
	void *xform;
	uint16_t burst; /**< most ops a call */
	uint32_t in_flight_max;
	bool lost; /**< ops that never came back: their memory is left alone */
};

int perf_devices_open(const struct perf_options *o, unsigned int workers, struct perf_devices *out,
		      struct migc_error *err);
void perf_devices_close(struct perf_devices *devices);

/** Make a worker's chains; plain ones hold the input. */
int perf_buffers_create(struct perf_worker *w, const struct perf_devices *devices,
			struct perf_buffers *out, struct migc_error *err);
void perf_buffers_free(struct perf_buffers *b);
/** Lengths of the chains for one direction: sources what they hold, destinations all they can. */
int perf_buffers_ready(struct perf_buffers *b, enum perf_direction direction, bool isal);
/** Do the plain chains hold the input? */
bool perf_buffers_equal(const struct perf_buffers *b, const struct perf_input *input);

int perf_ops_pass(struct perf_worker *w, enum perf_direction direction, enum perf_pass pass);
int perf_ops_setup_pass(struct perf_worker *w, enum perf_direction direction);

#endif
