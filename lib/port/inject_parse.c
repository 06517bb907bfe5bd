/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "migc_parse.h"
#include "migc_port.h"

#define PER_BILLION 1000000000.0
#define WORDS                                                                               \
	"loss, reorder, dup, corrupt, codec-error (each 0 to 1), seed, stop and qmp-close " \
	"(=PLACE), "                                                                        \
	"cut (=STATE[:SECONDS]), qmp-error (=COMMAND)"

static int parse_chance(const char *text, uint32_t *out)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end != '\0' || !(value >= 0.0 && value <= 1.0))
		return -EINVAL;
	*out = (uint32_t)(value * PER_BILLION);
	return 0;
}

static int parse_word(const char *key, const char *value, struct migc_inject_spec *out)
{
	if (strcmp(key, "loss") == 0)
		return parse_chance(value, &out->loss);
	if (strcmp(key, "reorder") == 0)
		return parse_chance(value, &out->reorder);
	if (strcmp(key, "dup") == 0)
		return parse_chance(value, &out->duplicate);
	if (strcmp(key, "corrupt") == 0)
		return parse_chance(value, &out->corrupt);
	if (strcmp(key, "codec-error") == 0)
		return parse_chance(value, &out->codec_error);
	if (strcmp(key, "seed") == 0)
		return migc_parse_u64(value, 0, UINT64_MAX, &out->seed);
	return migc_fault_parse(key, value, &out->faults);
}

int migc_inject_parse(const char *text, struct migc_inject_spec *out, struct migc_error *err)
{
	char copy[1024], *word, *rest = copy;

	memset(out, 0, sizeof(*out));
	out->seed = 1;
	if (strlen(text) >= sizeof(copy))
		return migc_error_set(err, -EINVAL, "--inject: too long");
	strcpy(copy, text);
	while ((word = strsep(&rest, ",")) != NULL) {
		char *value = strchr(word, '=');
		int rc = -EINVAL;

		if (value) {
			*value++ = '\0';
			rc = parse_word(word, value, out);
		}
		if (rc == -ENOENT)
			return migc_error_set(err, -EINVAL,
					      "--inject: no fault is called %s; known: " WORDS,
					      word);
		if (rc == -ENOSPC)
			return migc_error_set(err, -EINVAL,
					      "--inject: more than %u faults at places",
					      MIGC_FAULTS_MAX);
		if (rc != 0)
			return migc_error_set(err, -EINVAL,
					      "--inject: %s wants %s=VALUE; known: " WORDS, word,
					      word);
	}
	out->any = out->loss || out->reorder || out->duplicate || out->corrupt;
	for (unsigned int i = 0; i < out->faults.count; i++)
		out->any |= out->faults.fault[i].kind == MIGC_FAULT_CUT;
	return 0;
}
