/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "migc_random.h"
#include "session_rig.h"

/*
 * Both machines wired together, with a QEMU on each side that does what it is told. Something is
 * cut at every step, once each way: after it at most one VM may run, and one must be left to run.
 */

#define SECOND UINT64_C(1000000000)
#define QUEUE 64u

struct side_queue {
	struct migc_msg msg[QUEUE];
	unsigned int first, count;
};

struct pair {
	struct migc_source *s;
	struct migc_destination *d;
	struct side_queue to_source, to_destination;
	struct migc_event own_source[QUEUE], own_destination[QUEUE]; /**< answers of actions */
	unsigned int own_source_count, own_destination_count;
	bool source_runs, destination_runs;
	bool source_dead, destination_dead; /**< the process was killed */
	bool committed; /**< COMMIT left the source */
	bool run_fails;
	int source_outcome, destination_outcome;
	uint64_t now_ns;
	unsigned int rounds;
	unsigned int compared; /**< COMPARE actions */
	bool continued; /**< the operator has said so, once */
};

static void put(struct side_queue *q, const struct migc_msg *msg)
{
	assert_true(q->count < QUEUE);
	q->msg[(q->first + q->count++) % QUEUE] = *msg;
}

static void answer(struct migc_event *list, unsigned int *count, enum migc_event_type type)
{
	assert_true(*count < QUEUE);
	list[*count] = rig_event(type);
	list[*count].pages = 1;
	list[(*count)++].bytes = 3;
}

static void source_act(struct pair *p, const struct migc_action *a)
{
	static const struct {
		enum migc_action_type action;
		enum migc_event_type event;
	} answers[] = {{MIGC_ACTION_ATTACH, MIGC_EV_ATTACHED},
		       {MIGC_ACTION_PREPARE, MIGC_EV_PREPARED},
		       {MIGC_ACTION_ROUND, MIGC_EV_ROUND_SENT},
		       {MIGC_ACTION_SCAN, MIGC_EV_SCANNED},
		       {MIGC_ACTION_STOP_GUEST, MIGC_EV_GUEST_STOPPED},
		       {MIGC_ACTION_PUNCH, MIGC_EV_PUNCHED},
		       {MIGC_ACTION_HASH, MIGC_EV_HASHED},
		       {MIGC_ACTION_SAVE_DEVICES, MIGC_EV_DEVICES_SAVED},
		       {MIGC_ACTION_RESUME_GUEST, MIGC_EV_RESUMED}};

	if (a->type == MIGC_ACTION_SEND) {
		if (a->msg->type == MIGC_MSG_COMMIT)
			p->committed = true;
		put(&p->to_destination, a->msg);
	}
	if (a->type == MIGC_ACTION_COMPARE)
		p->compared++;
	if (a->type == MIGC_ACTION_STOP_GUEST)
		p->source_runs = false;
	if (a->type == MIGC_ACTION_SAVE_DEVICES) {
		struct migc_msg msg = {.type = MIGC_MSG_DEVICE_STATE};

		msg.device.length = 3;
		put(&p->to_destination, &msg);
	}
	if (a->type == MIGC_ACTION_RESUME_GUEST)
		p->source_runs = true;
	if (a->type == MIGC_ACTION_FINISH)
		p->source_outcome = (int)a->outcome;
	for (unsigned int i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (answers[i].action == a->type)
			answer(p->own_source, &p->own_source_count, answers[i].event);
	}
}

