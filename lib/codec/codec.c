/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_comp.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "codec_private.h"
#include "migc_leave.h"

/**
 * A device that gives nothing back for so long, with ops in flight, is dead. A device answers in
 * microseconds. What it was to compress, or to decompress into copies, is done elsewhere, without
 * harm if it does answer yet; the guest may be stopped and waiting, and a receiver's lcore waits
 * for buffers meanwhile, with all guests it serves. What it was to decompress into guest pages ends
 * the migration.
 */
#define DEAD_MS 200u
#define DEAD_WITH_PAGES_MS 2000u
/** And it was asked so many times: it was not us who were away. */
#define DEAD_POLLS 64u
#define OPS 512u
/** A lost device that has nothing to give back is tried so often. */
#define TRIAL_MS 1000u
#define EXTERNALS 8192u
/** Inline jobs between two polls: what is made goes out before the next is begun. */
#define INLINE_JOBS 1u

/**
 * Names are the process's: a worker's compressor and its decompressor have different ones, and so
 * have its second and its first, of which something may be left (migc_codec_free()).
 */
static void name_pool(const struct migc_codec *c, const char *kind, char *out)
{
	snprintf(out, RTE_MEMPOOL_NAMESIZE, "%s-%s%u-%u", kind, c->decompress ? "d" : "c",
		 c->worker, c->serial);
}

static struct rte_mempool *make_pool(struct migc_codec *c, const char *kind, unsigned int count,
				     uint16_t room, int socket)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	name_pool(c, kind, name);
	c->memory_bytes += (uint64_t)count * (room + sizeof(struct rte_mbuf));
	return rte_pktmbuf_pool_create(name, count, count >= 512 ? 128 : 0, 0, room, socket);
}

static bool make_pools(struct migc_codec *c, int socket)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	bool linear = false, copies = false, ok = inline_create(c) == 0;

	for (unsigned int i = 0; i < c->lanes; i++) {
		copies |= c->lane[i].device->plan.hardware;
		linear |= !c->lane[i].device->plan.source_chain ||
			  c->lane[i].device->plan.segment_bytes != MIGC_PAGE_BYTES;
	}
	name_pool(c, "ops", name);
	c->ops = rte_comp_op_pool_create(name, OPS, 64, sizeof(struct codec_op), socket);
	c->memory_bytes += OPS * (sizeof(struct rte_comp_op) + sizeof(struct codec_op));
	c->externals = make_pool(c, "pages", EXTERNALS, 0, socket);
	ok = ok && c->ops && c->externals;
	if (c->decompress) {
		name_pool(c, "buffers", name);
		c->buffers = rte_mempool_create(name, CODEC_BUFFERS, MIGC_CODEC_BUFFER_BYTES, 0, 0,
						NULL, NULL, NULL, NULL, socket,
						RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET);
		c->memory_bytes += (uint64_t)CODEC_BUFFERS * MIGC_CODEC_BUFFER_BYTES;
		c->scratch = rte_malloc("codec_scratch", 64, 64);
		ok = ok && c->buffers && c->scratch && tail_create(c) == 0;
	}
	if (!c->decompress || copies) {
		c->segments = make_pool(c, "segments", CODEC_SEGMENTS, MIGC_PAGE_BYTES, socket);
		ok = ok && c->segments;
	}
	if (linear) {
		c->bounces = make_pool(c, "bounces", CODEC_BOUNCES, MIGC_CODEC_SEGMENT_BYTES_MAX,
				       socket);
		ok = ok && c->bounces;
	}
	return ok;
}

/** More workers than queue pairs: those without one use what others fall back to. */
static void take_lanes(struct migc_codec *c)
{
	const struct codec_share *share;

	if (c->worker >= CODEC_WORKERS_MAX)
		return;
	share = &c->devices->share[c->worker];
	for (unsigned int i = 0; i < share->lanes; i++) {
		struct codec_lane *lane = &c->lane[c->lanes];

		lane->device = &c->devices->device[share->device[i]];
		if (__atomic_load_n(&lane->device->abandoned[share->queue_pair[i]],
				    __ATOMIC_RELAXED))
			continue;
		c->lanes++;
		lane->share = i;
		lane->queue_pair = share->queue_pair[i];
		lane->xform = lane->device->xform[lane->queue_pair];
	}
}

