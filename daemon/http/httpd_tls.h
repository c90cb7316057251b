/* Inside the room httpd only: TLS, which libmicrohttpd speaks by GnuTLS. httpd_tls.c has what is in
 * use and takes the files anew, httpd_tls_set.c reads and checks them, httpd_tls_guest.c is one
 * connection and who is at its other end. */
#ifndef HTTP_HTTPD_TLS_H
#define HTTP_HTTPD_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <sys/stat.h>
#include "http/httpd_room.h"

enum httpd_tls_file { HTTPD_TLS_CERTIFICATE, HTTPD_TLS_KEY, HTTPD_TLS_CLIENT_CA, HTTPD_TLS_FILES };

/* What tells one content of a file from another. Its ctime too: of a file that was refused for its
 * mode nothing else changes. */
struct httpd_tls_stamp {
	int64_t changed_ns, moved_ns, size;
	uint64_t inode;
};
struct httpd_tls_stamp httpd_tls_stamp(const struct stat *found);

/* Certificate, key and client CA of one moment. It lives until the last connection that was opened
 * with it has closed. */
struct httpd_tls_set {
	int users;
	gnutls_certificate_credentials_t credentials;
	int64_t end_s; /* of the first certificate in the chain to end */
	bool asks, demands;
};

/* NULL: errors say what is wrong. stamps: of what was read, zeros where nothing could be. */
struct httpd_tls_set *httpd_tls_set_load(const struct httpd_tls_settings *settings,
    struct httpd_tls_stamp stamps[HTTPD_TLS_FILES], struct errlist *errors);
struct httpd_tls_set *httpd_tls_set_ref(struct httpd_tls_set *set);
void httpd_tls_set_unref(struct httpd_tls_set *set); /* NULL is allowed */

/* What a start of libmicrohttpd needs. */
extern const char httpd_tls_priorities[];
int httpd_tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
    unsigned int *count, gnutls_privkey_t *key);

struct httpd_tls_set *httpd_tls_current(const struct httpd *httpd);
void httpd_tls_free(struct httpd_tls *tls); /* NULL is allowed */
/* Says how long the certificate is still good, when it is time to: a line for the log, or NULL.
 * Owned by the caller. */
char *httpd_tls_ending(int64_t end_s, int64_t now_s);

/* A run of libmicrohttpd begins: handshakes share a time in it. */
void httpd_tls_turn(void);
/* A connection has come: it gets what is in use now. */
void httpd_tls_guest_new(struct httpd_connection *connection, struct MHD_Connection *mhd);
/* A request has come: who is it from, as the client CA of now sees it? */
void httpd_tls_guest_look(struct httpd_connection *connection);
void httpd_tls_guest_free(struct httpd_tls_guest *guest);	       /* NULL is allowed */
const char *httpd_tls_guest_name(const struct httpd_tls_guest *guest); /* NULL: nobody known */
const char *httpd_tls_guest_peer(const struct httpd_tls_guest *guest); /* the same */

#endif
