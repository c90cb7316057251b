/* Reads certificate, key and client CA, and checks all that can be known before the first client
 * comes. Always true: a set is whole and fits together, or there is none; the key's bytes are wiped
 * once GnuTLS has them. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/log.h"
#include "http/httpd_tls.h"

enum { BYTES_MAX = 256 * 1024, CHAIN_MAX = 16, CLIENT_CAS_MAX = 256 };

static const char *const keys[] = {"certificateFile", "keyFile", "clientCaFile"};

struct load {
	const char *paths[HTTPD_TLS_FILES]; /* NULL: not wanted */
	gnutls_datum_t bytes[HTTPD_TLS_FILES];
	struct httpd_tls_stamp *stamps;
	struct errlist *errors;
	struct httpd_tls_set *set;
	int64_t now_s;
	bool any_time; /* certificates may be out of their time */
};

#define wrong(load, which, format, ...)                                                            \
	errlist_add((load)->errors, keys[which], "%s: " format, (load)->paths[which], __VA_ARGS__)

struct httpd_tls_stamp
httpd_tls_stamp(const struct stat *found)
{
	return (struct httpd_tls_stamp){
	    .changed_ns = (int64_t)found->st_mtim.tv_sec * 1000000000 + found->st_mtim.tv_nsec,
	    .moved_ns = (int64_t)found->st_ctim.tv_sec * 1000000000 + found->st_ctim.tv_nsec,
	    .size = found->st_size,
	    .inode = found->st_ino};
}

/* -1: what keeps it from being read is in errors. */
static int
check_file(struct load *load, enum httpd_tls_file which, const struct stat *found)
{
	if (!S_ISREG(found->st_mode)) {
		wrong(load, which, "is %s, not a file",
		    S_ISDIR(found->st_mode) ? "a folder" : "a device");
		return -1;
	}
	if (which == HTTPD_TLS_KEY && (found->st_mode & (S_IROTH | S_IWOTH)) != 0) {
		wrong(load, which,
		    "every user of this host can read or write the key (mode %04o): make a new one "
		    "that is airisd's alone (mode 0600, or 0640 with airisd's group)",
		    (unsigned)(found->st_mode & 07777));
		return -1;
	}
	if (found->st_size > BYTES_MAX) {
		wrong(load, which, "has %lld bytes; at most %d are taken",
		    (long long)found->st_size, BYTES_MAX);
		return -1;
	}
	return 0;
}

static int
read_all(int fd, gnutls_datum_t *to)
{
	ssize_t got = 1;

	to->data = mem_alloc(BYTES_MAX + 1);
	while (got > 0 && to->size <= BYTES_MAX) {
		got = read(fd, to->data + to->size, BYTES_MAX + 1 - to->size);
		if (got > 0)
			to->size += (unsigned)got;
		if (got < 0 && errno == EINTR)
			got = 1;
	}
	return got < 0 || to->size > BYTES_MAX ? -1 : 0;
}

/* O_NONBLOCK: a pipe with that name must not stop the loop. */
static void
read_file(struct load *load, enum httpd_tls_file which)
{
	const char *path = load->paths[which];
	struct stat found;
	int fd;

	if (path == NULL)
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &found) < 0) {
		wrong(load, which, "cannot be read: %s%s", strerror(errno),
		    errno == EACCES ? "; it must be readable by the user that airisd runs as" : "");
	} else {
		load->stamps[which] = httpd_tls_stamp(&found);
		if (check_file(load, which, &found) == 0 && read_all(fd, &load->bytes[which]) < 0)
			wrong(load, which, "cannot be read: %s", strerror(errno));
	}
	if (fd >= 0)
		(void)close(fd);
}

/* --- certificates --- */

static void
judge_time(struct load *load, enum httpd_tls_file which, int number, gnutls_x509_crt_t crt)
{
	int64_t from = gnutls_x509_crt_get_activation_time(crt);
	int64_t until = gnutls_x509_crt_get_expiration_time(crt);
	char at[40];

	if (load->any_time) {
		/* Whoever connects will say so. */
	} else if (until <= load->now_s) {
		str_time_text(until * 1000, at, sizeof(at));
		wrong(load, which, "certificate %d in it expired at %s; get a new one", number, at);
	} else if (from > load->now_s) {
		str_time_text(from * 1000, at, sizeof(at));
		wrong(load, which,
		    "certificate %d in it is good from %s on; is this host's clock right?", number,
		    at);
	}
	if (number == 1 || until < load->set->end_s)
		load->set->end_s = until;
}

/* The certificates of the file into chain; how many, or -1. */
static int
import(struct load *load, enum httpd_tls_file which, gnutls_x509_crt_t *chain, unsigned most)
{
	unsigned count = most;
	int rc = gnutls_x509_crt_list_import(chain, &count, &load->bytes[which],
	    GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED);

	if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
		wrong(load, which, "has more than %u certificates", most);
	else if (rc == GNUTLS_E_NO_CERTIFICATE_FOUND || rc == 0)
		wrong(load, which, "has no certificate in PEM form (%s)",
		    "-----BEGIN CERTIFICATE-----");
	else if (rc < 0)
		wrong(load, which, "is broken: %s", gnutls_strerror(rc));
	return rc > 0 ? rc : -1;
}

static void
judge_chain(struct load *load)
{
	gnutls_x509_crt_t chain[CHAIN_MAX];
	int count = import(load, HTTPD_TLS_CERTIFICATE, chain, CHAIN_MAX);

	if (count > 0 &&
	    gnutls_x509_crt_check_key_purpose(chain[0], GNUTLS_KP_TLS_WWW_SERVER, 0) == 0)
		wrong(load, HTTPD_TLS_CERTIFICATE,
		    "the first certificate in it is not for servers (%s)",
		    "its extendedKeyUsage has no serverAuth");
	for (int i = 0; i < count; i++) {
		judge_time(load, HTTPD_TLS_CERTIFICATE, i + 1, chain[i]);
		gnutls_x509_crt_deinit(chain[i]);
	}
}

