/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "source_way.h"
#include "states_table.h"

/** @file Tries every cell of section 3 of doc/design/states.md on the source. */

/* not on the way */
#define RESUME_PLACE WAY /**< the guest was stopped, then something failed */
#define INVENTORY_PLACE (WAY + 1) /**< the session takes over from a lost one */
#define PLACES (WAY + 2)

static struct states_table table;

static const struct {
	const char *name;
	enum migc_event_type event[8];
	enum migc_msg_type message[10];
	uint32_t value; /**< reason of an ERROR */
} rows[] = {
	{"CONNECTED", {MIGC_EV_CONNECTED}, {0}, 0},
	{"ATTACHED", {MIGC_EV_ATTACHED}, {0}, 0},
	{"PREPARED", {MIGC_EV_PREPARED}, {0}, 0},
	{"ROUND_SENT", {MIGC_EV_ROUND_SENT}, {0}, 0},
	{"SCANNED", {MIGC_EV_SCANNED}, {0}, 0},
	{"GUEST_STOPPED", {MIGC_EV_GUEST_STOPPED}, {0}, 0},
	{"PUNCHED", {MIGC_EV_PUNCHED}, {0}, 0},
	{"HASHED", {MIGC_EV_HASHED}, {0}, 0},
	{"CONTINUE", {MIGC_EV_CONTINUE}, {0}, 0},
	{"DEVICES_SAVED", {MIGC_EV_DEVICES_SAVED}, {0}, 0},
	{"RESUMED", {MIGC_EV_RESUMED}, {0}, 0},
	{"of the destination",
	 {MIGC_EV_CHECKED, MIGC_EV_BLOCK_FAILED, MIGC_EV_APPLIED, MIGC_EV_LOADED, MIGC_EV_RUNNING,
	  MIGC_EV_RUN_FAILED},
	 {0},
	 0},
	{"HELLO_ACK", {0}, {MIGC_MSG_HELLO_ACK}, 0},
	{"HOLDINGS", {0}, {MIGC_MSG_HOLDINGS}, 0},
	{"BLOCK_FAILED", {0}, {MIGC_MSG_BLOCK_FAILED}, 0},
	{"ROUND_DONE", {0}, {MIGC_MSG_ROUND_DONE}, 0},
	{"DIGESTS", {0}, {MIGC_MSG_DIGESTS}, 0},
	{"READY", {0}, {MIGC_MSG_READY}, 0},
	{"COMMITTED", {0}, {MIGC_MSG_COMMITTED}, 0},
	{"ERROR(NOT_RUN)", {0}, {MIGC_MSG_ERROR}, MIGC_REASON_NOT_RUN},
	{"ERROR(FAILED)", {0}, {MIGC_MSG_ERROR}, MIGC_REASON_FAILED},
	{"of the source",
	 {0},
	 {MIGC_MSG_HELLO, MIGC_MSG_ATTACH, MIGC_MSG_ROUND_END, MIGC_MSG_PUNCH, MIGC_MSG_VERIFY,
	  MIGC_MSG_DEVICE_STATE, MIGC_MSG_DEVICE_END, MIGC_MSG_COMMIT, MIGC_MSG_INVENTORY},
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
	if (place == RESUME_PLACE)
		return "RESUME";
	return place == INVENTORY_PLACE ? "INVENTORY" : way[place];
}

static struct migc_source *at_place(unsigned int place)
{
	struct migc_source *s;

	if (place == INVENTORY_PLACE)
		return at_inventory();
	s = at(place == RESUME_PLACE ? 10 : place);
	if (place == RESUME_PLACE)
		event(s, MIGC_EV_CANCEL);
	return s;
}

static void check(struct migc_source *m, const char *cell, const char *before)
{
	const char *after = migc_source_state(m);
	struct states_table_seen seen = {
		.before = before,
		.after = after,
		.actions = last.count,
		.outcome = rig_outcome(&last),
		.failed = rig_outcome(&last) == MIGC_OUTCOME_FAILED || strcmp(after, "RESUME") == 0,
		.code = migc_source_error(m)->code,
	};

	states_table_check(cell, &seen);
}

static void try_row(unsigned int row, unsigned int place, const char *cell, const char *before)
{
	for (unsigned int i = 0; i < sizeof(rows[0].event) / sizeof(rows[0].event[0]); i++) {
		struct migc_source *s;
		bool late = rows[row].event[i] == MIGC_EV_TICK && rows[row].value;

		if (i > 0 && rows[row].event[i] == 0)
			break;
		if (rows[row].message[0])
			break;
		s = at_place(place);
		now_ns += late ? rows[row].value * SECOND : 0;
		event(s, rows[row].event[i]);
		now_ns -= late ? rows[row].value * SECOND : 0;
		check(s, cell, before);
		migc_source_free(s);
	}
	for (unsigned int i = 0; rows[row].message[i]; i++) {
		struct migc_source *s = at_place(place);
		uint32_t round = place >= 8 && place != INVENTORY_PLACE ? 2 : 1;

		message(s, rows[row].message[i],
			rows[row].message[i] == MIGC_MSG_ERROR ? rows[row].value : round);
		check(s, cell, before);
		migc_source_free(s);
	}
}

static void every_cell_is_as_states_md_says(void **state)
{
	unsigned int tried = 0;

	(void)state;
	for (unsigned int column = 0; column < table.states; column++) {
		for (unsigned int place = 0; place < PLACES; place++) {
			const char *name = name_of(place);

			if (strcmp(name, table.state[column]) != 0)
				continue;
			for (unsigned int row = 0; row < ROWS; row++) {
				print_message("%s in %s: %s\n", rows[row].name, name,
					      table.cell[row][column]);
				try_row(row, place, table.cell[row][column], name);
				tried++;
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
		const char *name = name_of(place);
		bool found = false;

		for (unsigned int column = 0; column < table.states; column++)
			found |= strcmp(table.state[column], name) == 0;
		assert_true(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_names_what_is_tried),
		cmocka_unit_test(every_cell_is_as_states_md_says),
	};

	states_table_read(&table, "## 3. Source");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
