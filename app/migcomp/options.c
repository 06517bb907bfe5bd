/* SPDX-License-Identifier: BSD-3-Clause */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "migc_page.h"
#include "migc_wire.h"
#include "options_words.h"

#define LEVEL_MAX 19u
#define MTU_MIN 1280u
#define DELTA_CACHE_BYTES_MIN (UINT64_C(1) << 20)
#define DELTA_CACHE_BYTES_MAX (UINT64_C(1) << 40)

/* getopt_long() values: above all characters, so that short options cannot be taken for them. */
#define WORD_VALUE 256

#define NEEDS(word, text) [word] = {text, required_argument, NULL, WORD_VALUE + (word)}
#define ALONE(word, text) [word] = {text, no_argument, NULL, WORD_VALUE + (word)}

const struct option options_words[WORDS + 1] = {
	NEEDS(WORD_CONNECT, "connect"),
	NEEDS(WORD_IP, "ip"),
	NEEDS(WORD_GATEWAY, "gateway"),
	NEEDS(WORD_PORT, "port"),
	NEEDS(WORD_MTU, "mtu"),
	NEEDS(WORD_ETHDEV, "ethdev"),
	NEEDS(WORD_QMP, "qmp"),
	NEEDS(WORD_MEM, "mem"),
	NEEDS(WORD_TLS_CREDS, "tls-creds"),
	NEEDS(WORD_TLS_HOSTNAME, "tls-hostname"),
	NEEDS(WORD_PSK, "psk"),
	ALONE(WORD_INSECURE, "insecure"),
	NEEDS(WORD_CODEC, "codec"),
	NEEDS(WORD_LEVEL, "level"),
	NEEDS(WORD_HUFFMAN, "huffman"),
	NEEDS(WORD_COMPRESSDEV, "compressdev"),
	ALONE(WORD_NO_FALLBACK, "no-fallback"),
	NEEDS(WORD_BLOCK_PAGES, "block-pages"),
	NEEDS(WORD_DELTA_CACHE, "delta-cache"),
	NEEDS(WORD_DIRTY, "dirty"),
	NEEDS(WORD_DOWNTIME_LIMIT, "downtime-limit"),
	NEEDS(WORD_MAX_BANDWIDTH, "max-bandwidth"),
	NEEDS(WORD_TIMEOUT, "timeout"),
	NEEDS(WORD_TIMEOUT_ACTION, "timeout-action"),
	NEEDS(WORD_RECOVER_TIMEOUT, "recover-timeout"),
	NEEDS(WORD_THROTTLE, "throttle"),
	ALONE(WORD_PAUSE, "pause-before-switchover"),
	ALONE(WORD_VERIFY, "verify"),
	NEEDS(WORD_PROGRESS, "progress"),
	NEEDS(WORD_REPORT, "report"),
	NEEDS(WORD_CONTROL, "control"),
	NEEDS(WORD_INJECT, "inject"),
};

/* @return index of `text` among words that end with NULL, -1 when it is none of them. */
static int choice(const char *text, const char *const *list)
{
	for (int i = 0; list[i]; i++) {
		if (!strcmp(text, list[i]))
			return i;
	}
	return -1;
}

static int take_number(const struct options_parse *p, enum word word, const char *text,
		       uint64_t min, uint64_t max, uint64_t *out)
{
	if (migc_parse_u64(text, min, max, out))
		return migc_error_set(p->err, -EINVAL,
				      "--%s: '%s' is not a number from %llu to %llu",
				      options_words[word].name, text, (unsigned long long)min,
				      (unsigned long long)max);
	return 0;
}

static int refuse_ipv6(const struct options_parse *p, enum word word, const char *text)
{
	const char *colon = strchr(text, ':');

	if (text[0] == '[' || (colon && strchr(colon + 1, ':')))
		return migc_error_set(p->err, -EINVAL,
				      "--%s: '%s': IPv6 is not supported yet: give an IPv4 address",
				      options_words[word].name, text);
	return 0;
}

