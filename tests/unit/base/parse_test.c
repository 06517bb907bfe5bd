/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "migc_parse.h"

struct number_case {
	const char *text;
	int rc;
	uint64_t value;
};

#define UNTOUCHED UINT64_C(77777)

static void check(int (*parse)(const char *, uint64_t *), const struct number_case *c, size_t cases)
{
	for (; cases--; c++) {
		uint64_t v = UNTOUCHED;
		int rc = parse(c->text, &v);

		if (rc != c->rc || v != (c->rc ? UNTOUCHED : c->value))
			fail_msg("'%s': %d, %llu", c->text, rc, (unsigned long long)v);
	}
}

static int parse_any(const char *text, uint64_t *out)
{
	return migc_parse_u64(text, 0, UINT64_MAX, out);
}

static int parse_1_to_100(const char *text, uint64_t *out)
{
	return migc_parse_u64(text, 1, 100, out);
}

static void numbers_are_decimal_or_0x_and_nothing_else(void **state)
{
	static const struct number_case any[] = {
		{"0", 0, 0},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"99999999999999999999999", -ERANGE, 0},
		{"0xffffffffffffffff", 0, UINT64_MAX},
		{"0x10000000000000000", -ERANGE, 0},
		{"0Xa", 0, 10},
		{"010", 0, 10},
		{"", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"1k", -EINVAL, 0},
		{"a", -EINVAL, 0},
		{"99999999999999999999999x", -EINVAL, 0},
	};
	static const struct number_case limited[] = {
		{"0", -ERANGE, 0}, {"1", 0, 1}, {"100", 0, 100}, {"101", -ERANGE, 0}};

	(void)state;
	check(parse_any, any, sizeof(any) / sizeof(any[0]));
	check(parse_1_to_100, limited, sizeof(limited) / sizeof(limited[0]));
}

static void sizes_take_suffixes_of_1024(void **state)
{
	static const struct number_case cases[] = {
		{"4096", 0, 4096},
		{"1K", 0, 1024},
		{"1k", 0, 1024},
		{"3M", 0, 3u << 20},
		{"2g", 0, UINT64_C(2) << 30},
		{"16777215T", 0, UINT64_C(16777215) << 40},
		{"16777216T", -ERANGE, 0},
		{"0", 0, 0},
		{"1P", -EINVAL, 0},
		{"1KB", -EINVAL, 0},
		{"K", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"1.5G", -EINVAL, 0},
		{"-1K", -EINVAL, 0},
		{"0x10", -EINVAL, 0},
	};

	(void)state;
	check(migc_parse_size, cases, sizeof(cases) / sizeof(cases[0]));
}

static void rates_take_suffixes_of_1000_and_are_not_zero(void **state)
{
	static const struct number_case cases[] = {
		{"1", 0, 1},
		{"10k", 0, 10000},
		{"10K", 0, 10000},
		{"100m", 0, 100000000},
		{"25G", 0, UINT64_C(25000000000)},
		{"0", -ERANGE, 0},
		{"0g", -ERANGE, 0},
		{"1t", -EINVAL, 0},
		{"99999999999g", -ERANGE, 0},
		{"fast", -EINVAL, 0},
	};

	(void)state;
	check(migc_parse_rate, cases, sizeof(cases) / sizeof(cases[0]));
}

static void ip_addresses_are_four_plain_bytes(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} bad[] = {
		{"1.2.3", -EINVAL},      {"1.2.3.4.5", -EINVAL},
		{"1.2.3.256", -ERANGE},  {"1.2.3.", -EINVAL},
		{"1..3.4", -EINVAL},     {"01.2.3.4", -EINVAL},
		{"1.2.3.4 ", -EINVAL},   {"-1.2.3.4", -EINVAL},
		{"", -EINVAL},           {"localhost", -EINVAL},
		{"1.2.3.4:80", -EINVAL}, {"99999999999999999999.2.3.4", -ERANGE},
	};
	uint32_t ip = 0;

	(void)state;
	assert_int_equal(migc_parse_ip("10.1.2.255", &ip), 0);
	assert_int_equal(ip, 0x0a0102ff);
	assert_int_equal(migc_parse_ip("0.0.0.0", &ip), 0);
	assert_int_equal(ip, 0);
	ip = 7;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(migc_parse_ip(bad[i].text, &ip), bad[i].rc);
		assert_int_equal(ip, 7);
	}
}

