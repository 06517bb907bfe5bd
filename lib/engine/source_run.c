/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "engine.h"
#include "event_queue.h"
#include "migc_bitmap.h"
#include "send_path.h"

#define TICK_NS UINT64_C(50000000)
#define QEMU_POLL_NS UINT64_C(100000000)
/** What a switchover costs besides the last round (facts/qemu.md), and hashing a GiB. */
#define FIXED_COST_MS 60u
#define HASH_COST_MS_PER_GIB 60u
/** From a scan to a guest that has stopped. */
#define STOP_MS 50u
/** Pages of the last scan below which it is worth to look again before deciding. */
#define SCAN_ENOUGH_BYTES (64u << 20)

/** The controller of a source: carries out what its session asks for. */
struct source {
	struct engine *e;
	struct migc_source *session;
	struct event_queue events;
	struct migc_msg msg; /**< of the controller's own messages */
	struct migc_msg_digests digests;
	uint8_t device[MIGC_DEVICE_CHUNK_BYTES_MAX];
	uint64_t device_bytes;
	bool connected, disconnected, cancelled, timed_out;
	bool attaching, stopping, feeding, final, saving;
	unsigned int attached; /**< connections, the first included */
	uint64_t attach_sent; /**< bit per worker: ATTACH was sent */
	bool failed_in_final;
	bool finished;
	enum migc_outcome outcome;
	uint64_t tick_ns;
};

static void fail(struct source *s, const struct migc_error *error)
{
	event_queue_error(&s->events, MIGC_EV_FAILED, error);
}

/** Of a guest that runs pages are sent again, and a codec makes less of what changed of them. */
static bool wants_deltas(const struct engine *e)
{
	return e->config->delta_cache_bytes && e->qemu && e->config->dirty != MIGC_DIRTY_NONE &&
	       engine_codecs(e) != 1u << MIGC_CODEC_RAW;
}

static void fill_hello(struct source *s, struct migc_msg_hello *hello)
{
	struct engine *e = s->e;

	hello->version_min = MIGC_WIRE_VERSION;
	hello->version_max = MIGC_WIRE_VERSION;
	hello->page_bytes = MIGC_PAGE_BYTES;
	hello->workers = (uint16_t)e->worker_count;
	hello->codecs = engine_codecs(e);
	if (wants_deltas(e))
		hello->codecs |= MIGC_CODECS_DELTA;
	for (unsigned int id = 0; id < MIGC_CODEC_COUNT; id++) {
		unsigned int pages = migc_codec_block_pages(e->devices, (enum migc_codec_id)id);

		if (hello->codecs & 1u << id && hello->block_pages < pages)
			hello->block_pages = (uint16_t)pages;
	}
	hello->device_state = e->qemu != NULL;
	hello->verify = e->config->verify;
	if (e->qemu) {
		snprintf(hello->guest, sizeof(hello->guest), "%.64s QEMU %.32s",
			 e->qemu_info.machine, e->qemu_info.version);
		snprintf(hello->machine, sizeof(hello->machine), "%s", e->qemu_info.machine);
	}
	hello->region_count = (uint16_t)migc_guestmem_regions(e->gm);
	for (unsigned int i = 0; i < hello->region_count; i++) {
		const struct migc_region *region = migc_guestmem_region(e->gm, i);

		snprintf(hello->region[i].name, sizeof(hello->region[i].name), "%s", region->name);
		hello->region[i].pages = region->pages;
		hello->region[i].backing_page_bytes = region->backing_page_bytes;
	}
}

