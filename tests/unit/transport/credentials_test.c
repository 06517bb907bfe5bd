/* SPDX-License-Identifier: BSD-3-Clause */
/* What is wrong with credentials is said when they are loaded, with the name of the file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>

#include "credentials.h"
#include "test_pki.h"

#define KEY "000102030405060708090a0b0c0d0e0f"

struct fixture {
	char *dir;
	struct test_authority ours, foreign;
	struct test_certificate good;
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f)
		return -1;
	f->dir = test_dir_make();
	test_authority_make(&f->ours, "our authority");
	test_authority_make(&f->foreign, "another authority");
	f->good = (struct test_certificate){.authority = &f->ours, .common_name = "this host"};
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	test_authority_free(&f->ours);
	test_authority_free(&f->foreign);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static void assert_x509(struct fixture *f, bool server, int code, const char *file,
			const char *what)
{
	struct migc_credentials *credentials = NULL;
	struct migc_error err = {0};
	int rc = migc_credentials_x509(f->dir, server, &credentials, &err);

	migc_credentials_free(credentials);
	if (rc != code || !strstr(err.text, file) || !strstr(err.text, what))
		print_message("%d %s\n", rc, err.text);
	assert_int_equal(rc, code);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.text, file));
	assert_non_null(strstr(err.text, what));
}

static void assert_psk(struct fixture *f, const char *lines, unsigned int mode, int code,
		       const char *what)
{
	struct migc_credentials *credentials = NULL;
	struct migc_error err = {0};
	char path[512];
	int rc;

	test_file_write(f->dir, "keys.psk", lines, strlen(lines), mode);
	snprintf(path, sizeof(path), "%s/keys.psk", f->dir);
	rc = migc_credentials_psk(path, true, &credentials, &err);
	migc_credentials_free(credentials);
	if (rc != code || !strstr(err.text, what))
		print_message("%d %s\n", rc, err.text);
	assert_int_equal(rc, code);
	assert_non_null(strstr(err.text, what));
	/* A message may end up in a log: no key in it. */
	assert_null(strstr(err.text, "0102"));
}

static void good_files_load(void **state)
{
	struct fixture *f = *state;
	struct migc_credentials *credentials = NULL;

	test_pki_write(f->dir, true, &f->ours, &f->good);
	assert_int_equal(migc_credentials_x509(f->dir, true, &credentials, NULL), 0);
	migc_credentials_free(credentials);
}

static void each_missing_file_is_named(void **state)
{
	struct fixture *f = *state;

	assert_x509(f, true, -ENOENT, "ca-cert.pem", "missing");
	test_pki_write(f->dir, true, &f->ours, &f->good);
	assert_x509(f, false, -ENOENT, "client-cert.pem", "missing");
}

static void what_is_not_pem_is_named(void **state)
{
	struct fixture *f = *state;

	test_pki_write(f->dir, true, &f->ours, &f->good);
	test_file_write(f->dir, "server-key.pem", "nonsense", 8, 0600);
	assert_x509(f, true, -EINVAL, "server-key.pem", "not a private key in PEM");
	test_file_write(f->dir, "server-cert.pem", "nonsense", 8, 0600);
	assert_x509(f, true, -EINVAL, "server-cert.pem", "not a certificate in PEM");
	test_file_write(f->dir, "ca-cert.pem", "", 0, 0600);
	assert_x509(f, true, -EINVAL, "ca-cert.pem", "not a certificate in PEM");
}

static void a_key_of_another_certificate_is_refused(void **state)
{
	struct fixture *f = *state;
	char from[512], to[512];

	test_pki_write(f->dir, true, &f->ours, &f->good);
	test_pki_write(f->dir, false, &f->ours, &f->good);
	snprintf(from, sizeof(from), "%s/client-key.pem", f->dir);
	snprintf(to, sizeof(to), "%s/server-key.pem", f->dir);
	assert_int_equal(rename(from, to), 0);
	assert_x509(f, true, -EINVAL, "server-key.pem", "not the key of");
}

static void a_certificate_out_of_its_time_is_refused(void **state)
{
	struct fixture *f = *state;

	f->good.from_seconds = -2 * DAY_SECONDS;
	f->good.until_seconds = -DAY_SECONDS;
	test_pki_write(f->dir, true, &f->ours, &f->good);
	assert_x509(f, true, -EINVAL, "server-cert.pem", "is expired");
	f->good.from_seconds = DAY_SECONDS;
	f->good.until_seconds = 2 * DAY_SECONDS;
	test_pki_write(f->dir, true, &f->ours, &f->good);
	assert_x509(f, true, -EINVAL, "server-cert.pem", "is not valid yet");
}

