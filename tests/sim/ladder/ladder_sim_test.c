/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ladder against each fixed codec, in virtual time. The argument names the case; `table` prints
 * what doc/design/auto-codec.md shows and asserts nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "sender_sim.h"

#define CODECS_CPU (1u << MIGC_CODEC_RAW | 1u << MIGC_CODEC_LZ4 | 1u << MIGC_CODEC_ZSTD)
#define CODECS_ALL (CODECS_CPU | 1u << MIGC_CODEC_DEFLATE)
#define REGRET_MAX 0.05
/** Of the position, in rungs, once settled. */
#define DEVIATION_MAX 0.15
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const double rates[] = {0.1, 0.3, 1, 2.5, 5, 10, 25, 40, 100};
static const struct sim_data *const datas[] = {&sim_silesia, &sim_half, &sim_random};

/* 4 s over a link of this rate; send_ns as a core that seals 2.5 GB/s. */
static struct sim_setup base(double gbit, const struct sim_data *data, unsigned int workers,
			     double rtt_us)
{
	return (struct sim_setup){
		.phase = {{gbit, data}},
		.workers = workers,
		.rtt_us = rtt_us,
		.queue_ms = 2,
		.send_ns = 0.4,
		.receive_ns = 0.5,
		.codecs = CODECS_CPU,
		.seconds = 4,
		.settle_seconds = 2,
		.seed = 1,
	};
}

/* What the ladder was behind the best fixed choice: 0.05 is 5 %; negative: ahead of all. */
static double regret(const struct sim_setup *s, struct sim_result *automatic, int *best)
{
	double most = 0;

	sim_run(s, SIM_AUTO, automatic);
	for (int codec = 0; codec < MIGC_CODEC_COUNT; codec++) {
		struct sim_result fixed;

		if (!(s->codecs & 1u << codec))
			continue;
		sim_run(s, codec, &fixed);
		if (fixed.guest_bytes > most) {
			most = fixed.guest_bytes;
			*best = codec;
		}
	}
	return 1 - automatic->guest_bytes / most;
}

static void check(const char *name, const struct sim_setup *s)
{
	struct sim_result r;
	int best = 0;
	double behind = regret(s, &r, &best);

	if (behind > REGRET_MAX)
		fail_msg("%s, %u workers, %g us, %g Gbit/s of %s: %.1f %% behind %s, position %.2f",
			 name, s->workers, s->rtt_us, s->phase[0].gbit, s->phase[0].data->name,
			 100 * behind, migc_codec_text((enum migc_codec_id)best), r.position);
	if (r.deviation > DEVIATION_MAX)
		fail_msg("%s, %u workers, %g us, %g Gbit/s of %s: position %.2f deviates by %.2f",
			 name, s->workers, s->rtt_us, s->phase[0].gbit, s->phase[0].data->name,
			 r.position, r.deviation);
}

static void check_rates(unsigned int workers, double rtt_us)
{
	for (size_t d = 0; d < COUNT(datas); d++) {
		for (size_t i = 0; i < COUNT(rates); i++) {
			struct sim_setup s = base(rates[i], datas[d], workers, rtt_us);

			check("steady", &s);
		}
	}
}

static void never_5_percent_behind_with_few_workers(void **state)
{
	(void)state;
	check_rates(1, 20);
	check_rates(1, 5000);
	check_rates(2, 200);
}

static void never_5_percent_behind_with_many_workers(void **state)
{
	(void)state;
	check_rates(4, 1000);
	check_rates(8, 100);
}

/* Between two rungs the mix is ahead of both. */
static void a_mix_beats_every_fixed_codec(void **state)
{
	static const struct {
		double gbit;
		unsigned int workers;
		double ahead;
	} cases[] = {{5, 1, 0.25}, {10, 1, 0.15}, {10, 2, 0.25}, {40, 8, 0.25}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sim_setup s = base(cases[i].gbit, &sim_silesia, cases[i].workers, 100);
		struct sim_result r;
		int best;
		double behind = regret(&s, &r, &best);

		if (behind > -cases[i].ahead)
			fail_msg("%g Gbit/s: only %.1f %% ahead", cases[i].gbit, -100 * behind);
	}
}

static void follows_a_link_that_changes(void **state)
{
	static const double steps[][SIM_PHASES_MAX] = {{10, 1}, {1, 10}, {0.5, 5, 0.5}};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		for (unsigned int workers = 1; workers <= 4; workers *= 2) {
			struct sim_setup s = base(steps[i][0], &sim_silesia, workers, 200);

			for (size_t p = 1; p < SIM_PHASES_MAX; p++) {
				s.phase[p].gbit = steps[i][p];
				s.phase[p].data = &sim_silesia;
			}
			s.settle_seconds = 3.5;
			check("changing link", &s);
		}
	}
}

static void follows_data_that_changes(void **state)
{
	static const struct sim_data *const steps[][2] = {{&sim_silesia, &sim_random},
							  {&sim_random, &sim_silesia},
							  {&sim_half, &sim_silesia}};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		for (unsigned int no_looks = 0; no_looks < 2; no_looks++) {
			struct sim_setup s = base(2.5, steps[i][0], 2, 200);

			s.phase[1].gbit = 2.5;
			s.phase[1].data = steps[i][1];
			s.no_looks = no_looks;
			s.settle_seconds = 3.5;
			check("changing data", &s);
		}
	}
}

