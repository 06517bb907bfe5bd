/* SPDX-License-Identifier: BSD-3-Clause */
#include "credentials.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls_session.h"

#define PATH_BYTES 4096
#define CHAIN_MAX 16u

/* The files of one end, and what they hold. */
struct x509_files {
	char authority_path[PATH_BYTES];
	char revoked_path[PATH_BYTES];
	char certificate_path[PATH_BYTES];
	char key_path[PATH_BYTES];
	gnutls_datum_t authority;
	gnutls_datum_t revoked; /* ca-crl.pem is there only if somebody made one */
	gnutls_datum_t certificate;
	gnutls_datum_t key;
};

static int make_path(char *out, const char *dir, const char *name, struct migc_error *err)
{
	if (snprintf(out, PATH_BYTES, "%s/%s", dir, name) >= PATH_BYTES)
		return migc_error_set(err, -EINVAL, "%s: the directory's name is too long", dir);
	return 0;
}

static int load_file(const char *path, bool optional, gnutls_datum_t *out, struct migc_error *err)
{
	FILE *stream = fopen(path, "re");
	int rc;

	if (!stream) {
		rc = -errno;
		if (rc == -ENOENT)
			return optional ? 0 : migc_error_set(err, rc, "%s: missing", path);
		return migc_error_set(err, rc == -EACCES ? -EACCES : -EINVAL,
				      "%s: cannot be read: %s", path, strerror(-rc));
	}
	fclose(stream);
	rc = gnutls_load_file(path, out);
	if (rc < 0)
		return migc_error_set(err, -EINVAL, "%s: cannot be read: %s", path,
				      gnutls_strerror(rc));
	return 0;
}

static int load_files(const char *dir, bool server, struct x509_files *files,
		      struct migc_error *err)
{
	int rc;

	if ((rc = make_path(files->authority_path, dir, "ca-cert.pem", err)) < 0 ||
	    (rc = make_path(files->revoked_path, dir, "ca-crl.pem", err)) < 0 ||
	    (rc = make_path(files->certificate_path, dir,
			    server ? "server-cert.pem" : "client-cert.pem", err)) < 0 ||
	    (rc = make_path(files->key_path, dir, server ? "server-key.pem" : "client-key.pem",
			    err)) < 0)
		return rc;
	if ((rc = load_file(files->authority_path, false, &files->authority, err)) < 0 ||
	    (rc = load_file(files->revoked_path, true, &files->revoked, err)) < 0 ||
	    (rc = load_file(files->certificate_path, false, &files->certificate, err)) < 0)
		return rc;
	return load_file(files->key_path, false, &files->key, err);
}

static void free_files(struct x509_files *files)
{
	gnutls_free(files->authority.data);
	gnutls_free(files->revoked.data);
	gnutls_free(files->certificate.data);
	if (files->key.data)
		gnutls_memset(files->key.data, 0, files->key.size);
	gnutls_free(files->key.data);
	free(files);
}

static void free_list(gnutls_x509_crt_t *list, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
}

static int import_list(const char *path, const gnutls_datum_t *pem, gnutls_x509_crt_t **list,
		       unsigned int *count, struct migc_error *err)
{
	int rc = gnutls_x509_crt_list_import2(list, count, pem, GNUTLS_X509_FMT_PEM, 0);

	if (rc < 0)
		return migc_error_set(err, -EINVAL, "%s: not a certificate in PEM: %s", path,
				      gnutls_strerror(rc));
	return 0;
}