static void destination_act(struct pair *p, const struct migc_action *a)
{
	if (a->type == MIGC_ACTION_SEND)
		put(&p->to_source, a->msg);
	else if (a->type == MIGC_ACTION_CHECK_GUEST)
		answer(p->own_destination, &p->own_destination_count, MIGC_EV_CHECKED);
	else if (a->type == MIGC_ACTION_TAKE_INVENTORY)
		answer(p->own_destination, &p->own_destination_count, MIGC_EV_HELD);
	else if (a->type == MIGC_ACTION_AWAIT_APPLIED)
		answer(p->own_destination, &p->own_destination_count, MIGC_EV_APPLIED);
	else if (a->type == MIGC_ACTION_HASH)
		answer(p->own_destination, &p->own_destination_count, MIGC_EV_HASHED);
	else if (a->type == MIGC_ACTION_LOAD_DEVICES)
		answer(p->own_destination, &p->own_destination_count, MIGC_EV_LOADED);
	else if (a->type == MIGC_ACTION_FINISH)
		p->destination_outcome = (int)a->outcome;
	else if (a->type == MIGC_ACTION_RUN_GUEST) {
		p->destination_runs = !p->run_fails;
		answer(p->own_destination, &p->own_destination_count,
		       p->run_fails ? MIGC_EV_RUN_FAILED : MIGC_EV_RUNNING);
	}
}

static void feed_source(struct pair *p, struct migc_event e)
{
	static struct migc_error error = {-EIO, "broken"};
	struct migc_action a;

	if (p->source_dead)
		return;
	e.now_ns = p->now_ns;
	if (e.type == MIGC_EV_DISCONNECTED || e.type == MIGC_EV_FAILED)
		e.error = &error;
	migc_source_event(p->s, &e);
	while (migc_source_action(p->s, &a))
		source_act(p, &a);
}

static void feed_destination(struct pair *p, struct migc_event e)
{
	static struct migc_error broken = {-EIO, "broken"}, refused = {-EREMOTEIO, "refused"};
	struct migc_action a;

	if (p->destination_dead)
		return;
	e.now_ns = p->now_ns;
	if (e.type == MIGC_EV_DISCONNECTED)
		e.error = &broken;
	if (e.type == MIGC_EV_RUN_FAILED)
		e.error = &refused;
	migc_destination_event(p->d, &e);
	while (migc_destination_action(p->d, &a))
		destination_act(p, &a);
}

static bool take(struct side_queue *q, struct migc_msg *out)
{
	if (q->count == 0)
		return false;
	*out = q->msg[q->first];
	q->first = (q->first + 1) % QUEUE;
	q->count--;
	return true;
}

static bool next_own(struct migc_event *list, unsigned int *count, struct migc_event *out)
{
	if (*count == 0)
		return false;
	*out = list[0];
	memmove(list, list + 1, --*count * sizeof(list[0]));
	return true;
}

/** One thing happens. @return whether there was one. */
static bool turn(struct pair *p)
{
	struct migc_event e = {.type = MIGC_EV_MSG};
	static struct migc_msg msg;

	assert_false(p->source_runs && p->destination_runs);
	p->now_ns += 1000000;
	if (next_own(p->own_source, &p->own_source_count, &e)) {
		feed_source(p, e);
	} else if (next_own(p->own_destination, &p->own_destination_count, &e)) {
		feed_destination(p, e);
	} else if (take(&p->to_destination, &msg)) {
		e.msg = &msg;
		feed_destination(p, e);
	} else if (take(&p->to_source, &msg)) {
		e.msg = &msg;
		feed_source(p, e);
	} else if (migc_source_paused(p->s) && !p->continued) {
		p->continued = true;
		feed_source(p, (struct migc_event){.type = MIGC_EV_CONTINUE});
	} else {
		return false;
	}
	return true;
}

static void open_pair(struct pair *p)
{
	struct migc_destination_config config = {0};

	memset(p, 0, sizeof(*p));
	p->s = rig_new_source(true, true, true);
	migc_source_set_pause(p->s, true);
	assert_int_equal(migc_destination_create(&config, &p->d), 0);
	p->source_runs = true;
	p->source_outcome = -1;
	p->destination_outcome = -1;
	p->now_ns = SECOND;
	feed_source(p, (struct migc_event){.type = MIGC_EV_CONNECTED});
	feed_destination(p, (struct migc_event){.type = MIGC_EV_CONNECTED});
}

static void close_pair(struct pair *p)
{
	migc_source_free(p->s);
	migc_destination_free(p->d);
}

enum cut { CUT_NETWORK, CUT_SOURCE, CUT_DESTINATION, CUT_SOURCE_QEMU, CUT_CANCEL, CUTS };

