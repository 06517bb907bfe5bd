/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include <rte_compressdev.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>

#include "perf_compressdev.h"

#define PRIVATE_XFORMS 16u
#define DESCRIPTORS 512u

static int check_huffman(const struct perf_options *o,
			 const struct rte_compressdev_capabilities *cap, struct migc_error *err)
{
	if (o->huffman == PERF_HUFFMAN_FIXED &&
	    !(cap->comp_feature_flags & RTE_COMP_FF_HUFFMAN_FIXED))
		return migc_error_set(err, -ENOTSUP, "--huffman-enc: %s has no fixed coding",
				      o->driver_name);
	if (o->huffman == PERF_HUFFMAN_DYNAMIC &&
	    !(cap->comp_feature_flags & RTE_COMP_FF_HUFFMAN_DYNAMIC))
		return migc_error_set(err, -ENOTSUP, "--huffman-enc: %s has no dynamic coding",
				      o->driver_name);
	return 0;
}

static int check_window(const struct perf_options *o, const struct rte_param_log2_range *range,
			uint16_t *out, struct migc_error *err)
{
	*out = o->window ? o->window : range->max;
	if (*out < range->min || *out > range->max ||
	    (range->increment && (*out - range->min) % range->increment))
		return migc_error_set(err, -ENOTSUP, "--window-sz: %s has no %u, but %u to %u",
				      o->driver_name, *out, range->min, range->max);
	return 0;
}

static int check(const struct perf_options *o, uint8_t id, struct perf_devices *d,
		 struct migc_error *err)
{
	const struct rte_compressdev_capabilities *cap =
		rte_compressdev_capability_get(id, RTE_COMP_ALGO_DEFLATE);
	int rc;

	if (cap == NULL)
		return migc_error_set(err, -ENOTSUP, "%s has no DEFLATE", o->driver_name);
	rc = check_huffman(o, cap, err);
	if (rc == 0)
		rc = check_window(o, &cap->window_size, &d->window, err);
	if (rc != 0)
		return rc;
	for (unsigned int i = 0; i < o->level_count; i++) {
		if (o->level[i] == 0 &&
		    !(cap->comp_feature_flags & RTE_COMP_FF_NONCOMPRESSED_BLOCKS))
			return migc_error_set(err, -ENOTSUP,
					      "--compress-level: %s has no level 0 (stored blocks)",
					      o->driver_name);
	}
	d->shareable = cap->comp_feature_flags & RTE_COMP_FF_SHAREABLE_PRIV_XFORM;
	d->segs_max = o->segs_max;
	if (!(cap->comp_feature_flags & RTE_COMP_FF_OOP_SGL_IN_SGL_OUT))
		d->segs_max = 1;
	return 0;
}

static int start(const struct perf_options *o, uint8_t id, const struct perf_devices *d,
		 struct migc_error *err)
{
	int socket = rte_compressdev_socket_id(id);
	struct rte_compressdev_config config = {
		.socket_id = socket < 0 ? (int)rte_socket_id() : socket,
		.nb_queue_pairs = d->queue_pairs,
		.max_nb_priv_xforms = (uint16_t)(PRIVATE_XFORMS + d->queue_pairs),
	};
	struct rte_compressdev_info info;
	int rc;

	rte_compressdev_info_get(id, &info);
	if (info.max_nb_queue_pairs && d->queue_pairs > info.max_nb_queue_pairs)
		return migc_error_set(
			err, -ENOTSUP,
			"%u workers need %u queue pairs of %s, which has %u: give EAL "
			"fewer lcores or more devices",
			d->queue_pairs * d->count, d->queue_pairs, rte_compressdev_name_get(id),
			info.max_nb_queue_pairs);
	rc = rte_compressdev_configure(id, &config);
	for (uint16_t q = 0; rc == 0 && q < d->queue_pairs; q++)
		rc = rte_compressdev_queue_pair_setup(id, q, DESCRIPTORS, config.socket_id);
	if (rc == 0)
		rc = rte_compressdev_start(id);
	if (rc != 0)
		return migc_error_set(err, rc, "%s %s cannot be started: %s", o->driver_name,
				      rte_compressdev_name_get(id), rte_strerror(-rc));
	return 0;
}

int perf_devices_open(const struct perf_options *o, unsigned int workers, struct perf_devices *out,
		      struct migc_error *err)
{
	int rc = 0;

	memset(out, 0, sizeof(*out));
	out->count = rte_compressdev_devices_get(o->driver_name, out->id, RTE_DIM(out->id));
	if (out->count == 0)
		return migc_error_set(err, -ENODEV,
				      "--driver-name: there is no device of %s: give EAL one (-a "
				      "ADDRESS, or --vdev %s)",
				      o->driver_name, o->driver_name);
	if (out->count > workers)
		out->count = workers;
	out->queue_pairs = (uint16_t)((workers + out->count - 1) / out->count);
	out->isal = strcmp(o->driver_name, "compress_isal") == 0;
	/* compress_isal logs a line for each op that fails; that is told once, at the end */
	rte_log_set_level_pattern("pmd.compress.isal*", RTE_LOG_CRIT);
	rte_log_set_level_pattern("pmd.compress.zlib*", RTE_LOG_CRIT);
	for (unsigned int i = 0; rc == 0 && i < out->count; i++) {
		rc = check(o, out->id[i], out, err);
		if (rc == 0)
			rc = start(o, out->id[i], out, err);
		if (rc == 0)
			out->started++;
	}
	return rc;
}

void perf_devices_close(struct perf_devices *devices)
{
	for (unsigned int i = 0; i < devices->started; i++) {
		rte_compressdev_stop(devices->id[i]);
		rte_compressdev_close(devices->id[i]);
	}
	devices->started = 0;
}
