/* SPDX-License-Identifier: BSD-3-Clause */
#include "codec_rig.h"

/** @file Between the engine and real devices: see rig_faults. */

uint16_t __real_rte_compressdev_enqueue_burst(uint8_t device, uint16_t qp, struct rte_comp_op **ops,
					      uint16_t count);
uint16_t __real_rte_compressdev_dequeue_burst(uint8_t device, uint16_t qp, struct rte_comp_op **ops,
					      uint16_t count);
uint16_t __wrap_rte_compressdev_enqueue_burst(uint8_t device, uint16_t qp, struct rte_comp_op **ops,
					      uint16_t count);
uint16_t __wrap_rte_compressdev_dequeue_burst(uint8_t device, uint16_t qp, struct rte_comp_op **ops,
					      uint16_t count);

/* the linker sends the engine's calls here: see meson.build */
uint16_t __wrap_rte_compressdev_enqueue_burst(uint8_t device, uint16_t qp, struct rte_comp_op **ops,
					      uint16_t count)
{
	if (rig_faults.refusing_device == device) {
		ops[0]->status = RTE_COMP_OP_STATUS_INVALID_ARGS;
		return 0;
	}
	if (rig_faults.full_device == device && count > 1)
		count = 1;
	for (uint16_t i = 0; i < count && rig_faults.watch; i++)
		rig_faults.watch(device, ops[i], rig_faults.ctx);
	return __real_rte_compressdev_enqueue_burst(device, qp, ops, count);
}

uint16_t __wrap_rte_compressdev_dequeue_burst(uint8_t device, uint16_t qp, struct rte_comp_op **ops,
					      uint16_t count)
{
	if (rig_faults.silent_device == device)
		return 0;
	count = __real_rte_compressdev_dequeue_burst(device, qp, ops, count);
	for (uint16_t i = 0; i < count && rig_faults.boasting_device == device; i++)
		ops[i]->produced = ops[i]->src.length - 1;
	return count;
}
