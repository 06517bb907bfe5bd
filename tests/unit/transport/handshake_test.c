/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <gnutls/gnutls.h>

#include "credentials.h"
#include "test_pki.h"
#include "transport_pair.h"

#define KEY_ONE "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_TWO "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

struct fixture {
	char *dir;
	struct test_authority ours, foreign;
	struct migc_credentials *client, *server;
	struct transport_pair pair;
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
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	gnutls_global_set_time_function(time);
	if (f->pair.net)
		transport_pair_stop(&f->pair);
	migc_credentials_free(f->client);
	migc_credentials_free(f->server);
	test_authority_free(&f->ours);
	test_authority_free(&f->foreign);
	test_dir_remove(f->dir);
	free(f);
	return 0;
}

static time_t two_days_on(time_t *out)
{
	time_t now = time(NULL) + 2 * DAY_SECONDS;

	if (out)
		*out = now;
	return now;
}

static void load_x509(struct fixture *f, bool server)
{
	struct migc_error err = {0};

	if (migc_credentials_x509(f->dir, server, server ? &f->server : &f->client, &err) != 0)
		print_message("%s\n", err.text);
	assert_non_null(server ? f->server : f->client);
}

static void make_x509(struct fixture *f, bool server, const struct test_certificate *certificate)
{
	test_pki_write(f->dir, server, &f->ours, certificate);
	load_x509(f, server);
}

static void make_good_x509(struct fixture *f, bool server)
{
	const struct test_certificate good = {
		.authority = &f->ours,
		.common_name = server ? "the receiver" : "the sender",
		.dns_name = server ? "receiver.example" : NULL,
		.from_seconds = -DAY_SECONDS,
		.until_seconds = 10 * DAY_SECONDS,
	};

	make_x509(f, server, &good);
}

static void make_psk(struct fixture *f, bool server, const char *line)
{
	char path[512];
	struct migc_error err = {0};

	test_file_write(f->dir, "psk", line, strlen(line), 0600);
	snprintf(path, sizeof(path), "%s/psk", f->dir);
	if (migc_credentials_psk(path, server, server ? &f->server : &f->client, &err) != 0)
		print_message("%s\n", err.text);
	assert_non_null(server ? f->server : f->client);
}

static bool connect_hostname(struct fixture *f, const char *hostname)
{
	transport_pair_init(&f->pair, f->client, f->server);
	f->pair.client_config.hostname = hostname;
	transport_pair_start(&f->pair, NULL);
	return transport_pair_connect(&f->pair);
}

/* Both ends know each other, and data flows. */
static void assert_works(struct fixture *f, const char *hostname, const char *client_sees,
			 const char *server_sees)
{
	bool connected = connect_hostname(f, hostname);
	struct migc_transport *client = f->pair.client.transport;
	struct migc_transport *server = f->pair.server.transport;

	if (!connected)
		print_message("%s\n%s\n", transport_pair_error(client),
			      transport_pair_error(server));
	assert_true(connected);
	assert_int_equal(migc_transport_state(server), MIGC_TRANSPORT_CONNECTED);
	assert_string_equal(migc_transport_peer_name(client), client_sees);
	assert_string_equal(migc_transport_peer_name(server), server_sees);
	assert_int_equal(transport_pair_send(client, 3, 1000), 0);
	transport_pair_run(&f->pair, 50 * MS);
	assert_int_equal(f->pair.server.received[3], 1000);
	assert_int_equal(f->pair.client.acked, 1);
}

