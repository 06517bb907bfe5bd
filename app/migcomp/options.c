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

const struct option options_words[WORDS + 1] = {
	MIGC_WORD_NEEDS(WORD_CONNECT, "connect"),
	MIGC_WORD_NEEDS(WORD_IP, "ip"),
	MIGC_WORD_NEEDS(WORD_GATEWAY, "gateway"),
	MIGC_WORD_NEEDS(WORD_PORT, "port"),
	MIGC_WORD_NEEDS(WORD_MTU, "mtu"),
	MIGC_WORD_NEEDS(WORD_ETHDEV, "ethdev"),
	MIGC_WORD_NEEDS(WORD_QMP, "qmp"),
	MIGC_WORD_NEEDS(WORD_MEM, "mem"),
	MIGC_WORD_NEEDS(WORD_TLS_CREDS, "tls-creds"),
	MIGC_WORD_NEEDS(WORD_TLS_HOSTNAME, "tls-hostname"),
	MIGC_WORD_NEEDS(WORD_PSK, "psk"),
	MIGC_WORD_ALONE(WORD_INSECURE, "insecure"),
	MIGC_WORD_NEEDS(WORD_CODEC, "codec"),
	MIGC_WORD_NEEDS(WORD_LEVEL, "level"),
	MIGC_WORD_NEEDS(WORD_HUFFMAN, "huffman"),
	MIGC_WORD_NEEDS(WORD_COMPRESSDEV, "compressdev"),
	MIGC_WORD_ALONE(WORD_NO_FALLBACK, "no-fallback"),
	MIGC_WORD_NEEDS(WORD_BLOCK_PAGES, "block-pages"),
	MIGC_WORD_NEEDS(WORD_DELTA_CACHE, "delta-cache"),
	MIGC_WORD_NEEDS(WORD_GUEST_READ, "guest-read"),
	MIGC_WORD_NEEDS(WORD_DIRTY, "dirty"),
	MIGC_WORD_NEEDS(WORD_DOWNTIME_LIMIT, "downtime-limit"),
	MIGC_WORD_NEEDS(WORD_MAX_BANDWIDTH, "max-bandwidth"),
	MIGC_WORD_NEEDS(WORD_TIMEOUT, "timeout"),
	MIGC_WORD_NEEDS(WORD_TIMEOUT_ACTION, "timeout-action"),
	MIGC_WORD_NEEDS(WORD_RECOVER_TIMEOUT, "recover-timeout"),
	MIGC_WORD_NEEDS(WORD_THROTTLE, "throttle"),
	MIGC_WORD_ALONE(WORD_PAUSE, "pause-before-switchover"),
	MIGC_WORD_ALONE(WORD_VERIFY, "verify"),
	MIGC_WORD_NEEDS(WORD_PROGRESS, "progress"),
	MIGC_WORD_NEEDS(WORD_REPORT, "report"),
	MIGC_WORD_NEEDS(WORD_CONTROL, "control"),
	MIGC_WORD_NEEDS(WORD_INJECT, "inject"),
};

static int take_number(const struct options_parse *p, enum word word, const char *text,
		       uint64_t min, uint64_t max, uint64_t *out)
{
	return migc_words_number(&options_words[word], text, min, max, out, p->err);
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

static int take_choice(const struct options_parse *p, enum word word, const char *text)
{
	static const char *const codec[] = {"auto", "raw", "deflate", "lz4", "zstd", NULL};
	static const char *const huffman[] = {"dynamic", "fixed", "default", NULL};
	static const char *const guest_read[] = {"auto", "mmap", "pread", NULL};
	static const char *const dirty[] = {"auto", "pagemap", "hash", "none", NULL};
	static const char *const progress[] = {"auto", "plain", "none", NULL};
	static const char *const throttle[] = {"auto", "off", NULL};
	static const char *const timeout_action[] = {"cancel", "suspend", NULL};
	const struct option *option = &options_words[word];
	struct options *o = p->out;
	int i = 0, rc;

	switch (word) {
	case WORD_CODEC:
		rc = migc_words_choice(option, text, codec, &i, p->err);
		o->codec = (enum options_codec)i;
		return rc;
	case WORD_HUFFMAN:
		rc = migc_words_choice(option, text, huffman, &i, p->err);
		o->huffman = (enum options_huffman)i;
		return rc;
	case WORD_GUEST_READ:
		rc = migc_words_choice(option, text, guest_read, &i, p->err);
		o->guest_read = (enum options_guest_read)i;
		return rc;
	case WORD_DIRTY:
		rc = migc_words_choice(option, text, dirty, &i, p->err);
		o->dirty = (enum options_dirty)i;
		return rc;
	case WORD_PROGRESS:
		rc = migc_words_choice(option, text, progress, &i, p->err);
		o->progress = (enum options_progress)i;
		return rc;
	case WORD_THROTTLE:
		rc = migc_words_choice(option, text, throttle, &i, p->err);
		o->settings.throttle = i == 0;
		return rc;
	default:
		rc = migc_words_choice(option, text, timeout_action, &i, p->err);
		o->settings.timeout_suspends = i == 1;
		return rc;
	}
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

static int take_word(void *ctx, unsigned int place, const char *text)
{
	enum word word = (enum word)place;
	struct options_parse *p = ctx;
	struct options *o = p->out;

	if (options_seen(p, word) && word != WORD_MEM && word != WORD_QMP)
		return migc_error_set(p->err, -EINVAL, "--%s is given twice: leave one out",
				      options_words[word].name);
	p->seen |= UINT64_C(1) << word;
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
	case WORD_CODEC:
	case WORD_HUFFMAN:
	case WORD_GUEST_READ:
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
	if (take_mode(&p, argc, argv) ||
	    migc_words_parse(argc - 1, argv + 1, options_words, take_word, &p, err) ||
	    options_check(&p)) {
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