static void cut(struct pair *p, enum cut what)
{
	struct migc_event gone = {.type = MIGC_EV_DISCONNECTED};

	if (what == CUT_CANCEL) {
		feed_source(p, (struct migc_event){.type = MIGC_EV_CANCEL});
		return;
	}
	if (what == CUT_SOURCE_QEMU) {
		feed_source(p, (struct migc_event){.type = MIGC_EV_FAILED});
		return;
	}
	/* what was on its way is lost */
	p->to_source.count = 0;
	p->to_destination.count = 0;
	if (what == CUT_SOURCE) {
		p->source_dead = true;
		/* the guardian */
		if (!p->committed)
			p->source_runs = true;
	}
	if (what == CUT_DESTINATION)
		p->destination_dead = true;
	feed_source(p, gone);
	feed_destination(p, gone);
}

static void check_end(struct pair *p)
{
	while (turn(p))
		;
	/* time for every bound */
	for (unsigned int i = 0; i < 20; i++) {
		p->now_ns += 100 * SECOND;
		feed_source(p, (struct migc_event){.type = MIGC_EV_TICK});
		feed_destination(p, (struct migc_event){.type = MIGC_EV_TICK});
		while (turn(p))
			;
	}
	assert_false(p->source_runs && p->destination_runs);
	if (!p->source_dead)
		assert_int_not_equal(p->source_outcome, -1);
	if (p->source_outcome == MIGC_OUTCOME_FAILED)
		assert_true(p->source_runs && !p->destination_runs);
	if (p->source_outcome == MIGC_OUTCOME_DONE)
		assert_true(p->destination_runs);
	/* one runs, or the source is paused and says so (or its guardian did) */
	assert_true(p->source_runs || p->destination_runs ||
		    p->source_outcome == MIGC_OUTCOME_UNCONFIRMED || p->committed);
}

static void an_undisturbed_pair_moves_the_guest(void **state)
{
	struct pair *p = malloc(sizeof(*p));

	(void)state;
	open_pair(p);
	while (turn(p))
		;
	assert_int_equal(p->source_outcome, MIGC_OUTCOME_DONE);
	assert_true(p->destination_runs);
	assert_false(p->source_runs);
	feed_destination(p, (struct migc_event){.type = MIGC_EV_DISCONNECTED});
	assert_int_equal(p->destination_outcome, MIGC_OUTCOME_DONE);
	close_pair(p);
	free(p);
}

static void a_cut_at_any_step_leaves_one_guest_and_never_two(void **state)
{
	struct pair *p = malloc(sizeof(*p));
	unsigned int steps = 0;

	(void)state;
	open_pair(p);
	while (turn(p))
		steps++;
	close_pair(p);
	assert_true(steps > 20);
	for (unsigned int at = 0; at <= steps; at++) {
		for (unsigned int what = 0; what < CUTS; what++) {
			open_pair(p);
			for (unsigned int i = 0; i < at; i++)
				turn(p);
			cut(p, (enum cut)what);
			check_end(p);
			close_pair(p);
		}
	}
	free(p);
}

/** What the controllers do when the network is cut, and is there again a moment later. */
static void cut_and_recover(struct pair *p)
{
	struct migc_event gone = {.type = MIGC_EV_DISCONNECTED};
	struct migc_destination_config config = {0};

	p->to_source.count = 0;
	p->to_destination.count = 0;
	p->own_source_count = 0;
	p->own_destination_count = 0;
	/* the destination may be one that was started anew */
	if (!migc_destination_may_listen_again(p->d))
		feed_destination(p, gone);
	migc_destination_free(p->d);
	assert_int_equal(migc_destination_create(&config, &p->d), 0);
	migc_source_free(p->s);
	p->s = rig_resuming_source();
	feed_source(p, (struct migc_event){.type = MIGC_EV_CONNECTED});
	feed_destination(p, (struct migc_event){.type = MIGC_EV_CONNECTED});
}

