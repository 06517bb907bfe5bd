/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_DOCTOR_H
#define MIGC_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_dirty.h"
#include "migc_error.h"

/**
 * @file
 * What a host has and lacks for a migration, one finding each, with what to do. Main lcore. What
 * is read is read below a root directory, and what the kernel must be asked is asked in
 * migc_doctor_ask() only: so all findings can be had from a made-up tree and made-up answers.
 */

#define MIGC_DOCTOR_FINDINGS_MAX 96u

enum migc_doctor_level {
	MIGC_DOCTOR_OK,
	MIGC_DOCTOR_WARN, /**< a migration works without; the text says what is lost */
	MIGC_DOCTOR_MISSING, /**< no migration without */
};

struct migc_doctor_finding {
	enum migc_doctor_level level;
	char what[24]; /**< "huge pages" */
	char text[320]; /**< what there is or is not */
	char remedy[480]; /**< what to do; "" when there is nothing to do */
};

/** Answers of the kernel to this process. */
struct migc_doctor_answers {
	struct migc_dirty_features features;
	uint64_t memlock_bytes; /**< RLIMIT_MEMLOCK; UINT64_MAX: no limit */
	bool packet_socket; /**< an AF_PACKET socket can be opened */
};

struct migc_doctor {
	const char *root; /**< "" for this host; else a directory put before every path */
	struct migc_doctor_finding finding[MIGC_DOCTOR_FINDINGS_MAX];
	unsigned int count;
	/* what later findings depend on */
	bool iommu;
	unsigned int vfio_devices; /**< bound to vfio-pci and usable by us */
};

void migc_doctor_init(struct migc_doctor *d, const char *root);
void migc_doctor_ask(struct migc_doctor_answers *out);
/** CPU, memory, IOMMU, QAT, ports, tracker, privileges. Nothing is changed. */
void migc_doctor_host(struct migc_doctor *d, const struct migc_doctor_answers *answers);
/**
 * The QEMU behind a QMP socket: could it be moved (or take a guest in)? Only asked, never changed;
 * its RAM is mapped and not touched.
 */
void migc_doctor_qemu(struct migc_doctor *d, const char *qmp_path);
/** What EAL and its compressdevs say. @param eal_error NULL when EAL runs */
void migc_doctor_devices(struct migc_doctor *d, const char *eal_error);
/** Ethernet ports that EAL was given. Only with EAL running. */
void migc_doctor_ethdevs(struct migc_doctor *d);

/** Is nothing missing? */
bool migc_doctor_works(const struct migc_doctor *d);
/** "ok", "warn", "missing" */
const char *migc_doctor_level_name(enum migc_doctor_level level);
/** All findings as JSON. @param path "-": standard output @return 0, -errno with a message. */
int migc_doctor_write(const struct migc_doctor *d, const char *path, struct migc_error *err);

#endif