int migc_codec_create(struct migc_codec_devices *devices, unsigned int worker, bool decompress,
		      int socket, struct migc_codec **out, struct migc_error *err)
{
	struct migc_codec *c = calloc(1, sizeof(*c));
	bool made;

	*out = NULL;
	if (c == NULL)
		return migc_error_set(err, -ENOMEM, "no memory for a codec");
	c->devices = devices;
	c->worker = worker;
	c->serial = __atomic_fetch_add(&devices->engines, 1, __ATOMIC_RELAXED);
	c->decompress = decompress;
	c->dead_cycles = rte_get_tsc_hz() / 1000 * DEAD_MS;
	c->dead_with_pages_cycles = rte_get_tsc_hz() / 1000 * DEAD_WITH_PAGES_MS;
	c->trial_cycles = rte_get_tsc_hz() / 1000 * TRIAL_MS;
	migc_random_seed(&c->random, devices->config.inject_seed + worker);
	take_lanes(c);
	if (c->lanes == 0 && devices->count) {
		free(c);
		return migc_error_set(
			err, -ENOTSUP,
			"worker %u has no queue pair: the device has fewer than there are "
			"workers; give EAL fewer lcores, or drop --no-fallback",
			worker);
	}
	made = make_pools(c, socket);
	__atomic_fetch_add(&devices->memory_bytes, c->memory_bytes, __ATOMIC_RELAXED);
	if (!made) {
		migc_codec_free(c);
		return migc_error_set(err, -ENOMEM,
				      "no memory for the codec of worker %u: give EAL more (-m, or "
				      "hugepages)",
				      worker);
	}
	*out = c;
	return 0;
}

/** How long a lane may be silent. The lcore's own work is never silent, whatever is said here. */
static uint64_t patience(const struct migc_codec *c, const struct codec_lane *lane)
{
	bool copies = lane->device->plan.hardware &&
		      (c->devices->physical || c->devices->reaches == 0);

	return !c->decompress || copies ? c->dead_cycles : c->dead_with_pages_cycles;
}

/** Ops that are still somewhere hold mbufs of our pools: get them back first. */
static void drain_lane(struct migc_codec *c, struct codec_lane *lane)
{
	/* one that was given up has had its time */
	uint64_t until = rte_rdtsc() + (lane->dead ? 0 : patience(c, lane));
	struct rte_comp_op *op;

	for (unsigned int k = 0; k < lane->pending_count; k++)
		submit_free_op(c, lane->pending[k]);
	while (lane->in_flight) {
		if (rte_compressdev_dequeue_burst(lane->device->id, lane->queue_pair, &op, 1)) {
			lane->in_flight--;
			submit_free_op(c, op);
		} else if (rte_rdtsc() >= until) {
			return;
		}
	}
}

/** @return whether all ops are here. */
static bool drain(struct migc_codec *c)
{
	bool all = true;

	for (unsigned int i = 0; i < c->lanes; i++) {
		struct codec_lane *lane = &c->lane[i];

		drain_lane(c, lane);
		if (lane->in_flight == 0)
			continue;
		/* what comes late would be taken for an op of the next engine's */
		__atomic_store_n(&lane->device->abandoned[lane->queue_pair], 1, __ATOMIC_RELAXED);
		all = false;
	}
	return all;
}

static void free_pools(struct migc_codec *c)
{
	rte_mempool_free(c->ops);
	rte_mempool_free(c->externals);
	rte_mempool_free(c->segments);
	rte_mempool_free(c->buffers);
	rte_mempool_free(c->bounces);
	rte_free(c->scratch);
}

void migc_codec_free(struct migc_codec *c)
{
	bool all = true;

	if (c == NULL)
		return;
	if (c->ops)
		all = drain(c);
	inline_free(c);
	tail_free(c);
	/* a device that has some of it may still write to it: nobody else may have it, ever */
	if (all && !migc_leaving()) {
		free_pools(c);
		__atomic_fetch_sub(&c->devices->memory_bytes, c->memory_bytes, __ATOMIC_RELAXED);
	}
	free(c);
}

/** Jobs that may be here at a time. */
static unsigned int window(const struct migc_codec *c)
{
	unsigned int first = submit_next_lane(c, 0);

	if (first == c->lanes)
		return CODEC_JOBS_MAX / 2;
	/* a device of its own queue, and as many again that wait for it */
	return 2u * c->lane[first].device->plan.in_flight;
}

unsigned int migc_codec_room(const struct migc_codec *c)
{
	unsigned int most = window(c);
	unsigned int room = c->jobs < most ? most - c->jobs : 0;

	/* what is done at once keeps the lcore from its port: little of it in a turn */
	if (c->at_once >= INLINE_JOBS)
		return 0;
	if (room && c->segments) {
		unsigned int blocks =
			rte_mempool_avail_count(c->segments) / (2 * MIGC_BLOCK_PAGES_MAX);

		room = room < blocks ? room : blocks;
	}
	return room;
}

bool migc_codec_device_room(const struct migc_codec *c)
{
	unsigned int first = submit_next_lane(c, 0);
	const struct codec_lane *lane = &c->lane[first];

	return first < c->lanes &&
	       lane->in_flight + lane->pending_count < lane->device->plan.in_flight;
}

unsigned int migc_codec_in_flight(const struct migc_codec *c)
{
	return c->jobs;
}