/* Nothing came through, the client is over, the server listens again; both say why. */
static void assert_refused(struct fixture *f, const char *hostname, const char *client_says,
			   const char *server_says)
{
	struct migc_transport *client, *server;

	assert_false(connect_hostname(f, hostname));
	client = f->pair.client.transport;
	server = f->pair.server.transport;
	if (!strstr(transport_pair_error(client), client_says) ||
	    !strstr(transport_pair_error(server), server_says))
		print_message("client: %s\nserver: %s\n", transport_pair_error(client),
			      transport_pair_error(server));
	assert_int_equal(migc_transport_state(client), MIGC_TRANSPORT_CLOSED);
	assert_int_equal(migc_transport_state(server), MIGC_TRANSPORT_LISTEN);
	assert_non_null(strstr(transport_pair_error(client), client_says));
	assert_non_null(strstr(transport_pair_error(server), server_says));
	assert_true(migc_transport_error(client)->code < 0);
	assert_true(migc_transport_error(server)->code < 0);
	assert_int_equal(transport_pair_stats(server).handshakes_failed, 1);
	assert_int_equal(transport_pair_received(&f->pair.server), 0);
	assert_int_equal(transport_pair_send(client, 0, 10), -ENOTCONN);
}

static void insecure_connects_without_names(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(migc_credentials_insecure(false, &f->client, NULL), 0);
	assert_int_equal(migc_credentials_insecure(true, &f->server, NULL), 0);
	assert_works(f, NULL, "", "");
}

static void x509_connects_and_names_both(void **state)
{
	struct fixture *f = *state;

	make_good_x509(f, false);
	make_good_x509(f, true);
	assert_works(f, "receiver.example", "the receiver", "the sender");
}

static void x509_any_hostname_will_do_when_none_is_asked_for(void **state)
{
	struct fixture *f = *state;

	make_good_x509(f, false);
	make_good_x509(f, true);
	assert_works(f, NULL, "the receiver", "the sender");
}

static void x509_hostname_must_match(void **state)
{
	struct fixture *f = *state;

	make_good_x509(f, false);
	make_good_x509(f, true);
	assert_refused(f, "other.example", "the peer's certificate is not for other.example",
		       "our certificate is not for this host");
}

static void make_x509_pair_at(struct fixture *f, const char *server_address)
{
	const struct test_certificate at = {
		.authority = &f->ours, .common_name = "the receiver", .dns_name = server_address};

	make_good_x509(f, false);
	make_x509(f, true, &at);
}

static void x509_address_may_stand_for_the_hostname(void **state)
{
	make_x509_pair_at(*state, "10.0.0.2");
	assert_works(*state, "10.0.0.2", "the receiver", "the sender");
}

static void x509_address_must_match(void **state)
{
	make_x509_pair_at(*state, "10.0.0.3");
	assert_refused(*state, "10.0.0.2", "the peer's certificate is not for 10.0.0.2",
		       "our certificate is not for this host");
}

static void x509_expired_client_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct test_certificate brief = {
		.authority = &f->ours,
		.common_name = "the sender",
		.from_seconds = -DAY_SECONDS,
		.until_seconds = DAY_SECONDS,
	};

	make_x509(f, false, &brief);
	make_good_x509(f, true);
	gnutls_global_set_time_function(two_days_on);
	assert_refused(f, NULL, "our certificate is expired", "the peer's certificate is expired");
}

static void x509_expired_server_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct test_certificate brief = {
		.authority = &f->ours,
		.common_name = "the receiver",
		.from_seconds = -DAY_SECONDS,
		.until_seconds = DAY_SECONDS,
	};

	make_good_x509(f, false);
	make_x509(f, true, &brief);
	gnutls_global_set_time_function(two_days_on);
	assert_refused(f, NULL, "the peer's certificate is expired", "our certificate is expired");
}

/* The client trusts both authorities, so that only the server has something against the other. */
static void x509_client_of_a_foreign_authority_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct test_certificate foreign = {.authority = &f->foreign,
						 .common_name = "the stranger"};

	make_good_x509(f, true);
	test_pki_write(f->dir, false, &f->foreign, &foreign);
	test_pki_trust(f->dir, &f->ours, &f->foreign);
	load_x509(f, false);
	assert_refused(f, NULL, "our certificate is not signed by its ca-cert.pem",
		       "the peer's certificate is not signed by our ca-cert.pem");
}

