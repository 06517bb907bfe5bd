/* SPDX-License-Identifier: BSD-3-Clause */
#include "migc_parse.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/*
 * Digits of a base at *text, which is moved behind them. strtoull() is not used because it takes
 * blanks and signs, and turns -1 into a large number.
 */
static int parse_digits(const char **text, unsigned int base, uint64_t *out)
{
	const char *p = *text;
	uint64_t v = 0;
	int rc = 0;

	for (; (unsigned int)digit_value(*p) < base; p++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)digit_value(*p), &v))
			rc = -ERANGE;
	}
	if (p == *text)
		return -EINVAL;
	*text = p;
	*out = v;
	return rc;
}

int migc_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	unsigned int base = 10;
	uint64_t v;
	int rc;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	rc = parse_digits(&text, base, &v);
	if (rc == -EINVAL || *text)
		return -EINVAL;
	if (rc)
		return rc;
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

/* A decimal number and one of `suffixes`, each standing for one more factor of `unit`. */
static int parse_scaled(const char *text, const char *suffixes, uint64_t unit, uint64_t *out)
{
	uint64_t v;
	int rc = parse_digits(&text, 10, &v);

	if (rc == -EINVAL)
		return rc;
	if (*text) {
		char lower = (char)(*text | 0x20);
		const char *at = strchr(suffixes, lower);

		if (!at || text[1])
			return -EINVAL;
		for (const char *s = suffixes; s <= at; s++) {
			if (__builtin_mul_overflow(v, unit, &v))
				rc = -ERANGE;
		}
	}
	if (rc)
		return rc;
	*out = v;
	return 0;
}

int migc_parse_size(const char *text, uint64_t *bytes)
{
	return parse_scaled(text, "kmgt", 1024, bytes);
}

int migc_parse_rate(const char *text, uint64_t *bits_per_s)
{
	uint64_t v;
	int rc = parse_scaled(text, "kmg", 1000, &v);

	if (rc)
		return rc;
	if (!v)
		return -ERANGE;
	*bits_per_s = v;
	return 0;
}

/* A.B.C.D at *text, which is moved behind it. */
static int parse_ip_at(const char **text, uint32_t *ip)
{
	const char *p = *text;
	uint32_t v = 0;
	int rc = 0;

	for (int i = 0; i < 4; i++) {
		const char *start;
		uint64_t byte;
		int digits;

		if (i && *p++ != '.')
			return -EINVAL;
		start = p;
		digits = parse_digits(&p, 10, &byte);
		if (digits == -EINVAL)
			return digits;
		/* 010 is 8 to some and 10 to others: nobody's. */
		if (*start == '0' && p - start > 1)
			return -EINVAL;
		if (digits || byte > 255)
			rc = -ERANGE;
		v = v << 8 | (uint8_t)byte;
	}
	*text = p;
	*ip = v;
	return rc;
}

int migc_parse_ip(const char *text, uint32_t *ip)
{
	uint32_t v;
	int rc = parse_ip_at(&text, &v);

	if (rc == -EINVAL || *text)
		return -EINVAL;
	if (rc)
		return rc;
	*ip = v;
	return 0;
}

int migc_parse_prefix(const char *text, struct migc_prefix *out)
{
	uint64_t length;
	uint32_t ip;
	int rc = parse_ip_at(&text, &ip);
	int rc_length;

	if (rc == -EINVAL || *text++ != '/')
		return -EINVAL;
	rc_length = parse_digits(&text, 10, &length);
	if (rc_length == -EINVAL || *text)
		return -EINVAL;
	if (rc || rc_length || length > 32)
		return -ERANGE;
	out->ip = ip;
	out->length = (uint8_t)length;
	return 0;
}

int migc_parse_addr(const char *text, struct migc_addr *out)
{
	uint32_t ip;
	uint64_t port;
	int rc = parse_ip_at(&text, &ip);
	int rc_port;

	if (rc == -EINVAL)
		return rc;
	if (!*text) {
		if (!rc)
			out->ip = ip;
		return rc;
	}
	if (*text++ != ':')
		return -EINVAL;
	rc_port = parse_digits(&text, 10, &port);
	if (rc_port == -EINVAL || *text)
		return -EINVAL;
	if (rc || rc_port || port < 1 || port > UINT16_MAX)
		return -ERANGE;
	out->ip = ip;
	out->port = (uint16_t)port;
	return 0;
}

const char *migc_addr_text(const struct migc_addr *addr, char *out)
{
	unsigned int a = addr->ip >> 24, b = addr->ip >> 16 & 0xff, c = addr->ip >> 8 & 0xff,
		     d = addr->ip & 0xff;

	if (addr->port)
		snprintf(out, 22, "%u.%u.%u.%u:%u", a, b, c, d, (unsigned int)addr->port);
	else
		snprintf(out, 22, "%u.%u.%u.%u", a, b, c, d);
	return out;
}
