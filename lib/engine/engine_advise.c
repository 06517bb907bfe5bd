/* SPDX-License-Identifier: BSD-3-Clause */
#include "engine.h"
#include "send_path.h"

/* `--codec auto`: what a worker's ladder cannot know by itself. */

#define FOOT_EVERY_NS UINT64_C(1000000)
#define MEAN_EVERY_NS UINT64_C(10000000)

/** Of all workers' positions with the foot there is now. */
static uint32_t mean_position(const struct engine *e)
{
	uint32_t sum = 0;

	for (unsigned int i = 0; i < e->connections; i++)
		sum += __atomic_load_n(&e->workers[i].ladder_per_mille[e->foot_rung],
				       __ATOMIC_RELAXED);
	return e->connections ? sum / e->connections : 0;
}

static void tell_mean(struct engine *e)
{
	uint32_t mean = mean_position(e);

	for (unsigned int i = 0; i < e->connections; i++)
		__atomic_store_n(&e->workers[i].mean_per_mille[e->foot_rung], mean,
				 __ATOMIC_RELAXED);
}

static void tell_spare(struct engine *e, uint64_t now_ns)
{
	spare_cpu_update(&e->spare, now_ns);
	for (unsigned int i = 0; i < e->worker_count; i++)
		__atomic_store_n(&e->workers[i].spare_per_mille, e->spare.per_mille,
				 __ATOMIC_RELAXED);
}

static void tell_foot(struct engine *e, uint64_t now_ns, bool fed)
{
	uint64_t pages = 0, acked = 0;
	uint32_t rungs = 1, foot;

	/* without a connection there are no workers, and nothing is fed */
	for (unsigned int i = 0; fed && i < e->connections; i++) {
		pages += send_path_pages(e->workers[i].send);
		acked += send_path_pages_acked(e->workers[i].send);
		rungs = send_path_rungs(e->workers[i].send);
	}
	foot = migc_foot_turn(&e->foot, rungs, now_ns, pages * MIGC_PAGE_BYTES,
			      acked * MIGC_PAGE_BYTES, mean_position(e), fed);
	if (foot == e->foot_rung)
		return;
	e->foot_rung = foot;
	for (unsigned int i = 0; i < e->worker_count; i++)
		__atomic_store_n(&e->workers[i].foot_rung, foot, __ATOMIC_RELAXED);
}

void engine_advise_ladders(struct engine *e, uint64_t now_ns, bool fed)
{
	if (!e->config->codec_auto)
		return;
	if (now_ns - e->foot_ns >= FOOT_EVERY_NS) {
		e->foot_ns = now_ns;
		tell_foot(e, now_ns, fed);
	}
	if (now_ns - e->mean_ns >= MEAN_EVERY_NS) {
		e->mean_ns = now_ns;
		tell_mean(e);
	}
	if (now_ns - e->spare_ns >= spare_cpu_period_ns(&e->spare)) {
		e->spare_ns = now_ns;
		tell_spare(e, now_ns);
	}
}
