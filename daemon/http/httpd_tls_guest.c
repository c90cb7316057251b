/* One connection over TLS. GnuTLS asks verify() in the middle of each handshake, also when the
 * client has shown no certificate. Always true: whoever has a name here has shown a certificate
 * whose key it holds, and which the client CA that is in use now verifies, for clients, at this
 * time; a CA that was replaced lets nobody go on under an old one. */
#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "base/clock.h"
#include "base/log.h"
#include "http/httpd_tls.h"

enum {
	CHAIN_MAX = 16,
	NAMES_MAX = 64,
	HANDSHAKE_MAX = 64 * 1024,
	TURN_US = 20 * 1000 /* so long handshakes may hold up all else */
};

struct httpd_tls_guest {
	gnutls_session_t session; /* libmicrohttpd's, as long as the connection */
	int fd;
	bool shaken; /* nothing more of the handshake is read */
	struct httpd_tls_set *set;
	struct httpd_tls_set *looked; /* with which it was last looked at; NULL: not yet */
	int64_t end_s;		      /* of the client's certificate, if there is a name */
	char name[HTTPD_NAME + 1];    /* "": nobody known */
	char peer[HTTPD_NAME + 128];
};

/* What is wrong with the chain that the client has shown; 0: nothing, ~0: it cannot be read. */
static unsigned
judge_chain(gnutls_session_t session, const struct httpd_tls_set *set, int64_t *end_s)
{
	gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
	    .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
	gnutls_x509_crt_t chain[CHAIN_MAX];
	gnutls_x509_trust_list_t trust;
	unsigned count = 0, made = 0, status = ~0U;
	const gnutls_datum_t *shown = gnutls_certificate_get_peers(session, &count);

	gnutls_certificate_get_trust_list(set->credentials, &trust);
	while (made < count && made < CHAIN_MAX && gnutls_x509_crt_init(&chain[made]) == 0) {
		made++;
		if (gnutls_x509_crt_import(chain[made - 1], &shown[made - 1], GNUTLS_X509_FMT_DER) <
		    0)
			count = 0;
	}
	if (made == count && count > 0 &&
	    gnutls_x509_trust_list_verify_crt2(trust, chain, count, &purpose, 1, 0, &status, NULL) <
		0)
		status = ~0U;
	if (status == 0)
		*end_s = gnutls_x509_crt_get_expiration_time(chain[0]);
	while (made > 0)
		gnutls_x509_crt_deinit(chain[--made]);
	return status;
}

static gnutls_alert_description_t
alert_for(unsigned status)
{
	if (status == ~0U)
		return GNUTLS_A_BAD_CERTIFICATE;
	if ((status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) != 0)
		return GNUTLS_A_CERTIFICATE_EXPIRED;
	if ((status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA)) != 0)
		return GNUTLS_A_UNKNOWN_CA;
	if ((status & GNUTLS_CERT_PURPOSE_MISMATCH) != 0)
		return GNUTLS_A_UNSUPPORTED_CERTIFICATE;
	return GNUTLS_A_BAD_CERTIFICATE;
}

/* Nobody else would tell the client why. */
static int
refuse(gnutls_session_t session, gnutls_alert_description_t alert)
{
	const struct httpd_connection *connection = gnutls_db_get_ptr(session);

	log_debug("tls", "%s: refused: %s", connection->peer, gnutls_alert_get_strname(alert));
	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, alert);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static int
verify(gnutls_session_t session)
{
	const struct httpd_connection *connection = gnutls_db_get_ptr(session);
	const struct httpd_tls_set *set = connection->guest->set;
	unsigned count = 0, status;
	int64_t end_s;

	(void)gnutls_certificate_get_peers(session, &count);
	if (count == 0)
		return set->demands ? refuse(session, GNUTLS_A_CERTIFICATE_REQUIRED) : 0;
	status = judge_chain(session, set, &end_s);
	return status == 0 ? 0 : refuse(session, alert_for(status));
}

/* --- how much at once --- */

static int64_t turn_ends_us; /* there is one loop */

void
httpd_tls_turn(void)
{
	turn_ends_us = clock_mono_us() + TURN_US;
}

/* libmicrohttpd goes through all who have something to say in one run, and a handshake takes the
 * processor for a millisecond (P-256) to five (RSA): hundreds at once would stop the loop. Those
 * that find the time used up have said nothing yet; libmicrohttpd looks at who is in its handshake
 * in every run, so they are heard in the next. */
static ssize_t
pull(gnutls_transport_ptr_t ctx, void *to, size_t room)
{
	struct httpd_tls_guest *guest = ctx;
	ssize_t got;

	if (!guest->shaken && clock_mono_us() > turn_ends_us) {
		gnutls_transport_set_errno(guest->session, EAGAIN);
		return -1;
	}
	got = recv(guest->fd, to, room, 0);
	if (got < 0)
		gnutls_transport_set_errno(guest->session, errno);
	return got;
}

static int
on_finished(gnutls_session_t session, unsigned message, unsigned when, unsigned incoming,
    const gnutls_datum_t *bytes)
{
	const struct httpd_connection *connection = gnutls_db_get_ptr(session);

	(void)message;
	(void)when;
	(void)bytes;
	if (incoming != 0)
		connection->guest->shaken = true;
	return 0;
}

/* A session's other pointer is libmicrohttpd's; the one for a cache of sessions is free, for there
 * is no such cache. */
