/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QAT_TABLE_H
#define QAT_TABLE_H

/** A family of QAT devices; the same table is in drivers-config/qat, and a test compares them. */
struct qat_family {
	const char *name;
	unsigned int generation;
	unsigned int pf, vf; /**< PCI device ids of Intel's; pf 0: in neither Linux nor DPDK */
	const char *driver; /**< the kernel's of the physical function */
	const char *dpdk; /**< the first release whose driver takes the virtual function */
};

/** The family of a physical or virtual function; NULL: it is no QAT device. */
const struct qat_family *qat_table_find(unsigned int vendor, unsigned int device);

#endif
