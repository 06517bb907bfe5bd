/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <rte_comp.h>
#include <rte_eal.h>
#include <rte_mbuf.h>

#include "qatlike_private.h"

/** @file The devices themselves: what the driver of QAT does at its limits. */

#define ID QATLIKE_FIRST_ID
#define SEGMENT 4096u
#define OPS 600u

static struct rte_mempool *op_pool, *segment_pool;

static struct rte_mbuf *chain(unsigned int segments, uint16_t length)
{
	struct rte_mbuf *head = NULL;

	for (unsigned int i = 0; i < segments; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(segment_pool);

		assert_non_null(m);
		m->data_off = 0;
		m->data_len = length;
		m->pkt_len = length;
		memset(rte_pktmbuf_mtod(m, uint8_t *), (int)i, length);
		if (head)
			assert_int_equal(rte_pktmbuf_chain(head, m), 0);
		else
			head = m;
	}
	return head;
}

static void *open_device(const char *specification, enum rte_comp_checksum_type checksum)
{
	struct rte_compressdev_config config = {.nb_queue_pairs = 1, .max_nb_priv_xforms = 1};
	struct rte_comp_xform xform = {.type = RTE_COMP_COMPRESS};
	void *private = NULL;

	assert_int_equal(qatlike_configure(specification), 0);
	assert_int_equal(rte_compressdev_configure(ID, &config), 0);
	/* no power of 2, too few, too many */
	assert_true(rte_compressdev_queue_pair_setup(ID, 0, 200, 0) < 0);
	assert_true(rte_compressdev_queue_pair_setup(ID, 0, 64, 0) < 0);
	assert_true(rte_compressdev_queue_pair_setup(ID, 0, 8192, 0) < 0);
	assert_int_equal(rte_compressdev_queue_pair_setup(ID, 0, 512, 0), 0);
	assert_int_equal(rte_compressdev_start(ID), 0);
	xform.compress.algo = RTE_COMP_ALGO_DEFLATE;
	xform.compress.level = 1;
	xform.compress.window_size = 15;
	xform.compress.deflate.huffman = RTE_COMP_HUFFMAN_DYNAMIC;
	xform.compress.chksum = checksum;
	assert_int_equal(rte_compressdev_private_xform_create(ID, &xform, &private), 0);
	return private;
}

static struct rte_comp_op *make_op(void *xform, struct rte_mbuf *from, struct rte_mbuf *to)
{
	struct rte_comp_op *op = rte_comp_op_alloc(op_pool);

	assert_non_null(op);
	op->m_src = from;
	op->m_dst = to;
	op->src.length = from->pkt_len;
	op->op_type = RTE_COMP_OP_STATELESS;
	op->flush_flag = RTE_COMP_FLUSH_FINAL;
	op->private_xform = xform;
	op->status = RTE_COMP_OP_STATUS_NOT_PROCESSED;
	return op;
}

static void free_op(struct rte_comp_op *op)
{
	rte_pktmbuf_free(op->m_src);
	rte_pktmbuf_free(op->m_dst);
	rte_comp_op_free(op);
}

/** Enqueue one op and wait for it. */
static void run(struct rte_comp_op *op)
{
	struct rte_comp_op *done = NULL;

	assert_int_equal(rte_compressdev_enqueue_burst(ID, 0, &op, 1), 1);
	while (rte_compressdev_dequeue_burst(ID, 0, &done, 1) == 0)
		;
	assert_ptr_equal(done, op);
}

static unsigned int fill_ring(void *xform, unsigned int burst, unsigned int most)
{
	unsigned int in_flight = 0;

	while (in_flight < most) {
		struct rte_comp_op *ops[64];
		uint16_t taken;

		for (unsigned int i = 0; i < burst; i++)
			ops[i] = make_op(xform, chain(1, SEGMENT), chain(1, SEGMENT));
		taken = rte_compressdev_enqueue_burst(ID, 0, ops, (uint16_t)burst);
		for (unsigned int i = taken; i < burst; i++) {
			assert_int_equal(ops[i]->status, RTE_COMP_OP_STATUS_NOT_PROCESSED);
			free_op(ops[i]);
		}
		in_flight += taken;
		if (taken < burst)
			break;
	}
	return in_flight;
}

static void empty_ring(unsigned int count)
{
	while (count) {
		struct rte_comp_op *ops[32];
		uint16_t done = rte_compressdev_dequeue_burst(ID, 0, ops, 32);

		for (uint16_t i = 0; i < done; i++)
			free_op(ops[i]);
		count -= done;
	}
}

static void a_ring_holds_one_less_than_its_descriptors(void **state)
{
	void *xform = open_device("gen=2", RTE_COMP_CHECKSUM_NONE);

	(void)state;
	assert_int_equal(fill_ring(xform, 32, OPS), 511);
	assert_true(qatlike_stats().full > 0);
	rte_compressdev_stop(ID);
	assert_int_equal(rte_compressdev_close(ID), -11);
	empty_ring(511);
	assert_int_equal(rte_compressdev_close(ID), 0);
}