static int take_connect(const struct options_parse *p, const char *text)
{
	p->out->connect.port = OPTIONS_DEFAULT_PORT;
	if (refuse_ipv6(p, WORD_CONNECT, text))
		return -EINVAL;
	if (migc_parse_addr(text, &p->out->connect))
		return migc_error_set(p->err, -EINVAL,
				      "--connect: '%s' is not the receiver's ADDR or ADDR:PORT, "
				      "such as 192.168.7.2:4433",
				      text);
	return 0;
}

static int take_ip(const struct options_parse *p, const char *text)
{
	if (refuse_ipv6(p, WORD_IP, text))
		return -EINVAL;
	if (migc_parse_prefix(text, &p->out->ip))
		return migc_error_set(p->err, -EINVAL,
				      "--ip: '%s' is not ADDR/LEN, such as 192.168.7.1/24", text);
	if (!p->out->ip.ip || p->out->ip.ip >= 0xe0000000u || !p->out->ip.length)
		return migc_error_set(p->err, -EINVAL,
				      "--ip: '%s' cannot be the address of a host: give this "
				      "end's own address and the length of its network's prefix",
				      text);
	return 0;
}

static int take_gateway(const struct options_parse *p, const char *text)
{
	if (refuse_ipv6(p, WORD_GATEWAY, text))
		return -EINVAL;
	if (migc_parse_ip(text, &p->out->gateway) || !p->out->gateway)
		return migc_error_set(p->err, -EINVAL,
				      "--gateway: '%s' is not an address, such as 192.168.7.254",
				      text);
	return 0;
}

static int take_offset(const char *text, uint64_t *out)
{
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return migc_parse_u64(text, 0, UINT64_MAX, out);
	return migc_parse_size(text, out);
}

/* OFFSET+LEN; `text` is ours to cut. */
static int take_part(char *text, struct options_mem *mem)
{
	char *plus = strchr(text, '+');
	uint64_t end;

	*plus = '\0';
	if (take_offset(text, &mem->offset_bytes) || take_offset(plus + 1, &mem->length_bytes) ||
	    !mem->length_bytes || mem->offset_bytes % MIGC_PAGE_BYTES ||
	    mem->length_bytes % MIGC_PAGE_BYTES ||
	    __builtin_add_overflow(mem->offset_bytes, mem->length_bytes, &end) || end > INT64_MAX)
		return -EINVAL;
	return 0;
}

static bool name_allowed(const char *name)
{
	size_t length = strlen(name);

	if (length < 1 || length >= MIGC_REGION_NAME_BYTES)
		return false;
	while (*name) {
		if (*name < 0x20 || *name > 0x7e)
			return false;
		name++;
	}
	return true;
}

static int take_qmp(struct options_parse *p, const char *text)
{
	struct options *o = p->out;

	if (o->guest_count == OPTIONS_GUESTS_MAX)
		return migc_error_set(p->err, -EINVAL, "--qmp: at most %u guests at one receiver",
				      OPTIONS_GUESTS_MAX);
	for (unsigned int i = 0; i < o->guest_count; i++) {
		if (!strcmp(o->guest[i], text))
			return migc_error_set(p->err, -EINVAL, "--qmp %s is given twice", text);
	}
	o->guest[o->guest_count++] = text;
	return 0;
}

