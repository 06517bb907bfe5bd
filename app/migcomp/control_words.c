/* SPDX-License-Identifier: BSD-3-Clause */
#include "control_words.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <string.h>

#include "migc_parse.h"
#include "migc_settings.h"

static bool is_none(const char *value)
{
	return strcmp(value, "none") == 0 || strcmp(value, "0") == 0;
}

static json_t *plain_number(const char *value)
{
	uint64_t n;

	return migc_parse_u64(value, 0, INT64_MAX, &n) == 0 ? json_integer((json_int_t)n) : NULL;
}

/** As --max-bandwidth, in bit/s; the protocol has QEMU's bytes a second. */
static json_t *rate(const char *value)
{
	uint64_t bits;

	if (is_none(value))
		return json_integer(0);
	if (migc_parse_rate(value, &bits) != 0 || bits < 8 || bits > MIGC_MAX_BANDWIDTH_BITS_MAX)
		return NULL;
	return json_integer((json_int_t)(bits / 8));
}

static json_t *on_off(const char *value)
{
	if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0)
		return NULL;
	return json_boolean(strcmp(value, "on") == 0);
}

static int take_value(enum migc_setting setting, const char *value, json_t **out,
		      struct migc_error *err)
{
	static const char *const expected[MIGC_SETTINGS] = {
		[MIGC_SETTING_DOWNTIME_LIMIT] = "milliseconds, such as 300",
		[MIGC_SETTING_MAX_BANDWIDTH] = "a rate in bit/s, such as 500m or 10g, or none",
		[MIGC_SETTING_TIMEOUT] = "seconds since the start, or none",
		[MIGC_SETTING_TIMEOUT_ACTION] = "cancel or suspend",
		[MIGC_SETTING_PAUSE] = "on or off",
		[MIGC_SETTING_THROTTLE] = "auto or off",
	};

	switch (setting) {
	case MIGC_SETTING_MAX_BANDWIDTH:
		*out = rate(value);
		break;
	case MIGC_SETTING_TIMEOUT:
		*out = is_none(value) ? json_integer(0) : plain_number(value);
		break;
	case MIGC_SETTING_TIMEOUT_ACTION:
	case MIGC_SETTING_THROTTLE:
		*out = json_string(value);
		break;
	case MIGC_SETTING_PAUSE:
		*out = on_off(value);
		break;
	default:
		*out = plain_number(value);
		break;
	}
	if (*out)
		return 0;
	return migc_error_set(err, -EINVAL, "set: '%.64s' is no value of %s: give %s", value,
			      migc_setting_name(setting), expected[setting]);
}

/** NAME=VALUE */
static int take_setting(const char *text, json_t *settings, struct migc_error *err)
{
	const char *equals = strchr(text, '=');

	for (unsigned int i = 0; equals && i < MIGC_SETTINGS; i++) {
		const char *name = migc_setting_name((enum migc_setting)i);
		json_t *value;
		int rc;

		if (strlen(name) != (size_t)(equals - text) ||
		    strncmp(text, name, strlen(name)) != 0)
			continue;
		if (json_object_get(settings, name))
			return migc_error_set(err, -EINVAL, "set: %s is given twice", name);
		rc = take_value((enum migc_setting)i, equals + 1, &value, err);
		if (rc == 0 && json_object_set_new(settings, name, value) != 0)
			rc = migc_error_set(err, -ENOMEM, "no memory");
		return rc;
	}
	return migc_error_set(err, -EINVAL,
			      "set: '%.64s' is not NAME=VALUE with a NAME of downtime-limit, "
			      "max-bandwidth, timeout, timeout-action, pause-before-switchover, "
			      "throttle",
			      text);
}

static int take_options(int argc, char **argv, struct control_words *out, struct migc_error *err)
{
	static const struct option list[] = {
		{"control", required_argument, NULL, 'c'},
		{"guest", required_argument, NULL, 'g'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int value;

	optind = 0;
	opterr = 0;
	while ((value = getopt_long(argc, argv, ":", list, NULL)) != -1) {
		if (value == 'c')
			out->control = optarg;
		else if (value == 'g')
			out->guest = optarg;
		else if (value == 'j' && strcmp(out->command, "status") == 0)
			out->json = true;
		else if (value == 'h')
			out->help = true;
		else
			return migc_error_set(
				err, -EINVAL, "%s: '%s': there are --control PATH, --guest NAME%s",
				out->command, argv[optind - 1],
				strcmp(out->command, "status") == 0 ? " and --json" : "");
	}
	return 0;
}

int control_words_parse(int argc, char **argv, struct control_words *out, struct migc_error *err)
{
	bool sets = strcmp(argv[0], "set") == 0;
	int rc;

	*out = (struct control_words){.command = argv[0]};
	rc = take_options(argc, argv, out, err);
	if (rc != 0 || out->help)
		return rc;
	if (sets && optind == argc)
		return migc_error_set(err, -EINVAL,
				      "set: say what, such as downtime-limit=500 or "
				      "max-bandwidth=2g");
	if (!sets && optind < argc)
		return migc_error_set(err, -EINVAL, "%s: '%.64s' is left over", out->command,
				      argv[optind]);
	out->arguments = json_object();
	/* left out, it would mean the only one */
	if (out->guest &&
	    json_object_set_new(out->arguments, "guest", json_string(out->guest)) != 0)
		rc = migc_error_set(err, -EINVAL, "--guest: the name is not UTF-8");
	for (; optind < argc && rc == 0; optind++)
		rc = take_setting(argv[optind], out->arguments, err);
	if (rc != 0) {
		json_decref(out->arguments);
		out->arguments = NULL;
	}
	return rc;
}