static void small_bursts_are_held_above_256_in_flight(void **state)
{
	void *xform = open_device("gen=4,threshold=32", RTE_COMP_CHECKSUM_NONE);

	(void)state;
	assert_int_equal(fill_ring(xform, 8, OPS), 264);
	assert_int_equal(qatlike_stats().held, 1);
	/* large ones are not */
	assert_int_equal(fill_ring(xform, 32, 32), 32);
	empty_ring(264 + 32);
}

static void a_destination_under_46_bytes_is_out_of_space(void **state)
{
	void *xform = open_device("gen=1", RTE_COMP_CHECKSUM_NONE);
	struct rte_comp_op *op = make_op(xform, chain(1, SEGMENT), chain(1, 45));

	(void)state;
	run(op);
	assert_int_equal(op->status, RTE_COMP_OP_STATUS_OUT_OF_SPACE_TERMINATED);
	free_op(op);
	op = make_op(xform, chain(1, SEGMENT), chain(1, 46));
	run(op);
	assert_int_equal(op->status, RTE_COMP_OP_STATUS_SUCCESS);
	free_op(op);
}

/** @return BTYPE of the first block. */
static unsigned int first_block_type(const struct rte_comp_op *op)
{
	return *rte_pktmbuf_mtod(op->m_dst, const uint8_t *) >> 1 & 3;
}

static void a_checksum_makes_long_sources_fixed_without_a_word(void **state)
{
	void *xform = open_device("gen=4", RTE_COMP_CHECKSUM_CRC32);
	struct rte_comp_op *op = make_op(xform, chain(13, SEGMENT), chain(13, SEGMENT));

	(void)state;
	run(op);
	assert_int_equal(op->status, RTE_COMP_OP_STATUS_SUCCESS);
	assert_int_equal(first_block_type(op), 1);
	assert_int_equal(qatlike_stats().fixed_silently, 1);
	free_op(op);
	xform = open_device("gen=4", RTE_COMP_CHECKSUM_NONE);
	op = make_op(xform, chain(13, SEGMENT), chain(13, SEGMENT));
	run(op);
	assert_int_equal(op->status, RTE_COMP_OP_STATUS_SUCCESS);
	assert_int_equal(qatlike_stats().fixed_silently, 0);
	assert_int_equal(qatlike_stats().split, 1);
	free_op(op);
}

static void chains_of_more_than_16_segments_are_counted(void **state)
{
	void *xform = open_device("gen=4", RTE_COMP_CHECKSUM_NONE);
	struct rte_comp_op *op = make_op(xform, chain(17, 1024), chain(16, SEGMENT));

	(void)state;
	run(op);
	assert_int_equal(qatlike_stats().reallocations, 1);
	free_op(op);
}

static void what_is_no_specification_is_refused(void **state)
{
	static const char *const wrong[] = {"gen",       "gen=",       "gen=6",    "gen=x",
					    "devices=0", "devices=9",  "pairs=5",  "error=2",
					    "error=-1",  "errors=0.1", "gen=4;x=1"};

	(void)state;
	for (unsigned int i = 0; i < RTE_DIM(wrong); i++)
		assert_true(qatlike_configure(wrong[i]) < 0);
}

int main(void)
{
	static char program[] = "qatlike_test", huge[] = "--no-huge", m[] = "-m",
		    megabytes[] = "64", pci[] = "--no-pci", iova[] = "--iova-mode=va", l[] = "-l",
		    lcores[] = "0", telemetry[] = "--no-telemetry", level[] = "--log-level=error",
		    shared[] = "--no-shconf";
	char *arguments[] = {program, huge,   m,         megabytes, pci,   iova,
			     l,       lcores, telemetry, level,     shared};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ring_holds_one_less_than_its_descriptors),
		cmocka_unit_test(small_bursts_are_held_above_256_in_flight),
		cmocka_unit_test(a_destination_under_46_bytes_is_out_of_space),
		cmocka_unit_test(a_checksum_makes_long_sources_fixed_without_a_word),
		cmocka_unit_test(chains_of_more_than_16_segments_are_counted),
		cmocka_unit_test(what_is_no_specification_is_refused),
	};

	if (rte_eal_init(RTE_DIM(arguments), arguments) < 0)
		return 1;
	op_pool = rte_comp_op_pool_create("ops", 1024, 0, 0, SOCKET_ID_ANY);
	segment_pool = rte_pktmbuf_pool_create("segments", 2048, 0, 0, SEGMENT, SOCKET_ID_ANY);
	if (op_pool == NULL || segment_pool == NULL)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
