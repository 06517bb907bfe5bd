/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QATLIKE_PRIVATE_H
#define QATLIKE_PRIVATE_H

#include <pthread.h>
#include <zlib.h>

#include <rte_compressdev.h>
#include <rte_dev.h>
#include <rte_mbuf.h>

#include "migc_random.h"
#include "qatlike.h"

#define QATLIKE_DRIVER "compress_qat"
/** Real devices have smaller ids. */
#define QATLIKE_FIRST_ID 128u
#define QATLIKE_PAIRS_MAX 4u
/** As many as the generation has. */
#define QATLIKE_PAIRS_OWN UINT32_MAX
#define QATLIKE_XFORMS 64u
#define QATLIKE_NEVER UINT64_MAX
#define QATLIKE_DYNAMIC_BYTES 50412u
#define QATLIKE_SEGMENTS 16u
#define QATLIKE_MAPS_MAX 512u

struct qatlike_settings {
	unsigned int generation, devices, pairs, nodes, late, threshold, dma;
	bool reach;
	uint64_t seed;
	/* faults: in 10^9, or after so many ops */
	uint32_t shorts, refuse, error, oos_recoverable, oos_terminated, stored;
	uint64_t no_cnv, silent, vanish;
	double back_s;
	unsigned int on;
	char when[128]; /**< "": at once */
};

struct qatlike_xform {
	bool taken, compress, fixed, checksum;
	uint8_t level; /**< of zlib */
};

struct qatlike_op {
	struct rte_comp_op *op;
	uint64_t due; /**< poll at which it is done */
};

struct qatlike_pair {
	struct qatlike_op *ring;
	uint16_t descriptors;
	unsigned int count; /**< ops */
	unsigned int taken; /**< descriptors; an op that is split has more than one */
	uint64_t polls;
	bool answered; /**< gave something back once */
	pthread_t enqueuer, dequeuer;
	bool has_enqueuer, has_dequeuer;
	struct migc_random random;
	z_stream dynamic, fixed, inflate;
	bool streams;
};

struct qatlike_device {
	char name[64], address[32], bus_info[64];
	uint8_t id;
	int socket;
	uint16_t pairs_max, pairs;
	bool started;
	bool dummy; /**< no CNV: its calls are replaced by ones that do nothing */
	uint64_t ops; /**< that came back; atomic */
	uint64_t since_tsc; /**< when it fell silent; 0: it has not; atomic */
	uint64_t looks; /**< for settings.when */
	bool now; /**< it is there */
	struct qatlike_pair pair[QATLIKE_PAIRS_MAX];
	struct qatlike_xform xform[QATLIKE_XFORMS];
};

struct qatlike_map {
	uint64_t addr, iova, bytes;
};

struct qatlike {
	struct qatlike_settings settings;
	struct qatlike_device device[QATLIKE_DEVICES_MAX];
	unsigned int devices;
	struct qatlike_map map[QATLIKE_MAPS_MAX];
	unsigned int maps;
	struct qatlike_stats stats;
};

/* qatlike_settings.c */
int qatlike_parse(const char *specification, struct qatlike_settings *out);

/* qatlike.c */
/** All there is. Read from MIGC_QATLIKE at the first call, unless a test has configured it. */
struct qatlike *qatlike_get(void);
/** The device of that id, or NULL: a real one. */
struct qatlike_device *qatlike_device(uint8_t id);
void qatlike_pair_free(struct qatlike_pair *pair);
static inline void qatlike_count(uint64_t *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* qatlike_bus.c */
/** Can a device get at all of a chain? */
bool qatlike_reaches(const struct rte_mbuf *chain);

/* qatlike_deflate.c */
/** Do what an op asks for, and set its results. */
void qatlike_compress(struct qatlike_pair *pair, const struct qatlike_xform *xform,
		      struct rte_comp_op *op);
void qatlike_decompress(struct qatlike_pair *pair, struct rte_comp_op *op);

/* what the linker makes of the calls */
#define QATLIKE_WRAP(type, name, ...)    \
	type __real_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

QATLIKE_WRAP(int, rte_compressdev_get_dev_id, const char *name);
QATLIKE_WRAP(const char *, rte_compressdev_name_get, uint8_t id);
QATLIKE_WRAP(uint8_t, rte_compressdev_devices_get, const char *driver, uint8_t *ids, uint8_t most);
QATLIKE_WRAP(int, rte_compressdev_socket_id, uint8_t id);
QATLIKE_WRAP(void, rte_compressdev_info_get, uint8_t id, struct rte_compressdev_info *info);
QATLIKE_WRAP(int, rte_compressdev_configure, uint8_t id, struct rte_compressdev_config *config);
QATLIKE_WRAP(int, rte_compressdev_queue_pair_setup, uint8_t id, uint16_t pair, uint32_t descriptors,
	     int socket);
QATLIKE_WRAP(int, rte_compressdev_start, uint8_t id);
QATLIKE_WRAP(void, rte_compressdev_stop, uint8_t id);
QATLIKE_WRAP(int, rte_compressdev_close, uint8_t id);
QATLIKE_WRAP(int, rte_compressdev_private_xform_create, uint8_t id,
	     const struct rte_comp_xform *xform, void **out);
QATLIKE_WRAP(int, rte_compressdev_private_xform_free, uint8_t id, void *xform);
QATLIKE_WRAP(uint16_t, rte_compressdev_enqueue_burst, uint8_t id, uint16_t pair,
	     struct rte_comp_op **ops, uint16_t count);
QATLIKE_WRAP(uint16_t, rte_compressdev_dequeue_burst, uint8_t id, uint16_t pair,
	     struct rte_comp_op **ops, uint16_t count);
QATLIKE_WRAP(int, rte_dev_iterator_init, struct rte_dev_iterator *it, const char *text);
QATLIKE_WRAP(struct rte_device *, rte_dev_iterator_next, struct rte_dev_iterator *it);
QATLIKE_WRAP(const char *, rte_dev_name, const struct rte_device *device);
QATLIKE_WRAP(const char *, rte_dev_bus_info, const struct rte_device *device);
QATLIKE_WRAP(int, rte_dev_dma_map, struct rte_device *device, void *addr, uint64_t iova,
	     size_t bytes);
QATLIKE_WRAP(int, rte_dev_dma_unmap, struct rte_device *device, void *addr, uint64_t iova,
	     size_t bytes);

#endif
