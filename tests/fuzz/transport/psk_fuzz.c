/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pre-shared key files: what is taken has users with names and keys of allowed lengths, what is
 * refused is refused in words. Each file is read as a server's and as a client's.
 */
#include <string.h>

#include "../memory_file.h"
#include "credentials.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void require_user(const struct migc_credentials *credentials,
			 const struct migc_psk_user *user)
{
	size_t length = strnlen(user->name, sizeof(user->name));

	require(length > 0 && length < sizeof(user->name));
	require(!strpbrk(user->name, ":\r\n") && user->name[0] != '#');
	require(user->key_bytes >= MIGC_PSK_KEY_BYTES_MIN);
	require(user->key_bytes <= MIGC_PSK_KEY_BYTES_MAX);
	require(migc_credentials_psk_find(credentials, user->name) != NULL);
}

static void load(const char *path, bool server)
{
	struct migc_credentials *credentials = NULL;
	struct migc_error err = {0};
	int rc = migc_credentials_psk(path, server, &credentials, &err);

	if (rc != 0) {
		require(rc < 0 && err.code == rc && err.text[0] && credentials == NULL);
		return;
	}
	require(credentials->users_count >= 1 && (server || credentials->users_count == 1));
	for (unsigned int i = 0; i < credentials->users_count; i++)
		require_user(credentials, &credentials->users[i]);
	migc_credentials_free(credentials);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[MEMORY_FILE_PATH_BYTES];
	int fd = memory_file_make(data, size, path);

	load(path, true);
	load(path, false);
	close(fd);
	return 0;
}
