/* SPDX-License-Identifier: BSD-3-Clause */
#include "states_table.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "migc_session.h"

/** The next cell of a table's line, without the blanks around it. @return false at the end. */
static bool next_cell(char **at, char *out)
{
	char *end = strchr(*at + 1, '|');
	size_t length;

	if (**at != '|' || end == NULL)
		return false;
	for ((*at)++; **at == ' '; (*at)++)
		;
	length = (size_t)(end - *at);
	while (length > 0 && (*at)[length - 1] == ' ')
		length--;
	assert_true(length < TABLE_CELL);
	memcpy(out, *at, length);
	out[length] = '\0';
	*at = end;
	return true;
}

static void read_line(struct states_table *t, char *line, unsigned int number)
{
	unsigned int column = 0;
	char name[TABLE_CELL];

	if (number == 1) /* |---| */
		return;
	assert_true(next_cell(&line, name));
	if (number == 0) {
		while (t->states < TABLE_COLUMNS && next_cell(&line, t->state[t->states]))
			t->states++;
		return;
	}
	assert_true(t->events < TABLE_ROWS);
	strcpy(t->event[t->events], name);
	while (column < t->states && next_cell(&line, t->cell[t->events][column]))
		column++;
	assert_int_equal(column, t->states);
	t->events++;
}

void states_table_read(struct states_table *table, const char *heading)
{
	const char *path = getenv("STATES_MD");
	char line[1024];
	bool below = false;
	unsigned int number = 0;
	FILE *f;

	assert_non_null(path);
	memset(table, 0, sizeof(*table));
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, heading, strlen(heading)) == 0)
			below = true;
		else if (below && line[0] == '|')
			read_line(table, line, number++);
		else if (below && number > 0)
			break;
	}
	fclose(f);
	assert_true(table->states > 5 && table->events > 5);
}

/** Is `word` one of the words of the cell? */
static bool says(const char *cell, const char *word)
{
	size_t length = strlen(word);

	for (const char *at = cell; (at = strstr(at, word)) != NULL; at += length) {
		if ((at == cell || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
			return true;
	}
	return false;
}

void states_table_check(const char *cell, const struct states_table_seen *seen)
{
	if (strcmp(cell, "-") == 0) {
		assert_int_equal(seen->actions, 0);
		assert_string_equal(seen->after, seen->before);
	} else if (strcmp(cell, "F") == 0) {
		assert_true(seen->failed);
	} else if (strcmp(cell, "P") == 0) {
		assert_true(seen->failed);
		assert_int_equal(seen->code, -EPROTO);
	} else if (strcmp(cell, "U") == 0) {
		assert_int_equal(seen->outcome, MIGC_OUTCOME_UNCONFIRMED);
	} else if (strcmp(cell, "D") == 0) {
		assert_int_equal(seen->outcome, MIGC_OUTCOME_DONE);
	} else {
		assert_true(says(cell, seen->after) ||
			    (strcmp(seen->after, seen->before) == 0 && says(cell, "*")));
		assert_int_equal(seen->outcome, -1);
	}
}
