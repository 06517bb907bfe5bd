/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "../../unit/doctor/made_up_tree.h"
#include "spare_cpu.h"

/** Take a text as /proc/stat. @return what is spare then. */
static uint32_t after(struct spare_cpu *s, const char *text)
{
	FILE *stat = fmemopen((void *)(uintptr_t)text, strlen(text), "r");

	assert_non_null(stat);
	spare_cpu_read_stat(s, stat);
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
	s.ticks = true;
	return s;
}

/** The first two readings of ticks, which do not count, were before. */
static struct spare_cpu past_the_opening(unsigned int first, unsigned int count)
{
	struct spare_cpu s = of_cpus(first, count);

	s.readings = 2;
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
	struct spare_cpu s = past_the_opening(0, 1);

	(void)state;
	after(&s, "cpu  1 1 1 1 1 1 1 1\ncpu0 100 100 100 100 100 100 100 100 0 0\n");
	/* of 80 ticks: idle 20, iowait 20 */
	assert_int_equal(after(&s, "cpu0 110 105 110 120 120 110 100 105 0 0\n"), 500);
}

static void the_first_two_say_nothing_four_count_together_and_then_each_for_a_quarter(void **state)
{
	struct spare_cpu s = of_cpus(0, 1);

	(void)state;
	after(&s, "cpu0 100 0 0 0 0 0 0 0 0 0\n");
	assert_int_equal(after(&s, "cpu0 100 0 0 100 0 0 0 0 0 0\n"), 0);
	assert_int_equal(after(&s, "cpu0 150 0 0 150 0 0 0 0 0 0\n"), 0);
	assert_int_equal(after(&s, "cpu0 200 0 0 150 0 0 0 0 0 0\n"), 0);
	assert_int_equal(after(&s, "cpu0 200 0 0 200 0 0 0 0 0 0\n"), 500);
	assert_int_equal(after(&s, "cpu0 250 0 0 200 0 0 0 0 0 0\n"), 333);
	assert_int_equal(after(&s, "cpu0 250 0 0 250 0 0 0 0 0 0\n"), 500);
	assert_int_equal(after(&s, "cpu0 350 0 0 250 0 0 0 0 0 0\n"), 375);
	assert_int_equal(after(&s, "cpu0 350 0 0 350 0 0 0 0 0 0\n"), 531);
}

static void only_the_cpus_asked_for_count(void **state)
{
	struct spare_cpu s = past_the_opening(1, 2);

	(void)state;
	after(&s, "cpu0 0 0 0 0 0 0 0 0\ncpu1 1 0 0 0 0 0 0 0\ncpu2 1 0 0 0 0 0 0 0\n");
	assert_int_equal(after(&s, "cpu0 0 0 0 90 0 0 0 0\ncpu1 51 0 0 50 0 0 0 0\n"
				   "cpu2 101 0 0 0 0 0 0 0\ncpu12 0 0 0 99 0 0 0 0\nintr 7\n"),
			 250);
}

static int make_tree(void **state)
{
	static struct made_up_tree tree;

	made_up_tree_make(&tree);
	*state = &tree;
	return 0;
}

static int remove_tree(void **state)
{
	made_up_tree_remove(*state);
	return 0;
}

static void write_idle(struct made_up_tree *tree, unsigned int cpu, unsigned int idle_state,
		       const char *us)
{
	made_up_tree_write(tree, us, "/cpus/cpu%u/cpuidle/state%u/time", cpu, idle_state);
}

static void cpuidle_counts_all_states_of_the_cpus_and_half_of_each_reading(void **state)
{
	struct made_up_tree *tree = *state;
	struct spare_cpu s = of_cpus(1, 2);
	char directory[128];

	s.ticks = false;
	snprintf(directory, sizeof(directory), "%s/cpus", tree->root);
	assert_int_equal(spare_cpu_read_idle(&s, directory, 1000000), -ENOENT);
	write_idle(tree, 0, 0, "77777");
	write_idle(tree, 1, 0, "100");
	write_idle(tree, 1, 1, "100");
	/* a CPU has no idle states, and what it does is not known */
	assert_int_equal(spare_cpu_read_idle(&s, directory, 1000000), -ENOENT);
	write_idle(tree, 2, 0, "200");
	assert_int_equal(spare_cpu_read_idle(&s, directory, 1000000), 0);
	assert_int_equal(s.per_mille, 0);
	/* of twice 20 ms 5, 10 and 5 */
	write_idle(tree, 1, 0, "5100");
	write_idle(tree, 1, 1, "10100");
	write_idle(tree, 2, 0, "5200");
	assert_int_equal(spare_cpu_read_idle(&s, directory, 21000000), 0);
	assert_int_equal(s.per_mille, 500);
	assert_int_equal(spare_cpu_read_idle(&s, directory, 41000000), 0);
	assert_int_equal(s.per_mille, 250);
	/* a state that was left after a reading counts for the next: no more than all of it */
	write_idle(tree, 2, 0, "100000");
	assert_int_equal(spare_cpu_read_idle(&s, directory, 61000000), 0);
	assert_int_equal(s.per_mille, 625);
}

static void readings_are_rarer_with_many_cpus_and_with_ticks(void **state)
{
	struct spare_cpu few = of_cpus(0, 2), many = of_cpus(0, 32);

	(void)state;
	assert_int_equal(spare_cpu_period_ns(&few), 20000000);
	after(&few, "cpu0 1 0 0 1 0 0 0 0\n");
	after(&few, "cpu0 2 0 0 2 0 0 0 0\n");
	assert_int_equal(spare_cpu_period_ns(&few), 50000000);
	few.ticks = many.ticks = false;
	assert_int_equal(spare_cpu_period_ns(&few), 20000000);
	assert_int_equal(spare_cpu_period_ns(&many), 180000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_reading_says_nothing),
		cmocka_unit_test(idle_and_waiting_time_is_spare_the_rest_is_not),
		cmocka_unit_test(
			the_first_two_say_nothing_four_count_together_and_then_each_for_a_quarter),
		cmocka_unit_test(only_the_cpus_asked_for_count),
		cmocka_unit_test_setup_teardown(
			cpuidle_counts_all_states_of_the_cpus_and_half_of_each_reading, make_tree,
			remove_tree),
		cmocka_unit_test(readings_are_rarer_with_many_cpus_and_with_ticks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
