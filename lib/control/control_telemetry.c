/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_answer.h"
#include "dpdk_versions.h"
#include "migc_control_telemetry.h"

/** Telemetry has no fractions: what has them is told in thousandths. */
#define FRACTION 1000
#define FRACTION_SUFFIX "_x1000"
#define NAME_BYTES 64u /* as telemetry's own */
#define NAME_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_/"

/** A callback of telemetry is given no context, and it cannot be taken back. */
static struct {
	pthread_mutex_t lock;
	struct migc_control *control; /**< NULL: none */
	bool registered;
} telemetry = {.lock = PTHREAD_MUTEX_INITIALIZER};

/** Telemetry's names have letters, digits, '_' and '/'; those of PCI devices have more. */
static void plain_name(const char *before, const char *key, const char *suffix, char *out)
{
	snprintf(out, NAME_BYTES, "%s%s%s%s", before, before[0] ? "_" : "", key, suffix);
	for (char *c = out; *c; c++) {
		if (strchr(NAME_CHARACTERS, *c) == NULL)
			*c = '_';
	}
}

static int add_value(struct rte_tel_data *d, const char *before, const char *key,
		     const json_t *value)
{
	char name[NAME_BYTES], text[RTE_TEL_MAX_STRING_LEN];
	double real = json_real_value(value);

	plain_name(before, key, json_is_real(value) ? FRACTION_SUFFIX : "", name);
	if (json_is_integer(value))
		return rte_tel_data_add_dict_uint(d, name, (uint64_t)json_integer_value(value));
	if (json_is_boolean(value))
		return rte_tel_data_add_dict_uint(d, name, json_is_true(value));
	if (json_is_real(value))
		return rte_tel_data_add_dict_uint(d, name,
						  real > 0 ? (uint64_t)(real * FRACTION + 0.5) : 0);
	if (!json_is_string(value))
		return 0;
	snprintf(text, sizeof(text), "%s", json_string_value(value));
	return rte_tel_data_add_dict_string(d, name, text);
}

/** The rounds: one array of numbers for each of what there is of one. */
static int add_rounds(struct rte_tel_data *d, const json_t *rounds)
{
	const json_t *first = json_array_get(rounds, 0);
	struct rte_tel_data *all;
	const char *key;
	char name[NAME_BYTES];
	void *at;

	for (at = json_object_iter((json_t *)(uintptr_t)first); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)first, at)) {
		key = json_object_iter_key(at);
		all = rte_tel_data_alloc();
		if (all == NULL)
			return -ENOMEM;
		rte_tel_data_start_array(all, RTE_TEL_UINT_VAL);
		for (size_t i = 0; i < json_array_size(rounds); i++)
			rte_tel_data_add_array_uint(
				all, (uint64_t)json_integer_value(
					     json_object_get(json_array_get(rounds, i), key)));
		plain_name("rounds", key, "", name);
		if (rte_tel_data_add_dict_container(d, name, all, 0) != 0) {
			rte_tel_data_free(all);
			return -ENOSPC;
		}
	}
	return 0;
}

static int add_object(struct rte_tel_data *d, const char *before, json_t *object)
{
	const char *key;
	json_t *value;
	int rc = 0;

	json_object_foreach(object, key, value)
	{
		char name[NAME_BYTES];

		plain_name(before, key, "", name);
		if (json_is_object(value))
			rc = add_object(d, name, value);
		else if (json_is_array(value))
			rc = add_rounds(d, value);
		else
			rc = add_value(d, before, key, value);
		if (rc != 0)
			return rc;
	}
	return 0;
}

/** The guest of that name; without a name the first. */
static bool find(const char *guest, struct migc_control_view *view)
{
	uint64_t after = 0;
	bool found;

	pthread_mutex_lock(&telemetry.lock);
	while ((found = telemetry.control && migc_control_next(telemetry.control, after, view))) {
		if (guest == NULL || guest[0] == '\0' || strcmp(guest, view->guest) == 0)
			break;
		after = view->id;
	}
	pthread_mutex_unlock(&telemetry.lock);
	return found;
}

static int answer(enum control_command query, const char *guest, struct rte_tel_data *d)
{
	struct migc_control_view *view = malloc(sizeof(*view));
	json_t *object = NULL;
	int rc = view ? -ENOENT : -ENOMEM;

	if (view && find(guest, view)) {
		object = control_answer_view(query, view);
		rc = object ? 0 : -ENOMEM;
	}
	if (rc == 0)
		rc = rte_tel_data_start_dict(d);
	if (rc == 0)
		rc = add_object(d, "", object);
	json_decref(object);
	free(view);
	return rc;
}

static int answer_status(const char *command, const char *guest, struct rte_tel_data *d)
{
	(void)command;
	return answer(CONTROL_QUERY_STATUS, guest, d);
}

static int answer_stats(const char *command, const char *guest, struct rte_tel_data *d)
{
	(void)command;
	return answer(CONTROL_QUERY_STATS, guest, d);
}

static int answer_config(const char *command, const char *guest, struct rte_tel_data *d)
{
	(void)command;
	return answer(CONTROL_QUERY_CONFIG, guest, d);
}

static int answer_list(const char *command, const char *params, struct rte_tel_data *d)
{
	struct migc_control_view *view = malloc(sizeof(*view));
	uint64_t after = 0;

	(void)command;
	(void)params;
	if (view == NULL)
		return -ENOMEM;
	rte_tel_data_start_array(d, RTE_TEL_STRING_VAL);
	pthread_mutex_lock(&telemetry.lock);
	while (telemetry.control && migc_control_next(telemetry.control, after, view)) {
		rte_tel_data_add_array_string(d, view->guest);
		after = view->id;
	}
	pthread_mutex_unlock(&telemetry.lock);
	free(view);
	return 0;
}

static int register_commands(void)
{
	static const struct {
		const char *name;
		telemetry_cb answer;
		const char *help;
	} commands[] = {
		{"/migcomp/list", answer_list, "Guests that are migrated. No parameter"},
		{"/migcomp/status", answer_status,
		 "What a migration is doing. Parameter: guest; without, the first"},
		{"/migcomp/stats", answer_stats,
		 "The report as it stands. Parameter: guest; without, the first"},
		{"/migcomp/config", answer_config,
		 "Codec, devices, port, settings. Parameter: guest; without, the first"},
	};

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		int rc = rte_telemetry_register_cmd(commands[i].name, commands[i].answer,
						    commands[i].help);

		if (rc != 0)
			return rc;
	}
	return 0;
}

int migc_control_telemetry_start(struct migc_control *control, struct migc_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&telemetry.lock);
	if (!telemetry.registered)
		rc = register_commands();
	telemetry.registered = rc == 0;
	if (rc == 0)
		telemetry.control = control;
	pthread_mutex_unlock(&telemetry.lock);
	return rc ? migc_error_set(err, rc, "telemetry takes no commands: %s", strerror(-rc)) : 0;
}

void migc_control_telemetry_stop(void)
{
	pthread_mutex_lock(&telemetry.lock);
	telemetry.control = NULL;
	pthread_mutex_unlock(&telemetry.lock);
}