static int take_mem(const struct options_parse *p, const char *text)
{
	struct options *o = p->out;
	const char *equals = strchr(text, '=');
	struct options_mem *mem;
	char *at;

	if (!equals || equals == text || !equals[1] || equals[1] == '@')
		return migc_error_set(p->err, -EINVAL,
				      "--mem: '%s' is not NAME=FILE or NAME=FILE@OFFSET+LEN", text);
	if (o->mem_count == OPTIONS_MEM_MAX)
		return migc_error_set(p->err, -EINVAL, "--mem: at most %u files can be given",
				      OPTIONS_MEM_MAX);
	mem = &o->mem[o->mem_count];
	*mem = (struct options_mem){0};
	mem->name = strndup(text, (size_t)(equals - text));
	mem->path = strdup(equals + 1);
	o->mem_count++;
	if (!mem->name || !mem->path)
		return migc_error_set(p->err, -EINVAL, "--mem: out of memory");
	if (!name_allowed(mem->name))
		return migc_error_set(p->err, -EINVAL,
				      "--mem: '%s': a name has 1 to %u plain characters", text,
				      MIGC_REGION_NAME_BYTES - 1);
	for (unsigned int i = 0; i + 1 < o->mem_count; i++) {
		if (!strcmp(o->mem[i].name, mem->name))
			return migc_error_set(p->err, -EINVAL,
					      "--mem: the name '%s' is given twice: both ends find "
					      "files by it, so each needs its own",
					      mem->name);
	}
	/* A path may have an @ of its own: only digits and a + behind the last one make a part. */
	at = strrchr(mem->path, '@');
	if (at && at[1] >= '0' && at[1] <= '9' && strchr(at, '+')) {
		*at = '\0';
		if (take_part(at + 1, mem))
			return migc_error_set(p->err, -EINVAL,
					      "--mem: '%s': OFFSET and LEN are bytes (suffixes K, "
					      "M, G, T), multiples of %u, and LEN is not 0",
					      text, MIGC_PAGE_BYTES);
	}
	return 0;
}

static int take_codec(const struct options_parse *p, const char *text)
{
	static const char *const list[] = {"auto", "raw", "deflate", "lz4", "zstd", NULL};
	int i = choice(text, list);

	if (i < 0)
		return migc_error_set(p->err, -EINVAL,
				      "--codec: '%s' is not one of auto, raw, deflate, lz4, zstd",
				      text);
	p->out->codec = (enum options_codec)i;
	return 0;
}

static int take_choice(const struct options_parse *p, enum word word, const char *text)
{
	static const char *const huffman[] = {"dynamic", "fixed", "default", NULL};
	static const char *const dirty[] = {"auto", "pagemap", "hash", "none", NULL};
	static const char *const progress[] = {"auto", "plain", "none", NULL};
	static const char *const throttle[] = {"off", "auto", NULL};
	int i = -1;

	switch (word) {
	case WORD_HUFFMAN:
		i = choice(text, huffman);
		if (i < 0)
			return migc_error_set(
				p->err, -EINVAL,
				"--huffman: '%s' is not one of dynamic, fixed, default", text);
		p->out->huffman = (enum options_huffman)i;
		return 0;
	case WORD_DIRTY:
		i = choice(text, dirty);
		if (i < 0)
			return migc_error_set(
				p->err, -EINVAL,
				"--dirty: '%s' is not one of auto, pagemap, hash, none", text);
		p->out->dirty = (enum options_dirty)i;
		return 0;
	case WORD_PROGRESS:
		i = choice(text, progress);
		if (i < 0)
			return migc_error_set(p->err, -EINVAL,
					      "--progress: '%s' is not one of auto, plain, none",
					      text);
		p->out->progress = (enum options_progress)i;
		return 0;
	case WORD_THROTTLE:
		i = choice(text, throttle);
		if (i < 0)
			return migc_error_set(p->err, -EINVAL,
					      "--throttle: '%s' is not one of auto, off", text);
		p->out->settings.throttle = i == 1;
		return 0;
	default:
		break;
	}
	if (strcmp(text, "cancel") != 0 && strcmp(text, "suspend") != 0)
		return migc_error_set(p->err, -EINVAL,
				      "--timeout-action: '%s' is not one of cancel, suspend", text);
	p->out->settings.timeout_suspends = !strcmp(text, "suspend");
	return 0;
}

