/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs a fuzz target over files, so that a plain `meson test` replays each corpus without
 * libFuzzer:
 *
 *     replay [PATH...] [-m COUNT PATH...]
 *
 * PATH is a file, or a directory whose files are taken (not its subdirectories). After -m each
 * input is followed by all its truncations and by COUNT changed copies, the same ones every time.
 * The target says that something is wrong by abort(); the name of the input is printed before. A
 * run without any input fails: an empty corpus proves nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "migc_random.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/** A target may have it: what is made once. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

#define INPUT_BYTES_MAX (1u << 20)

struct replay {
	unsigned int changes; /* changed copies of each input */
	unsigned int inputs;
	uint8_t *bytes;
};

/* Names the input a crash belongs to; written only by the one thread there is. */
static char current_input[4096];

static void on_abort(int signal_number)
{
	static const char before[] = "target failed on: ";
	ssize_t ignored = write(STDERR_FILENO, before, sizeof(before) - 1);

	ignored = write(STDERR_FILENO, current_input, strlen(current_input));
	ignored = write(STDERR_FILENO, "\n", 1);
	(void)ignored;
	signal(signal_number, SIG_DFL);
	raise(signal_number);
}

/* The copy is exactly as long as the input: a sanitizer sees every read behind its end. */
static void run_one(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void run_changed(const struct replay *r, const uint8_t *data, size_t size)
{
	struct migc_random random;
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	migc_random_seed(&random, size);
	for (unsigned int i = 0; i < r->changes && size; i++) {
		unsigned int bytes = 1 + (unsigned int)(migc_random_next(&random) % 4);

		memcpy(copy, data, size);
		while (bytes--) {
			uint64_t at = migc_random_next(&random) % size;

			if (migc_random_next(&random) & 1)
				copy[at] ^= (uint8_t)(1u << migc_random_next(&random) % 8);
			else
				copy[at] = (uint8_t)migc_random_next(&random);
		}
		run_one(copy, size);
	}
	free(copy);
}

static int say_errno(const char *path)
{
	int code = errno;

	fprintf(stderr, "%s: %s\n", path, strerror(code));
	return -code;
}

static int run_file(struct replay *r, const char *path)
{
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file)
		return say_errno(path);
	size = fread(r->bytes, 1, INPUT_BYTES_MAX, file);
	if (ferror(file)) {
		fprintf(stderr, "%s: cannot be read\n", path);
		fclose(file);
		return -EIO;
	}
	fclose(file);
	snprintf(current_input, sizeof(current_input), "%s", path);
	r->inputs++;
	run_one(r->bytes, size);
	if (r->changes) {
		for (size_t i = 0; i < size; i++)
			run_one(r->bytes, i);
		run_changed(r, r->bytes, size);
	}
	return 0;
}

static int run_path(struct replay *r, const char *path)
{
	struct dirent **entry = NULL;
	struct stat st;
	int entries, rc = 0;

	if (stat(path, &st))
		return say_errno(path);
	if (!S_ISDIR(st.st_mode))
		return run_file(r, path);
	entries = scandir(path, &entry, NULL, alphasort);
	if (entries < 0)
		return say_errno(path);
	for (int i = 0; i < entries; i++) {
		char name[4096];

		if (!rc && entry[i]->d_name[0] != '.') {
			snprintf(name, sizeof(name), "%s/%s", path, entry[i]->d_name);
			if (!stat(name, &st) && S_ISREG(st.st_mode))
				rc = run_file(r, name);
		}
		free(entry[i]);
	}
	free(entry);
	return rc;
}

int main(int argc, char **argv)
{
	struct replay r = {0};
	int rc = 0;

	signal(SIGABRT, on_abort);
	if (LLVMFuzzerInitialize && LLVMFuzzerInitialize(&argc, &argv) != 0)
		return EXIT_FAILURE;
	r.bytes = malloc(INPUT_BYTES_MAX);
	if (!r.bytes)
		return EXIT_FAILURE;
	for (int i = 1; i < argc && !rc; i++) {
		if (!strcmp(argv[i], "-m") && i + 1 < argc)
			r.changes = (unsigned int)strtoul(argv[++i], NULL, 10);
		else
			rc = run_path(&r, argv[i]);
	}
	free(r.bytes);
	if (!rc && !r.inputs) {
		fprintf(stderr, "no input: nothing was tested\n");
		rc = -ENOENT;
	}
	if (!rc)
		printf("%u inputs\n", r.inputs);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
