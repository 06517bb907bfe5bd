/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "bandwidth.h"
#include "engine_inject.h"
#include "event_queue.h"
#include "lanes.h"
#include "migc_engine.h"
#include "migc_foot.h"
#include "migc_guestmem.h"
#include "migc_qemu.h"
#include "migc_wire.h"
#include "receive_path.h"
#include "rounds.h"
#include "spare_cpu.h"
#include "worker.h"

/** @file What both ends of a migration have: set up, torn down and spoken to in one way. */

struct engine {
	const struct migc_engine_config *config;
	struct migc_report *report;
	struct migc_guestmem *gm;
	struct migc_qemu *qemu;
	struct migc_qemu_info qemu_info;
	struct migc_dirty *dirty;
	struct rounds *rounds; /**< source, from PREPARE on */
	struct lanes *lanes;
	unsigned int slot; /**< in the lanes: whose of their workers are ours */
	bool shares; /**< lanes and devices are a receiver's (receiver.c) and others use them too */
	struct migc_codec_devices *devices; /**< none in it: nothing needs DEFLATE */
	struct migc_codec *codec[WORKERS_MAX];
	struct receive_shared shared; /**< destination */
	struct worker *workers; /**< one in each lane */
	unsigned int worker_count;
	struct migc_report past; /**< sums of the counters of workers that were dropped */
	enum {
		READING_UNKNOWN,
		READING_PAYS,
		READING_COSTS,
	} reading; /**< source: of pread() instead of a mapping, as it was measured */
	unsigned int connections; /**< of them, used by this session */
	bool hurry; /**< the guest is stopped and messages go to and fro: every moment counts */
	uint64_t begin_ns; /**< when the run began */
	uint64_t connected_ns; /**< when the peer was there; a receiver may have waited for days */
	uint32_t expected_downtime_ms; /**< source; UINT32_MAX: not known */
	unsigned int
		throttle_percent; /**< source: of its time that the guest is kept from running */
	bool verified;
	uint64_t setup_end_ns; /**< when the first round began */
	uint64_t end_ns;
	/* sessions that were lost and taken over */
	uint64_t recoveries;
	uint64_t held_pages; /**< source: that the destination had then */
	uint64_t lost_ns; /**< how long there was none */
	uint64_t renewed_ns; /**< when there were new workers for another; 0: never */
	uint64_t stop_ns, resumed_ns; /**< downtime, when both are set */
	struct migc_settings settings; /**< source: as they are now */
	bool cancelled, timed_out;
	bool memory_lost; /**< and the session was told */
	struct spare_cpu spare;
	struct migc_foot foot;
	uint32_t foot_rung; /**< what the workers were told last */
	struct bandwidth bandwidth; /**< source: --max-bandwidth and the workers' shares */
	uint64_t progress_ns, memory_ns, qemu_poll_ns, spare_ns, mean_ns, foot_ns;
	uint64_t own_bytes_peak;
	const char *state; /**< last one told */
	const char *state_entered; /**< last one that faults were looked for at */
	struct migc_faults faults; /**< with how far they have come */
	uint32_t refusals_told[WORKERS_MAX];
	/* engine_message.c */
	uint8_t out[MIGC_MSG_HEADER_BYTES + MIGC_MSG_BODY_BYTES_MAX];
	uint8_t in[MIGC_MSG_HEADER_BYTES + MIGC_MSG_BODY_BYTES_MAX];
	struct migc_msg msg;
};

/** What lanes need of a configuration. */
void engine_lanes_config(const struct migc_engine_config *config, struct lanes_config *out);
/** Devices with a queue pair for each worker of so many sessions. */
int engine_open_devices(const struct migc_engine_config *config, const struct lanes *lanes,
			unsigned int sessions, struct migc_codec_devices **out,
			struct migc_error *err);
/** From engine_open() to engine_close(): a whole migration. The controller's thread. */
enum migc_outcome engine_run(struct engine *e, struct migc_error *err);
/** Everything that can be set up before the peer is spoken to. Nothing of the guest is changed. */
int engine_open(struct engine *e, struct migc_error *err);
/** Codecs of this end, bit per enum migc_codec_id: what the source may use, all at a receiver. */
uint32_t engine_codecs(const struct engine *e);
/** Workers begin to run. */
int engine_launch(struct engine *e, struct migc_error *err);
/**
 * Take all workers out of their lanes and give back what they have: connections, without a word
 * to the peer (engine_disconnect() says one), codec engines with what they had in hand, send and
 * receive paths, control messages. Lanes, port, guest memory and devices stay, and so do the
 * counters in the report. Of the workers nothing is left: blocks that were not applied, or not
 * acknowledged, are the caller's to send again.
 */