static int take_plain_number(const struct options_parse *p, enum word word, const char *text)
{
	struct options *o = p->out;
	uint64_t n = 0;
	int rc;

	switch (word) {
	case WORD_PORT:
		rc = take_number(p, word, text, 1, UINT16_MAX, &n);
		o->port = (uint16_t)n;
		return rc;
	case WORD_MTU:
		rc = take_number(p, word, text, MTU_MIN, UINT16_MAX, &n);
		o->mtu = (uint16_t)n;
		return rc;
	case WORD_LEVEL:
		rc = take_number(p, word, text, 1, LEVEL_MAX, &n);
		o->level = (int)n;
		return rc;
	case WORD_BLOCK_PAGES:
		rc = take_number(p, word, text, 1, MIGC_BLOCK_PAGES_MAX, &n);
		o->block_pages = (unsigned int)n;
		return rc;
	case WORD_DOWNTIME_LIMIT:
		rc = take_number(p, word, text, 1, MIGC_DOWNTIME_LIMIT_MS_MAX, &n);
		o->settings.downtime_limit_ms = (uint32_t)n;
		return rc;
	case WORD_RECOVER_TIMEOUT:
		rc = take_number(p, word, text, 0, MIGC_TIMEOUT_S_MAX, &n);
		o->recover_timeout_s = (uint32_t)n;
		return rc;
	default:
		rc = take_number(p, word, text, 1, MIGC_TIMEOUT_S_MAX, &n);
		o->settings.timeout_s = (uint32_t)n;
		return rc;
	}
}

static int take_rate(const struct options_parse *p, const char *text)
{
	if (migc_parse_rate(text, &p->out->settings.max_bandwidth_bits) ||
	    p->out->settings.max_bandwidth_bits > MIGC_MAX_BANDWIDTH_BITS_MAX)
		return migc_error_set(
			p->err, -EINVAL,
			"--max-bandwidth: '%s' is not a rate in bit/s, such as 500m or "
			"10g",
			text);
	return 0;
}

static int take_delta_cache(const struct options_parse *p, const char *text)
{
	uint64_t bytes;

	if (migc_parse_size(text, &bytes) ||
	    (bytes && (bytes < DELTA_CACHE_BYTES_MIN || bytes > DELTA_CACHE_BYTES_MAX)))
		return migc_error_set(p->err, -EINVAL,
				      "--delta-cache: '%s' is not a size from 1m to 1t, such as "
				      "64m, or 0 for no deltas",
				      text);
	p->out->delta_cache_bytes = bytes;
	return 0;
}

static int take_word(struct options_parse *p, enum word word, const char *text)
{
	struct options *o = p->out;

	if (options_seen(p, word) && word != WORD_MEM && word != WORD_QMP)
		return migc_error_set(p->err, -EINVAL, "--%s is given twice: leave one out",
				      options_words[word].name);
	p->seen |= UINT64_C(1) << word;
	if (options_words[word].has_arg && !text[0])
		return migc_error_set(p->err, -EINVAL, "--%s has an empty value",
				      options_words[word].name);
	switch (word) {
	case WORD_CONNECT:
		return take_connect(p, text);
	case WORD_IP:
		return take_ip(p, text);
	case WORD_GATEWAY:
		return take_gateway(p, text);
	case WORD_MEM:
		return take_mem(p, text);
	case WORD_QMP:
		return take_qmp(p, text);
	case WORD_CODEC:
		return take_codec(p, text);
	case WORD_MAX_BANDWIDTH:
		return take_rate(p, text);
	case WORD_DELTA_CACHE:
		return take_delta_cache(p, text);
	case WORD_PORT:
	case WORD_MTU:
	case WORD_LEVEL:
	case WORD_BLOCK_PAGES:
	case WORD_DOWNTIME_LIMIT:
	case WORD_TIMEOUT:
	case WORD_RECOVER_TIMEOUT:
		return take_plain_number(p, word, text);
	case WORD_HUFFMAN:
	case WORD_DIRTY:
	case WORD_PROGRESS:
	case WORD_THROTTLE:
	case WORD_TIMEOUT_ACTION:
		return take_choice(p, word, text);
	case WORD_ETHDEV:
		o->ethdev = text;
		break;
	case WORD_TLS_CREDS:
		o->tls_creds = text;
		break;
	case WORD_TLS_HOSTNAME:
		o->tls_hostname = text;
		break;
	case WORD_PSK:
		o->psk = text;
		break;
	case WORD_INSECURE:
		o->insecure = true;
		break;
	case WORD_COMPRESSDEV:
		o->compressdev = text;
		break;
	case WORD_NO_FALLBACK:
		o->no_fallback = true;
		break;
	case WORD_PAUSE:
		o->settings.pause_before_switchover = true;
		break;
	case WORD_VERIFY:
		o->verify = true;
		break;
	case WORD_REPORT:
		o->report = text;
		break;
	case WORD_CONTROL:
		o->no_control = !strcmp(text, "none");
		o->control = o->no_control ? NULL : text;
		break;
	case WORD_INJECT:
		o->inject = text;
		break;
	case WORDS:
		break;
	}
	return 0;
}

