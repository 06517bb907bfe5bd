/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "migc_random.h"
#include "pacer.h"

#define NS_PER_S UINT64_C(1000000000)
#define STEP_NS UINT64_C(50000)
#define PACKET_BYTES 9000u
#define BASE_RTT_NS UINT64_C(200000)
#define ACKS_MAX 65536u
/** What a queue is for the pacer: doc/design/transport.md. */
#define QUEUE_NS UINT64_C(1500000)

/** A sender with a window, a link with a rate and a queue, acknowledgements that come at once. */
struct model {
	struct pacer pacer;
	uint64_t now_ns;
	uint64_t link; /**< bytes a second */
	uint64_t foreign_ns; /**< what others have in the queue, always */
	uint64_t window_bytes;
	uint64_t free_ns; /**< when the link has sent all that it was given */
	uint64_t sent_bytes, delivered_bytes;
	bool peer_waits; /**< the peer has a CPU now and then only */
	uint64_t peer_ns; /**< when next */
	struct migc_random random;
	uint64_t runs_ns, of_ns; /**< the sender has a CPU for so long of each; 0: always */
	uint64_t offered; /**< bytes a second that there are to send; 0: any number */
	struct {
		uint64_t at_ns, rtt_ns;
	} ack[ACKS_MAX];
	unsigned int first, count;
	/* since the last look */
	uint64_t look_ns, look_bytes, queue_sum_ns, steps;
	unsigned int probes;
	enum pacer_phase phase;
};

static int set_up(void **state)
{
	struct model *m = calloc(1, sizeof(*m));

	m->window_bytes = 1u << 20;
	m->link = NS_PER_S / 8;
	pacer_init(&m->pacer, 0);
	*state = m;
	return m ? 0 : -1;
}

static int tear_down(void **state)
{
	free(*state);
	return 0;
}

/** When what arrives at that time is acknowledged. */
static uint64_t answered_at(struct model *m, uint64_t at_ns)
{
	while (m->peer_waits && m->peer_ns < at_ns)
		m->peer_ns += 1000000 * (1 + migc_random_next(&m->random) % 60);
	return m->peer_waits ? m->peer_ns : at_ns;
}

static void send_packets(struct model *m)
{
	while (m->sent_bytes - m->delivered_bytes + PACKET_BYTES <= m->window_bytes &&
	       pacer_allows(&m->pacer, m->now_ns)) {
		uint64_t begin_ns = m->free_ns > m->now_ns ? m->free_ns : m->now_ns;
		unsigned int at = (m->first + m->count) % ACKS_MAX;

		if (m->offered && m->sent_bytes > m->offered * m->now_ns / NS_PER_S) {
			pacer_starved(&m->pacer);
			return;
		}
		assert_true(m->count < ACKS_MAX);
		m->free_ns = begin_ns + PACKET_BYTES * NS_PER_S / m->link;
		m->ack[at].at_ns = answered_at(m, m->free_ns + m->foreign_ns + BASE_RTT_NS);
		m->ack[at].rtt_ns = m->ack[at].at_ns - m->now_ns;
		m->count++;
		m->sent_bytes += PACKET_BYTES;
		pacer_charge(&m->pacer, PACKET_BYTES);
	}
}

static void take_acknowledgements(struct model *m)
{
	while (m->count && m->ack[m->first].at_ns <= m->now_ns) {
		m->delivered_bytes += PACKET_BYTES;
		pacer_acknowledged(&m->pacer, m->ack[m->first].rtt_ns, BASE_RTT_NS,
				   m->delivered_bytes, m->now_ns);
		m->first = (m->first + 1) % ACKS_MAX;
		m->count--;
	}
}

static void run(struct model *m, uint64_t ms)
{
	uint64_t end_ns = m->now_ns + ms * 1000000;

	m->look_ns = m->now_ns;
	m->look_bytes = m->delivered_bytes;
	m->queue_sum_ns = m->steps = m->probes = 0;
	for (; m->now_ns < end_ns; m->now_ns += STEP_NS) {
		if (m->of_ns == 0 || m->now_ns % m->of_ns < m->runs_ns) {
			take_acknowledgements(m);
			send_packets(m);
		}
		m->queue_sum_ns += m->free_ns > m->now_ns ? m->free_ns - m->now_ns : 0;
		m->steps++;
		if (m->pacer.phase == PACER_PROBE && m->phase != PACER_PROBE)
			m->probes++;
		m->phase = m->pacer.phase;
	}
}

/** Of the link, in per mille, since the last run() began. */
static uint64_t used_per_mille(const struct model *m)
{
	return (m->delivered_bytes - m->look_bytes) * 1000 /
	       (m->link * ((m->now_ns - m->look_ns) / 1000000) / 1000);
}

static uint64_t mean_queue_ns(const struct model *m)
{
	return m->queue_sum_ns / m->steps;
}

static void a_queue_before_a_slow_link_goes_and_the_link_stays_busy(void **state)
{
	struct model *m = *state;

	run(m, 20);
	/* the window alone: 1 MiB at 1 Gbit/s */
	assert_true(mean_queue_ns(m) > 4 * QUEUE_NS);
	run(m, 500);
	run(m, 10000);
	assert_in_range(used_per_mille(m), 950, 1000);
	assert_true(mean_queue_ns(m) < QUEUE_NS);
	assert_in_range(m->probes, 2, 8);
}

