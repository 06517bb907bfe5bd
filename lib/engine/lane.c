/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_power_intrinsics.h>

#include "clock.h"
#include "lane.h"
#include "seqlock.h"

#define PUBLISH_EVERY_NS UINT64_C(2000000)
/** Turns without work before the first sleep; a pause between two where the CPU has TPAUSE. */
#define IDLE_TURNS_PAUSE 8u
#define POWER_PAUSE_NS UINT64_C(2000)
/*
 * A sleep costs a timer and a switch to and fro: some microseconds, in a virtual machine 20. So it
 * is as long as makes at least a quarter of a burst come meanwhile, and shorter when a whole one
 * does, as network cards moderate their interrupts.
 */
#define SLEEP_MIN_NS 40000u
#define SLEEP_MAX_NS 1000000u
/** No connection yet: a receiver may wait for days. */
#define SLEEP_UNCONNECTED_MAX_NS 4000000u

void lane_attach(struct lane *l, unsigned int slot, struct worker *w)
{
	w->lane = l;
	__atomic_store_n(&l->wanted[slot], w, __ATOMIC_RELAXED);
	/* pairs with the acquire in lane_turn(): the worker is complete, the slot is written */
	__atomic_fetch_add(&l->changes, 1, __ATOMIC_RELEASE);
}

void lane_detach(struct lane *l, unsigned int slot)
{
	__atomic_store_n(&l->wanted[slot], NULL, __ATOMIC_RELAXED);
	/* pairs with the acquire in lane_turn() */
	l->left[slot] = __atomic_add_fetch(&l->changes, 1, __ATOMIC_RELEASE);
}

bool lane_detached(const struct lane *l, unsigned int slot)
{
	/* pairs with the release in lane_take_changes(): the lane has let go of it. That it has
	 * nothing in the slot would not do: it may be about to take what was there before */
	uint32_t taken = __atomic_load_n(&l->changes_taken, __ATOMIC_ACQUIRE);

	return (int32_t)(taken - l->left[slot]) >= 0;
}

void lane_take_changes(struct lane *l)
{
	/* pairs with the releases of lane_attach() and lane_detach() */
	uint32_t changes = __atomic_load_n(&l->changes, __ATOMIC_ACQUIRE);

	l->active_count = 0;
	for (unsigned int i = 0; i < LANE_SLOTS_MAX; i++) {
		struct worker *w = __atomic_load_n(&l->wanted[i], __ATOMIC_RELAXED);

		if (l->slot[i] && l->slot[i] != w)
			worker_publish(l->slot[i]);
		l->slot[i] = w;
		if (w)
			l->active[l->active_count++] = w;
	}
	l->next = 0;
	/* pairs with the acquire in lane_detached() */
	__atomic_store_n(&l->changes_taken, changes, __ATOMIC_RELEASE);
}

void lane_publish(struct lane *l)
{
	struct lane_counters *c = &l->counters;

	migc_inet_stats(l->inet, &c->inet);
	c->injected_loss = l->inject_rx.dropped + l->inject_tx.dropped;
	c->injected_reorder = l->inject_rx.reordered + l->inject_tx.reordered;
	c->injected_duplicate = l->inject_rx.duplicated + l->inject_tx.duplicated;
	c->injected_corrupt = l->inject_rx.corrupted + l->inject_tx.corrupted;
	seqlock_write(&l->published_sequence, &l->published, c, sizeof(*c));
	for (unsigned int i = 0; i < l->active_count; i++)
		worker_publish(l->active[i]);
}

void lane_read_counters(const struct lane *l, struct lane_counters *out)
{
	seqlock_read(&l->published_sequence, out, &l->published, sizeof(*out));
}

/** After a sleep: what it brought says how long the next one may be. */
static void moderate(struct lane *l, unsigned int packets)
{
	l->slept = false;
	if (packets >= LANE_BURST)
		l->sleep_ns = RTE_MAX(l->sleep_ns / 2, SLEEP_MIN_NS);
	else if (packets < LANE_BURST / 4)
		l->sleep_ns = RTE_MIN(l->sleep_ns + l->sleep_ns / 4, SLEEP_MAX_NS);
}

bool lane_turn(struct lane *l)
{
	uint64_t now = clock_now_ns();
	unsigned int packets;
	bool busy;

	/* pairs with the releases of lane_attach() and lane_detach() */
	if (__atomic_load_n(&l->changes, __ATOMIC_ACQUIRE) != l->changes_taken)
		lane_take_changes(l);
	packets = lane_receive(l, now);
	busy = packets > 0;
	for (unsigned int i = 0; i < l->active_count; i++)
		busy |= worker_turn(l->active[i], now);
	packets += lane_transmit(l, now);
	busy |= packets > 0;
	if (busy && l->slept)
		moderate(l, packets);
	if (now - l->publish_ns >= PUBLISH_EVERY_NS) {
		lane_publish(l);
		l->publish_ns = now;
	}
	for (unsigned int i = 0; i < l->active_count; i++)
		worker_publish_state(l->active[i]);
	return busy;
}

/** The longest sleep: somebody may be in a hurry, and somebody is connected or nobody is. */
static uint32_t sleep_max(const struct lane *l)
{
	uint32_t max = SLEEP_UNCONNECTED_MAX_NS;

	for (unsigned int i = 0; i < l->active_count; i++) {
		const struct worker *w = l->active[i];

		if (__atomic_load_n(&w->hurry, __ATOMIC_RELAXED))
			return SLEEP_MIN_NS;
		if (migc_transport_state(w->transport) >= MIGC_TRANSPORT_CONNECTED)
			max = SLEEP_MAX_NS;
	}
	return max;
}

static void back_off(struct lane *l)
{
	struct timespec sleep = {0};
	uint32_t max;

	if (++l->idle_turns < IDLE_TURNS_PAUSE) {
		if (l->power_pause_cycles)
			rte_power_pause(rte_rdtsc() + l->power_pause_cycles);
		else
			rte_pause();
		return;
	}
	max = sleep_max(l);
	if (l->slept)
		l->sleep_ns = RTE_MIN(l->sleep_ns * 2, max);
	if (l->sleep_ns < SLEEP_MIN_NS || max == SLEEP_MIN_NS)
		l->sleep_ns = SLEEP_MIN_NS;
	l->slept = true;
	sleep.tv_nsec = (long)l->sleep_ns;
	/* there is nothing to do, and a core that is polled for nothing is a core taken from a
	 * guest */
	nanosleep(&sleep, NULL);
	/* one look, then on with sleeping */
	l->idle_turns = IDLE_TURNS_PAUSE;
}

void lane_step(struct lane *l)
{
	if (lane_turn(l))
		l->idle_turns = 0;
	else
		back_off(l);
}

void lane_find_pause(struct lane *l)
{
	struct rte_cpu_intrinsics intrinsics;

	rte_cpu_get_intrinsics_support(&intrinsics);
	if (intrinsics.power_pause)
		l->power_pause_cycles = rte_get_tsc_hz() * POWER_PAUSE_NS / UINT64_C(1000000000);
}

int lane_main(void *lane)
{
	struct lane *l = lane;
	uint64_t before = rte_rdtsc();

	prctl(PR_SET_TIMERSLACK, 1UL);
	/* pairs with the release of lanes_stop() */
	while (!__atomic_load_n(&l->stop, __ATOMIC_ACQUIRE)) {
		uint64_t after;

		lane_step(l);
		after = rte_rdtsc();
		if (l->idle_turns == 0)
			l->counters.busy_cycles += after - before;
		else
			l->counters.idle_cycles += after - before;
		before = after;
	}
	lane_publish(l);
	return 0;
}
