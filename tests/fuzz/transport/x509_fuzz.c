/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A directory of certificates: the four files of a client one after the other, each behind its
 * length (two bytes): ca-cert.pem, ca-crl.pem, client-cert.pem, client-key.pem. A length of 0xffff
 * leaves the file out. What is refused is refused in words. It is always 2026-01-01 here.
 */
#include <gnutls/gnutls.h>
#include <string.h>

#include "../memory_file.h"
#include "migc_cursor.h"
#include "migc_transport.h"

#define FILES 4u
#define ABSENT 0xffffu

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[FILES] = {"ca-cert.pem", "ca-crl.pem", "client-cert.pem",
					 "client-key.pem"};
static char directory[] = "/tmp/migc-x509-fuzz-XXXXXX";

static time_t one_day(time_t *out)
{
	if (out)
		*out = 1767225600;
	return 1767225600;
}

static void remove_directory(void)
{
	rmdir(directory);
}

static void set_up(void)
{
	if (mkdtemp(directory) == NULL || atexit(remove_directory) != 0)
		abort();
	gnutls_global_set_time_function(one_day);
}

/** @return a descriptor; -1: the file is left out. */
static int make_file(struct migc_reader *r, const char *path)
{
	char target[MEMORY_FILE_PATH_BYTES];
	size_t length = migc_read_u16(r);
	int fd;

	if (length == ABSENT)
		return -1;
	if (length > migc_reader_left(r))
		length = migc_reader_left(r);
	fd = memory_file_make(migc_read_bytes(r, length), length, target);
	if (symlink(target, path) != 0)
		abort();
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct migc_credentials *credentials = NULL;
	char path[FILES][sizeof(directory) + 16];
	struct migc_error err = {0};
	struct migc_reader r;
	int fd[FILES], rc;

	if (!ready)
		set_up();
	ready = true;
	migc_reader_init(&r, data, size);
	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s", directory, names[i]);
		fd[i] = make_file(&r, path[i]);
	}
	rc = migc_credentials_x509(directory, false, &credentials, &err);
	if (rc > 0 || (rc == 0) != (credentials != NULL) || (rc < 0 && !err.text[0]))
		abort();
	migc_credentials_free(credentials);
	for (unsigned int i = 0; i < FILES; i++) {
		if (fd[i] < 0)
			continue;
		unlink(path[i]);
		close(fd[i]);
	}
	return 0;
}