/** Pages that are data now: what the destination needs room for. */
static int count_data(struct engine *e, uint64_t *pages)
{
	*pages = 0;
	for (unsigned int i = 0; i < migc_guestmem_regions(e->gm); i++) {
		const struct migc_region *region = migc_guestmem_region(e->gm, i);
		uint64_t *words = migc_bitmap_alloc(region->pages);
		int rc = words ? migc_guestmem_data_map(e->gm, i, words) : -ENOMEM;

		if (rc == 0)
			*pages += migc_bitmap_count(words, region->pages);
		free(words);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int open_session(struct source *s, struct migc_error *err)
{
	struct engine *e = s->e;
	struct migc_source_config *config = calloc(1, sizeof(*config));
	uint64_t mib = migc_guestmem_total_bytes(e->gm) >> 20;
	int rc = config ? count_data(e, &config->hello.data_pages) : -ENOMEM;

	if (rc == 0) {
		fill_hello(s, &config->hello);
		config->live = e->qemu != NULL && e->config->dirty != MIGC_DIRTY_NONE;
		config->downtime_limit_ms = e->config->downtime_limit_ms;
		config->fixed_cost_ms = FIXED_COST_MS;
		if (e->config->verify)
			config->fixed_cost_ms += (uint32_t)(mib * HASH_COST_MS_PER_GIB / 1024);
		rc = migc_source_create(config, &s->session);
	}
	free(config);
	return rc ? migc_error_set(err, rc, "cannot begin a session") : 0;
}

/* ---- actions ---- */

static void mark_failed(void *source, const struct migc_page_list *pages)
{
	struct source *s = source;

	s->failed_in_final |= s->final;
	if (s->e->rounds)
		rounds_mark(s->e->rounds, pages);
}

static void attach(struct source *s)
{
	const struct migc_msg_hello_ack *ack = migc_source_ack(s->session);
	struct engine *e = s->e;

	if (ack->workers < e->worker_count) {
		migc_log(e->config->log, MIGC_LOG_INFO,
			 "the receiver has %u workers: that many connections are used",
			 ack->workers);
		e->connections = ack->workers;
		engine_limit_bandwidth(e, e->bandwidth.bits_per_s);
	}
	for (unsigned int i = 0; i < e->connections; i++) {
		send_path_agree(e->workers[i].send, ack);
		engine_start_worker(e, i);
	}
	s->attached = 1;
	s->attaching = true;
}

/** Connections beyond the first: say which session they belong to, wait for the answers. */
static void attach_more(struct source *s)
{
	struct engine *e = s->e;

	for (unsigned int i = 1; i < e->connections; i++) {
		int rc;

		if (engine_worker_state(e, i) != MIGC_TRANSPORT_CONNECTED)
			continue;
		if (!(s->attach_sent >> i & 1)) {
			s->msg.type = MIGC_MSG_ATTACH;
			memcpy(s->msg.attach.session_id, migc_source_ack(s->session)->session_id,
			       MIGC_SESSION_ID_BYTES);
			s->msg.attach.worker = (uint16_t)i;
			engine_send(e, i, &s->msg);
			s->attach_sent |= UINT64_C(1) << i;
		}
		rc = engine_receive(e, i);
		if (rc == 1 && e->msg.type == MIGC_MSG_ATTACH_ACK)
			s->attached++;
		else if (rc != 0)
			event_queue_text(&s->events, MIGC_EV_FAILED, -EBADMSG,
					 "a connection got an answer that is not allowed");
	}
	if (s->attached == e->connections) {
		s->attaching = false;
		event_queue_add(&s->events, MIGC_EV_ATTACHED);
	}
}

static int prepare_tracker(struct source *s, struct migc_error *err)
{
	struct engine *e = s->e;
	bool copies = false;
	int rc;

	if (e->qemu == NULL || e->config->dirty == MIGC_DIRTY_NONE)
		return 0;
	rc = migc_dirty_create(e->config->dirty, e->gm, e->config->log, &e->dirty, err);
	if (rc == 0)
		rc = migc_dirty_arm(e->dirty, err);
	if (rc != 0)
		return rc;
	for (unsigned int i = 0; i < migc_guestmem_regions(e->gm); i++)
		copies |= migc_dirty_needs_copy(e->dirty, i);
	for (unsigned int i = 0; i < e->connections && rc == 0; i++)
		rc = send_path_set_dirty(e->workers[i].send, e->dirty, copies);
	return rc ? migc_error_set(err, rc, "no memory for page copies: give EAL more (-m)") : 0;
}

/** Without memory for a cache all pages go whole, as they do when the receiver is too old. */
static void prepare_deltas(struct engine *e)
{
	uint64_t each = e->config->delta_cache_bytes / e->connections;
	int rc = 0;

	if (e->dirty == NULL || !wants_deltas(e))
		return;
	for (unsigned int i = 0; i < e->connections && rc == 0; i++)
		rc = send_path_open_deltas(e->workers[i].send, each);
	if (rc == 0 && send_path_delta_pages(e->workers[0].send))
		rc = rounds_use_deltas(e->rounds);
	if (rc != 0)
		migc_log(e->config->log, MIGC_LOG_WARNING,
			 "no memory for --delta-cache: pages that are sent again go whole");
}

static void prepare(struct source *s)
{
	struct engine *e = s->e;
	struct migc_error error = {0};
	int rc = 0;

	if (e->qemu)
		rc = migc_qemu_prepare_source(e->qemu, &error);
	if (rc == 0)
		rc = prepare_tracker(s, &error);
	if (rc == 0)
		rc = rounds_create(e->gm, e->dirty, e->workers, e->connections, engine_idle, e,
				   &e->rounds, &error);
	/* after the tracker was armed: a page that becomes data from now on is reported. Without a
	 * tracker nobody would: rounds_begin() looks when the guest is stopped */
	if (rc == 0 && e->dirty)
		rc = rounds_all(e->rounds, &error);
	if (rc == 0)
		prepare_deltas(e);
	if (rc != 0)
		fail(s, &error);
	else
		event_queue_add(&s->events, MIGC_EV_PREPARED);
}

static int send_holes(struct source *s, bool at_start)
{
	int rc;

	s->msg.type = MIGC_MSG_PUNCH;
	while ((rc = rounds_next_holes(s->e->rounds, at_start, &s->msg.punch)) == 1) {
		rc = engine_send(s->e, 0, &s->msg);
		if (rc != 0)
			return rc;
	}
	return rc;
}

static void begin_round(struct source *s, const struct migc_action *action)
{
	struct migc_error error = {0};
	bool retry = s->final && s->failed_in_final;
	int rc;

	s->final = action->final;
	rc = rounds_begin(s->e->rounds, action->round, action->final, retry, &error);
	if (rc == 0 && action->round == 1) {
		s->e->setup_end_ns = clock_now_ns();
		/* what was spare while there was nothing to send says nothing */
		spare_cpu_init(&s->e->spare, &s->e->spare.cpus);
		rc = send_holes(s, true);
		if (rc != 0)
			migc_error_set(&error, rc, "cannot tell the receiver of holes");
	}
	if (rc != 0)
		fail(s, &error);
	else
		s->feeding = true;
}

static void scan(struct source *s)
{
	struct migc_error error = {0};
	struct migc_event *event;
	uint64_t pages;
	int rc = rounds_scan(s->e->rounds, clock_now_ns(), SCAN_ENOUGH_BYTES / MIGC_PAGE_BYTES,
			     &pages, &error);

	if (rc != 0) {
		fail(s, &error);
		return;
	}
	event = event_queue_add(&s->events, MIGC_EV_SCANNED);
	/* and what the guest writes until it stands still has to go as well */
	event->pages = pages + rounds_dirty_rate(s->e->rounds) * STOP_MS / 1000;
}

static void stop_guest(struct source *s)
{
	struct migc_error error = {0};
	struct engine *e = s->e;

	if (e->qemu == NULL) {
		event_queue_add(&s->events, MIGC_EV_GUEST_STOPPED);
		return;
	}
	if (migc_qemu_check_unchanged(e->qemu, &error) != 0 ||
	    migc_qemu_start_switchover(e->qemu, &error) != 0)
		fail(s, &error);
	else
		s->stopping = true;
}

static void hash(struct source *s)
{
	int rc = engine_hash(s->e, &s->digests);

	if (rc != 0)
		event_queue_text(&s->events, MIGC_EV_FAILED, rc, "cannot hash the guest's RAM");
	else
		event_queue_add(&s->events, MIGC_EV_HASHED)->digests = &s->digests;
}

static void resume_guest(struct source *s)
{
	struct migc_error error = {0};

	s->stopping = false;
	s->saving = false;
	if (s->e->qemu && migc_qemu_resume(s->e->qemu, &error) != 0)
		fail(s, &error);
	else
		event_queue_add(&s->events, MIGC_EV_RESUMED);
}

static void clean_up(struct source *s)
{
	s->feeding = false;
	if (s->e->dirty)
		migc_dirty_disarm(s->e->dirty);
	if (s->e->qemu)
		migc_qemu_restore(s->e->qemu);
}

static void act(struct source *s, const struct migc_action *action)
{
	struct migc_error error = {0};

	switch (action->type) {
	case MIGC_ACTION_SEND:
		if (action->msg->type == MIGC_MSG_COMMIT && s->e->qemu)
			migc_qemu_commit(s->e->qemu);
		if (engine_send(s->e, 0, action->msg) != 0 && !s->disconnected)
			event_queue_text(&s->events, MIGC_EV_FAILED, -ETIMEDOUT,
					 "the receiver takes no control messages");
		break;
	case MIGC_ACTION_ATTACH:
		attach(s);
		break;
	case MIGC_ACTION_PREPARE:
		prepare(s);
		break;
	case MIGC_ACTION_ROUND:
		begin_round(s, action);
		break;
	case MIGC_ACTION_SCAN:
		scan(s);
		break;
	case MIGC_ACTION_STOP_GUEST:
		stop_guest(s);
		break;
	case MIGC_ACTION_PUNCH:
		if (send_holes(s, false) != 0)
			event_queue_text(&s->events, MIGC_EV_FAILED, -EIO,
					 "cannot tell the receiver of holes");
		else
			event_queue_add(&s->events, MIGC_EV_PUNCHED);
		break;
	case MIGC_ACTION_HASH:
		hash(s);
		break;
	case MIGC_ACTION_SAVE_DEVICES:
		if (migc_qemu_continue(s->e->qemu, &error) != 0)
			fail(s, &error);
		else
			s->saving = true;
		break;
	case MIGC_ACTION_RESUME_GUEST:
		resume_guest(s);
		break;
	case MIGC_ACTION_CLEAN_UP:
		clean_up(s);
		break;
	case MIGC_ACTION_FINISH:
		s->outcome = action->outcome;
		s->finished = true;
		break;
	default:
		break;
	}
}

/* ---- what goes on between actions ---- */

static void poll_feeding(struct source *s, uint64_t now_ns)
{
	struct migc_error error = {0};
	struct migc_event *event;
	int rc = rounds_feed(s->e->rounds, now_ns, &error);

	if (rc == 0)
		return;
	s->feeding = false;
	if (rc < 0) {
		fail(s, &error);
		return;
	}
	event = event_queue_add(&s->events, MIGC_EV_ROUND_SENT);
	event->blocks = rounds_blocks(s->e->rounds);
	event->pages = rounds_pages(s->e->rounds);
	event->ns = rounds_sending_ns(s->e->rounds, now_ns);
}

static void poll_stopping(struct source *s)
{
	struct migc_error error = {0};
	int rc = migc_qemu_poll_stopped(s->e->qemu, &s->e->stop_ns, &error);

	if (rc == 0)
		return;
	s->stopping = false;
	if (rc < 0)
		fail(s, &error);
	else
		event_queue_add(&s->events, MIGC_EV_GUEST_STOPPED);
}

static void poll_saving(struct source *s)
{
	struct migc_error error = {0};
	int rc;

	while ((rc = migc_qemu_read_state(s->e->qemu, s->device, sizeof(s->device), &error)) > 0) {
		s->msg.type = MIGC_MSG_DEVICE_STATE;
		s->msg.device.data = s->device;
		s->msg.device.length = (uint32_t)rc;
		s->device_bytes += (uint64_t)rc;
		if (engine_send(s->e, 0, &s->msg) != 0)
			break;
	}
	if (rc == 0)
		return;
	s->saving = false;
	if (rc == -ENODATA) {
		event_queue_add(&s->events, MIGC_EV_DEVICES_SAVED)->bytes = s->device_bytes;
		return;
	}
	migc_error_set(&error, -ETIMEDOUT, "the receiver takes no device state");
	fail(s, &error);
}

static void poll_peer(struct source *s)
{
	const struct migc_error *failure;
	int rc;

	if (!s->connected && engine_worker_state(s->e, 0) == MIGC_TRANSPORT_CONNECTED) {
		s->connected = true;
		s->e->connected_ns = s->e->begin_ns;
		event_queue_add(&s->events, MIGC_EV_CONNECTED);
	}
	/* messages first: the peer may have said why before it closed */
	rc = engine_receive(s->e, 0);
	if (rc == 1)
		event_queue_add(&s->events, MIGC_EV_MSG)->msg = &s->e->msg;
	else if (rc < 0)
		event_queue_text(&s->events, MIGC_EV_FAILED, rc,
				 "the receiver sent a message that is not allowed");
	failure = engine_failure(s->e);
	if (rc == 0 && failure && !s->disconnected) {
		s->disconnected = true;
		event_queue_error(&s->events, MIGC_EV_DISCONNECTED, failure);
	}
}

static void poll_operator(struct source *s, uint64_t now_ns)
{
	const struct migc_engine_config *config = s->e->config;

	if (*config->cancel && !s->cancelled) {
		s->cancelled = true;
		event_queue_add(&s->events, MIGC_EV_CANCEL);
	}
	if (config->timeout_s && !s->timed_out &&
	    now_ns - s->e->begin_ns > (uint64_t)config->timeout_s * UINT64_C(1000000000)) {
		s->timed_out = true;
		if (config->timeout_suspends)
			migc_source_set_downtime_limit(s->session, UINT32_MAX);
		else
			event_queue_add(&s->events, MIGC_EV_TIMEOUT);
	}
	if (now_ns - s->tick_ns >= TICK_NS) {
		s->tick_ns = now_ns;
		event_queue_add(&s->events, MIGC_EV_TICK);
	}
}

static void poll_qemu(struct source *s, uint64_t now_ns)
{
	struct migc_error error = {0};

	if (s->e->qemu == NULL || now_ns - s->e->qemu_poll_ns < QEMU_POLL_NS)
		return;
	s->e->qemu_poll_ns = now_ns;
	if (migc_qemu_poll(s->e->qemu, &error) != 0)
		fail(s, &error);
}

static void handle_events(struct source *s)
{
	struct migc_action action;
	struct migc_event event;

	while (!s->finished && event_queue_take(&s->events, &event)) {
		event.now_ns = clock_now_ns();
		if (event.type == MIGC_EV_MSG && event.msg->type == MIGC_MSG_ROUND_DONE &&
		    s->e->rounds)
			rounds_close(s->e->rounds, event.now_ns, 0);
		if (event.type == MIGC_EV_MSG && event.msg->type == MIGC_MSG_COMMITTED)
			s->e->resumed_ns = event.now_ns;
		if (event.type == MIGC_EV_MSG && event.msg->type == MIGC_MSG_READY)
			s->e->verified = s->e->config->verify;
		migc_source_event(s->session, &event);
		while (!s->finished && migc_source_action(s->session, &action))
			act(s, &action);
		s->e->expected_downtime_ms = migc_source_expected_downtime_ms(s->session);
		engine_tell(s->e, migc_source_state(s->session));
	}
}

static void run(struct source *s)
{
	engine_start_worker(s->e, 0);
	while (!s->finished) {
		uint64_t now = clock_now_ns();

		engine_hurry(s->e, s->stopping || (s->e->stop_ns && !s->feeding));
		engine_pump(s->e);
		poll_peer(s);
		handle_events(s);
		if (s->attaching)
			attach_more(s);
		if (s->feeding)
			poll_feeding(s, now);
		if (s->stopping)
			poll_stopping(s);
		if (s->saving)
			poll_saving(s);
		poll_qemu(s, now);
		engine_advise_ladders(s->e, now);
		engine_share_bandwidth(s->e, now);
		poll_operator(s, now);
		handle_events(s);
		engine_tell(s->e, migc_source_state(s->session));
	}
}

enum migc_outcome source_run(struct engine *e, struct migc_error *err)
{
	struct source *s = calloc(1, sizeof(*s));
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;

	if (s == NULL) {
		migc_error_set(err, -ENOMEM, "no memory");
		return outcome;
	}
	s->e = e;
	if (open_session(s, err) == 0) {
		migc_source_on_failed(s->session, mark_failed, s);
		run(s);
		outcome = s->outcome;
		if (outcome != MIGC_OUTCOME_DONE)
			*err = *migc_source_error(s->session);
		engine_disconnect(e, outcome == MIGC_OUTCOME_DONE ? "done" : err->text);
	}
	migc_source_free(s->session);
	free(s);
	return outcome;
}