static void prefixes_have_an_address_and_a_length(void **state)
{
	static const char *const invalid[] = {"10.0.0.1",      "10.0.0.1/",    "/24",
					      "10.0.0.1/24/1", "10.0.0.1/x",   "10.0.0/24",
					      "10.0.0.1/ 24",  "10.0.0.1/+24", "10.0.0.1:24"};
	struct migc_prefix p = {0};

	(void)state;
	assert_int_equal(migc_parse_prefix("10.0.0.1/24", &p), 0);
	assert_int_equal(p.ip, 0x0a000001);
	assert_int_equal(p.length, 24);
	assert_int_equal(migc_parse_prefix("10.0.0.2/0", &p), 0);
	assert_int_equal(p.length, 0);
	assert_int_equal(migc_parse_prefix("10.0.0.3/32", &p), 0);
	assert_int_equal(p.length, 32);
	assert_int_equal(migc_parse_prefix("10.0.0.4/33", &p), -ERANGE);
	assert_int_equal(migc_parse_prefix("10.0.0.400/24", &p), -ERANGE);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		assert_int_equal(migc_parse_prefix(invalid[i], &p), -EINVAL);
	assert_int_equal(p.ip, 0x0a000003);
	assert_int_equal(p.length, 32);
}

static void addresses_keep_their_port_when_none_is_given(void **state)
{
	static const struct {
		const char *text;
		int rc;
	} bad[] = {
		{"10.0.0.9:", -EINVAL},   {"10.0.0.9:0", -ERANGE}, {"10.0.0.9:65536", -ERANGE},
		{"10.0.0.9:1x", -EINVAL}, {":4433", -EINVAL},      {"10.0.0.300", -ERANGE},
		{"10.0.0.9/24", -EINVAL},
	};
	struct migc_addr a = {.port = 4433};

	(void)state;
	assert_int_equal(migc_parse_addr("192.168.7.1", &a), 0);
	assert_int_equal(a.ip, 0xc0a80701);
	assert_int_equal(a.port, 4433);
	assert_int_equal(migc_parse_addr("192.168.7.2:65535", &a), 0);
	assert_int_equal(a.ip, 0xc0a80702);
	assert_int_equal(a.port, 65535);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(migc_parse_addr(bad[i].text, &a), bad[i].rc);
		assert_int_equal(a.ip, 0xc0a80702);
		assert_int_equal(a.port, 65535);
	}
}

static void address_text_parses_back(void **state)
{
	struct migc_addr longest = {.ip = UINT32_MAX, .port = UINT16_MAX};
	struct migc_addr bare = {.ip = 0x7f000001};
	struct migc_addr back = {0};
	char text[22];

	(void)state;
	assert_string_equal(migc_addr_text(&longest, text), "255.255.255.255:65535");
	assert_int_equal(migc_parse_addr(text, &back), 0);
	assert_int_equal(back.ip, longest.ip);
	assert_int_equal(back.port, longest.port);
	assert_string_equal(migc_addr_text(&bare, text), "127.0.0.1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_decimal_or_0x_and_nothing_else),
		cmocka_unit_test(sizes_take_suffixes_of_1024),
		cmocka_unit_test(rates_take_suffixes_of_1000_and_are_not_zero),
		cmocka_unit_test(ip_addresses_are_four_plain_bytes),
		cmocka_unit_test(prefixes_have_an_address_and_a_length),
		cmocka_unit_test(addresses_keep_their_port_when_none_is_given),
		cmocka_unit_test(address_text_parses_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
