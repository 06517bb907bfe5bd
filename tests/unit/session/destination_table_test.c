/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "destination_way.h"
#include "states_table.h"

/** @file Tries every cell of section 5 of doc/design/states.md on the destination. */

#define INVENTORY_PLACE WAY /**< not on the way: a source resumes */
#define PLACES (WAY + 1)

static struct states_table table;

static const struct {
	const char *name;
	enum migc_event_type event[8];
	enum migc_msg_type message[10];
	int value; /**< code of RUN_FAILED; seconds of a TICK */
} rows[] = {
	{"CONNECTED", {MIGC_EV_CONNECTED}, {0}, 0},
	{"CHECKED", {MIGC_EV_CHECKED}, {0}, 0},
	{"HELD", {MIGC_EV_HELD}, {0}, 0},
	{"BLOCK_FAILED, own", {MIGC_EV_BLOCK_FAILED}, {0}, 0},
	{"APPLIED", {MIGC_EV_APPLIED}, {0}, 0},
	{"HASHED", {MIGC_EV_HASHED}, {0}, 0},
	{"LOADED", {MIGC_EV_LOADED}, {0}, 0},
	{"RUNNING", {MIGC_EV_RUNNING}, {0}, 0},
	{"RUN_FAILED, refused", {MIGC_EV_RUN_FAILED}, {0}, -EREMOTEIO},
	{"RUN_FAILED, no answer", {MIGC_EV_RUN_FAILED}, {0}, -ETIMEDOUT},
	{"of the source",
	 {MIGC_EV_ATTACHED, MIGC_EV_PREPARED, MIGC_EV_ROUND_SENT, MIGC_EV_SCANNED,
	  MIGC_EV_GUEST_STOPPED, MIGC_EV_PUNCHED, MIGC_EV_DEVICES_SAVED, MIGC_EV_RESUMED},
	 {0},
	 0},
	{"HELLO", {0}, {MIGC_MSG_HELLO}, 0},
	{"INVENTORY", {0}, {MIGC_MSG_INVENTORY}, 0},
	{"ROUND_END", {0}, {MIGC_MSG_ROUND_END}, 0},
	{"PUNCH", {0}, {MIGC_MSG_PUNCH}, 0},
	{"VERIFY", {0}, {MIGC_MSG_VERIFY}, 0},
	{"DEVICE_STATE", {0}, {MIGC_MSG_DEVICE_STATE}, 0},
	{"DEVICE_END", {0}, {MIGC_MSG_DEVICE_END}, 0},
	{"COMMIT", {0}, {MIGC_MSG_COMMIT}, 0},
	{"ERROR(FAILED)", {0}, {MIGC_MSG_ERROR}, 0},
	{"of the destination",
	 {0},
	 {MIGC_MSG_HELLO_ACK, MIGC_MSG_ROUND_DONE, MIGC_MSG_BLOCK_FAILED, MIGC_MSG_DIGESTS,
	  MIGC_MSG_READY, MIGC_MSG_COMMITTED, MIGC_MSG_HOLDINGS},
	 0},
	{"DISCONNECTED", {MIGC_EV_DISCONNECTED}, {0}, 0},
	{"FAILED", {MIGC_EV_FAILED}, {0}, 0},
	{"CANCEL", {MIGC_EV_CANCEL}, {0}, 0},
	{"TIMEOUT", {MIGC_EV_TIMEOUT}, {0}, 0},
	{"TICK", {MIGC_EV_TICK}, {0}, 0},
	{"TICK at the bound", {MIGC_EV_TICK}, {0}, 1000},
};
#define ROWS (sizeof(rows) / sizeof(rows[0]))

static const char *name_of(unsigned int place)
{
	return place == INVENTORY_PLACE ? "INVENTORY" : way[place];
}

static struct migc_destination *at_place(unsigned int place)
{
	return place == INVENTORY_PLACE ? at_inventory() : at(place);
}