/* Both ends on the same two cores, as scripts/bench runs them; 1000 Gbit/s: no limit. */
static void both_ends_on_the_same_cores(void **state)
{
	static const double shared_rates[] = {0.3, 1, 2.5, 5, 10, 25, 1000};

	(void)state;
	for (size_t i = 0; i < COUNT(shared_rates); i++) {
		for (int slow = 0; slow < 2; slow++) {
			struct sim_setup s = base(shared_rates[i], &sim_silesia, 2, 50);

			s.shared_cores = 2;
			s.send_ns = slow ? 0.8 : 0.4;
			s.receive_ns = slow ? 1.0 : 0.6;
			check("shared cores", &s);
		}
	}
}

/*
 * A way to the peer that costs as much as what was seen with af_packet behind a throttled link:
 * less goes by raw than by LZ4, whatever the link, and a mix is worse than LZ4 alone.
 */
static void a_dear_way_to_the_peer(void **state)
{
	static const double dear_rates[] = {1, 2.5, 5, 10, 25, 1000};

	(void)state;
	for (size_t i = 0; i < COUNT(dear_rates); i++) {
		struct sim_setup s = base(dear_rates[i], &sim_silesia, 2, 50);

		s.shared_cores = 2;
		s.send_ns = 2.4;
		s.receive_ns = 1.4;
		check("dear way", &s);
	}
}

static void a_device_is_used_for_what_it_takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rates); i++) {
		struct sim_setup s = base(rates[i], &sim_silesia, 2, 50);

		s.device_gbit = 20;
		s.codecs = CODECS_ALL;
		check("device", &s);
	}
}

/* The law has no memory of where it came from: link rates in between, long queues and ways. */
static void does_not_oscillate(void **state)
{
	static const double rtts[] = {20, 1000, 10000};
	static const double between[] = {1.5, 2, 3, 4, 6, 8, 12, 16, 20};

	(void)state;
	for (size_t t = 0; t < COUNT(rtts); t++) {
		for (size_t i = 0; i < COUNT(between); i++) {
			struct sim_setup s = base(between[i], &sim_silesia, 1, rtts[t]);
			struct sim_result r;

			s.fixed_queue = true;
			sim_run(&s, SIM_AUTO, &r);
			if (r.deviation > DEVIATION_MAX)
				fail_msg("%g us, %g Gbit/s: position %.2f deviates by %.2f",
					 rtts[t], between[i], r.position, r.deviation);
		}
	}
}

/* Held up all the time, the densest rung is reached in 70 ms; let go, the cheapest in thrice that.
 */
static void the_whole_ladder_takes_70_ms(void **state)
{
	struct migc_ladder l;
	uint64_t now_ns = 1;
	unsigned int up_ms = 0, down_ms = 0;

	(void)state;
	migc_ladder_init(&l, CODECS_CPU, false, 0);
	migc_ladder_turn(&l, now_ns, MIGC_LADDER_WORKING);
	for (; migc_ladder_position(&l) < 3000 && up_ms < 1000; up_ms++)
		migc_ladder_turn(&l, now_ns += 1000000, MIGC_LADDER_HELD);
	migc_ladder_set_spare(&l, 0);
	for (; migc_ladder_position(&l) > 0 && down_ms < 1000; down_ms++)
		migc_ladder_turn(&l, now_ns += 1000000, MIGC_LADDER_STARVED);
	assert_in_range(up_ms, 70, 90);
	assert_in_range(down_ms, 150, 350);
}

static void print_table(void)
{
	static const unsigned int workers[] = {1, 2, 8};
	static const double rtts[] = {20, 1000, 50000};

	for (size_t d = 0; d < COUNT(datas); d++) {
		for (size_t w = 0; w < COUNT(workers); w++) {
			for (size_t t = 0; t < COUNT(rtts); t++) {
				printf("| %s | %u | %g |", datas[d]->name, workers[w],
				       rtts[t] / 1000);
				for (size_t i = 0; i < COUNT(rates); i++) {
					struct sim_setup s =
						base(rates[i], datas[d], workers[w], rtts[t]);
					struct sim_result r;
					int best = 0;
					double behind = regret(&s, &r, &best);

					printf(" %+.1f (%s, %.2f) |", 100 * behind,
					       migc_codec_text((enum migc_codec_id)best),
					       r.position);
				}
				printf("\n");
			}
		}
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		struct CMUnitTest test;
	} cases[] = {
		{"steady_small", cmocka_unit_test(never_5_percent_behind_with_few_workers)},
		{"steady_large", cmocka_unit_test(never_5_percent_behind_with_many_workers)},
		{"mix", cmocka_unit_test(a_mix_beats_every_fixed_codec)},
		{"changing_link", cmocka_unit_test(follows_a_link_that_changes)},
		{"changing_data", cmocka_unit_test(follows_data_that_changes)},
		{"shared_cores", cmocka_unit_test(both_ends_on_the_same_cores)},
		{"dear_way", cmocka_unit_test(a_dear_way_to_the_peer)},
		{"device", cmocka_unit_test(a_device_is_used_for_what_it_takes)},
		{"stability", cmocka_unit_test(does_not_oscillate)},
		{"speed", cmocka_unit_test(the_whole_ladder_takes_70_ms)},
	};

	if (argc == 2 && !strcmp(argv[1], "table")) {
		print_table();
		return 0;
	}
	for (size_t i = 0; argc == 2 && i < COUNT(cases); i++) {
		const struct CMUnitTest tests[] = {cases[i].test};

		if (!strcmp(argv[1], cases[i].name))
			return cmocka_run_group_tests(tests, NULL, NULL);
	}
	fprintf(stderr, "usage: ladder_sim_test case|table\n");
	return 2;
}
