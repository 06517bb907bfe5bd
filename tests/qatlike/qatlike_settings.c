/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "qatlike_private.h"

#define PER_BILLION 1e9

static bool set_number(struct qatlike_settings *s, const char *word, uint64_t value)
{
	const struct {
		const char *word;
		unsigned int *number;
	} numbers[] = {
		{"gen", &s->generation},      {"devices", &s->devices}, {"pairs", &s->pairs},
		{"nodes", &s->nodes},         {"late", &s->late},       {"dma", &s->dma},
		{"threshold", &s->threshold}, {"on", &s->on},
	};
	const struct {
		const char *word;
		uint64_t *number;
	} counts[] = {
		{"no-cnv", &s->no_cnv},
		{"silent", &s->silent},
		{"vanish", &s->vanish},
		{"seed", &s->seed},
	};

	for (unsigned int i = 0; i < RTE_DIM(numbers); i++) {
		if (strcmp(word, numbers[i].word) == 0) {
			*numbers[i].number = (unsigned int)value;
			return true;
		}
	}
	for (unsigned int i = 0; i < RTE_DIM(counts); i++) {
		if (strcmp(word, counts[i].word) == 0) {
			*counts[i].number = value;
			return true;
		}
	}
	if (strcmp(word, "reach") == 0)
		s->reach = value != 0;
	return strcmp(word, "reach") == 0;
}

static bool set_text(struct qatlike_settings *s, const char *word, const char *value)
{
	if (strcmp(word, "when") != 0 || strlen(value) >= sizeof(s->when))
		return false;
	strcpy(s->when, value);
	return true;
}

static bool set_chance(struct qatlike_settings *s, const char *word, double value)
{
	const struct {
		const char *word;
		uint32_t *per_billion;
	} chances[] = {
		{"short", &s->shorts},
		{"refuse", &s->refuse},
		{"error", &s->error},
		{"oos-recoverable", &s->oos_recoverable},
		{"oos-terminated", &s->oos_terminated},
		{"stored", &s->stored},
	};

	if (strcmp(word, "back") == 0) {
		s->back_s = value;
		return true;
	}
	for (unsigned int i = 0; i < RTE_DIM(chances); i++) {
		if (strcmp(word, chances[i].word) == 0 && value >= 0 && value <= 1) {
			*chances[i].per_billion = (uint32_t)(value * PER_BILLION);
			return true;
		}
	}
	return false;
}

int qatlike_parse(const char *specification, struct qatlike_settings *out)
{
	struct qatlike_settings s = {
		.devices = 1,
		.pairs = QATLIKE_PAIRS_OWN,
		.late = 8,
		.dma = 256,
		.seed = 1,
		.no_cnv = QATLIKE_NEVER,
		.silent = QATLIKE_NEVER,
		.vanish = QATLIKE_NEVER,
	};
	char text[512], *rest = text, *word;

	if (specification == NULL || strlen(specification) >= sizeof(text))
		return -EINVAL;
	strcpy(text, specification);
	while ((word = strsep(&rest, ",")) != NULL) {
		char *value = strchr(word, '='), *end_number, *end_chance;
		uint64_t number;
		double chance;

		if (*word == '\0')
			continue;
		if (value == NULL || value[1] == '\0')
			return -EINVAL;
		*value++ = '\0';
		number = strtoull(value, &end_number, 10);
		chance = strtod(value, &end_chance);
		if (!set_text(&s, word, value) &&
		    !(*end_number == '\0' && set_number(&s, word, number)) &&
		    !(*end_chance == '\0' && set_chance(&s, word, chance)))
			return -EINVAL;
	}
	if (s.generation > 5 || s.devices == 0 || s.devices > QATLIKE_DEVICES_MAX ||
	    (s.pairs > QATLIKE_PAIRS_MAX && s.pairs != QATLIKE_PAIRS_OWN) ||
	    s.dma > QATLIKE_MAPS_MAX)
		return -EINVAL;
	*out = s;
	return 0;
}
