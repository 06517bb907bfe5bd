/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "port_rig.h"

#define POOL 2047u
#define BURST 32u
#define OUT (2 * BURST + MIGC_INJECT_HELD)

static struct rte_mempool *pool;

/** Packets carry their number, and a byte at the end that damage would change. */
#define PACKET_BYTES 64u

static struct rte_mbuf *packet(uint32_t number)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	char *data;

	assert_non_null(m);
	data = rte_pktmbuf_append(m, PACKET_BYTES);
	if (data == NULL)
		abort();
	memset(data, 0xa5, PACKET_BYTES);
	memcpy(data, &number, sizeof(number));
	return m;
}

static uint32_t number_of(struct rte_mbuf *m)
{
	uint32_t number;

	memcpy(&number, rte_pktmbuf_mtod(m, char *), sizeof(number));
	return number;
}

struct passed {
	uint32_t number[20000];
	unsigned int count;
};

static void keep(struct passed *p, struct rte_mbuf **out, unsigned int made)
{
	assert_true(made <= OUT);
	for (unsigned int i = 0; i < made; i++) {
		p->number[p->count++] = number_of(out[i]);
		rte_pktmbuf_free(out[i]);
	}
}

/** 8192 packets in bursts. */
static void pass(struct migc_inject *inject, struct passed *p)
{
	struct rte_mbuf *in[BURST], *out[OUT];

	p->count = 0;
	for (uint32_t n = 0; n < 8192; n += BURST) {
		for (uint32_t i = 0; i < BURST; i++)
			in[i] = packet(n + i);
		keep(p, out, migc_inject_burst(inject, pool, in, BURST, out, 0));
	}
	keep(p, out, migc_inject_burst(inject, pool, NULL, 0, out, 0));
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

static struct migc_inject_spec parsed(const char *text)
{
	struct migc_inject_spec spec;
	struct migc_error err = {0};

	assert_int_equal(migc_inject_parse(text, &spec, &err), 0);
	return spec;
}

static struct passed *passed_of(const char *text, uint64_t stream, struct migc_inject *inject)
{
	struct migc_inject_spec spec = parsed(text);
	struct passed *p = malloc(sizeof(*p));

	assert_non_null(p);
	migc_inject_init(inject, &spec, stream);
	pass(inject, p);
	return p;
}

static void words_are_parsed(void **state)
{
	struct migc_inject_spec spec =
		parsed("loss=0.02,reorder=0.5,dup=1,corrupt=0.001,codec-error=0.25,seed=0x10");

	(void)state;
	assert_int_equal(spec.loss, 20000000);
	assert_int_equal(spec.reorder, 500000000);
	assert_int_equal(spec.duplicate, 1000000000);
	assert_int_equal(spec.corrupt, 1000000);
	assert_int_equal(spec.codec_error, 250000000);
	assert_int_equal(spec.seed, 16);
	assert_true(spec.any);
	spec = parsed("codec-error=1,stop=READY");
	assert_false(spec.any);
	assert_int_equal(spec.seed, 1);
	assert_int_equal(spec.faults.count, 1);
	assert_true(parsed("cut=READY:10").any);
}

static void what_is_no_fault_is_named(void **state)
{
	static const char *const bad[] = {
		"los=0.1",  "loss",        "loss=",          "loss=1.1", "loss=-1",
		"loss=nan", "loss=0.1x",   "seed=-1",        "",         "loss=0.1,",
		"stop",     "cut=READY:0", "qmp-error=READY"};

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct migc_inject_spec spec;
		struct migc_error err = {0};

		assert_int_equal(migc_inject_parse(bad[i], &spec, &err), -EINVAL);
		assert_non_null(strstr(err.text, "codec-error"));
	}
}

static void without_faults_everything_passes_in_order(void **state)
{
	struct migc_inject inject;
	struct passed *p = passed_of("seed=1", 0, &inject);

	(void)state;
	assert_int_equal(p->count, 8192);
	for (uint32_t i = 0; i < p->count; i++)
		assert_int_equal(p->number[i], i);
	free(p);
}

static void loss_drops_its_share_and_counts_it(void **state)
{
	struct migc_inject inject;
	struct passed *p = passed_of("loss=0.1", 0, &inject);

	(void)state;
	assert_int_equal(p->count + inject.dropped, 8192);
	assert_in_range(inject.dropped, 650, 1000);
	free(p);
	p = passed_of("loss=1", 0, &inject);
	assert_int_equal(p->count, 0);
	assert_int_equal(inject.dropped, 8192);
	free(p);
}

static void a_double_is_the_same_packet_again(void **state)
{
	struct migc_inject inject;
	struct passed *p = passed_of("dup=0.1", 0, &inject);
	unsigned int doubles = 0;

	(void)state;
	for (unsigned int i = 1; i < p->count; i++)
		doubles += p->number[i] == p->number[i - 1];
	assert_int_equal(doubles, inject.duplicated);
	assert_int_equal(p->count, 8192 + doubles);
	assert_in_range(doubles, 650, 1000);
	free(p);
}

