/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_words.h"

#include <errno.h>
#include <string.h>

#include "migc_parse.h"

/** What getopt_long() says no to. */
static int refuse(int value, const char *given, const struct option *table, struct migc_error *err)
{
	if (value == ':')
		return migc_error_set(err, -EINVAL, "%s needs a value (see --help)", given);
	if (optopt >= MIGC_WORD_VALUE)
		return migc_error_set(err, -EINVAL, "--%s takes no value",
				      table[optopt - MIGC_WORD_VALUE].name);
	return migc_error_set(err, -EINVAL,
			      "'%s' is not an option here (see --help; EAL's options go before the "
			      "`--`)",
			      given);
}

int migc_words_parse(int argc, char **argv, const struct option *table,
		     int (*take)(void *ctx, unsigned int word, const char *value), void *ctx,
		     struct migc_error *err)
{
	int value;

	optind = 0; /* start over, whoever used it before */
	opterr = 0;
	while ((value = getopt_long(argc, argv, "+:", table, NULL)) != -1) {
		const char *given = argv[optind - 1];
		const struct option *word;

		if (value == ':' || value == '?')
			return refuse(value, given, table, err);
		word = &table[value - MIGC_WORD_VALUE];
		/* abbreviations would stop working when a word is added */
		if (word->has_arg && optarg == given)
			given = argv[optind - 2];
		if (strcspn(given + 2, "=") != strlen(word->name))
			return migc_error_set(err, -EINVAL,
					      "'%s' is not an option: do you mean --%s?", given,
					      word->name);
		if (word->has_arg && !optarg[0])
			return migc_error_set(err, -EINVAL, "--%s has an empty value", word->name);
		if (take(ctx, (unsigned int)(value - MIGC_WORD_VALUE), optarg))
			return -EINVAL;
	}
	if (optind < argc)
		return migc_error_set(err, -EINVAL,
				      "'%s' is left over: every value goes behind an option (see "
				      "--help)",
				      argv[optind]);
	return 0;
}

int migc_words_number(const struct option *word, const char *value, uint64_t min, uint64_t max,
		      uint64_t *out, struct migc_error *err)
{
	if (migc_parse_u64(value, min, max, out))
		return migc_error_set(err, -EINVAL, "--%s: '%s' is not a number from %llu to %llu",
				      word->name, value, (unsigned long long)min,
				      (unsigned long long)max);
	return 0;
}

int migc_words_choice(const struct option *word, const char *value, const char *const *list,
		      int *out, struct migc_error *err)
{
	char all[128] = "";

	for (int i = 0; list[i]; i++) {
		if (list[i][0] && strcmp(value, list[i]) == 0) {
			*out = i;
			return 0;
		}
		if (all[0])
			strncat(all, ", ", sizeof(all) - strlen(all) - 1);
		strncat(all, list[i], sizeof(all) - strlen(all) - 1);
	}
	return migc_error_set(err, -EINVAL, "--%s: '%s' is not one of %s", word->name, value, all);
}