void engine_drop_workers(struct engine *e);
/**
 * After engine_drop_workers(): new ones in the same slot, with counts from 0 and connections that
 * have to be started, as after engine_launch(). At a source send_path_agree(), _set_dirty() and
 * _open_deltas() are due again, at a destination receive_path_admit().
 * @return 0; -ENOMEM, -errno: there are none, as after engine_drop_workers()
 */
int engine_renew_workers(struct engine *e, struct migc_error *err);
/** Workers end, everything is given back. */
void engine_close(struct engine *e);
/** The first connections may use their transport. */
void engine_start_worker(struct engine *e, unsigned int worker);
/**
 * Close all connections with a reason the peer will read; waits until they are, for a moment.
 * @param peer_closes the peer has cause to do it first, and is given a moment for that
 */
void engine_disconnect(struct engine *e, const char *reason, bool peer_closes);
/** Let time pass usefully (one lcore: a turn of the lane; else a short sleep). */
void engine_pump(struct engine *e);
/** From now on every moment counts, or does not any more. */
void engine_hurry(struct engine *e, bool hurry);
/** An idle callback: with one lcore, a turn of the lane. */
void engine_idle(void *engine);
/** @return transport state of a worker as it last said. */
enum migc_transport_state engine_worker_state(const struct engine *e, unsigned int worker);
/** The failure of any worker, or NULL. */
const struct migc_error *engine_failure(const struct engine *e);
/** Main lcore: another --max-bandwidth from now on, bits a second on the wire; 0: no limit. */
void engine_limit_bandwidth(struct engine *e, uint64_t bits_per_s);
/** Main lcore, often: share the limit among the workers by what they need. */
void engine_share_bandwidth(struct engine *e, uint64_t now_ns);
/** Tell the state if it is another than before; call progress when it is time. */
void engine_tell(struct engine *e, const char *state);

/* engine_advise.c */

/**
 * Main lcore, often: what the workers' ladders cannot know, the others and the cores.
 * @param fed pages are handed out, and not the last ones
 */
void engine_advise_ladders(struct engine *e, uint64_t now_ns, bool fed);

/* engine_message.c */

/** Send a message on a worker's control stream. Waits for room. @return 0, -ETIMEDOUT, -EINVAL. */
int engine_send(struct engine *e, unsigned int worker, const struct migc_msg *msg);
/** @return 1: a message is in e->msg (until the next call); 0: none; -EBADMSG. */
int engine_receive(struct engine *e, unsigned int worker);

/* engine_guest.c */

/** Attach to QEMU, or to the files. */
int engine_open_guest(struct engine *e, struct migc_error *err);
/** Often: a guest whose memory is not all there any more fails, once a session. */
void engine_poll_memory(struct engine *e, struct event_queue *events);
/** Hash all regions. */
int engine_hash(struct engine *e, struct migc_msg_digests *out);
/** Bytes of memory that are ours: anonymous and huge pages, not the guest's. */
uint64_t engine_own_bytes(void);

/* engine_dma.c */

/**
 * Map guest memory for devices that read it by DMA, say what that pins, and tell the codec; where
 * it cannot be, say why: pages are copied then, which is no error.
 */
int engine_map_dma(struct engine *e, struct migc_error *err);

/* engine_control.c */

/** The source's controller, each turn: what the operator and --timeout want. */
void engine_control_source(struct engine *e, struct migc_source *session,
			   struct event_queue *events, uint64_t now_ns);
/** The destination's, likewise. @param state migc_destination_state() */
void engine_control_destination(struct engine *e, const char *state, struct event_queue *events);
/** Let the report and the settings be seen. */
void engine_control_publish(struct engine *e, uint64_t now_ns);

/* engine_report.c */

/** Bytes on the wire so far, of all workers there are and were. */
uint64_t engine_wire_bytes(const struct engine *e);
void engine_fill_report(struct engine *e, const char *state);
/** Workers are about to go: what they counted stays in later reports. */
void engine_keep_counters(struct engine *e);

/* source_run.c, destination_run.c */

enum migc_outcome source_run(struct engine *e, struct migc_error *err);
enum migc_outcome destination_run(struct engine *e, struct migc_error *err);

#endif
