/* SPDX-License-Identifier: BSD-3-Clause */
#include <stddef.h>

#include "qat_table.h"

#define INTEL 0x8086u

/* DPDK's doc/guides/cryptodevs/qat.rst and qat_device.c; Linux's drivers/crypto/intel/qat */
static const struct qat_family table[] = {
	{"DH895xCC", 1, 0x0435, 0x0443, "dh895xcc", "22.11"},
	{"C62x", 2, 0x37c8, 0x37c9, "c6xx", "22.11"},
	{"C3xxx", 2, 0x19e2, 0x19e3, "c3xxx", "22.11"},
	{"D15xx", 2, 0x6f54, 0x6f55, "d15xx", "22.11"},
	{"200xx", 2, 0x18ee, 0x18ef, "200xx", "22.11"},
	{"C4xxx", 3, 0x18a0, 0x18a1, "c4xxx", "22.11"},
	{"300xx", 3, 0x0000, 0x578b, "", "24.03"},
	{"4xxx", 4, 0x4940, 0x4941, "4xxx", "22.11"},
	{"401xx", 4, 0x4942, 0x4943, "4xxx", "22.11"},
	{"402xx", 4, 0x4944, 0x4945, "4xxx", "23.11"},
	{"420xx", 5, 0x4946, 0x4947, "420xx", "24.03"},
};

const struct qat_family *qat_table_find(unsigned int vendor, unsigned int device)
{
	for (unsigned int i = 0; vendor == INTEL && i < sizeof(table) / sizeof(table[0]); i++) {
		if (device && (device == table[i].pf || device == table[i].vf))
			return &table[i];
	}
	return NULL;
}
