/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_QEMU_PRIVATE_H
#define MIGC_QEMU_PRIVATE_H

#include "migc_qemu.h"
#include "qmp.h"
#include "state_socket.h"

/** How often query-migrate is asked besides listening to its events. */
#define QEMU_ASK_NS UINT64_C(10000000)
/** Capabilities that prepare_*() may change. */
#define QEMU_CAPABILITIES_MAX 32

/** Where a migration of this QEMU is, by its own words. */
enum qemu_migration {
	QEMU_MIGRATION_NONE,
	QEMU_MIGRATION_GOING, /**< setup, active, device, cancelling, ... */
	QEMU_MIGRATION_PRE_SWITCHOVER,
	QEMU_MIGRATION_COMPLETED,
	QEMU_MIGRATION_FAILED,
	QEMU_MIGRATION_CANCELLED,
};

struct qemu_capability {
	char name[48];
	bool was;
};

/** Bytes read from QEMU's device stream and not yet taken. */
struct state_buffer {
	uint8_t *data;
	size_t begin, length, capacity;
	uint64_t total_bytes; /**< ever read */
};

struct migc_qemu {
	struct migc_qemu_info info;
	unsigned int version; /**< major * 100 + minor */
	bool destination;
	bool was_running; /**< when we came */
	bool stop_ours; /**< migc_qemu_stop() stopped it */
	const struct migc_log *log;
	struct qmp qmp;
	char *memory_signature; /**< backends and memory devices at discovery */
	uint64_t ram_bytes;

	struct qemu_capability changed[QEMU_CAPABILITIES_MAX];
	unsigned int changed_count;
	json_t *parameters_were; /**< NULL: unchanged */

	enum qemu_migration migration;
	char migration_error[256];
	uint64_t asked_id; /**< posted query-migrate without an answer; 0: none */
	uint64_t asked_ns;
	uint64_t stop_ns; /**< of the last STOP event; 0: none since the switchover began */
	bool continued; /**< migrate-continue was sent */
	bool loading; /**< end_state() was called */
	uint64_t ended_ns; /**< when the device stream ended; 0: not yet */

	struct state_socket state;
	struct state_buffer buffer;
};

/* ---- qemu_open.c ---- */
/** query-status. @return 0; -errno. `status` of 32 bytes may be NULL. */
int qemu_query_running(struct migc_qemu *q, bool *running, char *status, struct migc_error *err);

/* ---- migration_status.c ---- */
enum qemu_migration qemu_migration_parse(const char *status);
/** Take over status and error of a query-migrate result. */
void qemu_migration_take(struct migc_qemu *q, const json_t *result);
/** Ask and wait. */
int qemu_migration_query(struct migc_qemu *q, struct migc_error *err);
/** Post a query-migrate when the last one is answered and 10 ms old. Never waits. */
int qemu_migration_ask(struct migc_qemu *q, struct migc_error *err);
/** The events of the QMP connection end up here. */
void qemu_on_event(void *ctx, const char *name, const json_t *data);
void qemu_on_posted(void *ctx, uint64_t id, const json_t *result);

/* ---- refuse.c ---- */
/** -EOPNOTSUPP or -EINVAL with the reason when this QEMU cannot be moved (its RAM apart). */
int qemu_refuse_unmovable(struct migc_qemu *q, struct migc_error *err);
/** @return whether a device of that QOM type cannot be moved by us. */
bool qemu_device_unmovable(const char *type);

/* ---- discover.c ---- */
/** Text that changes when RAM is plugged or unplugged; freed with free(). */
int qemu_memory_signature(struct migc_qemu *q, char **out, struct migc_error *err);

/* ---- settings.c ---- */
/** Is a capability known to this QEMU? @return 0; -EOPNOTSUPP (message); -errno. */
int qemu_require_capability(struct migc_qemu *q, const char *name, struct migc_error *err);
/** Switch capabilities on, and off what would spoil the stream; remembers what they were. */
int qemu_set_capabilities(struct migc_qemu *q, const char *const *on, unsigned int count,
			  struct migc_error *err);
/** Bandwidth without limit, no TLS of its own; remembers what they were. */
int qemu_set_parameters(struct migc_qemu *q, struct migc_error *err);

/* ---- switchover.c ---- */
void qemu_buffer_free(struct state_buffer *buffer);
/** Read and drop what comes out of the device stream, so that QEMU is not stuck in a write. */
void qemu_discard_state(struct migc_qemu *q);

#endif
