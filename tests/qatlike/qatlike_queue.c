/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "qatlike_private.h"

/** Above so many in flight, bursts smaller than the threshold are refused. */
#define THRESHOLD_IN_FLIGHT 256u
#define OUT_MIN 46u
#define WRONG_FIRMWARE ((uint64_t)-99)

/** A look at the file system each so many calls. */
#define LOOK_EVERY 256u

static bool is_time(struct qatlike_device *d)
{
	const char *when = qatlike_get()->settings.when;

	if (*when == '\0')
		return true;
	if (!d->now && d->looks++ % LOOK_EVERY == 0)
		d->now = access(when, F_OK) == 0;
	return d->now;
}

/** Does one of the three great faults stand between us and this device? */
static bool is_hit(struct qatlike_device *d, uint64_t after)
{
	const struct qatlike *q = qatlike_get();

	return d->id == QATLIKE_FIRST_ID + q->settings.on &&
	       __atomic_load_n(&d->ops, __ATOMIC_RELAXED) >= after && is_time(d);
}

/** The same, until it has lasted for as long as it should. */
static bool is_out(struct qatlike_device *d, uint64_t after)
{
	const struct qatlike *q = qatlike_get();
	uint64_t since = __atomic_load_n(&d->since_tsc, __ATOMIC_RELAXED);
	uint64_t now = rte_rdtsc();

	if (after == QATLIKE_NEVER || !is_hit(d, after))
		return false;
	if (since == 0) {
		since = now;
		__atomic_store_n(&d->since_tsc, since, __ATOMIC_RELAXED);
	}
	return q->settings.back_s <= 0 ||
	       (double)(now - since) < q->settings.back_s * (double)rte_get_tsc_hz();
}

static void check_thread(bool *has, pthread_t *owner)
{
	if (!*has)
		*owner = pthread_self();
	*has = true;
	if (!pthread_equal(*owner, pthread_self()))
		qatlike_count(&qatlike_get()->stats.foreign);
}

/** What qat_comp_build_request() makes of an op. @return descriptors it takes, or -EINVAL. */
static int build(const struct rte_comp_op *op)
{
	const struct qatlike_xform *x = op->private_xform;
	struct qatlike_stats *stats = &qatlike_get()->stats;
	int descriptors = 1;

	if (x == NULL || !x->taken || op->op_type != RTE_COMP_OP_STATELESS)
		return -EINVAL;
	if (x->compress && !x->fixed && op->src.length > QATLIKE_DYNAMIC_BYTES) {
		if (x->checksum) {
			qatlike_count(&stats->fixed_silently);
		} else {
			qatlike_count(&stats->split);
			descriptors = (int)(op->src.length / QATLIKE_DYNAMIC_BYTES + 1);
		}
	}
	if (op->m_src->nb_segs > QATLIKE_SEGMENTS || op->m_dst->nb_segs > QATLIKE_SEGMENTS)
		qatlike_count(&stats->reallocations);
	/* a list of buffers that does not hold what it should */
	if ((op->m_src->next || op->m_dst->next) &&
	    (op->src.length + op->src.offset > op->m_src->pkt_len ||
	     op->dst.offset > op->m_dst->pkt_len))
		return -EINVAL;
	return descriptors;
}

static uint16_t enqueue(struct qatlike_device *d, struct qatlike_pair *pair,
			struct rte_comp_op **ops, uint16_t count)
{
	struct qatlike *q = qatlike_get();
	const struct qatlike_settings *s = &q->settings;
	unsigned int room = pair->descriptors - 1u - pair->taken;
	uint64_t due = pair->polls + s->late + migc_random_next(&pair->random) % (s->late + 1);
	uint16_t sent;

	if (d->dummy || is_out(d, s->vanish))
		return 0;
	if (s->threshold && pair->taken > THRESHOLD_IN_FLIGHT && count < s->threshold) {
		qatlike_count(&q->stats.held);
		return 0;
	}
	if (migc_random_chance(&pair->random, s->shorts)) {
		qatlike_count(&q->stats.shorts);
		count /= 2;
	}
	for (sent = 0; sent < count; sent++) {
		int descriptors = build(ops[sent]);

		if (descriptors > 0 && (unsigned int)descriptors > room) {
			qatlike_count(&q->stats.full);
			break;
		}
		if (descriptors < 0 || migc_random_chance(&pair->random, s->refuse)) {
			qatlike_count(&q->stats.refused);
			ops[sent]->status = RTE_COMP_OP_STATUS_INVALID_ARGS;
			break;
		}
		room -= (unsigned int)descriptors;
		pair->taken += (unsigned int)descriptors;
		pair->ring[pair->count++] = (struct qatlike_op){ops[sent], due};
	}
	return sent;
}

