/* SPDX-License-Identifier: BSD-3-Clause */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "seqlock.h"

#define WORDS 301u
#if defined(__SANITIZE_THREAD__)
#define WRITES 3000u /* each access costs more */
#else
#define WRITES 200000u
#endif

struct value {
	uint32_t word[WORDS]; /**< all the same */
};

static struct {
	struct value value;
	uint32_t sequence;
} shared;

static void set(struct value *value, uint32_t to)
{
	for (unsigned int i = 0; i < WORDS; i++)
		value->word[i] = to;
}

static void what_is_read_is_what_was_written(void **state)
{
	struct value in, out;

	(void)state;
	set(&in, 7);
	seqlock_write(&shared.sequence, &shared.value, &in, sizeof(in));
	seqlock_read(&shared.sequence, &out, &shared.value, sizeof(out));
	assert_memory_equal(&in, &out, sizeof(in));
	assert_int_equal(shared.sequence, 2);
	set(&in, 0);
	seqlock_write(&shared.sequence, &shared.value, &in, sizeof(in));
}

static void *write_all(void *arg)
{
	struct value value;

	(void)arg;
	for (uint32_t i = 1; i <= WRITES; i++) {
		set(&value, i);
		seqlock_write(&shared.sequence, &shared.value, &value, sizeof(value));
	}
	return NULL;
}

static void readers_see_whole_values_each_newer_than_the_last(void **state)
{
	uint32_t last = 0, torn = 0, older = 0;
	struct value value;
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_all, NULL), 0);
	while (last < WRITES) {
		seqlock_read(&shared.sequence, &value, &shared.value, sizeof(value));
		for (unsigned int i = 1; i < WORDS; i++)
			torn += value.word[i] != value.word[0];
		older += value.word[0] < last;
		last = value.word[0];
	}
	pthread_join(writer, NULL);
	assert_int_equal(torn, 0);
	assert_int_equal(older, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_read_is_what_was_written),
		cmocka_unit_test(readers_see_whole_values_each_newer_than_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
