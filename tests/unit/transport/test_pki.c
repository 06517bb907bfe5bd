/* SPDX-License-Identifier: BSD-3-Clause */
#include "test_pki.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES 512

/* A helper that fails leaves the test nothing to prove. */
static void must(int rc)
{
	if (rc < 0) {
		fprintf(stderr, "test certificates: %s\n", gnutls_strerror(rc));
		abort();
	}
}

static gnutls_x509_privkey_t make_key(void)
{
	gnutls_x509_privkey_t key;

	must(gnutls_x509_privkey_init(&key));
	must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
	return key;
}

static gnutls_x509_crt_t make_unsigned(const char *common_name, gnutls_x509_privkey_t key,
				       long from_seconds, long until_seconds)
{
	static uint8_t serial = 1;
	gnutls_x509_crt_t certificate;
	time_t now = time(NULL);

	must(gnutls_x509_crt_init(&certificate));
	must(gnutls_x509_crt_set_version(certificate, 3));
	must(gnutls_x509_crt_set_serial(certificate, &serial, 1));
	serial++;
	must(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, common_name,
					   (unsigned int)strlen(common_name)));
	must(gnutls_x509_crt_set_activation_time(certificate, now + from_seconds));
	must(gnutls_x509_crt_set_expiration_time(certificate, now + until_seconds));
	must(gnutls_x509_crt_set_key(certificate, key));
	return certificate;
}

void test_authority_make(struct test_authority *out, const char *common_name)
{
	out->key = make_key();
	out->certificate =
		make_unsigned(common_name, out->key, -100 * DAY_SECONDS, 100 * DAY_SECONDS);
	must(gnutls_x509_crt_set_basic_constraints(out->certificate, 1, -1));
	must(gnutls_x509_crt_set_key_usage(out->certificate, GNUTLS_KEY_KEY_CERT_SIGN));
	must(gnutls_x509_crt_sign2(out->certificate, out->certificate, out->key, GNUTLS_DIG_SHA256,
				   0));
}

void test_authority_free(struct test_authority *authority)
{
	gnutls_x509_crt_deinit(authority->certificate);
	gnutls_x509_privkey_deinit(authority->key);
}

char *test_dir_make(void)
{
	char *dir = strdup("/tmp/migc-transport-test-XXXXXX");

	if (!dir || !mkdtemp(dir))
		abort();
	return dir;
}

void test_dir_remove(char *dir)
{
	char path[PATH_BYTES];
	DIR *stream = opendir(dir);
	const struct dirent *entry;

	while (stream && (entry = readdir(stream))) {
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (entry->d_name[0] != '.')
			unlink(path);
	}
	if (stream)
		closedir(stream);
	rmdir(dir);
	free(dir);
}

void test_file_write(const char *dir, const char *name, const void *data, size_t length,
		     unsigned int mode)
{
	char path[PATH_BYTES];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	unlink(path);
	fd = open(path, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, length) != (ssize_t)length || fchmod(fd, mode) < 0)
		abort();
	close(fd);
}

static void write_certificate(const char *dir, const char *name, gnutls_x509_crt_t certificate)
{
	gnutls_datum_t pem;

	must(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &pem));
	test_file_write(dir, name, pem.data, pem.size, 0644);
	gnutls_free(pem.data);
}

void test_pki_trust(const char *dir, const struct test_authority *first,
		    const struct test_authority *second)
{
	gnutls_datum_t pem[2];
	char *both;

	must(gnutls_x509_crt_export2(first->certificate, GNUTLS_X509_FMT_PEM, &pem[0]));
	must(gnutls_x509_crt_export2(second->certificate, GNUTLS_X509_FMT_PEM, &pem[1]));
	both = malloc(pem[0].size + pem[1].size);
	if (!both)
		abort();
	memcpy(both, pem[0].data, pem[0].size);
	memcpy(both + pem[0].size, pem[1].data, pem[1].size);
	test_file_write(dir, "ca-cert.pem", both, pem[0].size + pem[1].size, 0644);
	free(both);
	gnutls_free(pem[0].data);
	gnutls_free(pem[1].data);
}

void test_pki_write(const char *dir, bool server, const struct test_authority *trusted,
		    const struct test_certificate *certificate)
{
	gnutls_x509_privkey_t key = make_key();
	bool around = !certificate->from_seconds && !certificate->until_seconds;
	gnutls_x509_crt_t made = make_unsigned(certificate->common_name, key,
					       around ? -DAY_SECONDS : certificate->from_seconds,
					       around ? DAY_SECONDS : certificate->until_seconds);
	struct in_addr address;
	gnutls_datum_t pem;

	if (certificate->dns_name && inet_pton(AF_INET, certificate->dns_name, &address) == 1)
		must(gnutls_x509_crt_set_subject_alt_name(made, GNUTLS_SAN_IPADDRESS, &address,
							  sizeof(address), GNUTLS_FSAN_SET));
	else if (certificate->dns_name)
		must(gnutls_x509_crt_set_subject_alt_name(
			made, GNUTLS_SAN_DNSNAME, certificate->dns_name,
			(unsigned int)strlen(certificate->dns_name), GNUTLS_FSAN_SET));
	if (certificate->purpose)
		must(gnutls_x509_crt_set_key_purpose_oid(made, certificate->purpose, 0));
	must(gnutls_x509_crt_sign2(made, certificate->authority->certificate,
				   certificate->authority->key, GNUTLS_DIG_SHA256, 0));
	write_certificate(dir, "ca-cert.pem", trusted->certificate);
	write_certificate(dir, server ? "server-cert.pem" : "client-cert.pem", made);
	must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &pem));
	test_file_write(dir, server ? "server-key.pem" : "client-key.pem", pem.data, pem.size,
			0600);
	gnutls_free(pem.data);
	gnutls_x509_crt_deinit(made);
	gnutls_x509_privkey_deinit(key);
}
