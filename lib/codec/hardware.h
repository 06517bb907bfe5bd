/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef HARDWARE_H
#define HARDWARE_H

#include <stdint.h>

/** @file The bus device behind a compressdev, where there is one. */

struct rte_device;

/** QAT names its compressdev `<address>_qat_comp`. @return NULL: none has that address. */
struct rte_device *hardware_find(const char *compressdev);
/** @return PCI device id of a bus device, 0: not told */
uint16_t hardware_pci_id(const struct rte_device *device);

#endif
