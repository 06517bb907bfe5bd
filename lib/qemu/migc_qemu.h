/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_QEMU_H
#define MIGC_QEMU_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "migc_error.h"
#include "migc_guestmem.h"
#include "migc_log.h"
#include "migc_page.h"

/**
 * @file
 * An unmodified QEMU through its QMP socket: what it is, where its RAM is, whether it can be
 * moved, the switchover, and its device state. Main lcore only. Calls that wait for QEMU's answer
 * call `idle` while they wait (it may be NULL), never longer apart than 1 ms.
 */

struct migc_qemu;
struct migc_guardian;

/** Testing only (--inject): what happens to a command. */
enum migc_qemu_fault {
	MIGC_QEMU_FAULT_NONE,
	MIGC_QEMU_FAULT_CLOSE, /**< the socket closes before it is said */
	MIGC_QEMU_FAULT_ERROR, /**< QEMU answers with an error, and does not do it */
};

struct migc_qemu_config {
	const char *qmp_path;
	bool destination;
	bool either; /**< whichever it is: destination when it waits for a guest */
	unsigned int answer_timeout_ms; /**< of one command; 0: default 10000 */
	void (*idle)(void *ctx);
	void *idle_ctx;
	enum migc_qemu_fault (*fault)(void *ctx, const char *command); /**< NULL: none ever */
	void *fault_ctx;
	struct migc_guardian
		*guardian; /**< migc_guardian.h; NULL: nobody looks after a killed sender */
	const struct migc_log *log;
};

struct migc_qemu_info {
	pid_t pid;
	char version[64]; /**< "7.2.22" */
	char machine[128]; /**< "pc-q35-7.2" */
	char name[128]; /**< -name, or "" */
	bool running;
	bool incoming; /**< waits for a guest */
};

/**
 * Connect, greet, read version, machine and state.
 * @return 0; -ENOENT, -ECONNREFUSED, -EACCES, -EPROTO (not a QMP socket), -ETIMEDOUT (another
 *   client holds the socket), -EBUSY (a migration is going on there), each with what to do.
 */
int migc_qemu_open(const struct migc_qemu_config *config, struct migc_qemu **out,
		   struct migc_error *err);
/** Restores what was changed and not yet restored, closes. */
void migc_qemu_close(struct migc_qemu *q);
void migc_qemu_info(const struct migc_qemu *q, struct migc_qemu_info *out);

/**
 * Find all guest RAM and add it to the guest memory, one region a RAMBlock that is shared and
 * backed by a memory backend, named by the backend's id (hot-plugged DIMMs included).
 * Refuses what cannot be moved: RAM that is not shared or (QEMU >= 8.1) not a named file
 * ("start QEMU with -object memory-backend-file,...,share=on ..."), vhost-user and VFIO devices,
 * a missing capability, a destination that was not started with -incoming defer or without -S.
 * @return 0; -EOPNOTSUPP, -EINVAL, ... with one line that names the thing and the remedy.
 */
int migc_qemu_discover(struct migc_qemu *q, struct migc_guestmem *gm, struct migc_error *err);
/** Has the set of RAM backends changed since discovery (hot-plug)? @return 0, -ESTALE, -errno. */
int migc_qemu_check_unchanged(struct migc_qemu *q, struct migc_error *err);

/**
 * Has the guest a device that gives pages back to the host while it runs (virtio-balloon,
 * virtio-mem)? A device that has such a page mapped would go on with the old one.
 * @return 0, -errno.
 */
int migc_qemu_discards_memory(struct migc_qemu *q, bool *out, struct migc_error *err);

/**
 * Settings that make QEMU's migration one plain stream of device state, remembering what they were:
 * x-ignore-shared and events on, at a source pause-before-switchover too, what needs other streams
 * off. While the guest runs: QEMU takes its time for each command.
 */
int migc_qemu_prepare(struct migc_qemu *q, struct migc_error *err);

/* ---- source ---- */

enum migc_qemu_throttle_method {
	MIGC_QEMU_THROTTLE_NONE,
	MIGC_QEMU_THROTTLE_PULSES, /**< stop and cont */
	MIGC_QEMU_THROTTLE_DIRTY_LIMIT, /**< set-vcpu-dirty-limit */
};

struct migc_qemu_throttle {
	enum migc_qemu_throttle_method method;
	unsigned int percent; /**< the last that was asked for */
	uint64_t pulses, stood_ms; /**< times that the guest was stopped, and for how long in all */
};

