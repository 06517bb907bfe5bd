/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "qatlike_private.h"

#define CHECKSUMS                                                      \
	(RTE_COMP_FF_MULTI_PKT_CHECKSUM | RTE_COMP_FF_CRC32_CHECKSUM | \
	 RTE_COMP_FF_ADLER32_CHECKSUM | RTE_COMP_FF_CRC32_ADLER32_CHECKSUM)
#define GEN_4_FLAGS                                                                 \
	(CHECKSUMS | RTE_COMP_FF_SHAREABLE_PRIV_XFORM | RTE_COMP_FF_HUFFMAN_FIXED | \
	 RTE_COMP_FF_HUFFMAN_DYNAMIC | RTE_COMP_FF_OOP_SGL_IN_SGL_OUT |             \
	 RTE_COMP_FF_OOP_SGL_IN_LB_OUT | RTE_COMP_FF_OOP_LB_IN_SGL_OUT)

static const struct rte_compressdev_capabilities gen_1_capabilities[] = {
	{.algo = RTE_COMP_ALGO_DEFLATE,
	 .comp_feature_flags = GEN_4_FLAGS | RTE_COMP_FF_STATEFUL_DECOMPRESSION,
	 .window_size = {.min = 15, .max = 15, .increment = 0}},
	{.algo = RTE_COMP_ALGO_UNSPECIFIED}};
static const struct rte_compressdev_capabilities gen_4_capabilities[] = {
	{.algo = RTE_COMP_ALGO_DEFLATE,
	 .comp_feature_flags = GEN_4_FLAGS,
	 .window_size = {.min = 15, .max = 15, .increment = 0}},
	{.algo = RTE_COMP_ALGO_UNSPECIFIED}};

/** By generation: a device of each, and the queue pairs that its driver finds. */
static const struct {
	uint16_t device_id;
	uint16_t pairs;
} generations[] = {{0, 0}, {0x0443, 2}, {0x37c9, 2}, {0x18a1, 1}, {0x4941, 4}, {0x4947, 4}};

/** The only state a process has of these devices, as it has but one set of real ones. */
static struct qatlike all;
static bool configured;

static void make_device(struct qatlike_device *d, unsigned int i, const struct qatlike_settings *s)
{
	memset(d, 0, sizeof(*d));
	d->id = (uint8_t)(QATLIKE_FIRST_ID + i);
	d->socket = s->nodes ? (int)(i % s->nodes) : SOCKET_ID_ANY;
	d->pairs_max = generations[s->generation].pairs;
	if (s->pairs != QATLIKE_PAIRS_OWN)
		d->pairs_max = (uint16_t)s->pairs;
	snprintf(d->address, sizeof(d->address), "0000:6b:00.%u", i);
	snprintf(d->name, sizeof(d->name), "0000:6b:00.%u_qat_comp", i);
	snprintf(d->bus_info, sizeof(d->bus_info), "vendor_id=8086, device_id=%x",
		 generations[s->generation].device_id);
}

int qatlike_configure(const char *specification)
{
	struct qatlike_settings settings = {0};
	int rc = specification ? qatlike_parse(specification, &settings) : 0;

	if (rc != 0)
		return rc;
	for (unsigned int i = 0; i < all.devices; i++) {
		for (unsigned int q = 0; q < QATLIKE_PAIRS_MAX; q++)
			qatlike_pair_free(&all.device[i].pair[q]);
	}
	memset(&all, 0, sizeof(all));
	all.settings = settings;
	all.devices = settings.generation ? settings.devices : 0;
	for (unsigned int i = 0; i < all.devices; i++)
		make_device(&all.device[i], i, &settings);
	configured = true;
	return 0;
}

int qatlike_faults(const char *specification)
{
	struct qatlike_settings s;
	int rc = qatlike_parse(specification, &s);

	if (rc != 0)
		return rc;
	s.generation = all.settings.generation;
	s.devices = all.settings.devices;
	s.pairs = all.settings.pairs;
	s.dma = all.settings.dma;
	s.reach = all.settings.reach;
	all.settings = s;
	for (unsigned int i = 0; i < all.devices; i++) {
		all.device[i].since_tsc = 0;
		all.device[i].dummy = false;
	}
	return 0;
}

struct qatlike *qatlike_get(void)
{
	const char *specification;

	/* the first call is the main lcore's, that looks for devices */
	if (configured)
		return &all;
	specification = getenv("MIGC_QATLIKE");
	if (qatlike_configure(specification) != 0) {
		fprintf(stderr, "qatlike: MIGC_QATLIKE=%s is not understood\n", specification);
		abort();
	}
	return &all;
}

struct qatlike_device *qatlike_device(uint8_t id)
{
	struct qatlike *q = qatlike_get();

	if (id < QATLIKE_FIRST_ID || id >= QATLIKE_FIRST_ID + q->devices)
		return NULL;
	return &q->device[id - QATLIKE_FIRST_ID];
}

struct qatlike_stats qatlike_stats(void)
{
	return all.stats;
}

unsigned int qatlike_in_flight(void)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < all.devices; i++) {
		for (unsigned int q = 0; q < QATLIKE_PAIRS_MAX; q++)
			count += all.device[i].pair[q].count;
	}
	return count;
}

int __wrap_rte_compressdev_get_dev_id(const char *name)
{
	const struct qatlike *q = qatlike_get();

	for (unsigned int i = 0; i < q->devices; i++) {
		if (name && strcmp(q->device[i].name, name) == 0)
			return q->device[i].id;
	}
	return __real_rte_compressdev_get_dev_id(name);
}

const char *__wrap_rte_compressdev_name_get(uint8_t id)
{
	const struct qatlike_device *d = qatlike_device(id);

	return d ? d->name : __real_rte_compressdev_name_get(id);
}

uint8_t __wrap_rte_compressdev_devices_get(const char *driver, uint8_t *ids, uint8_t most)
{
	const struct qatlike *q = qatlike_get();
	uint8_t count = 0;

	if (strncmp(QATLIKE_DRIVER, driver, strlen(driver)) != 0)
		return __real_rte_compressdev_devices_get(driver, ids, most);
	while (count < q->devices && count < most) {
		ids[count] = q->device[count].id;
		count++;
	}
	return count;
}

int __wrap_rte_compressdev_socket_id(uint8_t id)
{
	const struct qatlike_device *d = qatlike_device(id);

	return d ? d->socket : __real_rte_compressdev_socket_id(id);
}

void __wrap_rte_compressdev_info_get(uint8_t id, struct rte_compressdev_info *info)
{
	const struct qatlike_device *d = qatlike_device(id);

	if (d == NULL) {
		__real_rte_compressdev_info_get(id, info);
		return;
	}
	memset(info, 0, sizeof(*info));
	info->driver_name = QATLIKE_DRIVER;
	info->feature_flags = RTE_COMPDEV_FF_HW_ACCELERATED;
	info->capabilities = all.settings.generation >= 4 ? gen_4_capabilities : gen_1_capabilities;
	info->max_nb_queue_pairs = d->pairs_max;
}
