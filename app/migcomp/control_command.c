/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_text.h"
#include "control_words.h"
#include "migc_control.h"
#include "options.h"

/** A controller may be waiting for QEMU meanwhile. */
#define TIMEOUT_MS 30000u
#define PROCESSES_MAX 256u

enum {
	STATUS_DONE = 0,
	STATUS_REFUSED = 1, /**< or usage */
	STATUS_NOBODY = 2,
};

static const struct {
	const char *word, *execute;
} commands[] = {
	{"status", "query-status"},
	{"cancel", "migrate-cancel"},
	{"continue", "migrate-continue"},
	{"set", "migrate-set-parameters"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

struct sockets {
	char path[PROCESSES_MAX][MIGC_CONTROL_PATH_BYTES];
	unsigned int count;
};

bool control_command_is(const char *word)
{
	for (unsigned int i = 0; i < COMMANDS; i++) {
		if (strcmp(word, commands[i].word) == 0)
			return true;
	}
	return false;
}

static int say(const char *text, int status)
{
	fprintf(stderr, "dpdk-migcomp: %s\n", text);
	return status;
}

static char *request(const struct control_words *words)
{
	const char *execute = NULL;
	json_t *object;
	char *line;

	for (unsigned int i = 0; i < COMMANDS; i++) {
		if (strcmp(words->command, commands[i].word) == 0)
			execute = commands[i].execute;
	}
	object = json_pack("{s:s, s:O}", "execute", execute, "arguments", words->arguments);
	line = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	return line;
}

/** @param value the "return" of the answer, to be json_decref()ed. @return a STATUS. */
static int ask(const struct control_words *words, const char *path, json_t **value)
{
	struct migc_error err = {0};
	char *line = request(words), *text;
	json_t *answer;
	const char *desc;

	*value = NULL;
	if (line == NULL || migc_control_ask(path, line, TIMEOUT_MS, &text, &err) != 0) {
		free(line);
		return say(err.text[0] ? err.text : "no memory", STATUS_NOBODY);
	}
	free(line);
	answer = json_loads(text, 0, NULL);
	free(text);
	*value = json_incref(json_object_get(answer, "return"));
	desc = json_string_value(json_object_get(json_object_get(answer, "error"), "desc"));
	migc_error_set(&err, -EPROTO, "%.300s",
		       desc ? desc : "the answer is none of this protocol");
	json_decref(answer);
	return *value ? STATUS_DONE : say(err.text, desc ? STATUS_REFUSED : STATUS_NOBODY);
}

/** Which processes are meant. @return a STATUS. */
static int find(const struct control_words *words, struct sockets *sockets)
{
	bool all = strcmp(words->command, "status") == 0;
	struct migc_error err = {0};

	if (words->control) {
		sockets->count = 1;
		if (strlen(words->control) >= sizeof(sockets->path[0]))
			return say("--control: the path is too long for a socket's",
				   STATUS_REFUSED);
		strcpy(sockets->path[0], words->control);
		return STATUS_DONE;
	}
	if (migc_control_find(sockets->path, PROCESSES_MAX, &sockets->count, &err) != 0)
		return say(err.text, STATUS_NOBODY);
	if (sockets->count == 0)
		return say("no migration is running here (started with --control PATH: say the "
			   "same)",
			   STATUS_NOBODY);
	if (sockets->count == 1 || all)
		return STATUS_DONE;
	fprintf(stderr, "dpdk-migcomp: %u are running: say which, with --control\n",
		sockets->count);
	for (unsigned int i = 0; i < sockets->count; i++)
		fprintf(stderr, "  %s\n", sockets->path[i]);
	return STATUS_REFUSED;
}

/** Each guest of each process. */
static int show_status(const struct control_words *words, const struct sockets *sockets)
{
	json_t *all = json_array();
	int status = STATUS_DONE;

	for (unsigned int i = 0; i < sockets->count; i++) {
		json_t *guests, *one;
		size_t index;
		int rc = ask(words, sockets->path[i], &guests);

		status = rc > status ? rc : status;
		json_array_foreach(guests, index, one)
		{
			json_object_set_new(one, "control", json_string(sockets->path[i]));
			json_array_append(all, one);
			if (!words->json)
				control_text_status(one, stdout);
			if (!words->json)
				printf("  control      %s\n", sockets->path[i]);
		}
		json_decref(guests);
	}
	if (words->json && json_array_size(all)) {
		json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
		putchar('\n');
	}
	json_decref(all);
	return status;
}

int control_command(int argc, char **argv)
{
	struct sockets *sockets = calloc(1, sizeof(*sockets));
	struct control_words words = {0};
	struct migc_error err = {0};
	json_t *value = NULL;
	int status;

	if (sockets == NULL)
		return say("no memory", STATUS_REFUSED);
	if (control_words_parse(argc, argv, &words, &err) != 0) {
		status = say(err.text, STATUS_REFUSED);
	} else if (words.help) {
		fputs(options_usage(), stdout);
		status = STATUS_DONE;
	} else {
		status = find(&words, sockets);
		if (status == STATUS_DONE && strcmp(words.command, "status") == 0)
			status = show_status(&words, sockets);
		else if (status == STATUS_DONE)
			status = ask(&words, sockets->path[0], &value);
	}
	json_decref(value);
	json_decref(words.arguments);
	free(sockets);
	return status;
}
