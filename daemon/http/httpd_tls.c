/* What is used for TLS, and when it is taken anew. Always true: what is in use is whole; files that
 * are wrong change nothing but the log and the metrics. libmicrohttpd cannot change its certificate
 * or its client CA once it runs, so each connection is given its credentials when it comes, and
 * holds them until it goes. */
#include "http/httpd_tls.h"

#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/log.h"

enum {
	LOOK_MS = 500,
	AGAIN = 120, /* looks; for what passes without a change: a clock, a date */
	DAY_S = 24 * 3600,
	WARN_DAYS = 14
};

struct httpd_tls {
	char *paths[HTTPD_TLS_FILES]; /* NULL: none */
	bool client_required;
	struct httpd_tls_set *set;
	struct httpd_tls_stamp used[HTTPD_TLS_FILES]; /* what was taken, or refused, last */
	struct httpd_tls_stamp seen[HTTPD_TLS_FILES]; /* at the last look */
	struct loop_timer *timer;
	char *refusal; /* the last one said; NULL: what is there is in use */
	int looks;     /* since then */
	uint64_t loaded;
	int64_t warned_s;
};

/* TLS 1.2 with forward secrecy and authenticated ciphers only, and TLS 1.3. Without tickets: a
 * resumed session would skip the look at the client's certificate. */
const char httpd_tls_priorities[] =
    "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:"
    "+AES-256-GCM:+AES-128-GCM:+CHACHA20-POLY1305:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:"
    "+GROUP-SECP256R1:+GROUP-SECP384R1:%SERVER_PRECEDENCE:%SAFE_RENEGOTIATION:%NO_TICKETS";

/* libmicrohttpd starts only with a certificate or with somebody to ask for one; it is never asked,
 * because each session has credentials of its own. */
int
httpd_tls_no_certificate(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
    const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain,
    unsigned int *count, gnutls_privkey_t *key)
{
	(void)session;
	(void)names;
	(void)name_count;
	(void)algorithms;
	(void)algorithm_count;
	(void)chain;
	(void)count;
	(void)key;
	return -1;
}

struct httpd_tls_set *
httpd_tls_current(const struct httpd *httpd)
{
	return httpd->tls->set;
}

static struct httpd_tls_settings
settings_of(const struct httpd_tls *tls)
{
	return (struct httpd_tls_settings){.certificate_file = tls->paths[HTTPD_TLS_CERTIFICATE],
	    .key_file = tls->paths[HTTPD_TLS_KEY],
	    .client_ca_file = tls->paths[HTTPD_TLS_CLIENT_CA],
	    .client_required = tls->client_required};
}

/* --- the end of the certificate --- */

char *
httpd_tls_ending(int64_t end_s, int64_t now_s)
{
	int64_t days = (end_s - now_s) / DAY_S;
	char at[40];

	if (end_s - now_s > WARN_DAYS * DAY_S)
		return NULL;
	str_time_text(end_s * 1000, at, sizeof(at));
	if (end_s <= now_s)
		return str_format("the certificate expired at %s: clients refuse it; put a new one "
				  "into its file",
		    at);
	return str_format(
	    "the certificate expires at %s, in %lld day%s: put a new one into its file", at,
	    (long long)days, days == 1 ? "" : "s");
}

static void
warn_of_end(struct httpd_tls *tls)
{
	int64_t now_s = clock_wall_ms() / 1000;
	char *text;

	if (now_s - tls->warned_s < DAY_S && now_s >= tls->warned_s)
		return;
	text = httpd_tls_ending(tls->set->end_s, now_s);
	if (text == NULL)
		return;
	tls->warned_s = now_s;
	log_line(tls->set->end_s <= now_s ? LOG_ERROR : LOG_WARN, "tls", NULL, NULL, "%s: %s",
	    tls->paths[HTTPD_TLS_CERTIFICATE], text);
	free(text);
}

/* --- taking the files --- */

static void
put_set(struct httpd_tls *tls, struct httpd_tls_set *set)
{
	httpd_tls_set_unref(tls->set);
	tls->set = set;
	tls->loaded++;
	tls->warned_s = 0;
	free(tls->refusal);
	tls->refusal = NULL;
}

