/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "migc_fault.h"
#include "migc_parse.h"

#define STATE_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define COMMAND_CHARACTERS "abcdefghijklmnopqrstuvwxyz0123456789-_"
#define SECONDS_MAX 86400u

static const char *const kind_names[] = {
	[MIGC_FAULT_STOP] = "stop",
	[MIGC_FAULT_CUT] = "cut",
	[MIGC_FAULT_QMP_CLOSE] = "qmp-close",
	[MIGC_FAULT_QMP_ERROR] = "qmp-error",
};
#define KINDS (sizeof(kind_names) / sizeof(kind_names[0]))

static bool is_state(const char *name, size_t length)
{
	return length && strspn(name, STATE_CHARACTERS) >= length;
}

static bool is_command(const char *name, size_t length)
{
	return length && !is_state(name, length) && strspn(name, COMMAND_CHARACTERS) >= length;
}

/** All names are states or commands, and the last is of the kind that the fault needs. */
static bool is_place(enum migc_fault_kind kind, const char *where)
{
	bool state, command;

	for (;;) {
		size_t length = strcspn(where, "/");

		state = is_state(where, length);
		command = is_command(where, length);
		if (!state && !command)
			return false;
		if (where[length] == '\0')
			break;
		where += length + 1;
	}
	return (kind != MIGC_FAULT_CUT || state) && (kind != MIGC_FAULT_QMP_ERROR || command);
}

int migc_fault_parse(const char *kind, const char *value, struct migc_faults *faults)
{
	struct migc_fault fault = {0};
	size_t length = strcspn(value, ":");
	uint64_t seconds = 0;

	while (fault.kind < KINDS && strcmp(kind, kind_names[fault.kind]) != 0)
		fault.kind++;
	if (fault.kind == KINDS)
		return -ENOENT;
	if (faults->count == MIGC_FAULTS_MAX)
		return -ENOSPC;
	if (length >= sizeof(fault.where))
		return -EINVAL;
	memcpy(fault.where, value, length);
	if (value[length] == ':' && (fault.kind != MIGC_FAULT_CUT ||
				     migc_parse_u64(value + length + 1, 1, SECONDS_MAX, &seconds)))
		return -EINVAL;
	if (!is_place(fault.kind, fault.where))
		return -EINVAL;
	fault.seconds = (uint32_t)seconds;
	faults->fault[faults->count++] = fault;
	return 0;
}

/** @return whether it strikes. */
static bool reach(struct migc_fault *fault, const char *name)
{
	const char *awaited = fault->where + fault->awaited;
	size_t length = strcspn(awaited, "/");

	if (length == 0 || strlen(name) != length || strncmp(awaited, name, length) != 0)
		return false;
	fault->awaited = (uint8_t)(fault->awaited + length);
	if (awaited[length] == '\0')
		return true;
	fault->awaited++;
	return false;
}

uint32_t migc_faults_reach(struct migc_faults *faults, const char *name)
{
	uint32_t strike = 0;

	for (unsigned int i = 0; i < faults->count; i++)
		strike |= (uint32_t)reach(&faults->fault[i], name) << i;
	return strike;
}

static bool is_known(const char *name, size_t length, const char *(*states)(unsigned int index))
{
	const char *state;

	for (unsigned int i = 0; (state = states(i)) != NULL; i++) {
		if (strlen(state) == length && strncmp(state, name, length) == 0)
			return true;
	}
	return false;
}

const struct migc_fault *migc_faults_unknown(const struct migc_faults *faults,
					     const char *(*states)(unsigned int index))
{
	for (unsigned int i = 0; i < faults->count; i++) {
		const char *name = faults->fault[i].where;

		while (*name) {
			size_t length = strcspn(name, "/");

			if (is_state(name, length) && !is_known(name, length, states))
				return &faults->fault[i];
			name += length + (name[length] == '/');
		}
	}
	return NULL;
}