static void a_window_that_leaves_no_queue_is_let_alone(void **state)
{
	struct model *m = *state;

	/* a quarter of what fits the link and the way */
	m->window_bytes = 27000;
	run(m, 3000);
	assert_int_equal(m->pacer.phase, PACER_OFF);
	assert_true(pacer_allows(&m->pacer, m->now_ns));
}

static void a_link_that_becomes_faster_is_found(void **state)
{
	struct model *m = *state;

	m->window_bytes = 8u << 20;
	run(m, 1000);
	assert_int_not_equal(m->pacer.phase, PACER_OFF);
	m->link *= 10;
	/* the next probe, and its steps */
	run(m, 3500);
	run(m, 3000);
	assert_in_range(used_per_mille(m), 950, 1000);
}

static void a_link_that_becomes_slower_is_followed(void **state)
{
	struct model *m = *state;

	m->link *= 5;
	run(m, 1000);
	m->link /= 5;
	run(m, 1500);
	run(m, 3000);
	assert_int_not_equal(m->pacer.phase, PACER_OFF);
	assert_in_range(used_per_mille(m), 950, 1000);
	assert_true(mean_queue_ns(m) < QUEUE_NS);
}

static void a_queue_that_is_not_ours_is_not_yielded_to(void **state)
{
	struct model *m = *state;
	uint64_t paced = 0;

	run(m, 200);
	m->foreign_ns = 10 * QUEUE_NS;
	run(m, 2000);
	assert_int_equal(m->pacer.phase, PACER_OFF);
	for (unsigned int i = 0; i < 200; i++) {
		run(m, 100);
		paced += m->pacer.phase != PACER_OFF;
	}
	/* it is tried again now and then, and given up again */
	assert_in_range(paced, 1, 40);
}

static void a_peer_that_waits_for_a_cpu_is_no_slow_link(void **state)
{
	struct model *m = *state;
	uint64_t alone, lowest = UINT64_MAX;

	m->link *= 10;
	m->window_bytes = 8u << 20;
	m->peer_waits = true;
	m->pacer.off_until_ns = UINT64_MAX;
	run(m, 20000);
	assert_int_equal(m->pacer.phase, PACER_OFF);
	alone = m->delivered_bytes - m->look_bytes;
	m->pacer.off_until_ns = 0;
	for (unsigned int i = 0; i < 6; i++) {
		run(m, 20000);
		if (m->delivered_bytes - m->look_bytes < lowest)
			lowest = m->delivered_bytes - m->look_bytes;
	}
	assert_in_range(lowest * 100 / alone, 85, 115);
}

static void a_sender_without_work_learns_nothing_of_the_link(void **state)
{
	struct model *m = *state;
	uint64_t link;

	run(m, 1000);
	link = m->pacer.link;
	assert_in_range(link, m->link * 95 / 100, m->link * 105 / 100);
	m->offered = m->link / 10;
	m->sent_bytes = m->offered * m->now_ns / NS_PER_S;
	m->delivered_bytes = m->sent_bytes - m->count * PACKET_BYTES;
	run(m, 5000);
	assert_int_equal(m->pacer.link, link);
	assert_int_equal(m->pacer.phase, PACER_CRUISE);
}

static uint64_t sent_at(struct pacer *p, uint64_t now_ns)
{
	uint64_t bytes = 0;

	for (; pacer_allows(p, now_ns); bytes += PACKET_BYTES)
		pacer_charge(p, PACKET_BYTES);
	return bytes;
}

static void idle_time_is_caught_up_on_by_a_millisecond(void **state)
{
	struct pacer p;
	uint64_t now_ns;

	(void)state;
	pacer_init(&p, 0);
	p.phase = PACER_CRUISE;
	p.rate = 100000000;
	/* turns go on, there is nothing to send */
	for (now_ns = 0; now_ns < NS_PER_S; now_ns += 1000000)
		pacer_allows(&p, now_ns);
	assert_in_range(sent_at(&p, now_ns), 100000, 100000 + 2 * PACKET_BYTES);
}

static void a_turn_that_waited_for_a_cpu_catches_up_on_all_of_it(void **state)
{
	struct pacer p;

	(void)state;
	pacer_init(&p, 0);
	p.phase = PACER_CRUISE;
	p.rate = 100000000;
	sent_at(&p, NS_PER_S);
	/* 20 ms, but for what was sent too much before */
	assert_in_range(sent_at(&p, NS_PER_S + 20000000), 2000000 - PACKET_BYTES, 2100000);
}

static void a_sender_that_seldom_has_a_cpu_still_fills_the_link(void **state)
{
	struct model *m = *state;

	m->window_bytes = 16u << 20;
	m->runs_ns = 3000000;
	m->of_ns = 30000000;
	run(m, 2000);
	run(m, 5000);
	assert_in_range(used_per_mille(m), 900, 1001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(a_queue_before_a_slow_link_goes_and_the_link_stays_busy),
		TEST(a_window_that_leaves_no_queue_is_let_alone),
		TEST(a_link_that_becomes_faster_is_found),
		TEST(a_link_that_becomes_slower_is_followed),
		TEST(a_queue_that_is_not_ours_is_not_yielded_to),
		TEST(a_peer_that_waits_for_a_cpu_is_no_slow_link),
		TEST(a_sender_without_work_learns_nothing_of_the_link),
		TEST(idle_time_is_caught_up_on_by_a_millisecond),
		TEST(a_turn_that_waited_for_a_cpu_catches_up_on_all_of_it),
		TEST(a_sender_that_seldom_has_a_cpu_still_fills_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
