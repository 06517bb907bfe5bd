/* SPDX-License-Identifier: BSD-3-Clause */
#include <dlfcn.h>

#include <rte_compressdev.h>
#include <rte_mbuf.h>

/**
 * @file
 * Loaded before the tool's libraries: a device that says SUCCESS and gives wrong data. What grew
 * was decompressed: its last byte is flipped.
 */

typedef uint16_t (*dequeue_fn)(uint8_t, uint16_t, struct rte_comp_op **, uint16_t);

uint16_t rte_compressdev_dequeue_burst(uint8_t dev_id, uint16_t qp_id, struct rte_comp_op **ops,
				       uint16_t nb_ops)
{
	dequeue_fn real = (dequeue_fn)dlsym(RTLD_NEXT, "rte_compressdev_dequeue_burst");
	uint16_t count = real(dev_id, qp_id, ops, nb_ops);

	for (uint16_t i = 0; i < count; i++) {
		uint32_t at = ops[i]->produced - 1;
		struct rte_mbuf *m = ops[i]->m_dst;

		if (ops[i]->produced <= ops[i]->consumed)
			continue;
		for (; at >= m->data_len; m = m->next)
			at -= m->data_len;
		*rte_pktmbuf_mtod_offset(m, uint8_t *, at) ^= 1;
	}
	return count;
}
