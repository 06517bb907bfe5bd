/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mtree.h"

/*
 * Lines look like
 *   0000000000000000-000000000009ffff (prio 0, ram): mem
 *   0000000000100000-000000007fffffff (prio 0, ram): mem @0000000000100000 KVM
 */
static bool parse_line(const char *line, size_t length, struct mtree_range *out)
{
	char copy[512], kind[32];
	int priority, used = 0;
	char *name, *at, *end;

	if (length >= sizeof(copy))
		return false;
	memcpy(copy, line, length);
	copy[length] = '\0';
	if (sscanf(copy, " %" SCNx64 "-%" SCNx64 " (prio %d, %31[^)]): %n", &out->first, &out->last,
		   &priority, kind, &used) != 4 ||
	    used == 0)
		return false;
	name = copy + used;
	out->offset = 0;
	at = strstr(name, " @");
	if (at) {
		out->offset = strtoull(at + 2, NULL, 16);
		*at = '\0';
	}
	end = name + strcspn(name, " \r\n");
	*end = '\0';
	if (*name == '\0' || strlen(name) >= sizeof(out->name))
		return false;
	strcpy(out->name, name);
	out->ram = strcmp(kind, "ram") == 0;
	return true;
}

bool mtree_next(const char **at, struct mtree_range *out)
{
	while (**at) {
		const char *line = *at;
		size_t length = strcspn(line, "\n");

		*at = line + length + (line[length] == '\n');
		if (parse_line(line, length, out))
			return true;
	}
	return false;
}
