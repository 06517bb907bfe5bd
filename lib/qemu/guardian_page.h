/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef GUARDIAN_PAGE_H
#define GUARDIAN_PAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define CAPABILITIES_MAX 16u
#define DIRECTORY_BYTES 80u
#define TLS_CREDS_BYTES 128u

/** What must be undone if the sender dies now. */
enum guardian_phase {
	GUARDIAN_WATCH, /**< settings only, if any */
	GUARDIAN_RESUME, /**< the VM is, or is about to be, stopped: cancel, and let it run */
	GUARDIAN_COMMITTED, /**< COMMIT is out: the VM may run elsewhere, touch nothing */
};

/** What was changed in QEMU, in a form that both processes see. */
struct qemu_changes {
	enum guardian_phase phase;
	struct {
		const char *name; /**< a constant of the program, at the same place in both */
		bool before;
	} capability[CAPABILITIES_MAX];
	unsigned int capabilities;
	bool bandwidth_changed;
	uint64_t bandwidth_before;
	bool held; /**< stopped, or about to be, so that it writes less: nobody else continues it */
	bool dirty_limited; /**< its vCPUs have a dirty limit */
	char tls_creds[TLS_CREDS_BYTES]; /**< the parameter before; "" when it was not changed */
	char directory[DIRECTORY_BYTES]; /**< of the device state's socket; "" when there is none */
};

struct migc_guardian {
	struct qemu_changes *changes; /**< shared between sender and guardian */
	int pipe_fd; /**< closed by the sender's end, however it comes */
	pid_t pid;
};

#endif
