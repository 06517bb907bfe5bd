/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "spread.h"

struct work {
	const struct spread_device *devices;
	unsigned int count;
	const int *worker_socket;
	struct spread *out;
};

static bool has(const struct spread *s, unsigned int worker, unsigned int device)
{
	for (unsigned int i = 0; i < s->share[worker].lanes; i++) {
		if (s->share[worker].device[i] == device)
			return true;
	}
	return false;
}

static bool is_near(const struct work *w, unsigned int worker, unsigned int device)
{
	int socket = w->worker_socket ? w->worker_socket[worker] : -1;

	return socket < 0 || w->devices[device].socket < 0 || w->devices[device].socket == socket;
}

static bool is_free(const struct work *w, unsigned int device)
{
	unsigned int most = w->devices[device].queue_pairs;

	return w->out->used[device] < (most ? most : CODEC_WORKERS_MAX);
}

/** Is a less used than b, by the share of its queue pairs? */
static bool less_used(const struct work *w, unsigned int a, unsigned int b)
{
	unsigned int of_a = w->devices[a].queue_pairs, of_b = w->devices[b].queue_pairs;

	return w->out->used[a] * (of_b ? of_b : CODEC_WORKERS_MAX) <
	       w->out->used[b] * (of_a ? of_a : CODEC_WORKERS_MAX);
}

/** One more queue pair of a tier for a worker. @return whether there was one. */
static bool give(struct work *w, unsigned int worker, unsigned int tier, bool near_only)
{
	struct codec_share *share = &w->out->share[worker];
	unsigned int best = w->count;

	if (share->lanes == CODEC_LANES_MAX)
		return false;
	for (unsigned int d = 0; d < w->count; d++) {
		if (w->devices[d].tier != tier || has(w->out, worker, d) || !is_free(w, d) ||
		    (near_only && !is_near(w, worker, d)))
			continue;
		if (best == w->count || less_used(w, d, best))
			best = d;
	}
	if (best == w->count)
		return false;
	share->device[share->lanes] = (uint8_t)best;
	share->queue_pair[share->lanes++] = (uint8_t)w->out->used[best]++;
	return true;
}

/** Once around the workers: those near a device choose first, so that none is taken from them. */
static void round_of(struct work *w, unsigned int workers, unsigned int tier)
{
	bool given[CODEC_WORKERS_MAX] = {false};

	for (unsigned int i = 0; i < workers; i++)
		given[i] = give(w, i, tier, true);
	for (unsigned int i = 0; i < workers; i++) {
		if (!given[i])
			give(w, i, tier, false);
	}
}

void spread_queue_pairs(const struct spread_device *devices, unsigned int count,
			const int *worker_socket, unsigned int workers, struct spread *out)
{
	struct work w = {devices, count, worker_socket, out};
	unsigned int tiers = 0;

	memset(out, 0, sizeof(*out));
	if (workers > CODEC_WORKERS_MAX)
		workers = CODEC_WORKERS_MAX;
	for (unsigned int d = 0; d < count; d++) {
		if (devices[d].tier >= tiers)
			tiers = devices[d].tier + 1;
	}
	for (unsigned int tier = 0; tier < tiers; tier++) {
		round_of(&w, workers, tier);
		/* a second one, for the day when the first dies */
		if (tier == 0)
			round_of(&w, workers, tier);
	}
}
