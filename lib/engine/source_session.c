/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "inventory.h"
#include "migc_bitmap.h"
#include "send_path.h"
#include "source_run.h"

/** What a switchover costs besides the last round (facts/qemu.md), and hashing a GiB. */
#define FIXED_COST_MS 60u
#define HASH_COST_MS_PER_GIB 60u

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
	if (s->recovery.on)
		hello->codecs |= MIGC_CODECS_RESUME;
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
	int rc = 0;

	*pages = 0;
	for (unsigned int i = 0; i < migc_guestmem_regions(e->gm) && rc == 0; i++) {
		uint64_t count = 0;

		rc = migc_guestmem_count_data(e->gm, i, &count);
		*pages += count;
	}
	return rc;
}

static void mark_failed(void *source, const struct migc_page_list *pages)
{
	struct source *s = source;

	s->failed_in_final |= s->final;
	if (s->e->rounds)
		rounds_mark(s->e->rounds, pages);
}

int source_open_session(struct source *s, struct migc_error *err)
{
	struct engine *e = s->e;
	struct migc_source_config *config = calloc(1, sizeof(*config));
	uint64_t mib = migc_guestmem_total_bytes(e->gm) >> 20;
	int rc = config ? 0 : -ENOMEM;

	/* once: with huge pages all of the guest is read for it */
	if (rc == 0 && s->data_pages == 0)
		rc = count_data(e, &s->data_pages);
	if (rc == 0) {
		config->hello.data_pages = s->data_pages;
		fill_hello(s, &config->hello);
		config->live = e->qemu != NULL && e->config->dirty != MIGC_DIRTY_NONE;
		config->throttle = e->settings.throttle;
		config->downtime_limit_ms = e->settings.downtime_limit_ms;
		config->fixed_cost_ms = FIXED_COST_MS;
		if (e->config->verify)
			config->fixed_cost_ms += (uint32_t)(mib * HASH_COST_MS_PER_GIB / 1024);
		rc = migc_source_create(config, &s->session);
	}
	if (rc == 0)
		migc_source_on_failed(s->session, mark_failed, s);
	free(config);
	return rc ? migc_error_set(err, rc, "cannot begin a session") : 0;
}

void source_attach(struct source *s)
{
	const struct migc_msg_hello_ack *ack = migc_source_ack(s->session);
	struct engine *e = s->e;

	e->connections = e->worker_count;
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

void source_attach_more(struct source *s)
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
	int rc = 0;

	if (e->qemu == NULL || e->config->dirty == MIGC_DIRTY_NONE)
		return 0;
	if (e->dirty == NULL)
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

/** All data is due, of a new guest or of one whose session was lost. After the tracker was armed.
 */
static int prepare_rounds(struct engine *e, struct migc_error *err)
{
	int rc;

	if (e->rounds)
		return rounds_restart(e->rounds, e->workers, e->connections, err);
	rc = rounds_create(e->gm, e->dirty, e->workers, e->connections, engine_idle, e, &e->rounds,
			   err);
	/* a page that becomes data from now on is reported. Without a tracker nobody would:
	 * rounds_begin() looks when the guest is stopped */
	if (rc == 0 && e->dirty)
		rc = rounds_all(e->rounds, err);
	return rc;
}

static void prepared(struct source *s)
{
	if (s->recovery.on)
		source_recovered(s, clock_now_ns());
	event_queue_add(&s->events, MIGC_EV_PREPARED);
}

void source_prepare(struct source *s)
{
	struct engine *e = s->e;
	struct migc_error error = {0};
	int rc = 0;

	if (e->qemu && e->rounds == NULL)
		rc = migc_qemu_prepare(e->qemu, &error);
	if (rc == 0)
		rc = prepare_tracker(s, &error);
	if (rc == 0)
		source_prepare_reading(e);
	if (rc == 0)
		rc = prepare_rounds(e, &error);
	if (rc == 0)
		prepare_deltas(e);
	if (rc != 0)
		event_queue_error(&s->events, MIGC_EV_FAILED, &error);
	else if (migc_source_ack(s->session)->codecs & MIGC_CODECS_RESUME)
		s->settling = true;
	else
		prepared(s);
}

void source_poll_settling(struct source *s, uint64_t now_ns)
{
	if (!rounds_settled(s->e->rounds, now_ns))
		return;
	s->settling = false;
	prepared(s);
}

void source_compare_pages(struct source *s, const struct migc_msg_holdings *holdings)
{
	struct engine *e = s->e;
	uint64_t seed = inventory_seed(migc_source_ack(s->session)->session_id);

	e->held_pages +=
		inventory_compare(e->rounds, e->gm, e->dirty, seed, &s->inventory_page, holdings);
	if (s->inventory_page == migc_guestmem_region(e->gm, holdings->region)->pages)
		s->inventory_page = 0;
}
