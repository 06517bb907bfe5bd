/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_compressdev.h>
#include <rte_errno.h>

#include "perf_compressdev.h"

static void free_worker(struct perf_worker *w)
{
	struct perf_ops *o = w->path;

	if (o == NULL)
		return;
	w->path = NULL;
	/* a device may write to memory of ops it did not give back for as long as we live */
	if (o->lost)
		return;
	perf_buffers_free(&o->buffers);
	rte_mempool_free(o->pool);
	free(o->held);
	free(o->done);
	free(o);
}

static int make_worker(struct perf_worker *w, struct perf_devices *devices, struct migc_error *err)
{
	const struct perf_options *options = w->run->options;
	struct perf_ops *o = calloc(1, sizeof(*o));
	char name[RTE_MEMPOOL_NAMESIZE];

	if (o == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a worker");
	w->path = o;
	o->devices = devices;
	o->device = devices->id[w->index % devices->count];
	o->queue_pair = (uint16_t)(w->index / devices->count);
	w->queue_pair = o->queue_pair;
	snprintf(w->device, sizeof(w->device), "%s", rte_compressdev_name_get(o->device));
	/* an xform that cannot be shared serves one op at a time */
	o->burst = devices->shareable ? options->burst : 1;
	o->in_flight_max = devices->shareable ? options->pool : 1;
	if (options->ptest == PERF_LATENCY)
		o->in_flight_max = o->burst;
	o->held = calloc(o->burst, sizeof(struct rte_comp_op *));
	o->done = calloc(o->burst, sizeof(struct rte_comp_op *));
	snprintf(name, sizeof(name), "perf-ops%u", w->index);
	o->pool = rte_comp_op_pool_create(name, options->pool, 0, sizeof(struct perf_op_tag),
					  w->socket);
	if (o->held == NULL || o->done == NULL || o->pool == NULL)
		return migc_error_set(err, -ENOMEM,
				      "no memory for the %u operations of lcore %u: give EAL more "
				      "(-m, or huge pages), or a smaller --pool-sz",
				      options->pool, w->lcore);
	if (perf_buffers_create(w, devices, &o->buffers, err) != 0)
		return err->code;
	w->ops = o->buffers.count;
	return 0;
}

static int path_open(struct perf_run *run, struct migc_error *err)
{
	struct perf_devices *devices = calloc(1, sizeof(*devices));
	int rc;

	if (devices == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for devices");
	run->own = devices;
	rc = perf_devices_open(run->options, run->worker_count, devices, err);
	for (unsigned int i = 0; rc == 0 && i < run->worker_count; i++)
		rc = make_worker(&run->workers[i], devices, err);
	return rc;
}

static void path_close(struct perf_run *run)
{
	for (unsigned int i = 0; i < run->worker_count; i++)
		free_worker(&run->workers[i]);
	if (run->own)
		perf_devices_close(run->own);
	free(run->own);
	run->own = NULL;
}

static enum rte_comp_huffman huffman_kind(enum perf_huffman huffman)
{
	switch (huffman) {
	case PERF_HUFFMAN_FIXED:
		return RTE_COMP_HUFFMAN_FIXED;
	case PERF_HUFFMAN_DYNAMIC:
		return RTE_COMP_HUFFMAN_DYNAMIC;
	default:
		return RTE_COMP_HUFFMAN_DEFAULT;
	}
}

static struct rte_comp_xform xform_of(const struct perf_run *run, enum perf_direction direction,
				      uint16_t window)
{
	struct rte_comp_xform xform = {.type = RTE_COMP_COMPRESS};

	if (direction == PERF_DECOMPRESS) {
		xform.type = RTE_COMP_DECOMPRESS;
		xform.decompress.algo = RTE_COMP_ALGO_DEFLATE;
		xform.decompress.chksum = RTE_COMP_CHECKSUM_NONE;
		xform.decompress.window_size = (uint8_t)window;
		xform.decompress.hash_algo = RTE_COMP_HASH_ALGO_NONE;
		return xform;
	}
	xform.compress.algo = RTE_COMP_ALGO_DEFLATE;
	xform.compress.deflate.huffman = huffman_kind(run->options->huffman);
	xform.compress.level = (int)run->level;
	xform.compress.window_size = (uint8_t)window;
	xform.compress.chksum = RTE_COMP_CHECKSUM_NONE;
	xform.compress.hash_algo = RTE_COMP_HASH_ALGO_NONE;
	return xform;
}

static int path_begin(struct perf_run *run, enum perf_direction direction, struct migc_error *err)
{
	struct perf_devices *devices = run->own;
	struct rte_comp_xform xform = xform_of(run, direction, devices->window);

	for (unsigned int i = 0; i < run->worker_count; i++) {
		struct perf_ops *o = run->workers[i].path;
		int rc = rte_compressdev_private_xform_create(o->device, &xform, &o->xform);

		if (rc != 0)
			return migc_error_set(err, rc, "%s does not take level %u: %s",
					      run->workers[i].device, run->level,
					      rte_strerror(-rc));
		rc = perf_buffers_ready(&o->buffers, direction, devices->isal);
		if (rc != 0)
			return migc_error_set(err, rc, "no memory for scratch segments");
	}
	return 0;
}

static void path_end(struct perf_run *run)
{
	for (unsigned int i = 0; i < run->worker_count; i++) {
		struct perf_ops *o = run->workers[i].path;

		if (o->xform && !o->lost)
			rte_compressdev_private_xform_free(o->device, o->xform);
		o->xform = NULL;
	}
}

static int path_compare(struct perf_worker *w)
{
	const struct perf_ops *o = w->path;

	if (perf_buffers_equal(&o->buffers, &w->run->input))
		return 0;
	return migc_error_set(&w->err, -EBADMSG,
			      "what was decompressed is not what was compressed");
}

const struct perf_path perf_path_compressdev = {
	.open = path_open,
	.close = path_close,
	.begin = path_begin,
	.end = path_end,
	.pass = perf_ops_pass,
	.setup_pass = perf_ops_setup_pass,
	.compare = path_compare,
};
