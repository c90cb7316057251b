/* Certificates made here and now, in a folder of the test's, and a client that speaks TLS with
 * OpenSSL on a socket that does not block. */
#ifndef TESTS_UNIT_TLS_LAB_H
#define TESTS_UNIT_TLS_LAB_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include "test_httpd_lab.h"

#define DAY_S (24L * 3600)

static char tls_folder[] = "/tmp/airis-tls-XXXXXX";

/* The path of a file in the folder; of the last sixteen that were asked for. */
static char *
tls_path(const char *name)
{
	static char paths[16][96];
	static int next;
	char *path = paths[next++ % 16];

	assert_true(str_print(path, sizeof(paths[0]), "%s/%s", tls_folder, name));
	return path;
}

static unused void
tls_write(const char *name, const char *text, mode_t mode)
{
	int fd = open(tls_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
	assert_int_equal(chmod(tls_path(name), mode), 0);
}

struct pair {
	X509 *crt;
	EVP_PKEY *key;
};

struct wanted {
	const char *name;		 /* the CN */
	const char *alternative, *usage; /* subjectAltName, extendedKeyUsage; NULL: none */
	long from_s, until_s;		 /* from now; 0: an hour ago, 40 days */
	const struct pair *by;		 /* who signs it; NULL: itself */
};

static void
add_extension(X509 *crt, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(crt, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static unused struct pair
make_pair(struct wanted wanted)
{
	static long serial = 1;
	struct pair made = {X509_new(), EVP_EC_gen("P-256")};
	const struct pair *by = wanted.by != NULL ? wanted.by : &made;
	bool ca = wanted.alternative == NULL && wanted.usage == NULL;

	X509_set_version(made.crt, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(made.crt), serial++);
	X509_gmtime_adj(X509_getm_notBefore(made.crt), wanted.from_s != 0 ? wanted.from_s : -3600);
	X509_gmtime_adj(
	    X509_getm_notAfter(made.crt), wanted.until_s != 0 ? wanted.until_s : 40 * DAY_S);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(made.crt), "CN", MBSTRING_ASC,
	    (const unsigned char *)wanted.name, -1, -1, 0);
	X509_set_issuer_name(made.crt, X509_get_subject_name(by->crt));
	X509_set_pubkey(made.crt, made.key);
	add_extension(made.crt, NID_basic_constraints, ca ? "critical,CA:TRUE" : "CA:FALSE");
	if (wanted.alternative != NULL)
		add_extension(made.crt, NID_subject_alt_name, wanted.alternative);
	if (wanted.usage != NULL)
		add_extension(made.crt, NID_ext_key_usage, wanted.usage);
	assert_true(X509_sign(made.crt, by->key, EVP_sha256()) > 0);
	return made;
}

static unused void
free_pair(struct pair *pair)
{
	X509_free(pair->crt);
	EVP_PKEY_free(pair->key);
}

static FILE *
open_pem(const char *name)
{
	FILE *file;

	(void)unlink(tls_path(name)); /* a new file, as who replaces one makes */
	file = fopen(tls_path(name), "we");
	assert_non_null(file);
	return file;
}

static unused void
save_crt(const struct pair *pair, const char *name)
{
	FILE *file = open_pem(name);

	assert_int_equal(PEM_write_X509(file, pair->crt), 1);
	assert_int_equal(fclose(file), 0);
}

static unused void
save_key(const struct pair *pair, const char *name, const char *password)
{
	FILE *file = open_pem(name);

	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(
	    PEM_write_PrivateKey(file, pair->key, password != NULL ? EVP_aes_128_cbc() : NULL, NULL,
		0, NULL, (void *)(uintptr_t)password),
	    1);
	assert_int_equal(fclose(file), 0);
}

static unused void
tls_remove(const char *name)
{
	(void)unlink(tls_path(name));
}

/* --- a client --- */

struct guest {
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;
	bool shaken, closed;
	char reason[128]; /* why it failed; "": it did not */
	const char *needle;
	size_t length;
	char text[65536];
};

static void
note_reason(struct guest *guest, int rc)
{
	int code = SSL_get_error(guest->ssl, rc);
	unsigned long error = ERR_peek_error();
	const char *text = error != 0 ? ERR_reason_error_string(error) : "closed";

	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return;
	guest->closed = true;
	if (code != SSL_ERROR_ZERO_RETURN)
		(void)str_copy(guest->reason, sizeof(guest->reason), text != NULL ? text : "?");
}

static bool
guest_pull(void *ctx)
{
	struct guest *guest = ctx;
	int rc = 1;

	ERR_clear_error();
	if (!guest->shaken && !guest->closed) {
		rc = SSL_connect(guest->ssl);
		guest->shaken = rc == 1;
	}
	while (
	    rc > 0 && guest->shaken && !guest->closed && guest->length < sizeof(guest->text) - 1) {
		rc = SSL_read(guest->ssl, guest->text + guest->length,
		    (int)(sizeof(guest->text) - 1 - guest->length));
		guest->length += rc > 0 ? (size_t)rc : 0;
	}
	if (rc <= 0)
		note_reason(guest, rc);
	guest->text[guest->length] = '\0';
	if (guest->needle != NULL && strstr(guest->text, guest->needle) != NULL)
		return true;
	return guest->closed;
}

static bool
guest_ready(void *ctx)
{
	struct guest *guest = ctx;

	(void)guest_pull(guest);
	return guest->shaken || guest->closed;
}

/* own: the certificate it shows; NULL: none. version: TLS1_3_VERSION …; 0: any. */
static unused struct guest *
guest_new(const struct pair *own, int version)
{
	struct guest *guest = mem_alloc(sizeof(*guest));

	guest->fd = raw_connect(served.port);
	guest->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(guest->ctx, 0);
	(void)SSL_CTX_set_min_proto_version(guest->ctx, version);
	(void)SSL_CTX_set_max_proto_version(guest->ctx, version);
	(void)SSL_CTX_set_mode(guest->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE);
	if (own != NULL) {
		assert_int_equal(SSL_CTX_use_certificate(guest->ctx, own->crt), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(guest->ctx, own->key), 1);
	}
	guest->ssl = SSL_new(guest->ctx);
	assert_int_equal(SSL_set_fd(guest->ssl, guest->fd), 1);
	return guest;
}

static unused void
guest_free(struct guest *guest)
{
	SSL_free(guest->ssl);
	SSL_CTX_free(guest->ctx);
	(void)close(guest->fd);
	free(guest);
}

/* True: the handshake is done, as far as this side knows. */
static unused bool
guest_shakes(struct guest *guest)
{
	assert_true(lab_until(guest_ready, guest));
	return guest->shaken;
}

static unused void
guest_send(struct guest *guest, const char *bytes, size_t count)
{
	int sent = SSL_write(guest->ssl, bytes, (int)count);

	if (!guest->closed && sent != (int)count)
		fail_msg("SSL_write of %zu bytes: %d", count, sent);
}

/* Reads until needle came or the connection ended. */
static unused bool
guest_expect(struct guest *guest, const char *needle)
{
	guest->needle = needle;
	if (!lab_until(guest_pull, guest))
		return false;
	return needle == NULL ? guest->closed : strstr(guest->text, needle) != NULL;
}

/* A whole request on a connection of its own; the answer's text is in it. */
static unused struct guest *
guest_ask(const struct pair *own, const char *text)
{
	struct guest *guest = guest_new(own, 0);

	if (guest_shakes(guest))
		guest_send(guest, text, strlen(text));
	return guest;
}

#endif
