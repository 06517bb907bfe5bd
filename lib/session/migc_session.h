/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef MIGC_SESSION_H
#define MIGC_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "migc_error.h"
#include "migc_wire.h"

/**
 * @file
 * Source and destination of a migration as state machines: an event in, actions out. No I/O, no
 * clock (the time comes with each event), no threads. doc/design/states.md is normative and lists
 * every state, event and transition.
 *
 * The caller feeds an event, then takes actions with migc_session_action() until there are none,
 * carries each out, and feeds what came of it as events. Messages to send are actions too.
 */

/** What a session ends with; also the exit status. */
enum migc_outcome {
	MIGC_OUTCOME_DONE = 0,
	MIGC_OUTCOME_USAGE = 1,
	MIGC_OUTCOME_FAILED = 2, /**< the source VM runs on */
	MIGC_OUTCOME_UNCONFIRMED =
		3, /**< after COMMIT without an answer: the source stays paused */
};

enum migc_action_type {
	MIGC_ACTION_NONE = 0,
	MIGC_ACTION_SEND, /**< send action.msg on the control stream */
	/* source */
	MIGC_ACTION_ATTACH, /**< make the other connections and attach them to ack.session_id
			     * -> EV_ATTACHED */
	MIGC_ACTION_PREPARE, /**< QEMU's capabilities, tracker armed -> EV_PREPARED */
	MIGC_ACTION_COMPARE, /**< action.msg->holdings: what the destination holds, at once. What is
			      * the same here is not due */
	MIGC_ACTION_ROUND, /**< send all dirty pages as action.round (.final: after a last scan,
			    * with the guest stopped) -> EV_ROUND_SENT */
	MIGC_ACTION_SCAN, /**< which pages are dirty now? -> EV_SCANNED */
	MIGC_ACTION_THROTTLE, /**< from now on let the guest run action.percent less. No answer */
	MIGC_ACTION_STOP_GUEST, /**< to pre-switchover -> EV_GUEST_STOPPED */
	MIGC_ACTION_PUNCH, /**< send PUNCH messages for what became holes -> EV_PUNCHED */
	MIGC_ACTION_HASH, /**< hash all RAM -> EV_HASHED. Both sides. */
	MIGC_ACTION_SAVE_DEVICES, /**< migrate-continue; send DEVICE_STATE pieces ->
				     EV_DEVICES_SAVED */
	MIGC_ACTION_RESUME_GUEST, /**< the source VM must run again -> EV_RESUMED */
	/* destination */
	MIGC_ACTION_CHECK_GUEST, /**< does action.hello fit my guest? -> EV_CHECKED */
	MIGC_ACTION_TAKE_INVENTORY, /**< action.msg->inventory: tell what is held of that region,
				     * to its last page -> EV_HELD, several */
	MIGC_ACTION_AWAIT_APPLIED, /**< tell when action.blocks blocks are applied -> EV_APPLIED */
	MIGC_ACTION_PUNCH_RANGES, /**< punch action.msg->punch, at once */
	MIGC_ACTION_WRITE_DEVICES, /**< give action.msg->device to QEMU's incoming socket, at once
				    */
	MIGC_ACTION_LOAD_DEVICES, /**< end of state: close, wait for QEMU's "completed" -> EV_LOADED
				   */
	MIGC_ACTION_RUN_GUEST, /**< cont -> EV_RUNNING */
	/* both */
	MIGC_ACTION_CLEAN_UP, /**< tracker away, capabilities and parameters as they were */
	MIGC_ACTION_FINISH, /**< over: action.outcome, migc_session_error() */
};

struct migc_action {
	enum migc_action_type type;
	const struct migc_msg *msg; /**< SEND, COMPARE, TAKE_INVENTORY, PUNCH_RANGES, WRITE_DEVICES;
				     * valid until the next event */
	uint32_t round; /**< ROUND */
	bool final; /**< ROUND */
	unsigned int percent; /**< THROTTLE */
	uint64_t blocks; /**< AWAIT_APPLIED */
	enum migc_outcome outcome; /**< FINISH */
};

enum migc_event_type {
	MIGC_EV_CONNECTED, /**< the first connection is authenticated */
	MIGC_EV_MSG, /**< event.msg */
	MIGC_EV_DISCONNECTED, /**< a connection is over: event.error */
	MIGC_EV_FAILED, /**< an action failed, or anything else did: event.error */
	MIGC_EV_CANCEL, /**< the operator's word */
	MIGC_EV_TIMEOUT, /**< --timeout is over */
	MIGC_EV_TICK, /**< time passes (at least ten times a second) */
	/* source */
	MIGC_EV_ATTACHED,
	MIGC_EV_PREPARED,
	MIGC_EV_ROUND_SENT, /**< all blocks of the round are in the transport: event.blocks since
			       start */
	MIGC_EV_SCANNED, /**< event.pages are dirty, event.more_pages will be until the guest stops
			  */
	MIGC_EV_GUEST_STOPPED,
	MIGC_EV_PUNCHED,
	MIGC_EV_HASHED, /**< event.digests; both sides */
	MIGC_EV_CONTINUE, /**< the operator's word in PAUSE */
	MIGC_EV_DEVICES_SAVED, /**< event.bytes of device state were sent */
	MIGC_EV_RESUMED,
	/* destination */
	MIGC_EV_CHECKED, /**< event.ack is what to answer; or event.error with reason */
	MIGC_EV_HELD, /**< event.holdings */
	MIGC_EV_BLOCK_FAILED, /**< event.failed */
	MIGC_EV_APPLIED,
	MIGC_EV_LOADED,
	MIGC_EV_RUNNING,
	MIGC_EV_RUN_FAILED, /**< event.error; -EREMOTEIO: cont was refused, the guest does not run
			     * here. Any other code: it is not known whether it did */
};