/** @return how often it was cut, twice at the most. */
static unsigned int cut_twice(struct pair *p, unsigned int first, unsigned int second)
{
	unsigned int cuts = 0;

	for (unsigned int i = 0; i <= second; i++) {
		if ((i == first || i == second) && migc_source_may_recover(p->s)) {
			assert_true(p->source_runs);
			cut_and_recover(p);
			cuts++;
		}
		turn(p);
	}
	return cuts;
}

static void a_lost_session_is_taken_over_and_moves_the_guest_once(void **state)
{
	struct pair *p = malloc(sizeof(*p));
	unsigned int steps = 0, cut[3] = {0};

	(void)state;
	open_pair(p);
	while (turn(p))
		steps++;
	close_pair(p);
	for (unsigned int first = 0; first < steps; first++) {
		/* the second cut may come in what follows the first */
		for (unsigned int second = first; second < first + steps; second++) {
			unsigned int cuts;

			open_pair(p);
			cuts = cut_twice(p, first, second);
			cut[cuts]++;
			while (turn(p))
				;
			assert_int_equal(p->compared > 0, cuts > 0);
			assert_int_equal(p->source_outcome, MIGC_OUTCOME_DONE);
			assert_true(p->destination_runs);
			assert_false(p->source_runs);
			close_pair(p);
		}
	}
	assert_true(cut[1] && cut[2]);
	free(p);
}

static void a_message_lost_at_any_step_leaves_one_guest_and_never_two(void **state)
{
	struct pair *p = malloc(sizeof(*p));
	struct migc_msg *lost = malloc(sizeof(*lost));

	(void)state;
	for (unsigned int at = 0; at < 80; at++) {
		for (unsigned int side = 0; side < 2; side++) {
			open_pair(p);
			for (unsigned int i = 0; i < at; i++)
				turn(p);
			take(side ? &p->to_source : &p->to_destination, lost);
			check_end(p);
			close_pair(p);
		}
	}
	free(lost);
	free(p);
}

static void a_destination_that_cannot_run_gives_the_guest_back(void **state)
{
	struct pair *p = malloc(sizeof(*p));

	(void)state;
	open_pair(p);
	p->run_fails = true;
	while (turn(p))
		;
	assert_int_equal(p->source_outcome, MIGC_OUTCOME_FAILED);
	assert_true(p->source_runs);
	close_pair(p);
	free(p);
}

static void any_events_in_any_order_keep_the_rules(void **state)
{
	struct pair *p = malloc(sizeof(*p));
	struct migc_msg *msg = malloc(sizeof(*msg));
	struct migc_random random;

	(void)state;
	migc_random_seed(&random, 42);
	open_pair(p);
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t r = migc_random_next(&random);
		struct migc_event e = {.type = MIGC_EV_MSG};

		/* mostly what would happen, sometimes what should not */
		if (r % 40 != 0) {
			if (turn(p))
				continue;
			close_pair(p);
			open_pair(p);
			continue;
		}
		memset(msg, 0, sizeof(*msg));
		msg->type = (enum migc_msg_type)(1 + (r >> 8) % MIGC_MSG_HOLDINGS);
		e.msg = msg;
		/* a hostile source may start the destination's VM: it is its to give. A hostile
		 * destination must never make two run. */
		if (r >> 16 & 1 && msg->type != MIGC_MSG_ERROR && msg->type != MIGC_MSG_COMMITTED)
			feed_source(p, e);
		else
			feed_source(p, (struct migc_event){.type = r >> 17 & 1 ? MIGC_EV_CANCEL
									       : MIGC_EV_TICK});
	}
	close_pair(p);
	free(msg);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_undisturbed_pair_moves_the_guest),
		cmocka_unit_test(a_cut_at_any_step_leaves_one_guest_and_never_two),
		cmocka_unit_test(a_lost_session_is_taken_over_and_moves_the_guest_once),
		cmocka_unit_test(a_message_lost_at_any_step_leaves_one_guest_and_never_two),
		cmocka_unit_test(a_destination_that_cannot_run_gives_the_guest_back),
		cmocka_unit_test(any_events_in_any_order_keep_the_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
