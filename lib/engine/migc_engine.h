/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_ENGINE_H
#define MIGC_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "migc_bus_guard.h"
#include "migc_codec.h"
#include "migc_control.h"
#include "migc_dirty.h"
#include "migc_error.h"
#include "migc_log.h"
#include "migc_parse.h"
#include "migc_port.h"
#include "migc_report.h"
#include "migc_session.h"
#include "migc_transport.h"

/**
 * @file
 * A whole migration, one end of it: joins guest memory, tracker, codec, transport, port and QEMU
 * into pipelines on lcores, driven by the session's state machine. EAL is up before; every lcore
 * that EAL has besides the main one becomes a worker (none: the main lcore does all in turn).
 */

/** A plain memory file (--mem). */
struct migc_engine_mem {
	const char *name;
	const char *path;
	uint64_t offset_bytes;
	uint64_t length_bytes; /**< 0: to the end of the file */
};

/** How the source reads guest pages. */
enum migc_guest_read {
	MIGC_GUEST_READ_AUTO, /**< as is measured to be cheaper on this host */
	MIGC_GUEST_READ_MMAP, /**< in place, through a mapping */
	MIGC_GUEST_READ_PREAD, /**< copied, where they can be: migc_guestmem_can_read() */
};

struct migc_engine_config {
	bool source;

	/* guest: a QMP socket, or files */
	const char *qmp_path;
	struct migc_guardian
		*guardian; /**< source: looks after the VM should we be killed; or NULL */
	const struct migc_engine_mem *mem;
	unsigned int mem_count;
	struct migc_bus_guard *bus_guard; /**< what the program's handler of SIGBUS asks; or NULL */

	/* network */
	const char *ethdev; /**< NULL: the first */
	struct migc_prefix address;
	uint32_t gateway; /**< 0: none */
	uint16_t mtu; /**< 0: the port's */
	uint16_t udp_port; /**< destination: first port to listen on */
	struct migc_addr connect; /**< source: address and first port of the receiver */
	const struct migc_credentials *credentials;
	const char *tls_hostname; /**< source: what the certificate must be for; NULL: any */
	struct migc_inject_spec inject;

	/* compression */
	bool codec_auto; /**< source: the codec is chosen for each block; else: */
	enum migc_codec_id codec_id; /**< RAW: compress nothing */
	struct migc_codec_request codec; /**< of DEFLATE */
	int zstd_level;
	const char *compressdev;
	bool no_fallback;
	uint64_t delta_cache_bytes; /**< source: of all workers; 0: no deltas */

	/* migration */
	enum migc_guest_read guest_read; /**< source */
	enum migc_dirty_kind dirty;
	struct migc_settings settings; /**< source: to begin with */
	uint32_t recover_timeout_s; /**< for a session that was lost; 0: that is a failure */
	bool verify;
	bool process_ends; /**< after this run: what the kernel takes back is not given back */

	/* the outside */
	const volatile sig_atomic_t *cancel; /**< not 0: the operator's word */
	struct migc_control_session *control; /**< and where more of it comes from; or NULL */
	/** Called by whoever runs the session, often; must not block. */
	void (*progress)(void *ctx, const struct migc_report *report);
	/** Destination: connections can be made now. */
	void (*listening)(void *ctx, const struct migc_addr *addr);
	/** Called when the session's state changes. */
	void (*state)(void *ctx, const char *name);
	void *ctx;
	const struct migc_log *log;
};

/**
 * Run one migration to its end. Main lcore.
 *
 * @param report filled as far as it got, also on failure
 * @param err    the one line that says why, when the outcome is not DONE
 * @return the outcome, which is the exit status. USAGE: nothing was touched.
 */
enum migc_outcome migc_engine_run(const struct migc_engine_config *config,
				  struct migc_report *report, struct migc_error *err);

#endif
