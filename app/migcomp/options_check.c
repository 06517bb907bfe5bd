/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stddef.h>

#include "options_words.h"

/* What only the sender decides; given to a receiver they would do nothing. */
static const enum word send_only[] = {
	WORD_CONNECT,       WORD_TLS_HOSTNAME, WORD_CODEC,          WORD_LEVEL,
	WORD_DELTA_CACHE,   WORD_HUFFMAN,      WORD_DIRTY,          WORD_DOWNTIME_LIMIT,
	WORD_MAX_BANDWIDTH, WORD_TIMEOUT,      WORD_TIMEOUT_ACTION, WORD_THROTTLE,
	WORD_VERIFY,        WORD_PAUSE,        WORD_GUEST_READ,
};

static int check_role(const struct options_parse *p)
{
	const struct options *o = p->out;

	if (o->source && options_seen(p, WORD_PORT))
		return migc_error_set(
			p->err, -EINVAL,
			"--port is the receiver's: a sender says --connect ADDR:PORT");
	for (size_t i = 0; !o->source && i < sizeof(send_only) / sizeof(send_only[0]); i++) {
		if (options_seen(p, send_only[i]))
			return migc_error_set(p->err, -EINVAL,
					      "--%s is the sender's: leave it out with recv",
					      options_words[send_only[i]].name);
	}
	if (o->source && !options_seen(p, WORD_CONNECT))
		return migc_error_set(p->err, -EINVAL,
				      "--connect is missing: say where the receiver listens, "
				      "--connect ADDR[:PORT]");
	return 0;
}

static int check_guest(const struct options_parse *p)
{
	const struct options *o = p->out;

	if (o->source && o->guest_count > 1)
		return migc_error_set(
			p->err, -EINVAL,
			"--qmp is given twice: a sender sends one guest, so start one "
			"for each");
	if (o->guest_count && o->mem_count)
		return migc_error_set(p->err, -EINVAL,
				      "--qmp and --mem exclude each other: a QEMU has its memory "
				      "found through --qmp, plain files need no QEMU");
	if (!o->guest_count && !o->mem_count)
		return migc_error_set(p->err, -EINVAL,
				      "no guest: give --qmp PATH (QEMU's QMP socket) or --mem "
				      "NAME=FILE");
	return 0;
}

static int check_security(const struct options_parse *p)
{
	const struct options *o = p->out;
	int ways = (o->tls_creds != NULL) + (o->psk != NULL) + o->insecure;

	if (!ways)
		return migc_error_set(p->err, -EINVAL,
				      "no way to authenticate the peer: give --tls-creds DIR or "
				      "--psk FILE, or --insecure to do without");
	if (ways > 1)
		return migc_error_set(p->err, -EINVAL,
				      "--tls-creds, --psk and --insecure exclude each other: give "
				      "one of them");
	if (o->tls_hostname && !o->tls_creds)
		return migc_error_set(
			p->err, -EINVAL,
			"--tls-hostname needs --tls-creds: there is no certificate to "
			"compare it with");
	return 0;
}

static bool on_link(const struct migc_prefix *prefix, uint32_t ip)
{
	uint32_t mask = UINT32_MAX << (32 - prefix->length);

	return (prefix->ip & mask) == (ip & mask);
}

static int check_network(const struct options_parse *p)
{
	const struct options *o = p->out;

	if (!options_seen(p, WORD_IP))
		return migc_error_set(
			p->err, -EINVAL,
			"--ip is missing: give this end an address, --ip ADDR/LEN (it "
			"is not the kernel's, so nobody else may have it)");
	if (o->gateway && (!on_link(&o->ip, o->gateway) || o->gateway == o->ip.ip))
		return migc_error_set(p->err, -EINVAL,
				      "--gateway must be another address of the network of --ip");
	if (o->source && o->connect.ip == o->ip.ip)
		return migc_error_set(
			p->err, -EINVAL,
			"--connect and --ip are the same address: --ip is this end's, "
			"--connect the receiver's");
	if (o->source && !o->gateway && !on_link(&o->ip, o->connect.ip))
		return migc_error_set(p->err, -EINVAL,
				      "the receiver is not in the network of --ip: give --gateway "
				      "ADDR");
	return 0;
}

/** What there is to set of each codec. */
static int check_codec(const struct options_parse *p)
{
	static const enum word of_compression[] = {WORD_LEVEL, WORD_HUFFMAN, WORD_COMPRESSDEV,
						   WORD_DELTA_CACHE};
	static const struct {
		const char *is;
		bool takes[4];
		int level_max;
	} codecs[] = {
		[OPTIONS_CODEC_AUTO] = {"auto has these", {true, true, true, true}, 9},
		[OPTIONS_CODEC_RAW] = {"raw compresses nothing", {false, false, false, false}, 0},
		[OPTIONS_CODEC_DEFLATE] = {"deflate has these", {true, true, true, true}, 9},
		[OPTIONS_CODEC_LZ4] = {"lz4 has no settings", {false, false, false, true}, 0},
		[OPTIONS_CODEC_ZSTD] = {"zstd has levels only", {true, false, false, true}, 19},
	};
	const struct options *o = p->out;

	for (size_t i = 0; i < sizeof(of_compression) / sizeof(of_compression[0]); i++) {
		if (!codecs[o->codec].takes[i] && options_seen(p, of_compression[i]))
			return migc_error_set(p->err, -EINVAL, "--codec %s: leave out --%s",
					      codecs[o->codec].is,
					      options_words[of_compression[i]].name);
	}
	if (options_seen(p, WORD_LEVEL) && o->level > codecs[o->codec].level_max)
		return migc_error_set(
			p->err, -EINVAL,
			"--level: '%d' is not a number from 1 to %d (--codec zstd: to "
			"%d)",
			o->level, codecs[o->codec].level_max, codecs[OPTIONS_CODEC_ZSTD].level_max);
	return 0;
}

static int check_rest(const struct options_parse *p)
{
	const struct options *o = p->out;

	if (options_seen(p, WORD_TIMEOUT_ACTION) && !o->settings.timeout_s)
		return migc_error_set(p->err, -EINVAL,
				      "--timeout-action needs --timeout S: without it there is no "
				      "timeout");
	return check_codec(p);
}

int options_check(const struct options_parse *p)
{
	if (check_role(p) || check_guest(p) || check_security(p) || check_network(p) ||
	    check_rest(p))
		return -EINVAL;
	return 0;
}