static void a_certificate_of_another_authority_is_refused(void **state)
{
	struct fixture *f = *state;

	test_pki_write(f->dir, true, &f->foreign, &f->good);
	assert_x509(f, true, -EINVAL, "server-cert.pem", "not signed by");
}

static void a_certificate_for_the_other_role_is_refused(void **state)
{
	struct fixture *f = *state;

	f->good.purpose = GNUTLS_KP_TLS_WWW_CLIENT;
	test_pki_write(f->dir, true, &f->ours, &f->good);
	assert_x509(f, true, -EINVAL, "server-cert.pem", "not for a TLS server");
}

static void a_key_file_that_others_may_read_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_psk(f, "user:" KEY "\n", 0640, -EACCES, "keys.psk");
	assert_psk(f, "user:" KEY "\n", 0604, -EACCES, "chmod 600");
	assert_psk(f, "user:" KEY "\n", 0600, 0, "");
	assert_psk(f, "user:" KEY "\n", 0400, 0, "");
}

static void lines_that_are_no_keys_are_refused_with_their_number(void **state)
{
	struct fixture *f = *state;

	assert_psk(f, "", 0600, -EINVAL, "no user:hexkey line");
	assert_psk(f, "user:" KEY "\n\nuser\n", 0600, -EINVAL, "keys.psk:3: not of the form");
	assert_psk(f, ":" KEY "\n", 0600, -EINVAL, "not of the form");
	assert_psk(f, "user:0102030405\n", 0600, -EINVAL, "16 to 64 bytes");
	assert_psk(f, "user:" KEY "0\n", 0600, -EINVAL, "16 to 64 bytes");
	assert_psk(f, "user:" KEY "zz\n", 0600, -EINVAL, "16 to 64 bytes");
	assert_psk(f, "user:" KEY KEY KEY KEY KEY KEY KEY KEY KEY KEY "\n", 0600, -EINVAL,
		   "too long");
	assert_psk(f, "#75736572:" KEY "\n", 0600, -EINVAL, "hexadecimal");
}

static void a_missing_key_file_is_named(void **state)
{
	struct migc_credentials *credentials = NULL;
	struct migc_error err = {0};

	(void)state;
	assert_int_equal(migc_credentials_psk("/nowhere/keys.psk", true, &credentials, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/keys.psk"));
}

static void a_client_takes_the_first_line_and_a_server_all(void **state)
{
	struct fixture *f = *state;
	const char *lines = "\none:" KEY "\ntwo:" KEY KEY "\r\nthree:" KEY;
	struct migc_credentials *client = NULL;
	struct migc_credentials *server = NULL;
	char path[512];

	test_file_write(f->dir, "keys.psk", lines, strlen(lines), 0600);
	snprintf(path, sizeof(path), "%s/keys.psk", f->dir);
	assert_int_equal(migc_credentials_psk(path, false, &client, NULL), 0);
	assert_int_equal(migc_credentials_psk(path, true, &server, NULL), 0);
	assert_int_equal(client->users_count, 1);
	assert_string_equal(client->users[0].name, "one");
	assert_int_equal(client->users[0].key_bytes, 16);
	assert_int_equal(client->users[0].key[15], 0x0f);
	assert_int_equal(server->users_count, 3);
	assert_int_equal(migc_credentials_psk_find(server, "two")->key_bytes, 32);
	assert_non_null(migc_credentials_psk_find(server, "three"));
	assert_null(migc_credentials_psk_find(server, "four"));
	migc_credentials_free(client);
	migc_credentials_free(server);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(good_files_load),
		TEST(each_missing_file_is_named),
		TEST(what_is_not_pem_is_named),
		TEST(a_key_of_another_certificate_is_refused),
		TEST(a_certificate_out_of_its_time_is_refused),
		TEST(a_certificate_of_another_authority_is_refused),
		TEST(a_certificate_for_the_other_role_is_refused),
		TEST(a_key_file_that_others_may_read_is_refused),
		TEST(lines_that_are_no_keys_are_refused_with_their_number),
		TEST(a_missing_key_file_is_named),
		TEST(a_client_takes_the_first_line_and_a_server_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
