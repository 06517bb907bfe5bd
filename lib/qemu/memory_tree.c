/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_tree.h"

/** One line without its end; at the text's end false. A line that is too long is cut. */
static bool take_line(const char **cursor, char *line, size_t capacity)
{
	size_t length = strcspn(*cursor, "\n"), kept;

	if (**cursor == '\0')
		return false;
	kept = length < capacity - 1 ? length : capacity - 1;
	memcpy(line, *cursor, kept);
	while (kept && line[kept - 1] == '\r')
		kept--;
	line[kept] = '\0';
	*cursor += length + ((*cursor)[length] == '\n');
	return true;
}

const char *memory_tree_view(const char *text)
{
	const char *at = text;
	char line[512];

	while (take_line(&at, line, sizeof(line))) {
		if (strncmp(line, " AS \"memory\",", 13) == 0)
			return at;
	}
	return NULL;
}

/** NAME, NAME @OFFSET, and what follows two blanks or a known word (accelerator) is not ours. */
static void split_name(char *name, uint64_t *offset)
{
	char *mark = strstr(name, " @"), *accelerator;

	*offset = mark ? strtoull(mark + 2, NULL, 16) : 0;
	if (mark)
		*mark = '\0';
	accelerator = strstr(name, " KVM");
	if (accelerator && accelerator[4] == '\0')
		*accelerator = '\0';
}

static bool parse_range(const char *line, struct memory_tree_range *out)
{
	uint64_t first, last;
	char kind[16];
	int at = 0;

	if (sscanf(line, " %16" SCNx64 "-%16" SCNx64 " (prio %*d, %15[^)]): %n", &first, &last,
		   kind, &at) != 3 ||
	    at == 0 || last < first || last == UINT64_MAX)
		return false;
	if (strcmp(kind, "ram") != 0 && strcmp(kind, "nv-ram") != 0)
		return false;
	out->gpa = first;
	out->bytes = last - first + 1;
	snprintf(out->name, sizeof(out->name), "%s", line + at);
	split_name(out->name, &out->offset_bytes);
	return true;
}

int memory_tree_next(const char **cursor, struct memory_tree_range *out)
{
	char line[512];

	while (take_line(cursor, line, sizeof(line))) {
		if (strncmp(line, "FlatView", 8) == 0)
			return 0;
		if (parse_range(line, out))
			return 1;
	}
	return 0;
}

int memory_tree_address(const char *text, uint64_t *address)
{
	const char *is = strstr(text, ") is 0x");
	uint64_t value;
	char *end;

	if (strncmp(text, "Host virtual address", 20) != 0 || is == NULL)
		return -EPROTO;
	errno = 0;
	value = strtoull(is + 5, &end, 16);
	if (errno || value == 0 || (*end != '\0' && *end != '\r' && *end != '\n'))
		return -EPROTO;
	*address = value;
	return 0;
}
