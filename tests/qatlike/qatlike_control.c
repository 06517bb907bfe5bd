/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qatlike_private.h"

#define DESCRIPTORS_MIN 128u
#define DESCRIPTORS_MAX 4096u
#define RAW_WINDOW (-15)
#define MEMORY_LEVEL 9

void qatlike_pair_free(struct qatlike_pair *pair)
{
	if (pair->streams) {
		deflateEnd(&pair->dynamic);
		deflateEnd(&pair->fixed);
		inflateEnd(&pair->inflate);
	}
	free(pair->ring);
	memset(pair, 0, sizeof(*pair));
}

int __wrap_rte_compressdev_configure(uint8_t id, struct rte_compressdev_config *config)
{
	struct qatlike_device *d = qatlike_device(id);

	if (d == NULL)
		return __real_rte_compressdev_configure(id, config);
	if (d->started)
		return -EBUSY;
	if (config->nb_queue_pairs == 0 || config->nb_queue_pairs > d->pairs_max)
		return -EINVAL;
	d->pairs = config->nb_queue_pairs;
	return 0;
}

static bool make_streams(struct qatlike_pair *pair)
{
	pair->streams = deflateInit2(&pair->dynamic, 1, Z_DEFLATED, RAW_WINDOW, MEMORY_LEVEL,
				     Z_DEFAULT_STRATEGY) == Z_OK &&
			deflateInit2(&pair->fixed, 1, Z_DEFLATED, RAW_WINDOW, MEMORY_LEVEL,
				     Z_FIXED) == Z_OK &&
			inflateInit2(&pair->inflate, RAW_WINDOW) == Z_OK;
	return pair->streams;
}

int __wrap_rte_compressdev_queue_pair_setup(uint8_t id, uint16_t index, uint32_t descriptors,
					    int socket)
{
	struct qatlike_device *d = qatlike_device(id);
	struct qatlike_pair *pair;

	if (d == NULL)
		return __real_rte_compressdev_queue_pair_setup(id, index, descriptors, socket);
	if (index >= d->pairs || descriptors < DESCRIPTORS_MIN || descriptors > DESCRIPTORS_MAX ||
	    (descriptors & (descriptors - 1)))
		return -EINVAL;
	pair = &d->pair[index];
	if (pair->count)
		return -EAGAIN;
	qatlike_pair_free(pair);
	pair->ring = calloc(descriptors, sizeof(*pair->ring));
	if (pair->ring == NULL || !make_streams(pair))
		return -ENOMEM;
	pair->descriptors = (uint16_t)descriptors;
	migc_random_seed(&pair->random, qatlike_get()->settings.seed * 1000 + id * 10u + index);
	return 0;
}

int __wrap_rte_compressdev_start(uint8_t id)
{
	struct qatlike_device *d = qatlike_device(id);

	if (d == NULL)
		return __real_rte_compressdev_start(id);
	d->started = true;
	return 0;
}

void __wrap_rte_compressdev_stop(uint8_t id)
{
	struct qatlike_device *d = qatlike_device(id);

	if (d == NULL)
		__real_rte_compressdev_stop(id);
	else
		d->started = false;
}

int __wrap_rte_compressdev_close(uint8_t id)
{
	struct qatlike_device *d = qatlike_device(id);

	if (d == NULL)
		return __real_rte_compressdev_close(id);
	if (d->started)
		return -EBUSY;
	for (uint16_t q = 0; q < d->pairs; q++) {
		if (d->pair[q].count) {
			qatlike_count(&qatlike_get()->stats.busy_closes);
			return -EAGAIN;
		}
		qatlike_pair_free(&d->pair[q]);
	}
	return 0;
}

/** zlib's level for what the hardware looks at. */
static int level_of(unsigned int generation, int level)
{
	if (generation >= 4)
		return level == RTE_COMP_LEVEL_PMD_DEFAULT || (level >= 6 && level <= 8) ? 6
		       : level >= 1 && level <= 5                                        ? 1
		       : level >= 9 && level <= 12                                       ? 9
											 : -1;
	switch (level) {
	case 1:
	case 2:
		return level;
	case 3:
	case RTE_COMP_LEVEL_PMD_DEFAULT:
		return 3;
	default:
		return level >= 4 && level <= 9 ? 5 : -1;
	}
}

int __wrap_rte_compressdev_private_xform_create(uint8_t id, const struct rte_comp_xform *xform,
						void **out)
{
	struct qatlike_device *d = qatlike_device(id);
	struct qatlike_xform *x = NULL;
	int level = 1;

	if (d == NULL)
		return __real_rte_compressdev_private_xform_create(id, xform, out);
	for (unsigned int i = 0; i < QATLIKE_XFORMS && x == NULL; i++) {
		if (!d->xform[i].taken)
			x = &d->xform[i];
	}
	if (x == NULL)
		return -ENOMEM;
	if (xform->type == RTE_COMP_COMPRESS)
		level = level_of(qatlike_get()->settings.generation, xform->compress.level);
	if (level < 0 ||
	    (xform->type == RTE_COMP_COMPRESS ? xform->compress.algo : xform->decompress.algo) !=
		    RTE_COMP_ALGO_DEFLATE)
		return -EINVAL;
	*x = (struct qatlike_xform){
		.taken = true,
		.compress = xform->type == RTE_COMP_COMPRESS,
		.level = (uint8_t)level,
	};
	if (x->compress) {
		x->fixed = xform->compress.deflate.huffman == RTE_COMP_HUFFMAN_FIXED;
		x->checksum = xform->compress.chksum != RTE_COMP_CHECKSUM_NONE;
	}
	*out = x;
	return 0;
}

int __wrap_rte_compressdev_private_xform_free(uint8_t id, void *xform)
{
	struct qatlike_xform *x = xform;

	if (qatlike_device(id) == NULL)
		return __real_rte_compressdev_private_xform_free(id, xform);
	if (x == NULL || !x->taken)
		return -EINVAL;
	x->taken = false;
	return 0;
}
