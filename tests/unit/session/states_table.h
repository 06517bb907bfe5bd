/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef STATES_TABLE_H
#define STATES_TABLE_H

#include <stdbool.h>

/**
 * @file
 * The tables "every state, every event" of doc/design/states.md, for tests that try each cell on
 * the machines.
 */

#define TABLE_COLUMNS 20u
#define TABLE_ROWS 40u
#define TABLE_CELL 40u

struct states_table {
	unsigned int states, events;
	char state[TABLE_COLUMNS][TABLE_CELL];
	char event[TABLE_ROWS][TABLE_CELL];
	char cell[TABLE_ROWS][TABLE_COLUMNS][TABLE_CELL];
};

/** Read the table below the heading that begins with `heading`. Fails the test if there is none. */
void states_table_read(struct states_table *table, const char *heading);

/** What an event did to a machine. */
struct states_table_seen {
	const char *before, *after; /**< states */
	unsigned int actions;
	int outcome; /**< of FINISH; -1: none */
	bool failed; /**< it is over, or on its way there, as a failure */
	int code; /**< of the machine's error */
};

/** Fail the test unless the cell says so. */
void states_table_check(const char *cell, const struct states_table_seen *seen);

#endif
