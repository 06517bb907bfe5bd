/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "spare_cpu.h"

/** Take a text as /proc/stat. @return what is spare then. */
static uint32_t after(struct spare_cpu *s, const char *text)
{
	FILE *stat = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(stat);
	spare_cpu_read(s, stat);
	fclose(stat);
	return s->per_mille;
}

static struct spare_cpu of_cpus(unsigned int first, unsigned int count)
{
	struct spare_cpu s;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	for (unsigned int i = 0; i < count; i++)
		CPU_SET(first + i, &cpus);
	spare_cpu_init(&s, &cpus);
	return s;
}

static void one_reading_says_nothing(void **state)
{
	struct spare_cpu s = of_cpus(0, 1);

	(void)state;
	assert_int_equal(s.per_mille, 0);
	assert_int_equal(after(&s, "cpu0 900 0 0 100 0 0 0 0 0 0\n"), 0);
}

static void idle_and_waiting_time_is_spare_the_rest_is_not(void **state)
{
	struct spare_cpu s = of_cpus(0, 1);

	(void)state;
	after(&s, "cpu  1 1 1 1 1 1 1 1\ncpu0 100 100 100 100 100 100 100 100 0 0\n");
	/* of 80 ticks: idle 20, iowait 20 */
	assert_int_equal(after(&s, "cpu0 110 105 110 120 120 110 100 105 0 0\n"), 500);
}

static void four_readings_count_together_and_then_each_for_a_quarter(void **state)
{
	struct spare_cpu s = of_cpus(0, 1);

	(void)state;
	after(&s, "cpu0 100 0 0 100 0 0 0 0 0 0\n");
	assert_int_equal(after(&s, "cpu0 100 0 0 200 0 0 0 0 0 0\n"), 1000);
	assert_int_equal(after(&s, "cpu0 200 0 0 200 0 0 0 0 0 0\n"), 500);
	assert_int_equal(after(&s, "cpu0 300 0 0 200 0 0 0 0 0 0\n"), 333);
	assert_int_equal(after(&s, "cpu0 300 0 0 300 0 0 0 0 0 0\n"), 500);
	assert_int_equal(after(&s, "cpu0 400 0 0 300 0 0 0 0 0 0\n"), 375);
	assert_int_equal(after(&s, "cpu0 400 0 0 400 0 0 0 0 0 0\n"), 531);
}

static void only_the_cpus_asked_for_count(void **state)
{
	struct spare_cpu s = of_cpus(1, 2);

	(void)state;
	after(&s, "cpu0 0 0 0 0 0 0 0 0\ncpu1 1 0 0 0 0 0 0 0\ncpu2 1 0 0 0 0 0 0 0\n");
	assert_int_equal(after(&s, "cpu0 0 0 0 90 0 0 0 0\ncpu1 51 0 0 50 0 0 0 0\n"
				   "cpu2 101 0 0 0 0 0 0 0\ncpu12 0 0 0 99 0 0 0 0\nintr 7\n"),
			 250);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reading_says_nothing),
		cmocka_unit_test(idle_and_waiting_time_is_spare_the_rest_is_not),
		cmocka_unit_test(four_readings_count_together_and_then_each_for_a_quarter),
		cmocka_unit_test(only_the_cpus_asked_for_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