static void reordering_loses_nothing_and_is_bounded(void **state)
{
	struct migc_inject inject;
	struct passed *p = passed_of("reorder=0.1", 0, &inject);
	unsigned char *seen = calloc(8192, 1);
	unsigned int moved = 0;

	(void)state;
	assert_int_equal(p->count, 8192);
	for (uint32_t i = 0; i < p->count; i++) {
		assert_int_equal(seen[p->number[i]]++, 0);
		moved += p->number[i] != i;
		/* eight may overtake, and those held with it */
		assert_true(p->number[i] + 32 > i && p->number[i] < i + 32);
	}
	assert_in_range(inject.reordered, 400, 1000);
	assert_true(moved >= inject.reordered);
	free(seen);
	free(p);
}

static void corruption_changes_one_bit_of_each_it_counts(void **state)
{
	struct migc_inject_spec spec = parsed("corrupt=0.5");
	struct rte_mbuf *in[BURST], *out[OUT];
	struct migc_inject inject;
	unsigned int damaged = 0;

	(void)state;
	migc_inject_init(&inject, &spec, 0);
	for (uint32_t i = 0; i < BURST; i++)
		in[i] = packet(i);
	assert_int_equal(migc_inject_burst(&inject, pool, in, BURST, out, 0), BURST);
	for (uint32_t i = 0; i < BURST; i++) {
		struct rte_mbuf *whole = packet(i);
		const uint8_t *a = rte_pktmbuf_mtod(whole, uint8_t *);
		const uint8_t *b = rte_pktmbuf_mtod(out[i], uint8_t *);
		unsigned int bits = 0;

		for (unsigned int k = 0; k < PACKET_BYTES; k++)
			bits += (unsigned int)__builtin_popcount(a[k] ^ b[k]);
		assert_true(bits <= 1);
		damaged += bits;
		rte_pktmbuf_free(whole);
		rte_pktmbuf_free(out[i]);
	}
	assert_int_equal(damaged, inject.corrupted);
	assert_in_range(damaged, 6, 26);
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
}

static void a_seed_is_the_same_run_again_and_streams_differ(void **state)
{
	static const char all[] = "loss=0.05,reorder=0.05,dup=0.05,seed=9";
	struct migc_inject inject;
	struct passed *first = passed_of(all, 3, &inject), *again = passed_of(all, 3, &inject),
		      *other = passed_of(all, 4, &inject);

	(void)state;
	assert_int_equal(first->count, again->count);
	assert_memory_equal(first->number, again->number, first->count * sizeof(uint32_t));
	assert_true(other->count != first->count ||
		    memcmp(first->number, other->number, first->count * sizeof(uint32_t)) != 0);
	free(first);
	free(again);
	free(other);
}

static void nothing_passes_a_cut_until_its_end(void **state)
{
	struct migc_inject_spec spec = parsed("cut=READY,reorder=1");
	struct rte_mbuf *in[BURST], *out[OUT];
	struct migc_inject inject;

	(void)state;
	migc_inject_init(&inject, &spec, 0);
	in[0] = packet(1);
	assert_int_equal(migc_inject_burst(&inject, pool, in, 1, out, 100), 0);
	migc_inject_cut(&inject, 200);
	assert_false(migc_inject_is_cut(&inject, 200));
	in[0] = packet(2);
	/* nor does what was held before */
	assert_int_equal(migc_inject_burst(&inject, pool, in, 1, out, 199), 0);
	assert_int_equal(inject.dropped, 2);
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
	in[0] = packet(3);
	assert_int_equal(migc_inject_burst(&inject, pool, in, 1, out, 200), 0);
	assert_int_equal(migc_inject_burst(&inject, pool, NULL, 0, out, 200), 1);
	rte_pktmbuf_free(out[0]);
	assert_int_equal(inject.dropped, 2);
}

static void what_is_held_at_the_end_is_freed(void **state)
{
	struct migc_inject_spec spec = parsed("reorder=1");
	struct rte_mbuf *in[BURST], *out[OUT];
	struct migc_inject inject;
	struct passed *p = calloc(1, sizeof(*p));

	(void)state;
	migc_inject_init(&inject, &spec, 0);
	for (uint32_t i = 0; i < BURST; i++)
		in[i] = packet(i);
	keep(p, out, migc_inject_burst(&inject, pool, in, BURST, out, 0));
	assert_true(inject.held_count > 0);
	assert_int_equal(rte_mempool_avail_count(pool), POOL - inject.held_count);
	migc_inject_drain(&inject);
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
	free(p);
}

static int open_eal(void **state)
{
	(void)state;
	if (rig_eal(0, NULL) != 0)
		return -1;
	pool = rte_pktmbuf_pool_create("inject", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	return pool ? 0 : -1;
}

static int close_eal(void **state)
{
	(void)state;
	rte_mempool_free(pool);
	return rte_eal_cleanup();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_parsed),
		cmocka_unit_test(what_is_no_fault_is_named),
		cmocka_unit_test(without_faults_everything_passes_in_order),
		cmocka_unit_test(loss_drops_its_share_and_counts_it),
		cmocka_unit_test(a_double_is_the_same_packet_again),
		cmocka_unit_test(reordering_loses_nothing_and_is_bounded),
		cmocka_unit_test(corruption_changes_one_bit_of_each_it_counts),
		cmocka_unit_test(a_seed_is_the_same_run_again_and_streams_differ),
		cmocka_unit_test(nothing_passes_a_cut_until_its_end),
		cmocka_unit_test(what_is_held_at_the_end_is_freed),
	};

	return cmocka_run_group_tests(tests, open_eal, close_eal);
}
