/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_port.h"

/** Packets that may overtake one that is held. */
#define OVERTAKEN_MAX 8u

void migc_inject_init(struct migc_inject *inject, const struct migc_inject_spec *spec,
		      uint64_t stream)
{
	inject->spec = *spec;
	inject->held_count = 0;
	inject->cut_until_ns = 0;
	inject->dropped = 0;
	inject->reordered = 0;
	inject->duplicated = 0;
	inject->corrupted = 0;
	/* streams of one seed must differ, and be the same in each run */
	migc_random_seed(&inject->random, spec->seed * UINT64_C(0x2545f4914f6cdd1d) + stream);
}

static void corrupt(struct migc_inject *inject, struct rte_mbuf *m)
{
	uint64_t random = migc_random_next(&inject->random);
	uint8_t *data = rte_pktmbuf_mtod(m, uint8_t *);

	data[(random >> 8) % m->data_len] ^= (uint8_t)(1u << (random & 7));
	inject->corrupted++;
}

/** Let go of held packets that were overtaken often enough (all, when `all`). */
static unsigned int release(struct migc_inject *inject, bool all, struct rte_mbuf **out)
{
	unsigned int kept = 0, released = 0;

	for (unsigned int i = 0; i < inject->held_count; i++) {
		if (all || inject->held_for[i] == 0) {
			out[released++] = inject->held[i];
			continue;
		}
		inject->held[kept] = inject->held[i];
		inject->held_for[kept++] = inject->held_for[i];
	}
	inject->held_count = kept;
	return released;
}

static bool hold(struct migc_inject *inject, struct rte_mbuf *m)
{
	if (inject->held_count == MIGC_INJECT_HELD ||
	    !migc_random_chance(&inject->random, inject->spec.reorder))
		return false;
	inject->held[inject->held_count] = m;
	inject->held_for[inject->held_count++] =
		(uint8_t)(1 + migc_random_next(&inject->random) % OVERTAKEN_MAX);
	inject->reordered++;
	return true;
}

void migc_inject_cut(struct migc_inject *inject, uint64_t until_ns)
{
	/* relaxed: the time is all that is said */
	__atomic_store_n(&inject->cut_until_ns, until_ns, __ATOMIC_RELAXED);
}

bool migc_inject_is_cut(const struct migc_inject *inject, uint64_t now_ns)
{
	return now_ns < __atomic_load_n(&inject->cut_until_ns, __ATOMIC_RELAXED);
}

unsigned int migc_inject_burst(struct migc_inject *inject, struct rte_mempool *pool,
			       struct rte_mbuf **in, unsigned int count, struct rte_mbuf **out,
			       uint64_t now_ns)
{
	unsigned int made = 0;

	if (migc_inject_is_cut(inject, now_ns)) {
		inject->dropped += count + inject->held_count;
		rte_pktmbuf_free_bulk(in, count);
		migc_inject_drain(inject);
		return 0;
	}
	for (unsigned int i = 0; i < count; i++) {
		struct rte_mbuf *m = in[i];

		if (migc_random_chance(&inject->random, inject->spec.loss)) {
			rte_pktmbuf_free(m);
			inject->dropped++;
			continue;
		}
		if (m->data_len && migc_random_chance(&inject->random, inject->spec.corrupt))
			corrupt(inject, m);
		if (migc_random_chance(&inject->random, inject->spec.duplicate)) {
			struct rte_mbuf *copy = rte_pktmbuf_copy(m, pool, 0, UINT32_MAX);

			if (copy) {
				copy->ol_flags = m->ol_flags;
				copy->tx_offload = m->tx_offload;
				out[made++] = copy;
				inject->duplicated++;
			}
		}
		if (hold(inject, m))
			continue;
		out[made++] = m;
		for (unsigned int h = 0; h < inject->held_count; h++)
			inject->held_for[h]--;
		made += release(inject, false, out + made);
	}
	if (count == 0)
		made += release(inject, true, out + made);
	return made;
}

void migc_inject_drain(struct migc_inject *inject)
{
	for (unsigned int i = 0; i < inject->held_count; i++)
		rte_pktmbuf_free(inject->held[i]);
	inject->held_count = 0;
}