/* Would a peer with the same authority take this certificate now? Better said here than there. */
static int verify_own(const struct x509_files *files, bool server, const gnutls_x509_crt_t *own,
		      unsigned int own_count, const gnutls_x509_crt_t *authority,
		      unsigned int authority_count, struct migc_error *err)
{
	const char *purpose = server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT;
	unsigned int status = 0;
	int rc;

	rc = gnutls_x509_crt_list_verify(own, own_count, authority, authority_count, NULL, 0, 0,
					 &status);
	if (rc < 0)
		return migc_error_set(err, -EINVAL, "%s: cannot be verified: %s",
				      files->certificate_path, gnutls_strerror(rc));
	/* Signed by it first: the dates of a stranger do not matter. */
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA |
		      GNUTLS_CERT_SIGNATURE_FAILURE))
		return migc_error_set(err, -EINVAL, "%s: not signed by %s", files->certificate_path,
				      files->authority_path);
	if (status)
		return migc_error_set(err, -EINVAL, "%s: the certificate %s",
				      files->certificate_path, migc_tls_status_text(status));
	if (!gnutls_x509_crt_check_key_purpose(own[0], purpose, 0))
		return migc_error_set(err, -EINVAL, "%s: the certificate is not for a TLS %s",
				      files->certificate_path, server ? "server" : "client");
	return 0;
}

static int check_certificates(const struct x509_files *files, bool server, struct migc_error *err)
{
	gnutls_x509_crt_t *authority = NULL;
	gnutls_x509_crt_t *own = NULL;
	unsigned int authority_count = 0;
	unsigned int own_count = 0;
	int rc;

	rc = import_list(files->authority_path, &files->authority, &authority, &authority_count,
			 err);
	if (rc < 0)
		return rc;
	rc = import_list(files->certificate_path, &files->certificate, &own, &own_count, err);
	if (rc < 0)
		goto free_authority;
	if (own_count > CHAIN_MAX) {
		rc = migc_error_set(err, -EINVAL, "%s: more than %u certificates in it",
				    files->certificate_path, CHAIN_MAX);
		goto free_own;
	}
	rc = verify_own(files, server, own, own_count, authority, authority_count, err);

free_own:
	free_list(own, own_count);
free_authority:
	free_list(authority, authority_count);
	return rc;
}

static int fill_credentials(gnutls_certificate_credentials_t certificate,
			    const struct x509_files *files, struct migc_error *err)
{
	int rc = gnutls_certificate_set_x509_trust_mem(certificate, &files->authority,
						       GNUTLS_X509_FMT_PEM);

	if (rc <= 0)
		return migc_error_set(err, -EINVAL, "%s: no certificate in it",
				      files->authority_path);
	if (files->revoked.data) {
		rc = gnutls_certificate_set_x509_crl_mem(certificate, &files->revoked,
							 GNUTLS_X509_FMT_PEM);
		if (rc < 0)
			return migc_error_set(err, -EINVAL, "%s: not a revocation list in PEM: %s",
					      files->revoked_path, gnutls_strerror(rc));
	}
	rc = gnutls_certificate_set_x509_key_mem(certificate, &files->certificate, &files->key,
						 GNUTLS_X509_FMT_PEM);
	if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return migc_error_set(err, -EINVAL, "%s: not the key of %s", files->key_path,
				      files->certificate_path);
	if (rc < 0)
		return migc_error_set(err, -EINVAL, "%s: not a private key in PEM: %s",
				      files->key_path, gnutls_strerror(rc));
	gnutls_certificate_set_verify_function(certificate, migc_tls_verify_peer);
	return 0;
}

int migc_credentials_x509(const char *dir, bool server, struct migc_credentials **out,
			  struct migc_error *err)
{
	struct x509_files *files = calloc(1, sizeof(*files));
	struct migc_credentials *credentials;
	int rc;

	if (!files)
		return migc_error_set(err, -ENOMEM, "no memory for credentials");
	credentials = migc_credentials_alloc(MIGC_CREDENTIALS_X509, server);
	if (!credentials ||
	    gnutls_certificate_allocate_credentials(&credentials->certificate) < 0) {
		rc = migc_error_set(err, -ENOMEM, "no memory for credentials");
		goto fail;
	}
	if ((rc = load_files(dir, server, files, err)) < 0 ||
	    (rc = check_certificates(files, server, err)) < 0 ||
	    (rc = fill_credentials(credentials->certificate, files, err)) < 0)
		goto fail;
	free_files(files);
	*out = credentials;
	return 0;

fail:
	free_files(files);
	migc_credentials_free(credentials);
	return rc;
}
