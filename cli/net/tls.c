/* Always true: a text says which side refused whom, and with which flag or file that is put right.
 */
#include "net/tls.h"

#include <openssl/x509_vfy.h>
#include <string.h>
#include "base/str.h"

#define CA_PLACES "--ca-file, AIRIS_CA_FILE, or caFile: in " CONFIG_PATH
#define CERTIFICATE_PLACES                                                                         \
	"--certificate-file and --key-file, AIRIS_CERTIFICATE_FILE and AIRIS_KEY_FILE, or "        \
	"certificateFile: and keyFile: in " CONFIG_PATH

void
tls_set(CURL *easy, const struct settings *settings)
{
	const char *key = settings->key_file;

	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (settings->ca_file != NULL) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, settings->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL); /* this one alone */
	}
	if (settings->certificate_file == NULL)
		return;
	curl_easy_setopt(easy, CURLOPT_SSLCERT, settings->certificate_file);
	curl_easy_setopt(easy, CURLOPT_SSLKEY, key != NULL ? key : settings->certificate_file);
	curl_easy_setopt(easy, CURLOPT_KEYPASSWD, ""); /* never asks on the terminal */
}

/* --- we refuse the server --- */

static void
explain_unknown(const struct settings *s, struct err *e)
{
	if (s->ca_file != NULL)
		err_set(e,
		    "the certificate of %s is not signed by a CA in %s: is it the right file, and "
		    "the right server?",
		    s->server_given, s->ca_file);
	else
		err_set(e,
		    "the certificate of %s is not signed by a CA that is trusted here: give the "
		    "file of its CA with " CA_PLACES,
		    s->server_given);
}

static void
explain_server(const struct settings *s, CURL *easy, const char *why, struct err *e)
{
	long verified = X509_V_OK;

	curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verified);
	switch (verified) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		err_set(e,
		    "the certificate of %s has expired: whoever runs airisd there must renew it "
		    "(or "
		    "is this machine's clock wrong?)",
		    s->server_given);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		err_set(e, "the certificate of %s is not valid yet: is this machine's clock right?",
		    s->server_given);
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		explain_unknown(s, e);
		break;
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED: /* curl looks at the name before it keeps this number */
		err_set(e,
		    "the certificate of %s is not for that name: write one into --server that is "
		    "in "
		    "its subjectAltName, or have a certificate made with this name (%s)",
		    s->server_given, why);
		break;
	default:
		err_set(e, "the certificate of %s is not trusted: %s", s->server_given, why);
		break;
	}
}

/* --- the server refuses us --- */

#define ASK_MS 3000L

/* What the text of curl has in it, and what that means. */
static const struct {
	const char *alert, *says, *advice;
} alerts[] = {
    {"alert certificate required", NULL, NULL},
    {"alert unknown ca", "does not know the CA of",
	"have it signed by a CA in its listen.tls.clientCaFile"},
    {"alert certificate expired",
	"says that it has expired, or is not valid yet:", "get a new one"},
    /* curl's words for the same alert in TLS 1.2; of the server's it says "certificate problem" */
    {"SSL certificate verification failed",
	"says that it has expired, or is not valid yet:", "get a new one"},
    {"alert unsupported certificate",
	"says that it is not for clients:", "its extendedKeyUsage must have clientAuth"},
    {"alert bad certificate", "refuses", "is it whole, and signed by its listen.tls.clientCaFile?"},
};

static bool
explain_alert(const struct settings *s, const char *why, struct err *e)
{
	const char *file = s->certificate_file;

	for (size_t i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (strstr(why, alerts[i].alert) == NULL)
			continue;
		if (alerts[i].says == NULL)
			err_set(e,
			    "%s demands a client certificate: give one with " CERTIFICATE_PLACES,
			    s->server_given);
		else
			err_set(e, "%s %s the certificate in %s; %s", s->server_given,
			    alerts[i].says, file != NULL ? file : "(none was given)",
			    alerts[i].advice);
		return true;
	}
	return false;
}

static void
explain_handshake(const struct settings *s, const char *why, struct err *e)
{
	if (strstr(why, "wrong version number") != NULL || strstr(why, "packet length") != NULL)
		err_set(
		    e, "%s does not speak https: is it http://, or another port?", s->server_given);
	else if (strstr(why, "protocol version") != NULL)
		err_set(e, "%s speaks no TLS 1.2 or 1.3: %s", s->server_given, why);
	else
		err_set(e, "no secure connection to %s: %s", s->server_given, why);
}

static void
explain_own(const struct settings *s, const char *why, struct err *e)
{
	err_set(e,
	    "the client certificate in %s and its key%s%s cannot be used: %s (both are PEM, the "
	    "key is "
	    "not encrypted and is the certificate's)",
	    s->certificate_file, s->key_file != NULL ? " in " : "",
	    s->key_file != NULL ? s->key_file : "", why);
}

bool
tls_explain(
    const struct settings *settings, CURL *easy, CURLcode code, const char *why, struct err *e)
{
	if (!str_starts(settings->server, "https://"))
		return false;
	if (explain_alert(settings, why, e))
		return true;
	switch ((int)code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		explain_server(settings, easy, why, e);
		return true;
	case CURLE_SSL_CACERT_BADFILE:
		err_set(e, "no CA can be read from %s: %s",
		    settings->ca_file != NULL ? settings->ca_file : "this machine's files", why);
		return true;
	case CURLE_SSL_CERTPROBLEM:
		explain_own(settings, why, e);
		return true;
	case CURLE_SSL_CONNECT_ERROR:
		explain_handshake(settings, why, e);
		return true;
	default:
		return false;
	}
}

/* In TLS 1.3 the server's refusal comes after our side of the handshake is done, and the closed
 * connection may cut it off: in TLS 1.2 it comes within. */
bool
tls_ask_why(const struct settings *settings, CURLcode code, struct err *e)
{
	char why[CURL_ERROR_SIZE] = "";
	CURL *easy;
	bool refused;

	if (!str_starts(settings->server, "https://") ||
	    (code != CURLE_SEND_ERROR && code != CURLE_RECV_ERROR && code != CURLE_GOT_NOTHING))
		return false;
	easy = curl_easy_init();
	curl_easy_setopt(easy, CURLOPT_URL, settings->server);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ASK_MS);
	tls_set(easy, settings);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION,
	    (long)CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_2);
	refused = curl_easy_perform(easy) != CURLE_OK && explain_alert(settings, why, e);
	curl_easy_cleanup(easy);
	return refused;
}