static int take_words(struct options_parse *p, int argc, char **argv)
{
	int value;

	optind = 0; /* start over, whoever used it before */
	opterr = 0;
	while ((value = getopt_long(argc, argv, "+:", options_words, NULL)) != -1) {
		const char *given = argv[optind - 1];
		enum word word;

		if (value == ':')
			return migc_error_set(p->err, -EINVAL, "%s needs a value (see --help)",
					      given);
		if (value == '?' && optopt >= WORD_VALUE)
			return migc_error_set(p->err, -EINVAL, "--%s takes no value",
					      options_words[optopt - WORD_VALUE].name);
		if (value == '?')
			return migc_error_set(p->err, -EINVAL,
					      "'%s' is not an option here (see --help; EAL's "
					      "options go before the `--`)",
					      given);
		word = (enum word)(value - WORD_VALUE);
		/* Abbreviations would stop working when a word is added. */
		if (options_words[word].has_arg && optarg == given)
			given = argv[optind - 2];
		if (strcspn(given + 2, "=") != strlen(options_words[word].name))
			return migc_error_set(p->err, -EINVAL,
					      "'%s' is not an option: do you mean --%s?", given,
					      options_words[word].name);
		if (take_word(p, word, optarg))
			return -EINVAL;
	}
	if (optind < argc)
		return migc_error_set(p->err, -EINVAL,
				      "'%s' is left over: every value goes behind an option (see "
				      "--help)",
				      argv[optind]);
	return 0;
}

static int take_mode(struct options_parse *p, int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "send"))
		p->out->source = true;
	else if (argc < 2 || strcmp(argv[1], "recv") != 0)
		return migc_error_set(p->err, -EINVAL,
				      "say send or recv first, after the `--` (see --help)");
	return 0;
}

int options_parse(int argc, char **argv, struct options *out, struct migc_error *err)
{
	struct options_parse p = {.out = out, .err = err};

	*out = (struct options){.port = OPTIONS_DEFAULT_PORT,
				.level = 1,
				.settings = {.downtime_limit_ms = 300, .throttle = true},
				.recover_timeout_s = OPTIONS_DEFAULT_RECOVER_TIMEOUT_S,
				.delta_cache_bytes = OPTIONS_DEFAULT_DELTA_CACHE};
	for (int i = 1; i < argc; i++) {
		out->help |= !strcmp(argv[i], "--help");
		out->version |= !strcmp(argv[i], "--version");
	}
	if (out->help || out->version)
		return 0;
	if (take_mode(&p, argc, argv) || take_words(&p, argc - 1, argv + 1) || options_check(&p)) {
		options_free(out);
		return -EINVAL;
	}
	return 0;
}

void options_free(struct options *options)
{
	for (unsigned int i = 0; i < options->mem_count; i++) {
		free(options->mem[i].name);
		free(options->mem[i].path);
	}
	options->mem_count = 0;
}
