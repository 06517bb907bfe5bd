/* SPDX-License-Identifier: BSD-3-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "migc_delta.h"
#include "migc_random.h"

static const char *const variants[] = {"scalar", "avx2", "avx512"};

#define VARIANTS (sizeof(variants) / sizeof(variants[0]))

/* Pages before and behind show writes that go past. */
struct guarded {
	uint8_t before[64], page[MIGC_PAGE_BYTES], behind[64];
};

static _Alignas(4096) struct guarded now, version, residue;
static _Alignas(4096) uint8_t old[MIGC_PAGE_BYTES], kept[MIGC_PAGE_BYTES];
static struct migc_random random;

static void fill(uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bytes[i] = (uint8_t)migc_random_next(&random);
}

static int set_up(void **state)
{
	(void)state;
	migc_random_seed(&random, 3);
	fill((uint8_t *)&now, sizeof(now));
	version = now;
	memset(&residue, 0x5a, sizeof(residue));
	return 0;
}

static void for_each_variant(void (*check)(migc_delta_update_fn update, migc_delta_apply_fn apply,
					   const char *name))
{
	for (size_t i = 0; i < VARIANTS; i++) {
		migc_delta_update_fn update = migc_delta_update_by_name(variants[i]);
		migc_delta_apply_fn apply = migc_delta_apply_by_name(variants[i]);

		assert_true((update == NULL) == (apply == NULL));
		if (update)
			check(update, apply, variants[i]);
		else
			print_message("this CPU does not run %s\n", variants[i]);
	}
}

static void require_guards(const struct guarded *g, const struct guarded *as)
{
	assert_memory_equal(g->before, as->before, sizeof(g->before));
	assert_memory_equal(g->behind, as->behind, sizeof(g->behind));
}

static void check_round_trip(migc_delta_update_fn update, migc_delta_apply_fn apply,
			     unsigned int words, const char *name)
{
	struct guarded was = version, residue_was = residue;
	uint8_t changed[MIGC_PAGE_WORDS] = {0};

	memcpy(old, version.page, sizeof(old));
	memcpy(now.page, old, sizeof(old));
	for (unsigned int i = 0; i < words;) {
		unsigned int word = (unsigned int)(migc_random_next(&random) % MIGC_PAGE_WORDS);
		unsigned int byte = (unsigned int)(migc_random_next(&random) % 8);

		if (changed[word])
			continue;
		changed[word] = 1;
		/* one bit, so that a variant that looks at too little of a word is found out */
		now.page[8 * word + byte] ^= (uint8_t)(1u << (migc_random_next(&random) % 8));
		i++;
	}
	memcpy(kept, now.page, sizeof(kept));
	if (update(now.page, version.page, residue.page) != words)
		fail_msg("%s: %u words changed, another number counted", name, words);
	assert_memory_equal(now.page, kept, sizeof(kept));
	assert_memory_equal(version.page, kept, sizeof(kept));
	for (size_t i = 0; i < sizeof(old); i++)
		assert_int_equal(residue.page[i], old[i] ^ kept[i]);
	require_guards(&version, &was);
	require_guards(&residue, &residue_was);
	was = now;
	memcpy(now.page, old, sizeof(old));
	apply(now.page, residue.page);
	assert_memory_equal(now.page, kept, sizeof(kept));
	require_guards(&now, &was);
}

static void check_numbers_of_words(migc_delta_update_fn update, migc_delta_apply_fn apply,
				   const char *name)
{
	for (unsigned int words = 0; words <= MIGC_PAGE_WORDS; words += words < 20 ? 1 : 41)
		check_round_trip(update, apply, words, name);
	check_round_trip(update, apply, MIGC_PAGE_WORDS, name);
}

static void the_residue_leads_from_the_old_page_to_the_new(void **state)
{
	(void)state;
	for_each_variant(check_numbers_of_words);
}

