/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef QEMU_PRIVATE_H
#define QEMU_PRIVATE_H

#include "guardian_page.h"
#include "migc_qemu.h"
#include "qmp.h"

#define SOCKET_PATH_BYTES 96u

/** Where the switchover of a source stands: what must be done to have the guest run again. */
enum switchover {
	SWITCHOVER_NONE,
	SWITCHOVER_MIGRATING, /**< `migrate` was said */
	SWITCHOVER_STOPPED, /**< pre-switchover */
	SWITCHOVER_CONTINUED, /**< migrate-continue was said */
};

struct migc_qemu {
	struct migc_qemu_config config;
	struct qmp qmp;
	struct migc_qemu_info info;
	unsigned int version_major, version_minor;
	uint64_t ram_bytes;
	char *backends; /**< the set of backends at discovery, to see changes */
	struct qemu_changes own_changes; /**< where no guardian shares them */
	struct qemu_changes *changes;
	/* device state */
	enum switchover switchover;
	char socket_path[SOCKET_PATH_BYTES];
	int listen_fd, state_fd;
	uint8_t *state; /**< read ahead, before it was asked for */
	size_t state_length, state_taken, state_capacity;
	bool state_ended;
};

/** A private directory for a socket that QEMU, maybe another user, can use. */
int qemu_make_directory(struct migc_qemu *q, bool qemu_binds, struct migc_error *err);
void qemu_remove_directory(struct migc_qemu *q);
/** Switch a migration capability, remembering what it was. */
int qemu_set_capability(struct migc_qemu *q, const char *name, bool value, struct migc_error *err);
/** Settings that make QEMU's migration one plain stream of device state; restored later. */
int qemu_plain_stream(struct migc_qemu *q, struct migc_error *err);
/** query-migrate's status ("" when none), and its error if it failed. */
int qemu_migration_status(struct migc_qemu *q, char *status, size_t capacity, char *why,
			  size_t why_capacity, struct migc_error *err);
/** query-status's status. */
int qemu_run_state(struct migc_qemu *q, char *status, size_t capacity, struct migc_error *err);
/** If the QMP socket has closed and QEMU still runs: connect once more. @return 0, -ESRCH. */
int qemu_reconnect(struct migc_qemu *q, struct migc_error *err);
/** Take what QEMU has written of its device state, for later. @return bytes, -errno. */
int qemu_drain_state(struct migc_qemu *q, struct migc_error *err);
/** refuse.c: is there anything that cannot be moved? */
int qemu_refuse(struct migc_qemu *q, struct migc_error *err);
/** A text of all memory backends and their sizes. @param out freed with free() */
int qemu_list_backends(struct migc_qemu *q, char **out, struct migc_error *err);
/** qom-get as a string; "" when it is none. */
int qemu_qom_string(struct migc_qemu *q, const char *path, const char *property, char *out,
		    size_t capacity);

#endif