/**
 * Let the guest write less: by a dirty limit of its vCPUs where QEMU takes one, else by stopping it
 * for a part of each 200 ms. Call migc_qemu_throttle_poll() often from then on.
 *
 * @param percent           0: not any more; 1 to 99
 * @param dirty_bytes_per_s what it writes without; looked at the first time
 * @return 0; -errno: QEMU has gone or does not answer
 */
int migc_qemu_throttle(struct migc_qemu *q, unsigned int percent, uint64_t dirty_bytes_per_s,
		       struct migc_error *err);
/**
 * Stop or continue the guest when it is time. Never waits. Continues only what it stopped.
 * @return 0; -ESRCH, -EIO: the guest was stopped and QEMU does not continue it
 */
int migc_qemu_throttle_poll(struct migc_qemu *q, uint64_t now_ns, struct migc_error *err);
/** The guest runs as it did. migc_qemu_restore() does this too. @return 0, -errno. */
int migc_qemu_unthrottle(struct migc_qemu *q, struct migc_error *err);
void migc_qemu_throttle_stats(const struct migc_qemu *q, struct migc_qemu_throttle *out);

/**
 * Begin the switchover: a guest that stands part of its time is stopped at once; listen on a
 * private unix socket, max-bandwidth up, `migrate`. Then call migc_qemu_poll_stopped() until it
 * says 1.
 */
int migc_qemu_start_switchover(struct migc_qemu *q, struct migc_error *err);
/**
 * @return 1: pre-switchover reached, the guest is stopped (stop_ns: CLOCK_MONOTONIC time of its
 *   STOP event as received); 0: not yet; -errno. Also drains the device stream; more than
 *   64 MiB + 2 % of RAM in it means RAM goes through the stream: -EOPNOTSUPP.
 */
int migc_qemu_poll_stopped(struct migc_qemu *q, uint64_t *stop_ns, struct migc_error *err);
/** migrate-continue. */
int migc_qemu_continue(struct migc_qemu *q, struct migc_error *err);
/**
 * Read device state. Never blocks. @return bytes put into `out` (1..capacity); 0: none now;
 *   -ENODATA: that was all and QEMU says "completed"; -errno: QEMU says "failed" (message).
 */
int migc_qemu_read_state(struct migc_qemu *q, uint8_t *out, size_t capacity,
			 struct migc_error *err);
/** Stop a running guest for a copy without tracking (--dirty none); a guest that was already
 * stopped stays so afterwards. */
int migc_qemu_stop(struct migc_qemu *q, struct migc_error *err);
/** COMMIT is about to be sent: from now on nobody lets the guest run again but an operator. */
void migc_qemu_commit(struct migc_qemu *q);
/**
 * Whatever the state: the guest runs again (if it ran when we came). migrate_cancel before the
 * device state is out, cont after. @return 0; -errno when it does not run: the message says so.
 */
int migc_qemu_resume(struct migc_qemu *q, struct migc_error *err);

/* ---- destination ---- */

/** `migrate-incoming` from a socket that QEMU is given. QEMU takes that once. */
int migc_qemu_begin_incoming(struct migc_qemu *q, struct migc_error *err);
/** Write device state. May wait (idle is called). @return 0, -EPIPE (QEMU gave up: message). */
int migc_qemu_write_state(struct migc_qemu *q, const uint8_t *data, size_t length,
			  struct migc_error *err);
/** That was all: close the socket. Then poll. */
int migc_qemu_end_state(struct migc_qemu *q, struct migc_error *err);
/** @return 1: loaded ("completed", VM paused); 0: not yet; -errno: QEMU could not load it. */
int migc_qemu_poll_loaded(struct migc_qemu *q, struct migc_error *err);
/**
 * cont, and wait until query-status says running. @return 0; -EREMOTEIO: the VM does not run
 * (refused, or QEMU had gone before it was told); any other: it is not known whether it does.
 */
int migc_qemu_run(struct migc_qemu *q, struct migc_error *err);

/* ---- both ---- */

/** Is QEMU still there? Reads events. @return 0, -ESRCH (QMP socket closed). */
int migc_qemu_poll(struct migc_qemu *q, struct migc_error *err);
/** Capabilities and parameters as they were before us. Safe when QEMU has gone. */
void migc_qemu_restore(struct migc_qemu *q);
/** Testing only (--inject): the QMP socket closes, as QEMU sees it too. */
void migc_qemu_hang_up(struct migc_qemu *q);

#endif
