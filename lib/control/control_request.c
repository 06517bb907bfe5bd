/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control_request.h"
#include "control_settings.h"

static const struct {
	const char *name;
	enum control_command command;
	enum migc_order_type order;
} commands[] = {
	{"query-status", CONTROL_QUERY_STATUS, 0},
	{"query-stats", CONTROL_QUERY_STATS, 0},
	{"query-config", CONTROL_QUERY_CONFIG, 0},
	{"query-commands", CONTROL_QUERY_COMMANDS, 0},
	{"migrate-cancel", CONTROL_ORDER, MIGC_ORDER_CANCEL},
	/* as QEMU spells it */
	{"migrate_cancel", CONTROL_ORDER, MIGC_ORDER_CANCEL},
	{"migrate-continue", CONTROL_ORDER, MIGC_ORDER_CONTINUE},
	{"migrate-set-parameters", CONTROL_ORDER, MIGC_ORDER_SET},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

const char *control_request_name(unsigned int number)
{
	return number < COMMANDS ? commands[number].name : NULL;
}

static int take_command(const char *name, struct control_request *out,
			enum control_error_class *error_class, struct migc_error *err)
{
	for (unsigned int i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			out->command = commands[i].command;
			out->order.type = commands[i].order;
			return 0;
		}
	}
	*error_class = CONTROL_COMMAND_NOT_FOUND;
	return migc_error_set(err, -EINVAL, "The command %.64s has not been found", name);
}

static int take_guest(const json_t *value, struct control_request *out, struct migc_error *err)
{
	const char *guest = json_string_value(value);

	if (guest == NULL || guest[0] == '\0' || strlen(guest) >= sizeof(out->guest))
		return migc_error_set(err, -EINVAL,
				      "Invalid parameter type for 'guest', expected: a string of 1 "
				      "to %u bytes",
				      MIGC_CONTROL_GUEST_BYTES - 1);
	snprintf(out->guest, sizeof(out->guest), "%s", guest);
	return 0;
}

/** QEMU's migrate-continue wants to be told which state is left; here it may. */
static int take_state(const json_t *value, struct migc_error *err)
{
	const char *state = json_string_value(value);

	if (state == NULL || strcmp(state, "pre-switchover") != 0)
		return migc_error_set(err, -EINVAL,
				      "Parameter 'state' does not accept another value than "
				      "'pre-switchover'");
	return 0;
}

static int take_arguments(json_t *arguments, struct control_request *out, struct migc_error *err)
{
	bool continues = out->command == CONTROL_ORDER && out->order.type == MIGC_ORDER_CONTINUE;
	bool sets = out->command == CONTROL_ORDER && out->order.type == MIGC_ORDER_SET;
	const char *name;
	json_t *value;

	json_object_foreach(arguments, name, value)
	{
		int rc;

		if (strcmp(name, "guest") == 0 && out->command != CONTROL_QUERY_COMMANDS)
			rc = take_guest(value, out, err);
		else if (continues && strcmp(name, "state") == 0)
			rc = take_state(value, err);
		else if (sets)
			rc = control_settings_take(name, value, &out->order.change, err);
		else
			rc = migc_error_set(err, -EINVAL, "Parameter '%.64s' is unexpected", name);
		if (rc != 0)
			return rc;
	}
	if (sets && out->order.change.given == 0)
		return migc_error_set(err, -EINVAL, "no parameter is given: nothing to set");
	return 0;
}

static int take_object(json_t *object, struct control_request *out,
		       enum control_error_class *error_class, struct migc_error *err)
{
	json_t *execute = json_object_get(object, "execute");
	json_t *arguments = json_object_get(object, "arguments");
	const char *name;
	json_t *value;
	int rc;

	/* first: an answer that says no is also somebody's */
	out->id = json_incref(json_object_get(object, "id"));
	json_object_foreach(object, name, value)
	{
		/* by name: two that are null are the same value */
		if (strcmp(name, "execute") != 0 && strcmp(name, "arguments") != 0 &&
		    strcmp(name, "id") != 0)
			return migc_error_set(err, -EINVAL,
					      "QMP input member '%.64s' is unexpected", name);
	}
	if (!json_is_string(execute))
		return migc_error_set(err, -EINVAL,
				      "QMP input lacks member 'execute', the command's name");
	if (arguments && !json_is_object(arguments))
		return migc_error_set(err, -EINVAL,
				      "QMP input member 'arguments' must be an object");
	rc = take_command(json_string_value(execute), out, error_class, err);
	return rc ? rc : take_arguments(arguments, out, err);
}

int control_request_parse(const char *line, size_t length, struct control_request *out,
			  enum control_error_class *error_class, struct migc_error *err)
{
	json_error_t where;
	json_t *object;
	int rc;

	memset(out, 0, sizeof(*out));
	*error_class = CONTROL_GENERIC_ERROR;
	if (length > CONTROL_LINE_BYTES)
		return migc_error_set(err, -EINVAL, "a line has at most %u bytes",
				      CONTROL_LINE_BYTES);
	object = json_loadb(line, length, JSON_REJECT_DUPLICATES, &where);
	if (json_is_object(object))
		rc = take_object(object, out, error_class, err);
	else
		rc = migc_error_set(err, -EINVAL, "JSON parse error, a line is one object: %.100s",
				    object ? "this is none" : where.text);
	json_decref(object);
	return rc;
}

void control_request_free(struct control_request *request)
{
	json_decref(request->id);
	request->id = NULL;
}