static void check_every_offset(migc_delta_update_fn update, migc_delta_apply_fn apply,
			       const char *name)
{
	memset(version.page, 0, MIGC_PAGE_BYTES);
	memset(now.page, 0, MIGC_PAGE_BYTES);
	for (size_t at = 0; at < MIGC_PAGE_BYTES; at++) {
		now.page[at] = 0x80;
		if (update(now.page, version.page, residue.page) != 1 || residue.page[at] != 0x80 ||
		    version.page[at] != 0x80)
			fail_msg("%s: byte %zu is not seen", name, at);
		memset(kept, 0, sizeof(kept));
		apply(kept, residue.page);
		assert_memory_equal(kept, now.page, MIGC_PAGE_BYTES);
		now.page[at] = 0;
		assert_int_equal(update(now.page, version.page, residue.page), 1);
	}
}

static void every_byte_counts(void **state)
{
	(void)state;
	for_each_variant(check_every_offset);
}

static void check_no_write(migc_delta_update_fn update, migc_delta_apply_fn apply, const char *name)
{
	uint8_t *page = mmap(NULL, MIGC_PAGE_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)update;
	(void)name;
	assert_true(page != MAP_FAILED);
	memset(residue.page, 0, MIGC_PAGE_BYTES);
	apply(page, residue.page);
	munmap(page, MIGC_PAGE_BYTES);
}

static void a_delta_of_nothing_writes_nothing(void **state)
{
	(void)state;
	for_each_variant(check_no_write);
}

struct guest {
	uint32_t stop;
	uint64_t beats;
};

static void *write_all_the_time(void *argument)
{
	struct guest *guest = argument;
	volatile uint64_t *word = (volatile uint64_t *)(void *)now.page;

	while (!__atomic_load_n(&guest->stop, __ATOMIC_RELAXED)) {
		for (unsigned int i = 0; i < MIGC_PAGE_WORDS; i++)
			word[i] += 0x0101010101010101;
		guest->beats++;
	}
	return NULL;
}

static void check_against_a_writer(migc_delta_update_fn update, migc_delta_apply_fn apply,
				   const char *name)
{
	for (unsigned int i = 0; i < 20000; i++) {
		memcpy(old, version.page, sizeof(old));
		update(now.page, version.page, residue.page);
		apply(old, residue.page);
		if (memcmp(old, version.page, sizeof(old)))
			fail_msg("%s: version and residue come from different reads", name);
	}
}

static void a_page_that_is_written_meanwhile_is_read_once(void **state)
{
	struct guest guest = {0};
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_all_the_time, &guest), 0);
	for_each_variant(check_against_a_writer);
	__atomic_store_n(&guest.stop, 1, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_true(guest.beats > 0);
}

static void the_chosen_functions_are_the_fastest_this_cpu_runs(void **state)
{
	migc_delta_update_fn update = NULL;
	migc_delta_apply_fn apply = NULL;

	(void)state;
	for (size_t i = 0; i < VARIANTS; i++) {
		if (migc_delta_update_by_name(variants[i])) {
			update = migc_delta_update_by_name(variants[i]);
			apply = migc_delta_apply_by_name(variants[i]);
		}
	}
	assert_true(migc_delta_update() == update);
	assert_true(migc_delta_apply() == apply);
	assert_true(migc_delta_update_by_name("scalar") == migc_delta_update_scalar);
	assert_true(migc_delta_apply_by_name("scalar") == migc_delta_apply_scalar);
	assert_true(migc_delta_update_by_name("sse9") == NULL);
	assert_true(migc_delta_apply_by_name("") == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_residue_leads_from_the_old_page_to_the_new, set_up),
		cmocka_unit_test_setup(every_byte_counts, set_up),
		cmocka_unit_test_setup(a_delta_of_nothing_writes_nothing, set_up),
		cmocka_unit_test_setup(a_page_that_is_written_meanwhile_is_read_once, set_up),
		cmocka_unit_test(the_chosen_functions_are_the_fastest_this_cpu_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
