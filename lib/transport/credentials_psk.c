/* SPDX-License-Identifier: BSD-3-Clause */
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tls_session.h"

#define USERS_MAX 1024u
/* The longest line: user, colon, key in hexadecimal, newline, NUL. */
#define LINE_BYTES (MIGC_PSK_USER_BYTES + 2 * MIGC_PSK_KEY_BYTES_MAX + 3)

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

static int parse_key(const char *hex, struct migc_psk_user *user)
{
	size_t digits = strlen(hex);
	size_t i;

	if (digits % 2 || digits < 2 * MIGC_PSK_KEY_BYTES_MIN ||
	    digits > 2 * MIGC_PSK_KEY_BYTES_MAX)
		return -EINVAL;
	for (i = 0; i < digits; i += 2) {
		int high = hex_digit(hex[i]);
		int low = hex_digit(hex[i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		user->key[i / 2] = (uint8_t)(high << 4 | low);
	}
	user->key_bytes = (unsigned int)(digits / 2);
	return 0;
}

/* @return 0, or -EINVAL with a message that never shows the key. */
static int parse_line(const char *file, unsigned int number, char *line, struct migc_psk_user *user,
		      struct migc_error *err)
{
	char *colon = strchr(line, ':');
	size_t length;

	/* psktool writes a name that is not text as # and hexadecimal digits. */
	if (line[0] == '#')
		return migc_error_set(err, -EINVAL,
				      "%s:%u: user names in hexadecimal are not taken", file,
				      number);
	if (!colon || colon == line)
		return migc_error_set(err, -EINVAL, "%s:%u: not of the form user:hexkey", file,
				      number);
	length = (size_t)(colon - line);
	if (length >= sizeof(user->name))
		return migc_error_set(err, -EINVAL, "%s:%u: the user name is longer than %zu bytes",
				      file, number, sizeof(user->name) - 1);
	memcpy(user->name, line, length);
	user->name[length] = '\0';
	if (parse_key(colon + 1, user) < 0)
		return migc_error_set(err, -EINVAL,
				      "%s:%u: the key is not %u to %u bytes in hexadecimal", file,
				      number, MIGC_PSK_KEY_BYTES_MIN, MIGC_PSK_KEY_BYTES_MAX);
	return 0;
}

static int add_user(struct migc_credentials *credentials, const struct migc_psk_user *user)
{
	size_t bytes = (credentials->users_count + 1) * sizeof(*user);
	struct migc_psk_user *grown;

	/* Not realloc(): it would leave keys behind in memory that is not ours any more. */
	grown = malloc(bytes);
	if (!grown)
		return -ENOMEM;
	if (credentials->users) {
		memcpy(grown, credentials->users, bytes - sizeof(*user));
		gnutls_memset(credentials->users, 0, bytes - sizeof(*user));
		free(credentials->users);
	}
	grown[credentials->users_count++] = *user;
	credentials->users = grown;
	return 0;
}

static int read_users(const char *file, FILE *stream, struct migc_credentials *credentials,
		      struct migc_error *err)
{
	unsigned int users_max = credentials->server ? USERS_MAX : 1;
	struct migc_psk_user user = {0};
	char line[LINE_BYTES];
	unsigned int number = 0;
	int rc = 0;

	while (rc == 0 && credentials->users_count < users_max &&
	       fgets(line, sizeof(line), stream)) {
		size_t length = strcspn(line, "\r\n");

		number++;
		if (!line[length] && !feof(stream)) {
			rc = migc_error_set(err, -EINVAL, "%s:%u: the line is too long", file,
					    number);
			break;
		}
		line[length] = '\0';
		if (!length)
			continue;
		rc = parse_line(file, number, line, &user, err);
		if (rc == 0 && add_user(credentials, &user) < 0)
			rc = migc_error_set(err, -ENOMEM, "no memory for the keys of %s", file);
	}
	gnutls_memset(line, 0, sizeof(line));
	gnutls_memset(&user, 0, sizeof(user));
	if (rc == 0 && !credentials->users_count)
		rc = migc_error_set(err, -EINVAL, "%s: no user:hexkey line in it", file);
	return rc;
}

static int load_users(const char *file, struct migc_credentials *credentials,
		      struct migc_error *err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct stat status;
	FILE *stream;
	int rc;

	if (fd < 0) {
		rc = -errno;
		return migc_error_set(err, rc == -EACCES ? -EACCES : -ENOENT,
				      "cannot read the pre-shared key file %s: %s", file,
				      strerror(-rc));
	}
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		rc = migc_error_set(err, -EINVAL, "%s: not a regular file", file);
		goto close_fd;
	}
	if (status.st_mode & (S_IRWXG | S_IRWXO)) {
		rc = migc_error_set(
			err, -EACCES,
			"%s: others than its owner may use the pre-shared key file: chmod 600 %s",
			file, file);
		goto close_fd;
	}
	stream = fdopen(fd, "r");
	if (!stream) {
		rc = migc_error_set(err, -ENOMEM, "cannot read %s: %s", file, strerror(errno));
		goto close_fd;
	}
	/* Unbuffered by stdio's own memory: keys stay in memory that is wiped. */
	setvbuf(stream, NULL, _IONBF, 0);
	rc = read_users(file, stream, credentials, err);
	fclose(stream);
	return rc;

close_fd:
	close(fd);
	return rc;
}

const struct migc_psk_user *migc_credentials_psk_find(const struct migc_credentials *credentials,
						      const char *name)
{
	unsigned int i;

	for (i = 0; i < credentials->users_count; i++) {
		if (!strcmp(credentials->users[i].name, name))
			return &credentials->users[i];
	}
	return NULL;
}

static int make_gnutls_credentials(struct migc_credentials *credentials)
{
	gnutls_datum_t key;

	if (credentials->server) {
		if (gnutls_psk_allocate_server_credentials(&credentials->psk_server) < 0)
			return -ENOMEM;
		gnutls_psk_set_server_credentials_function(credentials->psk_server,
							   migc_tls_find_psk);
		return 0;
	}
	key.data = credentials->users[0].key;
	key.size = credentials->users[0].key_bytes;
	if (gnutls_psk_allocate_client_credentials(&credentials->psk_client) < 0)
		return -ENOMEM;
	return gnutls_psk_set_client_credentials(
		credentials->psk_client, credentials->users[0].name, &key, GNUTLS_PSK_KEY_RAW);
}

int migc_credentials_psk(const char *file, bool server, struct migc_credentials **out,
			 struct migc_error *err)
{
	struct migc_credentials *credentials = migc_credentials_alloc(MIGC_CREDENTIALS_PSK, server);
	int rc;

	if (!credentials)
		return migc_error_set(err, -ENOMEM, "no memory for credentials");
	rc = load_users(file, credentials, err);
	if (rc == 0 && make_gnutls_credentials(credentials) < 0)
		rc = migc_error_set(err, -EINVAL, "%s: the TLS library refuses the key", file);
	if (rc < 0) {
		migc_credentials_free(credentials);
		return rc;
	}
	*out = credentials;
	return 0;
}
