/* SPDX-License-Identifier: BSD-3-Clause */
/* Faults by name, "kind=where": what is taken is a way that can be gone, and strikes at its end. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "migc_fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_BYTES_MAX 256u

static void require(bool condition)
{
	if (!condition)
		abort();
}

static const char *no_state(unsigned int index)
{
	(void)index;
	return NULL;
}

/* Go all the way: nothing strikes before its last name. */
static void go(struct migc_faults *faults)
{
	char way[MIGC_FAULT_WHERE_BYTES], *rest = way, *name;

	strcpy(way, faults->fault[0].where);
	while ((name = strsep(&rest, "/")) != NULL) {
		require(*name != '\0');
		require(migc_faults_reach(faults, name) == (rest == NULL));
	}
	require(migc_faults_reach(faults, faults->fault[0].where) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct migc_faults faults = {0};
	char text[TEXT_BYTES_MAX + 1], *value;
	bool states;

	if (size > TEXT_BYTES_MAX)
		size = TEXT_BYTES_MAX;
	memcpy(text, data, size);
	text[size] = '\0';
	value = strchr(text, '=');
	if (value == NULL)
		return 0;
	*value++ = '\0';
	if (migc_fault_parse(text, value, &faults) != 0) {
		require(faults.count == 0);
		return 0;
	}
	require(faults.count == 1);
	states = strpbrk(faults.fault[0].where, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != NULL;
	require(!states || migc_faults_unknown(&faults, no_state) == &faults.fault[0]);
	go(&faults);
	return 0;
}