static void x509_server_of_a_foreign_authority_is_refused(void **state)
{
	struct fixture *f = *state;
	const struct test_certificate foreign = {.authority = &f->foreign,
						 .common_name = "the stranger"};

	make_good_x509(f, false);
	test_pki_write(f->dir, true, &f->foreign, &foreign);
	load_x509(f, true);
	assert_refused(f, NULL, "the peer's certificate is not signed by our ca-cert.pem",
		       "our certificate is not signed by its ca-cert.pem");
}

static void x509_client_without_certificate_is_refused(void **state)
{
	struct fixture *f = *state;

	make_good_x509(f, true);
	assert_int_equal(migc_credentials_insecure(false, &f->client, NULL), 0);
	assert_refused(f, NULL, "it wants a certificate", "the peer presented no certificate");
}

static void x509_key_purposes_of_the_roles_are_good(void **state)
{
	struct fixture *f = *state;
	const struct test_certificate for_servers = {.authority = &f->ours,
						     .common_name = "the receiver",
						     .purpose = GNUTLS_KP_TLS_WWW_SERVER};
	const struct test_certificate for_clients = {.authority = &f->ours,
						     .common_name = "the sender",
						     .purpose = GNUTLS_KP_TLS_WWW_CLIENT};

	make_x509(f, false, &for_clients);
	make_x509(f, true, &for_servers);
	assert_works(f, NULL, "the receiver", "the sender");
}

/* Our own loading would refuse such a certificate; a peer need not be so kind. */
static void x509_server_certificate_is_no_client_certificate(void **state)
{
	struct fixture *f = *state;
	const struct test_certificate for_servers = {.authority = &f->ours,
						     .common_name = "the sender",
						     .purpose = GNUTLS_KP_TLS_WWW_SERVER};
	char authority[512], certificate[512], key[512];

	make_good_x509(f, true);
	test_pki_write(f->dir, false, &f->ours, &for_servers);
	snprintf(authority, sizeof(authority), "%s/ca-cert.pem", f->dir);
	snprintf(certificate, sizeof(certificate), "%s/client-cert.pem", f->dir);
	snprintf(key, sizeof(key), "%s/client-key.pem", f->dir);
	f->client = migc_credentials_alloc(MIGC_CREDENTIALS_X509, false);
	assert_non_null(f->client);
	assert_int_equal(gnutls_certificate_allocate_credentials(&f->client->certificate), 0);
	assert_int_equal(gnutls_certificate_set_x509_trust_file(f->client->certificate, authority,
								GNUTLS_X509_FMT_PEM),
			 1);
	assert_int_equal(gnutls_certificate_set_x509_key_file(f->client->certificate, certificate,
							      key, GNUTLS_X509_FMT_PEM),
			 0);
	assert_refused(f, NULL, "our certificate is not for this host or purpose",
		       "the peer's certificate is not for this purpose");
}

static void psk_connects_and_names_the_user(void **state)
{
	struct fixture *f = *state;

	make_psk(f, true, "other:" KEY_TWO "\nmigration:" KEY_ONE "\n");
	make_psk(f, false, "migration:" KEY_ONE "\nother:" KEY_ONE "\n");
	assert_works(f, NULL, "migration", "migration");
}

static void psk_wrong_key_is_refused(void **state)
{
	struct fixture *f = *state;

	make_psk(f, true, "migration:" KEY_ONE "\n");
	make_psk(f, false, "migration:" KEY_TWO "\n");
	assert_refused(f, NULL, "wrong pre-shared key", "wrong pre-shared key");
}

static void psk_unknown_user_is_refused(void **state)
{
	struct fixture *f = *state;

	make_psk(f, true, "migration:" KEY_ONE "\n");
	make_psk(f, false, "somebody:" KEY_ONE "\n");
	assert_refused(f, NULL, "unknown user", "user is not in our file");
}

static void psk_and_x509_do_not_mix(void **state)
{
	struct fixture *f = *state;

	make_psk(f, true, "migration:" KEY_ONE "\n");
	make_good_x509(f, false);
	assert_refused(f, NULL, "different kinds of credentials", "same kind of credentials");
}