void
httpd_tls_guest_new(struct httpd_connection *connection, struct MHD_Connection *mhd)
{
	static const unsigned char http[] = "http/1.1";
	gnutls_datum_t protocol = {(unsigned char *)(uintptr_t)http, sizeof(http) - 1};
	struct httpd_tls_guest *guest = mem_alloc(sizeof(*guest));
	gnutls_session_t session =
	    (gnutls_session_t)MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)
		->tls_session;

	guest->session = session;
	guest->fd = connection->fd;
	guest->set = httpd_tls_set_ref(httpd_tls_current(connection->port->httpd));
	connection->guest = guest;
	gnutls_db_set_ptr(session, connection);
	gnutls_transport_set_ptr2(session, guest, (gnutls_transport_ptr_t)(intptr_t)connection->fd);
	gnutls_transport_set_pull_function(session, pull);
	gnutls_handshake_set_hook_function(
	    session, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
	gnutls_handshake_set_max_packet_length(session, HANDSHAKE_MAX);
	if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, guest->set->credentials) < 0)
		log_fatal("out of memory: no TLS session");
	(void)gnutls_alpn_set_protocols(session, &protocol, 1, GNUTLS_ALPN_MANDATORY);
	if (!guest->set->asks)
		return;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	gnutls_session_set_verify_function(session, verify);
}

void
httpd_tls_guest_free(struct httpd_tls_guest *guest)
{
	if (guest == NULL)
		return;
	httpd_tls_set_unref(guest->looked);
	httpd_tls_set_unref(guest->set);
	free(guest);
}

/* --- who is it --- */

/* A name that goes into logs, and that no other kind of name can look like. */
static bool
is_name(const char *name, size_t size, gnutls_x509_subject_alt_name_t kind)
{
	if (size == 0 || size > HTTPD_NAME || strlen(name) != size)
		return false;
	for (size_t i = 0; i < size; i++)
		if (name[i] < 0x21 || name[i] > 0x7e)
			return false;
	if (kind == GNUTLS_SAN_URI)
		return strchr(name, ':') != NULL;
	if (strpbrk(name, ":/") != NULL)
		return false;
	return (strchr(name, '@') != NULL) == (kind == GNUTLS_SAN_RFC822NAME);
}

/* The first of this kind; false: there is none. One that is no name gives none, and no second one
 * is looked for. */
static bool
find_name(gnutls_x509_crt_t crt, gnutls_x509_subject_alt_name_t kind, char to[HTTPD_NAME + 1])
{
	char *name = mem_alloc(HANDSHAKE_MAX);
	int found = 0;

	for (unsigned i = 0; i < NAMES_MAX && found >= 0; i++) {
		size_t size = HANDSHAKE_MAX - 1;

		found = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &size, NULL);
		if (found != (int)kind)
			continue;
		name[size] = '\0';
		if (is_name(name, size, kind))
			(void)str_copy(to, HTTPD_NAME + 1, name);
		break;
	}
	free(name);
	return found == (int)kind;
}

static void
take_name(struct httpd_tls_guest *guest)
{
	static const gnutls_x509_subject_alt_name_t kinds[] = {
	    GNUTLS_SAN_URI, GNUTLS_SAN_DNSNAME, GNUTLS_SAN_RFC822NAME};
	unsigned count = 0;
	const gnutls_datum_t *shown = gnutls_certificate_get_peers(guest->session, &count);
	gnutls_x509_crt_t crt;

	if (count == 0 || gnutls_x509_crt_init(&crt) < 0)
		return;
	if (gnutls_x509_crt_import(crt, &shown[0], GNUTLS_X509_FMT_DER) == 0)
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
			if (find_name(crt, kinds[i], guest->name))
				break;
	gnutls_x509_crt_deinit(crt);
}

void
httpd_tls_guest_look(struct httpd_connection *connection)
{
	struct httpd_tls_guest *guest = connection->guest;
	struct httpd_tls_set *now;
	unsigned count = 0;

	if (guest == NULL)
		return;
	now = httpd_tls_current(connection->port->httpd);
	if (guest->looked == now)
		return;
	httpd_tls_set_unref(guest->looked);
	guest->looked = httpd_tls_set_ref(now);
	guest->name[0] = '\0';
	(void)gnutls_certificate_get_peers(guest->session, &count);
	if (count == 0 || !now->asks || judge_chain(guest->session, now, &guest->end_s) != 0)
		return;
	take_name(guest);
	if (guest->name[0] != '\0')
		(void)str_print(guest->peer, sizeof(guest->peer), "certificate %s %s", guest->name,
		    connection->peer);
	else
		log_warn("tls",
		    "%s: its certificate verifies and names nobody: it needs a URI, a DNS name or "
		    "an e-mail address of at most %d characters in subjectAltName (the CN is not "
		    "used)",
		    connection->peer, HTTPD_NAME);
}

static bool
is_known(const struct httpd_tls_guest *guest)
{
	return guest != NULL && guest->name[0] != '\0' && clock_wall_ms() / 1000 < guest->end_s;
}

const char *
httpd_tls_guest_name(const struct httpd_tls_guest *guest)
{
	return is_known(guest) ? guest->name : NULL;
}

const char *
httpd_tls_guest_peer(const struct httpd_tls_guest *guest)
{
	return is_known(guest) ? guest->peer : NULL;
}
