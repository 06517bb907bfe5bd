/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_thread.h>

#include "clock.h"
#include "dpdk_versions.h"
#include "engine.h"
#include "migc_leave.h"
#include "migc_receiver.h"

#define MAIN_SLEEP_NS 2000000
#define TELL_EVERY_NS UINT64_C(100000000)

struct receiver;

/** A guest's controller. */
struct seat {
	struct receiver *receiver;
	struct migc_receiver_guest *guest;
	struct migc_engine_config config;
	struct engine *engine;
	rte_thread_t thread;
	bool begun;
	uint32_t ended; /**< by its thread: all of it was given back */
};

struct receiver {
	const struct migc_engine_config *config;
	struct lanes *lanes;
	struct migc_codec_devices *devices;
	struct seat *seats;
	unsigned int count;
	void (*tell_ended)(struct migc_receiver_guest *guest);
};

static dpdk_thread_result control(void *ctx)
{
	struct seat *seat = ctx;
	struct migc_receiver_guest *guest = seat->guest;

	guest->outcome = engine_run(seat->engine, &guest->error);
	seat->receiver->tell_ended(guest);
	/* pairs with the acquire in all_ended() */
	__atomic_store_n(&seat->ended, 1, __ATOMIC_RELEASE);
	return 0;
}

static int begin(struct receiver *r, unsigned int i, struct migc_receiver_guest *guest)
{
	struct seat *seat = &r->seats[i];
	char name[16];
	int rc;

	seat->receiver = r;
	seat->guest = guest;
	seat->config = *r->config;
	seat->config.qmp_path = guest->qmp_path;
	seat->config.mem_count = 0;
	seat->config.log = guest->log;
	seat->config.control = guest->control;
	seat->config.ctx = guest->ctx;
	seat->engine = calloc(1, sizeof(*seat->engine));
	if (seat->engine == NULL)
		return migc_error_set(&guest->error, -ENOMEM, "no memory");
	seat->engine->config = &seat->config;
	seat->engine->report = guest->report;
	seat->engine->lanes = r->lanes;
	seat->engine->devices = r->devices;
	seat->engine->slot = i;
	seat->engine->shares = true;
	snprintf(name, sizeof(name), "guest-%u", i);
	rc = rte_thread_create_control(&seat->thread, name, control, seat);
	if (rc != 0)
		return migc_error_set(&guest->error, rc > 0 ? -rc : rc,
				      "no thread for this guest: %s", strerror(abs(rc)));
	seat->begun = true;
	return 0;
}

static bool all_ended(const struct receiver *r)
{
	for (unsigned int i = 0; i < r->count; i++) {
		/* pairs with the release in control() */
		if (r->seats[i].begun && !__atomic_load_n(&r->seats[i].ended, __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}

/** What is nobody's alone: the devices, and the lane when there is no lcore for it. */
static void attend(struct receiver *r)
{
	uint64_t told_ns = 0;

	while (!all_ended(r)) {
		uint64_t now = clock_now_ns();

		lanes_attend(r->lanes, MAIN_SLEEP_NS);
		lanes_mind_port(r->lanes, now);
		if (now - told_ns < TELL_EVERY_NS)
			continue;
		told_ns = now;
		migc_codec_devices_tell(r->devices);
	}
}

static enum migc_outcome worst(const struct migc_receiver_guest *guests, unsigned int count)
{
	enum migc_outcome outcome = MIGC_OUTCOME_DONE;

	for (unsigned int i = 0; i < count; i++) {
		if (guests[i].outcome > outcome)
			outcome = guests[i].outcome;
	}
	return outcome;
}

static int open_shared(struct receiver *r, struct migc_error *err)
{
	struct lanes_config config;
	int rc;

	engine_lanes_config(r->config, &config);
	config.attended = true;
	config.sessions = r->count;
	rc = lanes_open(&config, &r->lanes, err);
	if (rc == 0)
		rc = engine_open_devices(r->config, r->lanes, r->count, &r->devices, err);
	if (rc == 0)
		rc = lanes_launch(r->lanes, err);
	return rc;
}

enum migc_outcome migc_receiver_run(const struct migc_engine_config *config,
				    struct migc_receiver_guest *guests, unsigned int count,
				    void (*ended)(struct migc_receiver_guest *guest),
				    struct migc_error *err)
{
	struct receiver r = {.config = config, .count = count, .tell_ended = ended};
	enum migc_outcome outcome = MIGC_OUTCOME_USAGE;

	if (count > MIGC_RECEIVER_GUESTS_MAX) {
		migc_error_set(err, -EINVAL, "%u guests are too many: at most %u", count,
			       MIGC_RECEIVER_GUESTS_MAX);
		return outcome;
	}
	r.seats = calloc(count, sizeof(*r.seats));
	if (r.seats == NULL) {
		migc_error_set(err, -ENOMEM, "no memory");
	} else if (open_shared(&r, err) == 0) {
		for (unsigned int i = 0; i < count; i++) {
			guests[i].outcome = MIGC_OUTCOME_USAGE;
			if (begin(&r, i, &guests[i]) != 0)
				ended(&guests[i]);
		}
		attend(&r);
		for (unsigned int i = 0; i < count; i++) {
			if (r.seats[i].begun)
				rte_thread_join(r.seats[i].thread, NULL);
			free(r.seats[i].engine);
		}
		outcome = worst(guests, count);
	}
	if (config->process_ends)
		migc_leave();
	lanes_stop(r.lanes);
	migc_codec_devices_close(r.devices);
	lanes_close(r.lanes);
	free(r.seats);
	return outcome;
}