static void check(struct migc_destination *m, const char *cell, const char *before)
{
	const char *after = migc_destination_state(m);
	struct states_table_seen seen = {
		.before = before,
		.after = after,
		.actions = last.count,
		.outcome = rig_outcome(&last),
		.failed = rig_outcome(&last) == MIGC_OUTCOME_FAILED,
		.code = migc_destination_error(m)->code,
	};

	assert_false(rig_did(&last, MIGC_ACTION_RUN_GUEST) && strcmp(before, "READY") != 0);
	states_table_check(cell, &seen);
}

/** @return whether section 4.2 gives the message a place at this step of RECEIVE. */
static bool in_order(unsigned int place, enum migc_msg_type type)
{
	static const struct {
		unsigned int place;
		enum migc_msg_type fits[4];
	} steps[] = {
		{3, {MIGC_MSG_ROUND_END, MIGC_MSG_PUNCH, MIGC_MSG_INVENTORY}},
		{5, {MIGC_MSG_ROUND_END}},
		{7, {MIGC_MSG_ROUND_END, MIGC_MSG_PUNCH, MIGC_MSG_VERIFY}},
		{9, {MIGC_MSG_DEVICE_STATE, MIGC_MSG_DEVICE_END}},
		{10, {MIGC_MSG_DEVICE_STATE, MIGC_MSG_DEVICE_END}},
	};

	for (unsigned int i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (unsigned int k = 0; steps[i].place == place && k < 4; k++) {
			if (steps[i].fits[k] == type)
				return true;
		}
	}
	return false;
}

static void try_message(unsigned int place, enum migc_msg_type type, const char *cell)
{
	struct migc_destination *d = at_place(place);
	uint32_t value = place < 4 ? 1 : place < 6 ? 2 : 3;

	if (type == MIGC_MSG_DEVICE_END)
		value = place > 9 && place != INVENTORY_PLACE;
	message(d, type, value, value > 1);
	if (strcmp(name_of(place), "RECEIVE") == 0 && strcmp(cell, "P") != 0 &&
	    strcmp(cell, "F") != 0 && !in_order(place, type))
		cell = "P";
	check(d, cell, name_of(place));
	migc_destination_free(d);
}

static void try_event(unsigned int row, unsigned int place, unsigned int i, const char *cell)
{
	struct migc_error error = {rows[row].value, "no"};
	struct migc_destination *d = at_place(place);
	uint64_t before = now_ns;

	if (rows[row].event[i] == MIGC_EV_RUN_FAILED) {
		event_of(d, (struct migc_event){.type = MIGC_EV_RUN_FAILED, .error = &error});
	} else {
		if (rows[row].event[i] == MIGC_EV_TICK)
			now_ns += (uint64_t)rows[row].value * SECOND;
		event(d, rows[row].event[i]);
	}
	now_ns = before;
	check(d, cell, name_of(place));
	migc_destination_free(d);
}

static void every_cell_is_as_states_md_says(void **state)
{
	unsigned int tried = 0;

	(void)state;
	for (unsigned int column = 0; column < table.states; column++) {
		for (unsigned int place = 0; place < PLACES; place++) {
			if (strcmp(name_of(place), table.state[column]) != 0)
				continue;
			for (unsigned int row = 0; row < ROWS; row++, tried++) {
				const char *cell = table.cell[row][column];

				print_message("%s in %s (%u): %s\n", rows[row].name, name_of(place),
					      place, cell);
				for (unsigned int i = 0; rows[row].message[i]; i++)
					try_message(place, rows[row].message[i], cell);
				for (unsigned int i = 0; rows[row].message[0] == 0 && i < 8 &&
							 (i == 0 || rows[row].event[i]);
				     i++)
					try_event(row, place, i, cell);
			}
		}
	}
	assert_true(tried >= table.states * table.events);
}

static void the_table_names_what_is_tried(void **state)
{
	(void)state;
	assert_int_equal(table.events, ROWS);
	for (unsigned int row = 0; row < ROWS; row++)
		assert_string_equal(table.event[row], rows[row].name);
	for (unsigned int place = 0; place < PLACES; place++) {
		bool found = false;

		for (unsigned int column = 0; column < table.states; column++)
			found |= strcmp(table.state[column], name_of(place)) == 0;
		assert_true(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_names_what_is_tried),
		cmocka_unit_test(every_cell_is_as_states_md_says),
	};

	states_table_read(&table, "## 5. Destination");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