struct migc_event {
	enum migc_event_type type;
	uint64_t now_ns;
	const struct migc_msg *msg;
	const struct migc_error *error;
	enum migc_reason reason; /**< CHECKED with an error: VERSION or MISMATCH or FAILED */
	uint64_t blocks, pages, more_pages, bytes;
	uint64_t ns; /**< ROUND_SENT: how long the sending took, waits for settling not counted */
	const struct migc_msg_digests *digests;
	const struct migc_msg_hello_ack *ack;
	const struct migc_msg_block_failed *failed;
	const struct migc_msg_holdings *holdings;
};

/* ---- convergence: pure ---- */

struct migc_converge_input {
	uint64_t dirty_pages; /**< what the last scan found, and what is left over */
	uint64_t last_bytes, last_ns,
		last_pages; /**< of a round, as fast as the next is taken to be */
	uint32_t downtime_limit_ms;
	uint32_t fixed_cost_ms; /**< of the switchover besides the last round: QEMU, device state */
	unsigned int rounds; /**< done so far */
};

/** @return expected downtime in ms if the guest were stopped now. UINT32_MAX: cannot tell. */
uint32_t migc_converge_downtime_ms(const struct migc_converge_input *in);

/** How much a guest is slowed down; all 0 at first. */
struct migc_throttle {
	unsigned int percent; /**< of its time that it does not run: 0, 20 to 99 */
	unsigned int rounds; /**< in a row that did not gain on it */
};

/**
 * A round is over: pages that it sent, and pages that are dirty now. doc/design/convergence.md.
 * @return whether percent has changed
 */
bool migc_throttle_round(struct migc_throttle *t, uint64_t sent_pages, uint64_t dirty_pages);

/* ---- source ---- */

struct migc_source_config {
	struct migc_msg_hello hello;
	bool live; /**< false: --dirty none: stop the guest, one round */
	bool throttle; /**< slow a guest down that writes too fast */
	bool pause_before_switchover; /**< wait for CONTINUE once all RAM is there */
	uint32_t downtime_limit_ms;
	uint32_t fixed_cost_ms;
	uint32_t answer_timeout_ms; /**< A of states.md. 0: default 30000 */
};

struct migc_source;
int migc_source_create(const struct migc_source_config *config, struct migc_source **out);
void migc_source_free(struct migc_source *s);
void migc_source_event(struct migc_source *s, const struct migc_event *event);
/** Take the next action. @return false when there is none. */
bool migc_source_action(struct migc_source *s, struct migc_action *out);
const char *migc_source_state(const struct migc_source *s); /**< name as in states.md */
/** Names of all states, in order; NULL past the last. */
const char *migc_source_state_name(unsigned int index);
const struct migc_error *migc_source_error(const struct migc_source *s);
/** What both sides have of workers and codecs. Valid from ATTACH on. */
const struct migc_msg_hello_ack *migc_source_ack(const struct migc_source *s);
/** Pages of BLOCK_FAILED messages are reported through this before the event returns. */
void migc_source_on_failed(struct migc_source *s,
			   void (*mark)(void *ctx, const struct migc_page_list *pages), void *ctx);
uint32_t migc_source_expected_downtime_ms(const struct migc_source *s);
/** Was the guest asked to stop, and not resumed since? */
bool migc_source_guest_stopped(const struct migc_source *s);
/** Should this session be lost now: may a new one take over (states.md 2.5)? */
bool migc_source_may_recover(const struct migc_source *s);
/** Another downtime limit from now on; UINT32_MAX: stop the guest at the next decision. */
void migc_source_set_downtime_limit(struct migc_source *s, uint32_t downtime_limit_ms);
/**
 * Whether the guest may be slowed down from now on. What it is slowed down by already is the
 * caller's to undo; the next decision begins from nothing.
 */
void migc_source_set_throttle(struct migc_source *s, bool throttle);
/** Whether PAUSE will be entered. In PAUSE it changes nothing: that is left by CONTINUE. */
void migc_source_set_pause(struct migc_source *s, bool pause_before_switchover);
/** Is it in PAUSE? */
bool migc_source_paused(const struct migc_source *s);

/* ---- destination ---- */

struct migc_destination_config {
	uint32_t answer_timeout_ms; /**< A of states.md. 0: default 30000 */
};

struct migc_destination;
int migc_destination_create(const struct migc_destination_config *config,
			    struct migc_destination **out);
void migc_destination_free(struct migc_destination *d);
void migc_destination_event(struct migc_destination *d, const struct migc_event *event);
bool migc_destination_action(struct migc_destination *d, struct migc_action *out);
const char *migc_destination_state(const struct migc_destination *d);
/** Should this session be lost now: may a new one be listened for (states.md 4.5)? */
bool migc_destination_may_listen_again(const struct migc_destination *d);
/** Names of all states, in order; NULL past the last. */
const char *migc_destination_state_name(unsigned int index);
const struct migc_error *migc_destination_error(const struct migc_destination *d);
/** The source's HELLO. Valid from CHECK_GUEST on. */
const struct migc_msg_hello *migc_destination_hello(const struct migc_destination *d);

#endif
