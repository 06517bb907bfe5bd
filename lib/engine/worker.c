/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_pause.h>
#include <rte_power_intrinsics.h>

#include "clock.h"
#include "receive_path.h"
#include "send_path.h"
#include "worker.h"

/** Bytes of frames in a turn that say something of their cost, and what no page costs. */
#define COST_BYTES_MIN 32768u
#define COST_CYCLES_MAX UINT64_C(1000000)
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

void worker_fail(struct worker *w, int code, const char *text)
{
	if (__atomic_load_n(&w->failed, __ATOMIC_RELAXED))
		return;
	migc_error_set(&w->failure, code, "%s", text);
	/* pairs with the acquire of the main lcore: failure is written */
	__atomic_store_n(&w->failed, 1, __ATOMIC_RELEASE);
}

void worker_publish(struct worker *w)
{
	struct worker_counters *c = &w->counters;

	migc_inet_stats(w->inet, &c->inet);
	migc_transport_stats(w->transport, &c->transport);
	c->injected_loss = w->inject_rx.dropped + w->inject_tx.dropped;
	c->injected_reorder = w->inject_rx.reordered + w->inject_tx.reordered;
	c->injected_duplicate = w->inject_rx.duplicated + w->inject_tx.duplicated;
	c->injected_corrupt = w->inject_rx.corrupted + w->inject_tx.corrupted;
	if (w->send)
		send_path_counters(w->send, c);
	if (w->receive)
		receive_path_counters(w->receive, c);
	/* seqlock writer; pairs with worker_read_counters() */
	__atomic_store_n(&w->published_sequence, w->published_sequence + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	memcpy(&w->published, c, sizeof(*c));
	__atomic_store_n(&w->published_sequence, w->published_sequence + 1, __ATOMIC_RELEASE);
}

void worker_read_counters(const struct worker *w, struct worker_counters *out)
{
	uint32_t before, after;

	do {
		before = __atomic_load_n(&w->published_sequence, __ATOMIC_ACQUIRE);
		memcpy(out, &w->published, sizeof(*out));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		after = __atomic_load_n(&w->published_sequence, __ATOMIC_RELAXED);
	} while (before != after || (before & 1));
}

static void publish_state(struct worker *w)
{
	enum migc_transport_state state = migc_transport_state(w->transport);
	const struct migc_error *error = migc_transport_error(w->transport);

	if (state == MIGC_TRANSPORT_CLOSED && !w->failed) {
		worker_fail(w, error->code ? error->code : -ECONNRESET,
			    error->text[0] ? error->text : "the connection was closed");
	}
	if (w->counters.transport.handshakes_failed != w->refusals) {
		w->refusal = *error;
		/* pairs with the acquire of the main lcore: refusal is written */
		__atomic_store_n(&w->refusals, (uint32_t)w->counters.transport.handshakes_failed,
				 __ATOMIC_RELEASE);
	}
	/* pairs with the acquire of the main lcore: failure is written before CLOSED is seen */
	__atomic_store_n(&w->transport_state, (uint32_t)state, __ATOMIC_RELEASE);
}

/** After a sleep: what it brought says how long the next one may be. */
static void moderate(struct worker *w, unsigned int packets)
{
	w->slept = false;
	if (packets >= WORKER_BURST)
		w->sleep_ns = RTE_MAX(w->sleep_ns / 2, SLEEP_MIN_NS);
	else if (packets < WORKER_BURST / 4)
		w->sleep_ns = RTE_MIN(w->sleep_ns + w->sleep_ns / 4, SLEEP_MAX_NS);
}

/** What sending costs is told to the ladder: a part of it is the port's and the kernel's. */
static unsigned int transmit(struct worker *w, uint64_t now)
{
	uint64_t begin = rte_rdtsc(), bytes = w->counters.wire_bytes, cost;
	unsigned int packets = worker_transmit(w, now);

	bytes = w->counters.wire_bytes - bytes;
	if (bytes < COST_BYTES_MIN)
		return packets;
	cost = (rte_rdtsc() - begin) * MIGC_PAGE_BYTES / bytes;
	if (w->send_cycles)
		cost = ((uint64_t)w->send_cycles * 15 + RTE_MIN(cost, COST_CYCLES_MAX)) / 16;
	w->send_cycles = (uint32_t)RTE_MIN(cost, COST_CYCLES_MAX);
	return packets;
}

bool worker_turn(struct worker *w)
{
	uint64_t now = clock_now_ns();
	unsigned int packets = worker_receive(w, now);
	bool busy = packets > 0;

	/* pairs with the release of the main lcore: the transport is set up */
	if (__atomic_load_n(&w->started, __ATOMIC_ACQUIRE)) {
		if (w->close == 1 && __atomic_load_n(&w->close, __ATOMIC_ACQUIRE)) {
			migc_transport_close(w->transport, 0, w->close_text, now);
			w->close = 2;
		}
		if (migc_transport_expiry(w->transport) <= now)
			migc_transport_expire(w->transport, now);
		busy |= worker_control(w);
		if (w->send)
			busy |= send_path_turn(w->send, now);
		if (w->receive)
			busy |= receive_path_turn(w->receive);
	}
	packets += transmit(w, now);
	busy |= packets > 0;
	if (busy && w->slept)
		moderate(w, packets);
	if (now - w->publish_ns >= PUBLISH_EVERY_NS) {
		worker_publish(w);
		w->publish_ns = now;
	}
	publish_state(w);
	return busy;
}

void worker_back_off(struct worker *w)
{
	bool connected = migc_transport_state(w->transport) == MIGC_TRANSPORT_CONNECTED;
	struct timespec sleep = {0};

	if (++w->idle_turns < IDLE_TURNS_PAUSE) {
		if (w->power_pause_cycles)
			rte_power_pause(rte_rdtsc() + w->power_pause_cycles);
		else
			rte_pause();
		return;
	}
	if (w->slept)
		w->sleep_ns = RTE_MIN(w->sleep_ns * 2,
				      connected ? SLEEP_MAX_NS : SLEEP_UNCONNECTED_MAX_NS);
	if (w->sleep_ns < SLEEP_MIN_NS || __atomic_load_n(&w->hurry, __ATOMIC_RELAXED))
		w->sleep_ns = SLEEP_MIN_NS;
	w->slept = true;
	sleep.tv_nsec = (long)w->sleep_ns;
	/* there is nothing to do, and a core that is polled for nothing is a core taken from a
	 * guest */
	nanosleep(&sleep, NULL);
	/* one look, then on with sleeping */
	w->idle_turns = IDLE_TURNS_PAUSE;
}

void worker_find_pause(struct worker *w)
{
	struct rte_cpu_intrinsics intrinsics;

	rte_cpu_get_intrinsics_support(&intrinsics);
	if (intrinsics.power_pause)
		w->power_pause_cycles = rte_get_tsc_hz() * POWER_PAUSE_NS / UINT64_C(1000000000);
}

int worker_main(void *worker)
{
	struct worker *w = worker;
	uint64_t before = rte_rdtsc();

	prctl(PR_SET_TIMERSLACK, 1UL);
	/* pairs with the release of the main lcore */
	while (!__atomic_load_n(&w->stop, __ATOMIC_ACQUIRE)) {
		bool busy = worker_turn(w);
		uint64_t after;

		if (busy)
			w->idle_turns = 0;
		else
			worker_back_off(w);
		after = rte_rdtsc();
		if (busy)
			w->counters.busy_cycles += after - before;
		else
			w->counters.idle_cycles += after - before;
		before = after;
	}
	worker_publish(w);
	return 0;
}