/* GnuTLS would ask for a password. */
static bool
is_encrypted(const gnutls_datum_t *key)
{
	static const char mark[] = "ENCRYPTED";

	return key->data != NULL && memmem(key->data, key->size, mark, sizeof(mark) - 1) != NULL;
}

static void
take_pair(struct load *load)
{
	const gnutls_datum_t *key = &load->bytes[HTTPD_TLS_KEY];
	int rc;

	if (is_encrypted(key)) {
		wrong(load, HTTPD_TLS_KEY, "the key is encrypted, and airisd knows no password: %s",
		    "write it without one (openssl pkey -in … -out …), readable by airisd alone");
		return;
	}
	rc = gnutls_certificate_set_x509_key_mem(
	    load->set->credentials, &load->bytes[HTTPD_TLS_CERTIFICATE], key, GNUTLS_X509_FMT_PEM);
	if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		wrong(load, HTTPD_TLS_KEY,
		    "is not the key of the first certificate in %s; the server's own certificate "
		    "comes first there, and both are replaced together",
		    load->paths[HTTPD_TLS_CERTIFICATE]);
	else if (rc == GNUTLS_E_CERTIFICATE_LIST_UNSORTED)
		wrong(load, HTTPD_TLS_CERTIFICATE, "is out of order: %s",
		    "the server's own comes first, then each is followed by who signed it");
	else if (rc < 0)
		wrong(load, HTTPD_TLS_KEY, "no private key in PEM form can be taken from it: %s",
		    gnutls_strerror(rc));
}

/* --- who may come --- */

static void
take_client_ca(struct load *load)
{
	gnutls_x509_crt_t list[CLIENT_CAS_MAX];
	int count = import(load, HTTPD_TLS_CLIENT_CA, list, CLIENT_CAS_MAX), good = 0;
	int rc;

	for (int i = 0; i < count; i++) {
		good += gnutls_x509_crt_get_expiration_time(list[i]) > load->now_s;
		gnutls_x509_crt_deinit(list[i]);
	}
	if (count < 0)
		return;
	if (good == 0 && !load->any_time) {
		wrong(load, HTTPD_TLS_CLIENT_CA, "all %d certificates in it have expired", count);
		return;
	}
	rc = gnutls_certificate_set_x509_trust_mem(
	    load->set->credentials, &load->bytes[HTTPD_TLS_CLIENT_CA], GNUTLS_X509_FMT_PEM);
	if (rc <= 0)
		wrong(load, HTTPD_TLS_CLIENT_CA, "is refused by GnuTLS: %s", gnutls_strerror(rc));
	load->set->asks = true;
}

static const char *
given(const char *path)
{
	return path != NULL && path[0] != '\0' ? path : NULL;
}

/* Everything that can be said is said at once. */
static void
take_files(struct load *load)
{
	size_t before = load->errors->count;

	for (int i = 0; i < HTTPD_TLS_FILES; i++)
		read_file(load, (enum httpd_tls_file)i);
	for (int i = 0; i < HTTPD_TLS_CLIENT_CA; i++)
		if (load->paths[i] == NULL)
			errlist_add(load->errors, keys[i],
			    "is missing: TLS takes a certificate and its key");
	if (load->bytes[HTTPD_TLS_CERTIFICATE].data != NULL)
		judge_chain(load);
	if (load->bytes[HTTPD_TLS_CLIENT_CA].data != NULL)
		take_client_ca(load);
	if (load->errors->count == before)
		take_pair(load);
}

struct httpd_tls_set *
httpd_tls_set_load(const struct httpd_tls_settings *settings,
    struct httpd_tls_stamp stamps[HTTPD_TLS_FILES], struct errlist *errors)
{
	struct load load = {.paths = {given(settings->certificate_file), given(settings->key_file),
				given(settings->client_ca_file)},
	    .stamps = stamps,
	    .errors = errors,
	    .set = mem_alloc(sizeof(*load.set)),
	    .now_s = clock_wall_ms() / 1000,
	    .any_time = settings->any_time};
	size_t before = errors->count;

	memset(stamps, 0, HTTPD_TLS_FILES * sizeof(*stamps));
	load.set->users = 1;
	load.set->demands = settings->client_required;
	if (gnutls_certificate_allocate_credentials(&load.set->credentials) < 0)
		log_fatal("out of memory: no room for a certificate");
	take_files(&load);
	for (int i = 0; i < HTTPD_TLS_FILES; i++) {
		if (load.bytes[i].data != NULL)
			mem_wipe(load.bytes[i].data, load.bytes[i].size);
		free(load.bytes[i].data);
	}
	if (errors->count == before)
		return load.set;
	httpd_tls_set_unref(load.set);
	return NULL;
}

struct httpd_tls_set *
httpd_tls_set_ref(struct httpd_tls_set *set)
{
	set->users++;
	return set;
}

void
httpd_tls_set_unref(struct httpd_tls_set *set)
{
	if (set == NULL || --set->users > 0)
		return;
	gnutls_certificate_free_credentials(set->credentials);
	free(set);
}

void
httpd_tls_check(const struct httpd_tls_settings *settings, struct errlist *errors)
{
	struct httpd_tls_stamp stamps[HTTPD_TLS_FILES];

	httpd_tls_set_unref(httpd_tls_set_load(settings, stamps, errors));
}
