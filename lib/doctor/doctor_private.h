/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef DOCTOR_PRIVATE_H
#define DOCTOR_PRIVATE_H

#include <stddef.h>

#include "migc_doctor.h"

#define DOCTOR_PATH_BYTES 512u
#define DOCTOR_NAME_BYTES 64u

/** Add a finding. @param remedy NULL: nothing to do */
void doctor_add(struct migc_doctor *d, enum migc_doctor_level level, const char *what,
		const char *remedy, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* ---- the tree (doctor_tree.c); `path` begins with a slash ---- */

/** A file's text without the newline at its end. @return 0, -errno. */
int doctor_read(const struct migc_doctor *d, const char *path, char *out, size_t capacity);
/** A number, decimal or 0x; 0 when there is none. */
uint64_t doctor_number(const struct migc_doctor *d, const char *path);
/** The last part of what a symbolic link points to. @return 0, -errno with "" */
int doctor_link(const struct migc_doctor *d, const char *path, char *out, size_t capacity);
/** Call for each entry of a directory, in order of their names. */
void doctor_each(struct migc_doctor *d, const char *path,
		 void (*entry)(struct migc_doctor *d, const char *name, void *ctx), void *ctx);
/** The value behind "NAME:" in a file of such lines. @return 0, -ENOENT. */
int doctor_line(const struct migc_doctor *d, const char *path, const char *name, char *out,
		size_t capacity);

/** Has this process a capability (CAP_*) in its effective set? */
bool doctor_capable(const struct migc_doctor *d, unsigned int capability);

/* ---- PCI (doctor_pci.c) ---- */

struct doctor_pci {
	const char *bdf;
	char path[DOCTOR_PATH_BYTES]; /**< of its directory */
	unsigned int vendor, device, class; /**< class: the upper 16 bits */
	char driver[DOCTOR_NAME_BYTES]; /**< "" when none */
};

void doctor_pci_read(const struct migc_doctor *d, const char *bdf, struct doctor_pci *out);
/** May this process open the device through VFIO? */
bool doctor_vfio_open(const struct migc_doctor *d, const struct doctor_pci *pci);
/** Does the driver of the installed DPDK know the device? Yes when that cannot be told. */
bool doctor_dpdk_knows(const struct migc_doctor *d, const char *library, const char *driver,
		       unsigned int vendor, unsigned int device);

/* ---- the findings, a file each ---- */

void doctor_cpu(struct migc_doctor *d);
void doctor_memory(struct migc_doctor *d);
void doctor_iommu(struct migc_doctor *d);
void doctor_qat(struct migc_doctor *d);
void doctor_ports(struct migc_doctor *d, const struct migc_doctor_answers *answers);
void doctor_tracker(struct migc_doctor *d, const struct migc_doctor_answers *answers);
void doctor_privileges(struct migc_doctor *d, const struct migc_doctor_answers *answers);

#endif