/** Faults of an op that has been done, or is not going to be. @return whether there was one. */
static bool spoil(struct qatlike_pair *pair, struct rte_comp_op *op)
{
	struct qatlike *q = qatlike_get();
	const struct qatlike_settings *s = &q->settings;

	op->consumed = 0;
	op->produced = 0;
	op->debug_status = 0;
	if (s->reach && (!qatlike_reaches(op->m_src) || !qatlike_reaches(op->m_dst))) {
		qatlike_count(&q->stats.unreachable);
		op->status = RTE_COMP_OP_STATUS_ERROR;
	} else if (op->m_dst->pkt_len < OUT_MIN) {
		op->status = RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED;
	} else if (migc_random_chance(&pair->random, s->error)) {
		qatlike_count(&q->stats.errors);
		op->status = RTE_COMP_OP_STATUS_ERROR;
		op->debug_status = 0xf3;
	} else if (migc_random_chance(&pair->random, s->oos_terminated)) {
		op->status = RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED;
	} else {
		return false;
	}
	return true;
}

static void finish(struct qatlike_device *d, struct qatlike_pair *pair, struct rte_comp_op *op)
{
	struct qatlike *q = qatlike_get();
	const struct qatlike_xform *x = op->private_xform;

	if (x->compress && q->settings.no_cnv != QATLIKE_NEVER && is_hit(d, q->settings.no_cnv)) {
		op->status = RTE_COMP_OP_STATUS_ERROR;
		op->debug_status = WRONG_FIRMWARE;
		return;
	}
	if (spoil(pair, op)) {
		/* as it came */
	} else if (!x->compress) {
		qatlike_decompress(pair, op);
	} else if (migc_random_chance(&pair->random, q->settings.oos_recoverable)) {
		op->status = RTE_COMP_OP_STATUS_OUT_OF_SPACE_RECOVERABLE;
		op->consumed = op->src.length / 2;
		op->produced = op->m_dst->pkt_len - op->dst.offset;
	} else {
		qatlike_compress(pair, x, op);
	}
	if (op->status == RTE_COMP_OP_STATUS_OUT_OF_SPACE_RECOVERABLE ||
	    op->status == RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED)
		qatlike_count(&q->stats.out_of_space);
}

static unsigned int descriptors_of(const struct rte_comp_op *op)
{
	const struct qatlike_xform *x = op->private_xform;

	return x->compress && !x->fixed && !x->checksum && op->src.length > QATLIKE_DYNAMIC_BYTES
		       ? op->src.length / QATLIKE_DYNAMIC_BYTES + 1
		       : 1;
}

static uint16_t dequeue(struct qatlike_device *d, struct qatlike_pair *pair,
			struct rte_comp_op **ops, uint16_t most)
{
	struct qatlike *q = qatlike_get();
	uint16_t count = 0;

	pair->polls++;
	if (d->dummy || is_out(d, q->settings.silent) || is_out(d, q->settings.vanish))
		return 0;
	for (unsigned int i = 0; i < pair->count && count < most;) {
		struct rte_comp_op *op = pair->ring[i].op;

		if (pair->ring[i].due > pair->polls) {
			i++;
			continue;
		}
		pair->taken -= descriptors_of(op);
		finish(d, pair, op);
		__atomic_add_fetch(&d->ops, 1, __ATOMIC_RELAXED);
		qatlike_count(&q->stats.ops);
		ops[count++] = op;
		/* the last takes its place: out of order, as several engines would be */
		pair->ring[i] = pair->ring[--pair->count];
	}
	/* the driver looks at the first op that it ever gives back */
	if (count && !pair->answered && ops[0]->debug_status == WRONG_FIRMWARE)
		d->dummy = true;
	pair->answered |= count != 0;
	return count;
}

uint16_t __wrap_rte_compressdev_enqueue_burst(uint8_t id, uint16_t index, struct rte_comp_op **ops,
					      uint16_t count)
{
	struct qatlike_device *d = qatlike_device(id);

	if (d == NULL)
		return __real_rte_compressdev_enqueue_burst(id, index, ops, count);
	check_thread(&d->pair[index].has_enqueuer, &d->pair[index].enqueuer);
	return count ? enqueue(d, &d->pair[index], ops, count) : 0;
}

uint16_t __wrap_rte_compressdev_dequeue_burst(uint8_t id, uint16_t index, struct rte_comp_op **ops,
					      uint16_t count)
{
	struct qatlike_device *d = qatlike_device(id);

	if (d == NULL)
		return __real_rte_compressdev_dequeue_burst(id, index, ops, count);
	check_thread(&d->pair[index].has_dequeuer, &d->pair[index].dequeuer);
	return dequeue(d, &d->pair[index], ops, count);
}