int migc_codec_submit(struct migc_codec *c, struct migc_codec_job *job)
{
	unsigned int lane = submit_next_lane(c, 0);

	if (c->jobs >= window(c))
		return -ENOBUFS;
	c->jobs++;
	if (job->codec != MIGC_CODEC_DEFLATE) {
		c->at_once++;
		inline_job(c, job);
	} else if (lane != 0) {
		complete_elsewhere(c, job, 0);
	} else if (submit_to_lane(c, job, 0) != 0) {
		/* a want of buffers, and not the device's fault */
		c->stats.fallback_blocks++;
		complete_job(c, job, c->decompress ? -EBADMSG : -ENOSPC);
	}
	return 0;
}

static void note_progress(struct codec_lane *lane)
{
	lane->progress_tsc = rte_rdtsc();
	lane->quiet_polls = 0;
}

/** The first op that a lane did not take, when it said that it never will; else NULL. */
static struct rte_comp_op *refused_op(struct migc_codec *c, const struct codec_lane *lane,
				      unsigned int taken, unsigned int given)
{
	if (taken == given)
		return NULL;
	c->stats.enqueue_full++;
	return lane->pending[taken]->status == RTE_COMP_OP_STATUS_NOT_PROCESSED
		       ? NULL
		       : lane->pending[taken];
}

/** Give a lane what waits for it; see what it says of the first op that it does not take. */
static void enqueue(struct migc_codec *c, struct codec_lane *lane)
{
	const struct migc_codec_plan *plan = &lane->device->plan;
	unsigned int count = lane->pending_count, taken;
	struct rte_comp_op *refused;

	if (count > plan->burst_max)
		count = plan->burst_max;
	if (count > (unsigned int)(plan->in_flight - lane->in_flight))
		count = (unsigned int)(plan->in_flight - lane->in_flight);
	if (count == 0)
		return;
	/* a lane that has nothing and takes nothing is as silent as one that gives nothing back */
	if (lane->in_flight == 0 && !lane->refused)
		note_progress(lane);
	taken = rte_compressdev_enqueue_burst(lane->device->id, lane->queue_pair, lane->pending,
					      (uint16_t)count);
	lane->in_flight = (uint16_t)(lane->in_flight + taken);
	refused = refused_op(c, lane, taken, count);
	if (refused)
		taken++;
	lane->refused = taken == 0;
	lane->pending_count -= taken;
	memmove(lane->pending, lane->pending + taken,
		lane->pending_count * sizeof(lane->pending[0]));
	if (refused) {
		refused->status = RTE_COMP_OP_STATUS_ERROR;
		complete_op(c, refused);
	}
}

static void dequeue(struct migc_codec *c, unsigned int index)
{
	struct codec_lane *lane = &c->lane[index];
	struct rte_comp_op *done[32];
	uint16_t count = 0;

	if (lane->in_flight == 0 && !lane->refused)
		return;
	if (lane->in_flight)
		count = rte_compressdev_dequeue_burst(lane->device->id, lane->queue_pair, done, 32);
	lane->quiet_polls++;
	if (count) {
		note_progress(lane);
		lane->in_flight = (uint16_t)(lane->in_flight - count);
		for (uint16_t i = 0; i < count; i++)
			complete_op(c, done[i]);
	}
	if (lane->dead) {
		if (count && lane->in_flight == 0 && !lane->unusable &&
		    lane->revivals < CODEC_REVIVALS_MAX)
			complete_found(c, index);
	} else if (lane->unusable || (lane->quiet_polls > DEAD_POLLS &&
				      rte_rdtsc() - lane->progress_tsc > patience(c, lane))) {
		complete_lost(c, index);
	}
}

unsigned int migc_codec_poll(struct migc_codec *c, struct migc_codec_job **done, unsigned int max)
{
	unsigned int count;

	for (unsigned int i = 0; i < c->lanes; i++) {
		enqueue(c, &c->lane[i]);
		dequeue(c, i);
		if (c->lane[i].dead)
			trial_turn(c, i);
	}
	c->at_once = 0;
	count = c->finished_count < max ? c->finished_count : max;
	memcpy(done, c->finished, count * sizeof(done[0]));
	c->finished_count -= count;
	memmove(c->finished, c->finished + count, c->finished_count * sizeof(done[0]));
	c->jobs -= count;
	return count;
}

unsigned int migc_codec_free_segments(const struct migc_codec *c)
{
	return c->segments ? rte_mempool_avail_count(c->segments) : 0;
}

void migc_codec_stats(const struct migc_codec *c, struct migc_codec_stats *out)
{
	*out = c->stats;
}

uint8_t *migc_codec_buffer(struct migc_codec *c)
{
	void *buffer;

	return rte_mempool_get(c->buffers, &buffer) == 0 ? buffer : NULL;
}
