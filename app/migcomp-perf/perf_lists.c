/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "migc_parse.h"
#include "perf_words.h"

#define LEVEL_MAX 19u
#define TEXT_BYTES 256u
#define DIGITS_MAX 6u

static int bad_levels(const struct perf_parse *p, const char *text)
{
	return migc_error_set(p->err, -EINVAL,
			      "--compress-level: '%s' is not a level (0 to %u), a list of up to %u "
			      "such as 1,3,6, or a range MIN:INC:MAX such as 1:1:3",
			      text, LEVEL_MAX, PERF_LEVELS_MAX);
}

/* MIN:INC:MAX; `text` is ours to cut. */
static int take_range(struct perf_options *o, char *text)
{
	char *increment = strchr(text, ':'), *last;
	uint64_t min, inc, max;

	*increment++ = '\0';
	last = strchr(increment, ':');
	if (last == NULL)
		return -EINVAL;
	*last++ = '\0';
	if (migc_parse_u64(text, 0, LEVEL_MAX, &min) ||
	    migc_parse_u64(increment, 1, LEVEL_MAX, &inc) ||
	    migc_parse_u64(last, min, LEVEL_MAX, &max))
		return -EINVAL;
	for (uint64_t level = min; level <= max; level += inc)
		o->level[o->level_count++] = (uint8_t)level;
	return 0;
}

/* N or N,N,...; `text` is ours to cut. */
static int take_list(struct perf_options *o, char *text)
{
	uint64_t level;

	while (text) {
		char *comma = strchr(text, ',');

		if (comma)
			*comma++ = '\0';
		if (o->level_count == PERF_LEVELS_MAX || migc_parse_u64(text, 0, LEVEL_MAX, &level))
			return -EINVAL;
		o->level[o->level_count++] = (uint8_t)level;
		text = comma;
	}
	return 0;
}

int perf_parse_levels(const struct perf_parse *p, const char *text)
{
	char copy[TEXT_BYTES];

	p->out->level_count = 0;
	if ((size_t)snprintf(copy, sizeof(copy), "%s", text) >= sizeof(copy))
		return bad_levels(p, text);
	if (strchr(copy, ':') ? take_range(p->out, copy) : take_list(p->out, copy))
		return bad_levels(p, text);
	return 0;
}

/* A share: 0, 1, 0.3, .05; no sign, no exponent. @return 0 with millionths, -EINVAL. */
static int take_share(const char *text, uint32_t *out)
{
	const char *point = strchr(text, '.');
	uint64_t whole = 0, part = 0;
	char digits[DIGITS_MAX + 1];
	size_t length;

	if (point) {
		length = strlen(point + 1);
		if (length < 1 || length > DIGITS_MAX)
			return -EINVAL;
		memset(digits, '0', DIGITS_MAX);
		digits[DIGITS_MAX] = '\0';
		memcpy(digits, point + 1, length);
		if (strspn(digits, "0123456789") != DIGITS_MAX)
			return -EINVAL;
		part = strtoul(digits, NULL, 10);
	}
	if (point != text && (text[0] < '0' || text[0] > '1' || text[1] != (point ? '.' : '\0')))
		return -EINVAL;
	if (point != text)
		whole = (uint64_t)(text[0] - '0');
	if (whole * PERF_MIX_WHOLE + part > PERF_MIX_WHOLE)
		return -EINVAL;
	*out = (uint32_t)(whole * PERF_MIX_WHOLE + part);
	return 0;
}

static int take_part(struct perf_mix *mix, char *text)
{
	char *equals = strchr(text, '=');

	if (equals == NULL)
		return -EINVAL;
	*equals++ = '\0';
	if (!strcmp(text, "zero"))
		return take_share(equals, &mix->zero);
	if (!strcmp(text, "same"))
		return take_share(equals, &mix->same);
	if (!strcmp(text, "random"))
		return take_share(equals, &mix->random);
	return -EINVAL;
}

int perf_parse_mix(const struct perf_parse *p, const char *text)
{
	struct perf_mix mix = {0};
	char copy[TEXT_BYTES], *part = copy;
	int rc = (size_t)snprintf(copy, sizeof(copy), "%s", text) < sizeof(copy) ? 0 : -EINVAL;

	while (rc == 0 && part) {
		char *comma = strchr(part, ',');

		if (comma)
			*comma++ = '\0';
		rc = take_part(&mix, part);
		part = comma;
	}
	if (rc == 0 && mix.zero + mix.same + mix.random > PERF_MIX_WHOLE)
		return migc_error_set(p->err, -EINVAL,
				      "--page-mix: '%s': the shares are more than 1 together",
				      text);
	if (rc)
		return migc_error_set(p->err, -EINVAL,
				      "--page-mix: '%s' is not zero=F,same=F,random=F with shares "
				      "from 0 to 1, such as zero=0.3,random=0.1",
				      text);
	p->out->mix = mix;
	return 0;
}
