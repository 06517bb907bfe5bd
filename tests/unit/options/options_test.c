/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

#define WORDS_MAX 200

/* What a complete command line begins with. */
#define SEND "send --connect 10.0.0.2 --ip 10.0.0.1/24"
#define RECV "recv --ip 10.0.0.2/24"
#define GUEST " --qmp /run/qmp"
#define PSK " --psk keys"

struct command_line {
	char text[4096];
	char *argv[WORDS_MAX + 2];
	int argc;
};

/* Cut at blanks; _ alone stands for an empty word. */
static void cut(struct command_line *c, const char *text)
{
	static char name[] = "dpdk-migcomp";
	char *save = NULL;

	snprintf(c->text, sizeof(c->text), "%s", text);
	c->argc = 0;
	c->argv[c->argc++] = name;
	for (char *word = strtok_r(c->text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		assert_true(c->argc < WORDS_MAX);
		if (!strcmp(word, "_"))
			word[0] = '\0';
		c->argv[c->argc++] = word;
	}
	c->argv[c->argc] = NULL;
}

/* The caller frees the options; `c` must live as long as they. */
static void take(struct command_line *c, const char *text, struct options *o)
{
	struct migc_error err = {0};

	cut(c, text);
	if (options_parse(c->argc, c->argv, o, &err))
		fail_msg("'%s' was refused: %s", text, err.text);
	assert_int_equal(err.code, 0);
}

static void refuse(const char *text, const char *expected)
{
	struct command_line c;
	struct migc_error err = {0};
	struct options o;

	cut(&c, text);
	if (!options_parse(c.argc, c.argv, &o, &err)) {
		options_free(&o);
		fail_msg("'%s' was accepted", text);
	}
	assert_int_equal(err.code, -EINVAL);
	if (!strstr(err.text, expected))
		fail_msg("'%s' was refused with '%s', not with '%s'", text, err.text, expected);
	assert_null(strchr(err.text, '\n'));
}

static void defaults_are_those_of_the_manual(void **state)
{
	struct command_line c;
	struct options o;

	(void)state;
	take(&c, SEND GUEST PSK, &o);
	assert_true(o.source);
	assert_int_equal(o.connect.ip, 0x0a000002);
	assert_int_equal(o.connect.port, 4433);
	assert_int_equal(o.ip.ip, 0x0a000001);
	assert_int_equal(o.ip.length, 24);
	assert_int_equal(o.guest_count, 1);
	assert_string_equal(o.guest[0], "/run/qmp");
	assert_string_equal(o.psk, "keys");
	assert_int_equal(o.codec, OPTIONS_CODEC_AUTO);
	assert_int_equal(o.level, 1);
	assert_true(o.delta_cache_bytes == UINT64_C(64) << 20);
	assert_int_equal(o.huffman, OPTIONS_HUFFMAN_DYNAMIC);
	assert_int_equal(o.guest_read, OPTIONS_GUEST_READ_AUTO);
	assert_int_equal(o.dirty, OPTIONS_DIRTY_AUTO);
	assert_int_equal(o.settings.downtime_limit_ms, 300);
	assert_int_equal(o.recover_timeout_s, 60);
	assert_int_equal(o.progress, OPTIONS_PROGRESS_AUTO);
	assert_int_equal(o.block_pages | o.settings.timeout_s | o.mtu | o.gateway, 0);
	assert_int_equal(o.settings.max_bandwidth_bits, 0);
	assert_false(o.verify || o.no_fallback || o.insecure || o.settings.timeout_suspends ||
		     o.help);
	assert_true(o.settings.throttle);
	assert_null(o.ethdev);
	assert_null(o.compressdev);
	assert_null(o.report);
	assert_null(o.inject);
	assert_null(o.tls_creds);
	options_free(&o);

	take(&c, RECV GUEST " --insecure", &o);
	assert_false(o.source);
	assert_int_equal(o.port, 4433);
	assert_int_equal(o.recover_timeout_s, 60);
	assert_true(o.insecure);
	options_free(&o);
	take(&c, RECV GUEST " --insecure --recover-timeout 7", &o);
	assert_int_equal(o.recover_timeout_s, 7);
	options_free(&o);
}

static void every_word_of_a_sender_is_taken(void **state)
{
	struct command_line c;
	struct options o;

	(void)state;
	take(&c,
	     "send --connect 10.1.0.2:5000 --ip=10.0.0.1/24 --gateway 10.0.0.254 --mtu 9000 "
	     "--ethdev net_memif0 --qmp /q --tls-creds /pki --tls-hostname host2 --codec deflate "
	     "--level 6 --huffman fixed --compressdev compress_isal --no-fallback --block-pages 8 "
	     "--delta-cache 128m "
	     "--guest-read pread --dirty hash --downtime-limit 50 --max-bandwidth 10g --timeout 60 "
	     "--timeout-action "
	     "suspend --recover-timeout 0 --throttle off --verify --progress plain --report - "
	     "--inject "
	     "loss=0.01,seed=1",
	     &o);
	assert_int_equal(o.connect.ip, 0x0a010002);
	assert_int_equal(o.connect.port, 5000);
	assert_int_equal(o.gateway, 0x0a0000fe);
	assert_int_equal(o.mtu, 9000);
	assert_string_equal(o.ethdev, "net_memif0");
	assert_string_equal(o.tls_creds, "/pki");
	assert_string_equal(o.tls_hostname, "host2");
	assert_int_equal(o.codec, OPTIONS_CODEC_DEFLATE);
	assert_int_equal(o.level, 6);
	assert_int_equal(o.huffman, OPTIONS_HUFFMAN_FIXED);
	assert_string_equal(o.compressdev, "compress_isal");
	assert_true(o.no_fallback);
	assert_int_equal(o.block_pages, 8);
	assert_true(o.delta_cache_bytes == UINT64_C(128) << 20);
	assert_int_equal(o.guest_read, OPTIONS_GUEST_READ_PREAD);
	assert_int_equal(o.dirty, OPTIONS_DIRTY_HASH);
	assert_int_equal(o.settings.downtime_limit_ms, 50);
	assert_true(o.settings.max_bandwidth_bits == UINT64_C(10000000000));
	assert_int_equal(o.settings.timeout_s, 60);
	assert_true(o.settings.timeout_suspends);
	assert_false(o.settings.throttle);
	assert_int_equal(o.recover_timeout_s, 0);
	assert_true(o.verify);
	assert_int_equal(o.progress, OPTIONS_PROGRESS_PLAIN);
	assert_string_equal(o.report, "-");
	assert_string_equal(o.inject, "loss=0.01,seed=1");
	options_free(&o);
}

static void every_choice_has_its_value(void **state)
{
	static const struct {
		const char *words;
		size_t offset;
		unsigned int value;
	} cases[] = {
		{"--codec auto", offsetof(struct options, codec), OPTIONS_CODEC_AUTO},
		{"--codec raw", offsetof(struct options, codec), OPTIONS_CODEC_RAW},
		{"--huffman dynamic", offsetof(struct options, huffman), OPTIONS_HUFFMAN_DYNAMIC},
		{"--huffman default", offsetof(struct options, huffman), OPTIONS_HUFFMAN_DEFAULT},
		{"--dirty auto", offsetof(struct options, dirty), OPTIONS_DIRTY_AUTO},
		{"--dirty pagemap", offsetof(struct options, dirty), OPTIONS_DIRTY_PAGEMAP},
		{"--dirty none", offsetof(struct options, dirty), OPTIONS_DIRTY_NONE},
		{"--progress auto", offsetof(struct options, progress), OPTIONS_PROGRESS_AUTO},
		{"--progress none", offsetof(struct options, progress), OPTIONS_PROGRESS_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct command_line c;
		struct options o;
		char text[256];
		unsigned int value;

		snprintf(text, sizeof(text), SEND GUEST PSK " %s", cases[i].words);
		take(&c, text, &o);
		memcpy(&value, (const char *)&o + cases[i].offset, sizeof(value));
		assert_int_equal(value, cases[i].value);
		options_free(&o);
	}
}

static void memory_files_have_names_and_parts(void **state)
{
	struct command_line c;
	struct options o;

	(void)state;
	take(&c,
	     RECV PSK " --mem ram=/dev/shm/ram --mem a=/x@0x1000+1M --mem b=/y@2M+8K "
		      "--mem c=/odd@name --mem d=/e=f@5/g@4K+4K",
	     &o);
	assert_int_equal(o.mem_count, 5);
	assert_string_equal(o.mem[0].name, "ram");
	assert_string_equal(o.mem[0].path, "/dev/shm/ram");
	assert_int_equal(o.mem[0].offset_bytes | o.mem[0].length_bytes, 0);
	assert_string_equal(o.mem[1].path, "/x");
	assert_int_equal(o.mem[1].offset_bytes, 4096);
	assert_int_equal(o.mem[1].length_bytes, 1 << 20);
	assert_int_equal(o.mem[2].offset_bytes, 2 << 20);
	assert_int_equal(o.mem[2].length_bytes, 8192);
	assert_string_equal(o.mem[3].path, "/odd@name");
	assert_string_equal(o.mem[4].path, "/e=f@5/g");
	assert_int_equal(o.mem[4].offset_bytes, 4096);
	options_free(&o);

	refuse(SEND PSK " --mem /dev/shm/ram", "NAME=FILE");
	refuse(SEND PSK " --mem =/dev/shm/ram", "NAME=FILE");
	refuse(SEND PSK " --mem ram=", "NAME=FILE");
	refuse(SEND PSK " --mem ram=@0+4K", "NAME=FILE");
	refuse(SEND PSK " --mem ram=/x --mem ram=/y", "given twice");
	refuse(SEND PSK " --mem ram=/x@1+4K", "multiples");
	refuse(SEND PSK " --mem ram=/x@0+5", "multiples");
	refuse(SEND PSK " --mem ram=/x@0+0", "multiples");
	refuse(SEND PSK " --mem ram=/x@0+4Q", "multiples");
	refuse(SEND PSK " --mem ram=/x@8388607T+1T", "multiples");
	refuse(SEND PSK " --mem ra\001m=/x", "plain characters");
}

static void a_65th_memory_file_is_refused(void **state)
{
	char text[4096] = SEND PSK;

	(void)state;
	for (unsigned int i = 0; i < 65; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " --mem r%u=/f%u", i, i);
	refuse(text, "at most 64");
}

static void the_mode_comes_first(void **state)
{
	(void)state;
	refuse("", "send or recv");
	refuse("--ip 10.0.0.1/24 send", "send or recv");
	refuse("receive --ip 10.0.0.1/24", "send or recv");
}

static void only_a_receiver_has_several_guests(void **state)
{
	struct command_line c;
	struct options o;

	(void)state;
	take(&c, RECV GUEST " --qmp /run/other" PSK, &o);
	assert_int_equal(o.guest_count, 2);
	assert_string_equal(o.guest[0], "/run/qmp");
	assert_string_equal(o.guest[1], "/run/other");
	options_free(&o);
	refuse(SEND GUEST " --qmp /run/other" PSK, "a sender sends one guest");
	refuse(RECV GUEST GUEST PSK, "--qmp /run/qmp is given twice");
	refuse(RECV GUEST " --qmp /run/other --mem ram=/dev/shm/x" PSK, "exclude each other");
}

static void words_that_are_missing_are_named(void **state)
{
	(void)state;
	refuse("send --ip 10.0.0.1/24" GUEST PSK, "--connect");
	refuse("send --connect 10.0.0.2" GUEST PSK, "--ip");
	refuse("recv" GUEST PSK, "--ip");
	refuse(SEND PSK, "--qmp");
	refuse(RECV GUEST, "--insecure");
	refuse(RECV GUEST PSK " --report", "--report needs a value");
	refuse(RECV GUEST PSK " --report _", "--report has an empty value");
}

static void unknown_and_abbreviated_words_are_refused(void **state)
{
	(void)state;
	refuse(SEND GUEST PSK " --speed 9", "'--speed' is not an option");
	refuse(SEND GUEST PSK " -v", "'-v' is not an option");
	refuse(SEND GUEST PSK " --downtime 9", "do you mean --downtime-limit?");
	refuse(SEND GUEST PSK " --downtime=9", "do you mean --downtime-limit?");
	refuse(SEND GUEST PSK " --verif", "do you mean --verify?");
	refuse(SEND GUEST PSK " --verify=yes", "--verify takes no value");
	refuse(SEND GUEST PSK " extra", "'extra' is left over");
	refuse(SEND " extra" GUEST PSK, "'extra' is left over");
}

static void words_given_twice_are_refused(void **state)
{
	(void)state;
	refuse(SEND GUEST PSK " --ip 10.0.0.3/24", "--ip is given twice");
	refuse(SEND GUEST PSK " --verify --verify", "--verify is given twice");
	refuse(SEND GUEST PSK " --level 1 --level 2", "--level is given twice");
}

static void words_that_exclude_each_other_are_refused(void **state)
{
	(void)state;
	refuse(SEND GUEST PSK " --mem a=/b", "exclude each other");
	refuse(SEND GUEST PSK " --insecure", "exclude each other");
	refuse(SEND GUEST PSK " --tls-creds /d", "exclude each other");
	refuse(SEND GUEST " --tls-creds /d --insecure", "exclude each other");
	refuse(SEND GUEST PSK " --tls-hostname h", "needs --tls-creds");
	refuse(SEND GUEST PSK " --timeout-action cancel", "needs --timeout");
	refuse(SEND GUEST PSK " --codec raw --level 2", "leave out --level");
	refuse(SEND GUEST PSK " --codec raw --compressdev x", "leave out --compressdev");
	refuse(SEND GUEST PSK " --codec raw --delta-cache 64m", "leave out --delta-cache");
}

static void words_of_the_other_role_are_refused(void **state)
{
	static const char *const sender[] = {
		"--connect 10.0.0.1", "--codec raw",    "--level 2",          "--huffman fixed",
		"--dirty hash",       "--verify",       "--downtime-limit 9", "--max-bandwidth 1g",
		"--timeout 5",        "--throttle off", "--tls-hostname h",   "--delta-cache 64m",
		"--guest-read mmap",
	};

	(void)state;
	refuse(SEND GUEST PSK " --port 5000", "--port is the receiver's");
	for (size_t i = 0; i < sizeof(sender) / sizeof(sender[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), RECV GUEST PSK " %s", sender[i]);
		refuse(text, "is the sender's");
	}
}

static void what_a_later_release_brings_says_so(void **state)
{
	(void)state;
	refuse(SEND GUEST PSK " --codec lz4 --level 1", "lz4 has no settings");
	refuse(SEND GUEST PSK " --codec zstd --huffman fixed", "zstd has levels only");
	refuse(SEND GUEST PSK " --codec zstd --level 20", "1 to 19");
	refuse(SEND GUEST PSK " --codec deflate --level 10", "1 to 9");
	refuse("send --connect [fe80::1]:4433 --ip 10.0.0.1/24" GUEST PSK,
	       "IPv6 is not supported yet");
	refuse("send --connect fe80::1 --ip 10.0.0.1/24" GUEST PSK, "IPv6 is not supported yet");
	refuse("recv --ip fe80::2/64" GUEST PSK, "IPv6 is not supported yet");
	refuse(RECV GUEST PSK " --gateway [fe80::3]", "IPv6 is not supported yet");
}

static void values_of_the_wrong_form_are_refused(void **state)
{
	(void)state;
	refuse("send --connect host2 --ip 10.0.0.1/24" GUEST PSK, "--connect: 'host2'");
	refuse("send --connect 10.0.0.2:99999 --ip 10.0.0.1/24" GUEST PSK, "ADDR:PORT");
	refuse("recv --ip 10.0.0.1" GUEST PSK, "ADDR/LEN");
	refuse("recv --ip 10.0.0.1/33" GUEST PSK, "ADDR/LEN");
	refuse("recv --ip 224.0.0.1/24" GUEST PSK, "address of a host");
	refuse("recv --ip 10.0.0.1/0" GUEST PSK, "address of a host");
	refuse(RECV GUEST PSK " --gateway 10.0.0", "--gateway");
	refuse(RECV GUEST PSK " --port 0", "1 to 65535");
	refuse(RECV GUEST PSK " --port 65536", "1 to 65535");
	refuse(RECV GUEST PSK " --mtu 1279", "1280 to");
	refuse(RECV GUEST PSK " --block-pages 65", "1 to 64");
	refuse(SEND GUEST PSK " --level 0", "1 to 19");
	refuse(SEND GUEST PSK " --level -1", "1 to 19");
	refuse(SEND GUEST PSK " --codec gzip", "auto, raw, deflate");
	refuse(SEND GUEST PSK " --huffman static", "dynamic, fixed, default");
	refuse(SEND GUEST PSK " --dirty bitmap", "auto, pagemap, hash, none");
	refuse(SEND GUEST PSK " --progress loud", "auto, plain, none");
	refuse(SEND GUEST PSK " --throttle on", "auto, off");
	refuse(SEND GUEST PSK " --timeout 5 --timeout-action wait", "cancel, suspend");
	refuse(SEND GUEST PSK " --timeout 0", "--timeout");
	refuse(SEND GUEST PSK " --recover-timeout never", "0 to");
	refuse(SEND GUEST PSK " --downtime-limit 0", "--downtime-limit");
	refuse(SEND GUEST PSK " --max-bandwidth fast", "500m");
	refuse(SEND GUEST PSK " --max-bandwidth 0", "500m");
	refuse(SEND GUEST PSK " --guest-read touch", "auto, mmap, pread");
	refuse(SEND GUEST PSK " --delta-cache much", "1m to 1t");
	refuse(SEND GUEST PSK " --delta-cache 4k", "1m to 1t");
	refuse(SEND GUEST PSK " --delta-cache 2t", "1m to 1t");
}

static void addresses_must_fit_each_other(void **state)
{
	struct command_line c;
	struct options o;

	(void)state;
	refuse("send --connect 10.0.1.2 --ip 10.0.0.1/24" GUEST PSK, "give --gateway");
	refuse("send --connect 10.0.0.1 --ip 10.0.0.1/24" GUEST PSK, "the same address");
	refuse(SEND GUEST PSK " --gateway 10.0.1.254", "network of --ip");
	refuse(SEND GUEST PSK " --gateway 10.0.0.1", "network of --ip");
	take(&c, "send --connect 10.0.1.2 --ip 10.0.0.1/24 --gateway 10.0.0.254" GUEST PSK, &o);
	options_free(&o);
	take(&c, "send --connect 10.0.0.0 --ip 10.0.0.1/31" GUEST PSK, &o);
	options_free(&o);
}

static void help_and_version_need_nothing_else(void **state)
{
	static const char *const named[] = {
		"--connect",
		"--ip",
		"--gateway",
		"--port",
		"--mtu",
		"--ethdev",
		"--qmp",
		"--mem",
		"--tls-creds",
		"--tls-hostname",
		"--psk",
		"--insecure",
		"--codec",
		"--level",
		"--huffman",
		"--guest-read",
		"--dirty",
		"--no-fallback",
		"--block-pages",
		"--delta-cache",
		"--compressdev",
		"--downtime-limit",
		"--timeout",
		"--throttle",
		"--timeout-action",
		"--recover-timeout",
		"--verify",
		"--max-bandwidth",
		"--report",
		"--inject",
		"--progress",
	};
	struct command_line c;
	struct options o;

	(void)state;
	take(&c, "--help", &o);
	assert_true(o.help);
	take(&c, "send --bogus --help", &o);
	assert_true(o.help);
	take(&c, "--version", &o);
	assert_true(o.version);
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		if (!strstr(options_usage(), named[i]))
			fail_msg("--help does not tell of %s", named[i]);
	}
}

static void parsing_twice_gives_the_same(void **state)
{
	struct command_line c;
	struct options o;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		take(&c, SEND GUEST PSK " --verify", &o);
		assert_true(o.verify);
		options_free(&o);
		refuse(SEND GUEST PSK " --bogus", "--bogus");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(defaults_are_those_of_the_manual),
		cmocka_unit_test(every_word_of_a_sender_is_taken),
		cmocka_unit_test(every_choice_has_its_value),
		cmocka_unit_test(memory_files_have_names_and_parts),
		cmocka_unit_test(a_65th_memory_file_is_refused),
		cmocka_unit_test(the_mode_comes_first),
		cmocka_unit_test(words_that_are_missing_are_named),
		cmocka_unit_test(unknown_and_abbreviated_words_are_refused),
		cmocka_unit_test(words_given_twice_are_refused),
		cmocka_unit_test(words_that_exclude_each_other_are_refused),
		cmocka_unit_test(words_of_the_other_role_are_refused),
		cmocka_unit_test(what_a_later_release_brings_says_so),
		cmocka_unit_test(values_of_the_wrong_form_are_refused),
		cmocka_unit_test(addresses_must_fit_each_other),
		cmocka_unit_test(only_a_receiver_has_several_guests),
		cmocka_unit_test(help_and_version_need_nothing_else),
		cmocka_unit_test(parsing_twice_gives_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
