/* SPDX-License-Identifier: BSD-3-Clause */
#include "credentials.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <string.h>
#include <time.h>

/* Valid from a day ago, for clocks that differ. Nobody verifies it. */
#define BEFORE_SECONDS (24 * 3600)
#define AFTER_SECONDS (365 * 24 * 3600)

static int fill_certificate(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key)
{
	static const char name[] = "dpdk-migcomp insecure";
	time_t now = time(NULL);
	uint8_t serial[16];
	int rc;

	rc = gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof(serial));
	serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x01);
	if (rc < 0 || (rc = gnutls_x509_crt_set_version(certificate, 3)) < 0 ||
	    (rc = gnutls_x509_crt_set_serial(certificate, serial, sizeof(serial))) < 0 ||
	    (rc = gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
						sizeof(name) - 1)) < 0 ||
	    (rc = gnutls_x509_crt_set_activation_time(certificate, now - BEFORE_SECONDS)) < 0 ||
	    (rc = gnutls_x509_crt_set_expiration_time(certificate, now + AFTER_SECONDS)) < 0 ||
	    (rc = gnutls_x509_crt_set_key(certificate, key)) < 0)
		return rc;
	return gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0);
}

static int add_self_signed(gnutls_certificate_credentials_t credentials)
{
	gnutls_x509_privkey_t key = NULL;
	gnutls_x509_crt_t certificate = NULL;
	int rc;

	if ((rc = gnutls_x509_privkey_init(&key)) == 0 &&
	    (rc = gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					       GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
					       0)) == 0 &&
	    (rc = gnutls_x509_crt_init(&certificate)) == 0 &&
	    (rc = fill_certificate(certificate, key)) == 0)
		rc = gnutls_certificate_set_x509_key(credentials, &certificate, 1, key);
	if (certificate)
		gnutls_x509_crt_deinit(certificate);
	if (key)
		gnutls_x509_privkey_deinit(key);
	return rc;
}

int migc_credentials_insecure(bool server, struct migc_credentials **out, struct migc_error *err)
{
	struct migc_credentials *credentials =
		migc_credentials_alloc(MIGC_CREDENTIALS_INSECURE, server);
	int rc;

	if (!credentials)
		return migc_error_set(err, -ENOMEM, "no memory for credentials");
	rc = gnutls_certificate_allocate_credentials(&credentials->certificate);
	if (rc == 0 && server)
		rc = add_self_signed(credentials->certificate);
	if (rc < 0) {
		migc_credentials_free(credentials);
		return migc_error_set(err, -EINVAL, "cannot make a certificate: %s",
				      gnutls_strerror(rc));
	}
	*out = credentials;
	return 0;
}
