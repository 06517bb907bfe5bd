/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_eal.h>

#include "migc_codec.h"

/** @file Software devices that EAL was not told of: the codec makes them, as often as asked. */

static struct migc_codec_devices *open_device(const char *driver, bool compress)
{
	struct migc_codec_devices_config config = {
		.codecs = 1u << MIGC_CODEC_DEFLATE,
		.request = {.compress = compress, .level = 1},
		.workers = 1,
		.compressdev = driver,
		.no_fallback = true,
	};
	struct migc_codec_devices *devices;
	struct migc_error err = {0};

	if (migc_codec_devices_open(&config, &devices, &err) != 0)
		fail_msg("%s", err.text);
	return devices;
}

static void a_device_that_was_closed_can_be_opened_again(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		migc_codec_devices_close(open_device("compress_isal", i & 1));
		migc_codec_devices_close(open_device("compress_zlib", i & 1));
	}
}

static void closing_one_device_leaves_the_other(void **state)
{
	struct migc_codec_devices *isal = open_device("compress_isal", true);
	struct migc_codec_devices *zlib = open_device("compress_zlib", false);

	(void)state;
	migc_codec_devices_close(isal);
	assert_string_equal(migc_codec_device_name(zlib, 0), "compress_zlib");
	isal = open_device("compress_isal", true);
	migc_codec_devices_close(zlib);
	migc_codec_devices_close(isal);
}

int main(void)
{
	int failed;
	const char *arguments[] = {"devices_reopen_test",
				   "--no-huge",
				   "-m",
				   "64",
				   "--no-pci",
				   "--iova-mode=va",
				   "--no-telemetry",
				   "--no-shconf",
				   "--log-level=3",
				   "-l",
				   "0"};
	char *argv[sizeof(arguments) / sizeof(arguments[0])];
	char *copies[sizeof(argv) / sizeof(argv[0])];
	const int argc = (int)(sizeof(argv) / sizeof(argv[0]));
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_was_closed_can_be_opened_again),
		cmocka_unit_test(closing_one_device_leaves_the_other),
	};

	for (int i = 0; i < argc; i++)
		argv[i] = copies[i] = strdup(arguments[i]);
	if (rte_eal_init(argc, argv) < 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	/* EAL has put argv into its own order */
	for (int i = 0; i < argc; i++)
		free(copies[i]);
	return failed;
}
