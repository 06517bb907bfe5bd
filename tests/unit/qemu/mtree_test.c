/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mtree.h"

/** As QEMU 7.2 says it of a guest with 4 GiB and a DIMM. */
static const char text[] =
	"FlatView #0\r\n"
	" AS \"memory\", root: system\r\n"
	" Root memory region: system\r\n"
	"  0000000000000000-000000000009ffff (prio 0, ram): ram0\r\n"
	"  00000000000a0000-00000000000bffff (prio 1, i/o): vga-lowmem\r\n"
	"  00000000000c0000-00000000000cafff (prio 0, rom): ram0 @00000000000c0000\r\n"
	"  0000000000100000-00000000bfffffff (prio 0, ram): ram0 @0000000000100000 KVM\r\n"
	"  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\r\n"
	"  0000000100000000-000000013fffffff (prio 0, ram): ram0 @00000000c0000000\r\n"
	"  0000000140000000-000000014fffffff (prio 0, ram): dimm0 KVM\n"
	"\r\n";

static void every_range_is_read(void **state)
{
	static const struct mtree_range expected[] = {
		{0, 0x9ffff, 0, "ram0", true},
		{0xa0000, 0xbffff, 0, "vga-lowmem", false},
		{0xc0000, 0xcafff, 0xc0000, "ram0", false},
		{0x100000, 0xbfffffff, 0x100000, "ram0", true},
		{0xfffc0000, 0xffffffff, 0, "pc.bios", false},
		{0x100000000, 0x13fffffff, 0xc0000000, "ram0", true},
		{0x140000000, 0x14fffffff, 0, "dimm0", true},
	};
	const char *at = text;
	struct mtree_range range;

	(void)state;
	for (unsigned int i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_true(mtree_next(&at, &range));
		assert_int_equal(range.first, expected[i].first);
		assert_int_equal(range.last, expected[i].last);
		assert_int_equal(range.offset, expected[i].offset);
		assert_string_equal(range.name, expected[i].name);
		assert_int_equal(range.ram, expected[i].ram);
	}
	assert_false(mtree_next(&at, &range));
}

static void lines_that_are_no_ranges_are_passed_over(void **state)
{
	static const char *const bad[] = {
		"",
		"\n\n\n",
		"No rendered FlatView\n",
		"0000-00ff (prio 0 ram): x\n",
		"0000-00ff (prio 0, ram):\n",
		"0000-00ff (prio 0, ): x\n",
		"00zz-00ff (prio 0, ram): x\n",
		"0000-00ff (prio 0, a kind whose name is longer than thirty-one letters): x\n",
	};
	struct mtree_range range;

	(void)state;
	for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *at = bad[i];

		assert_false(mtree_next(&at, &range));
	}
}

static void a_name_that_is_too_long_is_passed_over(void **state)
{
	char line[700] = "  0000-00ff (prio 0, ram): ";
	struct mtree_range range;
	const char *at = line;

	(void)state;
	memset(line + strlen(line), 'n', 200);
	assert_false(mtree_next(&at, &range));
	memset(line + 30, 'n', 660);
	at = line;
	assert_false(mtree_next(&at, &range));
}

static void no_truncation_reads_beyond_its_end(void **state)
{
	char copy[sizeof(text)];
	struct mtree_range range;

	(void)state;
	for (size_t length = 0; length < sizeof(text); length++) {
		const char *at = copy;

		memcpy(copy, text, length);
		copy[length] = '\0';
		while (mtree_next(&at, &range))
			assert_true(strlen(range.name) > 0);
		assert_ptr_equal(at, copy + length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_range_is_read),
		cmocka_unit_test(lines_that_are_no_ranges_are_passed_over),
		cmocka_unit_test(a_name_that_is_too_long_is_passed_over),
		cmocka_unit_test(no_truncation_reads_beyond_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