static char *
all_errors(const struct errlist *errors)
{
	struct str text;

	str_init(&text, 0);
	for (size_t i = 0; i < errors->count; i++)
		str_addf(&text, "%s%s: %s", i > 0 ? "; " : "", errors->items[i].path,
		    errors->items[i].text);
	return str_take(&text);
}

static void
note_refusal(struct httpd_tls *tls, const struct errlist *errors)
{
	char *text = all_errors(errors);

	if (!str_equal(text, tls->refusal))
		log_error("tls",
		    "the changed files are refused, and what was in use stays in use: %s", text);
	free(tls->refusal);
	tls->refusal = text;
}

static void
load_again(struct httpd_tls *tls)
{
	struct httpd_tls_settings settings = settings_of(tls);
	struct httpd_tls_set *set;
	struct errlist errors;

	errlist_init(&errors);
	set = httpd_tls_set_load(&settings, tls->used, &errors);
	tls->looks = 0;
	if (set == NULL) {
		note_refusal(tls, &errors);
	} else {
		put_set(tls, set);
		log_info("tls", "%s: the changed files are in use", settings.certificate_file);
	}
	errlist_done(&errors);
}

static void
look(const struct httpd_tls *tls, struct httpd_tls_stamp stamps[HTTPD_TLS_FILES])
{
	struct stat found;

	memset(stamps, 0, HTTPD_TLS_FILES * sizeof(*stamps));
	for (int i = 0; i < HTTPD_TLS_FILES; i++)
		if (tls->paths[i] != NULL && stat(tls->paths[i], &found) == 0)
			stamps[i] = httpd_tls_stamp(&found);
}

/* Certificate and key are two files: they are taken when both have rested for a look. */
static void
on_look(void *ctx)
{
	struct httpd_tls *tls = ctx;
	struct httpd_tls_stamp now[HTTPD_TLS_FILES];
	bool rests, changed;

	look(tls, now);
	rests = memcmp(now, tls->seen, sizeof(now)) == 0;
	changed = memcmp(now, tls->used, sizeof(now)) != 0;
	memcpy(tls->seen, now, sizeof(now));
	tls->looks++;
	if (rests && (changed || (tls->refusal != NULL && tls->looks >= AGAIN)))
		load_again(tls);
	warn_of_end(tls);
	loop_timer_set(tls->timer, LOOK_MS);
}

static void
put_paths(struct httpd_tls *tls, const struct httpd_tls_settings *settings)
{
	const char *const paths[] = {
	    settings->certificate_file, settings->key_file, settings->client_ca_file};

	for (int i = 0; i < HTTPD_TLS_FILES; i++) {
		free(tls->paths[i]);
		tls->paths[i] =
		    paths[i] != NULL && paths[i][0] != '\0' ? mem_strdup(paths[i]) : NULL;
	}
	tls->client_required = settings->client_required;
}

int
httpd_tls(struct httpd *httpd, const struct httpd_tls_settings *settings, struct errlist *errors)
{
	struct httpd_tls_stamp stamps[HTTPD_TLS_FILES];
	struct httpd_tls_set *set = httpd_tls_set_load(settings, stamps, errors);
	struct httpd_tls *tls = httpd->tls;

	if (set == NULL)
		return -1;
	if (tls == NULL) {
		tls = httpd->tls = mem_alloc(sizeof(*tls));
		tls->timer = loop_timer_new(httpd->loop, on_look, tls);
		loop_timer_set(tls->timer, LOOK_MS);
	}
	put_paths(tls, settings);
	put_set(tls, set);
	memcpy(tls->used, stamps, sizeof(stamps));
	memcpy(tls->seen, stamps, sizeof(stamps));
	warn_of_end(tls);
	return 0;
}

void
httpd_tls_free(struct httpd_tls *tls)
{
	if (tls == NULL)
		return;
	loop_timer_free(tls->timer);
	httpd_tls_set_unref(tls->set);
	for (int i = 0; i < HTTPD_TLS_FILES; i++)
		free(tls->paths[i]);
	free(tls->refusal);
	free(tls);
}

struct httpd_tls_stats
httpd_tls_stats(const struct httpd *httpd)
{
	const struct httpd_tls *tls = httpd->tls;

	if (tls == NULL)
		return (struct httpd_tls_stats){0};
	return (struct httpd_tls_stats){.on = true,
	    .refused = tls->refusal != NULL,
	    .not_after_s = tls->set->end_s,
	    .loaded = tls->loaded};
}