static void x509_and_psk_do_not_mix(void **state)
{
	struct fixture *f = *state;

	make_good_x509(f, true);
	make_psk(f, false, "migration:" KEY_ONE "\n");
	assert_refused(f, NULL, "same kind of credentials", "different kinds of credentials");
}

static void insecure_server_is_not_trusted_by_an_x509_client(void **state)
{
	struct fixture *f = *state;

	make_good_x509(f, false);
	assert_int_equal(migc_credentials_insecure(true, &f->server, NULL), 0);
	assert_refused(f, NULL, "the peer's certificate is not signed by our ca-cert.pem",
		       "our certificate is not signed by its ca-cert.pem");
}

static void a_good_client_connects_after_a_refused_one(void **state)
{
	struct fixture *f = *state;
	struct migc_credentials *good = NULL;
	struct transport_end second;

	make_psk(f, true, "migration:" KEY_ONE "\n");
	make_psk(f, false, "migration:" KEY_ONE "\n");
	good = f->client;
	f->client = NULL;
	make_psk(f, false, "migration:" KEY_TWO "\n");
	assert_refused(f, NULL, "wrong pre-shared key", "wrong pre-shared key");
	f->pair.client_config.credentials = good;
	transport_pair_add_client(&f->pair, &second, 4001);
	transport_pair_run(&f->pair, 100 * MS);
	assert_int_equal(migc_transport_state(second.transport), MIGC_TRANSPORT_CONNECTED);
	assert_int_equal(migc_transport_state(f->pair.server.transport), MIGC_TRANSPORT_CONNECTED);
	transport_pair_stop(&f->pair);
	f->pair.net = NULL;
	migc_credentials_free(good);
}

/* The close of a refused handshake is lost: the client asks again and is told again. */
static bool lose_first_close(void *ctx, const struct migc_addr *from, const struct migc_addr *to,
			     const uint8_t *data, size_t length)
{
	struct fixture *f = ctx;

	(void)to;
	(void)data;
	(void)length;
	if (from->port != 4433 || !transport_pair_stats(f->pair.server.transport).handshakes_failed)
		return true;
	f->pair.net->tap = NULL;
	return false;
}

static void a_lost_refusal_is_said_again(void **state)
{
	struct fixture *f = *state;

	make_psk(f, true, "migration:" KEY_ONE "\n");
	make_psk(f, false, "migration:" KEY_TWO "\n");
	transport_pair_init(&f->pair, f->client, f->server);
	transport_pair_start(&f->pair, NULL);
	f->pair.net->tap = lose_first_close;
	f->pair.net->tap_ctx = f;
	assert_false(transport_pair_connect(&f->pair));
	assert_null(f->pair.net->tap);
	assert_non_null(
		strstr(transport_pair_error(f->pair.client.transport), "wrong pre-shared key"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(insecure_connects_without_names),
		TEST(x509_connects_and_names_both),
		TEST(x509_any_hostname_will_do_when_none_is_asked_for),
		TEST(x509_hostname_must_match),
		TEST(x509_address_may_stand_for_the_hostname),
		TEST(x509_address_must_match),
		TEST(x509_expired_client_is_refused),
		TEST(x509_expired_server_is_refused),
		TEST(x509_client_of_a_foreign_authority_is_refused),
		TEST(x509_server_of_a_foreign_authority_is_refused),
		TEST(x509_client_without_certificate_is_refused),
		TEST(x509_key_purposes_of_the_roles_are_good),
		TEST(x509_server_certificate_is_no_client_certificate),
		TEST(psk_connects_and_names_the_user),
		TEST(psk_wrong_key_is_refused),
		TEST(psk_unknown_user_is_refused),
		TEST(psk_and_x509_do_not_mix),
		TEST(x509_and_psk_do_not_mix),
		TEST(insecure_server_is_not_trusted_by_an_x509_client),
		TEST(a_good_client_connects_after_a_refused_one),
		TEST(a_lost_refusal_is_said_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
