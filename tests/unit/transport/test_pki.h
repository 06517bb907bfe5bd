/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_PKI_H
#define TEST_PKI_H

#include <gnutls/x509.h>
#include <stdbool.h>

/** @file Certificates and key files made on the spot, in a directory that goes away. */

#define DAY_SECONDS (24 * 3600)

struct test_authority {
	gnutls_x509_crt_t certificate;
	gnutls_x509_privkey_t key;
};

struct test_certificate {
	const struct test_authority *authority;
	const char *common_name;
	const char *dns_name; /**< or an IPv4 address; NULL: none */
	const char *purpose; /**< object id of an extended key usage; NULL: none */
	long from_seconds, until_seconds; /**< relative to now; both 0: a day around now */
};

void test_authority_make(struct test_authority *out, const char *common_name);
void test_authority_free(struct test_authority *authority);
/** A new temporary directory. The caller removes it with test_dir_remove(). */
char *test_dir_make(void);
void test_dir_remove(char *dir);
void test_file_write(const char *dir, const char *name, const void *data, size_t length,
		     unsigned int mode);
/** Write ca-cert.pem, and {server,client}-{cert,key}.pem of this certificate. */
void test_pki_write(const char *dir, bool server, const struct test_authority *trusted,
		    const struct test_certificate *certificate);
/** Replace ca-cert.pem by one that trusts both. */
void test_pki_trust(const char *dir, const struct test_authority *first,
		    const struct test_authority *second);

#endif
