/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SOURCE_RUN_H
#define SOURCE_RUN_H

#include "engine.h"
#include "event_queue.h"

/** @file The controller of a source, shared by its files. */

/** Carries out what its session asks for. */
struct source {
	struct engine *e;
	struct migc_source *session;
	struct event_queue events;
	struct migc_msg msg; /**< of the controller's own messages */
	struct migc_msg_digests digests;
	uint8_t device[MIGC_DEVICE_CHUNK_BYTES_MAX];
	uint64_t device_bytes;
	bool connected, disconnected;
	bool attaching, stopping, feeding, final, saving;
	unsigned int attached; /**< connections, the first included */
	uint64_t attach_sent; /**< bit per worker: ATTACH was sent */
	bool failed_in_final;
	bool may_lose_pages; /**< data may have become holes since the tracker was armed */
	bool finished;
	enum migc_outcome outcome;
	uint64_t tick_ns;
};

/* source_converge.c: how far the guest is ahead, and what is done about it */

/** SCAN: which pages are dirty, and how many more there will be. */
void source_scan(struct source *s);
/** What the session made of it goes into the round's record. */
void source_scanned(struct source *s);
/** THROTTLE: the guest runs so much less from now on; 0: not any more. */
void source_throttle(struct source *s, unsigned int percent);
/** Often: pulses; and --throttle may have been changed. */
void source_poll_throttle(struct source *s, uint64_t now_ns);

/* source_session.c: making a session */

/** The session, its HELLO with it. @return 0, -errno. */
int source_open_session(struct source *s, struct migc_error *err);
/** ATTACH: the connections that both ends have begin to be made. */
void source_attach(struct source *s);
/** Connections beyond the first: say which session they belong to, wait for the answers. */
void source_attach_more(struct source *s);
/** PREPARE: QEMU, tracker, rounds. */
void source_prepare(struct source *s);

#endif
