/* The daemon's settings: one YAML file, one table of keys. The table parses, checks, fills in
 * defaults, prints what is in force and writes the reference; SIGHUP takes over what is live. */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/keys.h"
#include "settings/access.h"
#include "settings/webhooks.h"

#define SETTINGS_CLUSTERS 16
#define SETTINGS_SOURCES 16
#define SETTINGS_HEADERS 16

#define SETTINGS_ISTIODS 8

struct settings_url {
	char url[256];
};

struct settings_istiod { /* how the mesh is asked; all empty: it is not */
	struct settings_url urls[SETTINGS_ISTIODS]; /* an empty one ends it */
	bool discover;
	char token_file[SETTINGS_PATH];
	char service_account[KEYS_LABEL];
};

struct settings_lease { /* who may write in the cluster */
	bool enabled;
	char namespace[KEYS_LABEL], name[KEYS_LABEL];
	int64_t duration_ms;
};

struct settings_cluster {
	char name[KEYS_LABEL];
	char kubeconfig[SETTINGS_PATH], context[256];
	bool in_cluster, exec, http2, events;
	int qps, burst;
	int64_t request_timeout_ms;
	struct settings_lease lease;
	struct settings_istiod istiod;
	char observe[KEYS_LABEL]; /* name of a source; "" : traffic is not looked at */
};

struct settings_source {
	char name[KEYS_LABEL];
	char url[SETTINGS_PATH], ca_file[SETTINGS_PATH];
	char username[256], password_file[SETTINGS_PATH], token_file[SETTINGS_PATH];
	char *headers[SETTINGS_HEADERS + 1]; /* "Name: value", owned, NULL-terminated */
	int64_t timeout_ms;
};

struct settings_traces { /* url "": none are sent */
	char url[SETTINGS_PATH], token_file[SETTINGS_PATH], ca_file[SETTINGS_PATH];
	char *headers[SETTINGS_HEADERS + 1]; /* "Name: value", owned, NULL-terminated */
	int64_t timeout_ms;
};

struct settings_tls { /* of listen.tcp; no certificate: it is plain */
	char certificate_file[SETTINGS_PATH], key_file[SETTINGS_PATH];
	char client_ca_file[SETTINGS_PATH];
	int client_required; /* 0: optional */
};

struct settings {
	char socket[SETTINGS_PATH]; /* "" : none */
	char socket_mode[8];
	unsigned mode;
	char tcp[256]; /* "" : none */
	struct settings_tls tls;
	char token_file[SETTINGS_PATH];
	char database[SETTINGS_PATH];
	int reserve;		   /* bytes */
	int log_level, log_format; /* enum log_level, enum log_format */
	int64_t settle_ms;
	bool metrics_apps;
	char sign_key_file[SETTINGS_PATH]; /* "" : none */
	char syslog[108];		   /* its socket */
	int64_t sign_every_ms;
	int max_connections, max_body;
	int rate, burst, failed_logins;
	int64_t header_timeout_ms;
	struct settings_cluster clusters[SETTINGS_CLUSTERS];
	int cluster_count;
	struct settings_source sources[SETTINGS_SOURCES];
	int source_count;
	struct settings_access access[SETTINGS_ACCESS];
	int access_count;
	struct settings_issuer issuers[SETTINGS_ISSUERS];
	int issuer_count;
	struct settings_webhook webhooks[SETTINGS_WEBHOOKS];
	int webhook_count;
	struct settings_traces traces;
};

/* Everything wrong with the file is in errors, with lines. NULL if anything is. check adds what
 * others know of it. */
struct settings *settings_read(const char *path,
    void (*check)(const struct settings *settings, struct errlist *errors), struct errlist *errors);
/* The same of a text that is there already. */
struct settings *settings_parse(const char *text, size_t length,
    void (*check)(const struct settings *settings, struct errlist *errors), struct errlist *errors);
void settings_free(struct settings *settings);
/* For who uses them: an error for each file that is a credential of the unit, when no folder of
 * credentials is known here. */
void settings_need_credentials(const struct settings *settings, struct errlist *errors);

/* What is in force, as YAML; owned by the caller. */
char *settings_print(const struct settings *settings);
/* A line per key: path, what is allowed, default, help; owned by the caller. */
char *settings_reference(void);
/* Adds one sentence for each key that differs and cannot be taken over without a restart. */
void settings_fixed(
    const struct settings *now, const struct settings *next, struct errlist *sentences);

#endif
