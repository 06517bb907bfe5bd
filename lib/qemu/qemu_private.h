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

/** Where a guest is that stands part of its time. */
enum pulse_phase {
	PULSE_OFF,
	PULSE_RUNS, /**< until until_ns */
	PULSE_STOPPING, /**< `stop` was said */
	PULSE_HOLDS, /**< until until_ns */
	PULSE_CONTINUES, /**< `cont` was said */
	PULSE_FOREIGN, /**< somebody else has stopped it: until somebody else continues it */
};

struct pulse {
	enum migc_qemu_throttle_method method;
	enum pulse_phase phase;
	unsigned int percent;
	uint64_t until_ns;
	uint64_t held_ns; /**< since when it stands */
	unsigned int stops, resumes; /**< events that are accounted for */
	uint64_t pulses, stood_ns; /**< so far */
	uint64_t full_mbytes_per_s; /**< what the guest wrote before */
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
	struct pulse pulse;
	/* device state */
	enum switchover switchover;
	char socket_path[SOCKET_PATH_BYTES];
	int listen_fd, state_fd;
	uint8_t *state; /**< read ahead, before it was asked for */
	size_t state_length, state_taken, state_capacity;
	bool state_ended;
	/* when QEMU was last asked how its migration is, and its events until then */
	uint64_t asked_ns;
	unsigned int asked_migrations;
};

/** A private directory for a socket that QEMU, maybe another user, can use. */
int qemu_make_directory(struct migc_qemu *q, struct migc_error *err);
void qemu_remove_directory(struct migc_qemu *q);
/** query-migrate's status ("" when none), and its error if it failed. */
int qemu_migration_status(struct migc_qemu *q, char *status, size_t capacity, char *why,
			  size_t why_capacity, struct migc_error *err);
/**
 * Has QEMU's migration come to another state since the last call, by its events, or is it time to
 * ask all the same? Each question holds up QEMU's main loop, which has other things to do.
 */
bool qemu_migration_moved(struct migc_qemu *q);
/** From now on. */
void qemu_migration_watch(struct migc_qemu *q);
/** query-status's status. */
int qemu_run_state(struct migc_qemu *q, char *status, size_t capacity, struct migc_error *err);
/** If the QMP socket has closed and QEMU still runs: connect once more. @return 0, -ESRCH. */
int qemu_reconnect(struct migc_qemu *q, struct migc_error *err);
/** Take what QEMU has written of its device state, for later. @return bytes, -errno. */
int qemu_drain_state(struct migc_qemu *q, struct migc_error *err);
/* pulse.c: stop and cont, without waiting for either */

/** The guest stands this share of its time from now on, or another than before. */
int qemu_pulse_start(struct migc_qemu *q, unsigned int percent, struct migc_error *err);
/** Often: say what is due. @return 0, -ESRCH, -EIO (the guest stands and is not continued). */
int qemu_pulse_poll(struct migc_qemu *q, uint64_t now_ns, struct migc_error *err);
/** The connection is another one: find out whether the guest stands for us. */
int qemu_pulse_reconnected(struct migc_qemu *q, struct migc_error *err);
/** It is over: wait until the guest runs, unless somebody else has stopped it. */
int qemu_pulse_end(struct migc_qemu *q, struct migc_error *err);
/**
 * It is over, with the guest stopped for the switchover: stop_ns is from when on. It ran just
 * before.
 * @param held whether it is us who stopped it; false where there were no pulses
 */
int qemu_pulse_hold(struct migc_qemu *q, bool *held, struct migc_error *err);
/** refuse.c: is there anything that cannot be moved? */
int qemu_refuse(struct migc_qemu *q, struct migc_error *err);
/** A text of all memory backends and their sizes. @param out freed with free() */
int qemu_list_backends(struct migc_qemu *q, char **out, struct migc_error *err);
/** qom-get as a string; "" when it is none. */
int qemu_qom_string(struct migc_qemu *q, const char *path, const char *property, char *out,
		    size_t capacity);

#endif
