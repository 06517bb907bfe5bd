/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef SOURCE_RUN_H
#define SOURCE_RUN_H

#include "engine.h"
#include "event_queue.h"

/** @file The controller of a source, shared by its files. */

/** Of a session that was lost: a new one is being made, until PREPARED or the deadline. */
struct source_recovery {
	bool on;
	bool connecting; /**< there are workers, and the first has begun to connect */
	uint64_t lost_ns, deadline_ns;
	uint64_t try_ns; /**< connecting: give this try up; else: make the next */
	struct migc_error cause;
};

/** Carries out what its session asks for. */
struct source {
	struct engine *e;
	struct migc_source *session;
	struct event_queue events;
	struct migc_msg msg; /**< of the controller's own messages */
	struct migc_msg_digests digests;
	uint8_t device[MIGC_DEVICE_CHUNK_BYTES_MAX];
	uint64_t device_bytes;
	uint64_t data_pages; /**< of the guest when it all began, about */
	bool connected, disconnected;
	uint64_t inventory_page; /**< of a region: behind what was compared of it */
	bool settling; /**< PREPARE: until pages may be compared */
	bool attaching, stopping, feeding, final, saving;
	unsigned int attached; /**< connections, the first included */
	uint64_t attach_sent; /**< bit per worker: ATTACH was sent */
	bool failed_in_final;
	bool may_lose_pages; /**< data may have become holes since the tracker was armed */
	bool finished;
	enum migc_outcome outcome;
	uint64_t tick_ns;
	struct source_recovery recovery;
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

/** PREPARE goes on: is it time to compare? */
void source_poll_settling(struct source *s, uint64_t now_ns);
/** COMPARE: what the destination holds. */
void source_compare_pages(struct source *s, const struct migc_msg_holdings *holdings);

/* source_reading.c: pages in place, or copied by the kernel */

/** Tell the workers, before rounds begin and after the tracker was armed. */
void source_prepare_reading(struct engine *e);

/* source_recover.c: a session that was lost, and the next */

/**
 * The connection is over. @return whether a new session takes over: then this event is not the
 * machine's, which is gone.
 */
bool source_lost(struct source *s, const struct migc_error *cause, uint64_t now_ns);
/** While there is none: connect, or give up. */
void source_poll_recovery(struct source *s, uint64_t now_ns);
/** PREPARED: from here on it is a session like any other. */
void source_recovered(struct source *s, uint64_t now_ns);
/** @return what to show as the state. */
const char *source_state(const struct source *s);

#endif
