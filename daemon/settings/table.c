/* The one table of settings. A key that is not here does not exist. */
#include "settings/table.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "settings/file.h"

#define IN(member) .offset = offsetof(struct settings, member)
#define IN_CLUSTER(member) .offset = offsetof(struct settings_cluster, member)
#define IN_ACCESS(member) .offset = offsetof(struct settings_access, member)
#define IN_SOURCE(member) .offset = offsetof(struct settings_source, member)
#define CHOICES(...)                                                                               \
	.choices = (const char *const[])                                                           \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}
#define SECOND_MS ((int64_t)1000)
#define MINUTE_MS ((int64_t)60000)
/* clang-format off */
#define END {.name = NULL}
/* clang-format on */

static void *
add_cluster(void *record)
{
	struct settings *settings = record;
	if (settings->cluster_count == SETTINGS_CLUSTERS)
		return NULL;
	return &settings->clusters[settings->cluster_count++];
}

static void *
add_source(void *record)
{
	struct settings *settings = record;
	if (settings->source_count == SETTINGS_SOURCES)
		return NULL;
	return &settings->sources[settings->source_count++];
}

static void *
add_access(void *record)
{
	struct settings *settings = record;
	if (settings->access_count == SETTINGS_ACCESS)
		return NULL;
	return &settings->access[settings->access_count++];
}

static void *
add_issuer(void *record)
{
	struct settings *settings = record;
	if (settings->issuer_count == SETTINGS_ISSUERS)
		return NULL;
	return &settings->issuers[settings->issuer_count++];
}

static void *
add_webhook(void *record)
{
	struct settings *settings = record;
	if (settings->webhook_count == SETTINGS_WEBHOOKS)
		return NULL;
	return &settings->webhooks[settings->webhook_count++];
}

static void
parse_urls(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	struct settings_url *urls = slot;
	size_t count = json_array_size(value);
	if (count == 0 || count > SETTINGS_ISTIODS) {
		keys_wrong(at, key, value);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(value, i));
		size_t mark = keys_enter_item(at, i);
		bool http =
		    text != NULL && (str_starts(text, "http://") || str_starts(text, "https://"));
		if (!http || !str_copy(urls[i].url, sizeof(urls[i].url), text))
			keys_error(at, "expected: a URL such as http://istiod.example:15014");
		keys_leave(at, mark);
	}
}

const struct key_type settings_urls = {
    .name = "list of 1 to 8 URLs", .bare = true, .parse = parse_urls};

static bool
header_ok(const char *name, const char *value)
{
	if (*name == '\0' || strlen(name) > 128 || value == NULL || strlen(value) > 1024)
		return false;
	for (const char *c = name; *c != '\0'; c++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
			*c) == NULL)
			return false;
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	return true;
}

static void
parse_headers(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	char **headers = slot;
	json_t *walk = (json_t *)value, *item;
	const char *name;
	int count = 0;
	if (!json_is_object(value) || json_object_size(value) > SETTINGS_HEADERS) {
		keys_wrong(at, key, value);
		return;
	}
	json_object_foreach(walk, name, item)
	{
		const char *text = json_string_value(item);
		size_t mark = keys_enter(at, name);
		if (!header_ok(name, text))
			keys_error(
			    at, "expected: a header such as X-Scope-OrgID: tenant, one line");
		else
			headers[count++] = str_format("%s: %s", name, text);
		keys_leave(at, mark);
	}
}

const struct key_type settings_headers = {
    .name = "headers as NAME: VALUE", .bare = true, .parse = parse_headers};

static const struct key tls_keys[] = {
    {"certificateFile", &settings_file, NULL,
	"PEM file: the certificate for the name or address in tcp, then those that lead to its "
	"root",
	IN(tls.certificate_file), .max = SETTINGS_PATH},
    {"keyFile", &settings_file, NULL,
	"PEM file with its key, not encrypted, mode 0640 at most; both are taken anew when they "
	"change",
	IN(tls.key_file), .max = SETTINGS_PATH},
    {"clientCaFile", &settings_file, NULL,
	"PEM file: a client's certificate must lead to one of these, and lets it in without a "
	"token; when not given, certificates of clients are not asked for",
	IN(tls.client_ca_file), .max = SETTINGS_PATH},
    {"clientCertificate", &keys_choice, "optional",
	"required: who shows none is refused in the handshake, also with a token",
	IN(tls.client_required), CHOICES("optional", "required")},
    END};

static const struct key listen_keys[] = {
    {"socket", &keys_text, NULL, "Unix socket for people on this host; its mode guards it",
	IN(socket), .max = SETTINGS_PATH},
    {"socketMode", &keys_text, "0660", "file permissions of the socket, octal, in quotes",
	IN(socket_mode), .max = 8},
    {"tcp", &keys_text, NULL,
	"ADDRESS:PORT for programs; without tls (plain HTTP) on loopback only", IN(tcp),
	.max = 256},
    {"tls", &keys_object, "{}", "TCP speaks HTTPS (TLS 1.2 and 1.3) with this certificate",
	.inside = tls_keys},
    {"tokenFile", &settings_file, NULL,
	"file with the bearer token that guards TCP; read again when it changes", IN(token_file),
	.max = SETTINGS_PATH},
    END};

static const struct key store_keys[] = {
    {"path", &keys_text, "/var/lib/airis/airis.db",
	"the SQLite database with journal, apps, releases", IN(database), .max = SETTINGS_PATH},
    {"reserve", &keys_int, "1048576",
	"bytes kept beside it, so that aborts can be written down when the disk is full; 0: none",
	IN(reserve), .min = 0, .max = 1 << 30},
    END};

static const struct key log_keys[] = {
    {"level", &keys_choice, "info", "how much is logged on stderr", IN(log_level),
	CHOICES("debug", "info", "warn", "error")},
    {"format", &keys_choice, "text", "text, or one JSON object a line", IN(log_format),
	CHOICES("text", "json")},
    END};

static const struct key mesh_keys[] = {{"settle", &keys_duration, "12s",
					   "how long after a write the mesh counts as having taken "
					   "it: its longest debounce and a margin",
					   IN(settle_ms), .min = 0, .max = 10 * MINUTE_MS},
    END};

static const struct key metrics_keys[] = {
    {"apps", &keys_bool, "true",
	"three values for each app with a rollout that has not ended, with the app's name; false "
	"where thousands move at once and their names are too much for Prometheus",
	IN(metrics_apps)},
    END};

static const struct key audit_keys[] = {
    {"signKeyFile", &settings_file, NULL,
	"file with a private Ed25519 key (PEM): the newest hash of the audit is signed and sent to "
	"syslog; when not given it is only logged, unsigned, once a day",
	IN(sign_key_file), .max = SETTINGS_PATH},
    {"signEvery", &keys_duration, "1h", "how often", IN(sign_every_ms), .min = SECOND_MS,
	.max = 24 * 60 * MINUTE_MS},
    {"syslog", &keys_text, "/dev/log", "the socket of the local syslog", IN(syslog), .max = 108},
    END};

static const struct key limit_keys[] = {
    {"connections", &keys_int, "256",
	"open connections of each listener; more wait; half as many streams and waits",
	IN(max_connections), .min = 4, .max = 10000},
    {"body", &keys_int, "262144", "bytes of one request's body", IN(max_body), .min = 4096,
	.max = 4194304},
    {"headerTimeout", &keys_duration, "10s",
	"how long the head of a request may take to come; its body three times as long",
	IN(header_timeout_ms), .min = SECOND_MS, .max = MINUTE_MS},
    {"rate", &keys_int, "20",
	"requests by TCP per second, by token or else by address; more get 429; 0: no limit",
	IN(rate), .min = 0, .max = 100000},
    {"burst", &keys_int, "40", "of these so many at once", IN(burst), .min = 1, .max = 100000},
    {"failedLogins", &keys_int, "5",
	"wrong tokens per minute and address; then none from there is looked at for a while; 0: no "
	"limit",
	IN(failed_logins), .min = 0, .max = 100000},
    END};

static const struct key istiod_keys[] = {
    {"urls", &settings_urls, NULL,
	"http(s)://HOST:15014 of every istiod; each one knows its own proxies only",
	IN_CLUSTER(istiod.urls)},
    {"discover", &keys_bool, "false",
	"find every istiod as an endpoint of Service istiod in istio-system: where pod addresses "
	"can be reached, and urls is empty",
	IN_CLUSTER(istiod.discover)},
    {"tokenFile", &settings_file, NULL,
	"file with a token of a service account in istio-system, audience istio-ca; read again "
	"for every question",
	IN_CLUSTER(istiod.token_file), .max = SETTINGS_PATH},
    {"serviceAccount", &keys_label, NULL,
	"in istio-system: such tokens are asked for by the TokenRequest API, when there is no "
	"tokenFile",
	IN_CLUSTER(istiod.service_account)},
    END};

static const struct key lease_keys[] = {
    {"enabled", &keys_bool, "true",
	"false only where nothing but this one airisd can ever write in the cluster",
	IN_CLUSTER(lease.enabled)},
    {"namespace", &keys_label, "airis", "where the Lease is", IN_CLUSTER(lease.namespace)},
    {"name", &keys_label, "airisd",
	"what it is called; the same for all who must not write at once", IN_CLUSTER(lease.name)},
    {"duration", &keys_duration, "15s",
	"without a renewal for so long another airisd takes it; this one renews every third of it, "
	"and "
	"stops writing after four fifths",
	IN_CLUSTER(lease.duration_ms), .min = 2 * SECOND_MS, .max = 5 * MINUTE_MS},
    END};

static const struct key cluster_keys[] = {
    {"name", &keys_label, NULL, "what apps call it", IN_CLUSTER(name), .required = true},
    {"kubeconfig", &settings_files, NULL,
	"file (or several with colons); when not given: KUBECONFIG, then ~/.kube/config",
	IN_CLUSTER(kubeconfig), .max = SETTINGS_PATH},
    {"context", &keys_text, NULL, "when not given: the file's current-context", IN_CLUSTER(context),
	.max = 256},
    {"inCluster", &keys_bool, "false", "use the pod's service account instead of a kubeconfig",
	IN_CLUSTER(in_cluster)},
    {"exec", &keys_bool, "false", "the kubeconfig may name a program that gives credentials",
	IN_CLUSTER(exec)},
    {"http2", &keys_bool, "true", "false for a load balancer that breaks HTTP/2",
	IN_CLUSTER(http2)},
    {"qps", &keys_int, "20", "requests per second, aborts apart", IN_CLUSTER(qps), .min = 1,
	.max = 10000},
    {"burst", &keys_int, "40", "requests at once", IN_CLUSTER(burst), .min = 1, .max = 10000},
    {"requestTimeout", &keys_duration, "10s", "how long one request may take",
	IN_CLUSTER(request_timeout_ms), .min = SECOND_MS, .max = MINUTE_MS},
    {"events", &keys_bool, "true",
	"show what becomes of a rollout as Events of its workload, in kubectl describe; needs the "
	"right to create events",
	IN_CLUSTER(events)},
    {"lease", &keys_object, "{}",
	"of two airisd that know the cluster one writes at a time: who holds this Lease",
	.inside = lease_keys},
    {"istiod", &keys_object, "{}",
	"how to ask the mesh what its proxies have taken; when not given, mesh.settle is waited",
	.inside = istiod_keys},
    {"observe", &keys_label, NULL,
	"when istiod is not given: the one of prometheus in whose istio_requests_total the "
	"canary's "
	"share shows that a weight is taken; all else waits for mesh.settle",
	IN_CLUSTER(observe)},
    END};

static const struct key source_keys[] = {
    {"name", &keys_label, "default", "what gates call it", IN_SOURCE(name)},
    {"url", &keys_text, NULL, "http(s)://HOST:PORT[/PREFIX] of Prometheus or what speaks its API",
	IN_SOURCE(url), .max = SETTINGS_PATH, .required = true},
    {"caFile", &settings_file, NULL, "PEM file to verify it by; when not given: the system's",
	IN_SOURCE(ca_file), .max = SETTINGS_PATH},
    {"username", &keys_text, NULL, "basic authentication, with passwordFile", IN_SOURCE(username),
	.max = 256},
    {"passwordFile", &settings_file, NULL, "file with the password", IN_SOURCE(password_file),
	.max = SETTINGS_PATH},
    {"tokenFile", &settings_file, NULL, "file with a bearer token", IN_SOURCE(token_file),
	.max = SETTINGS_PATH},
    {"headers", &settings_headers, NULL, "sent with every query, such as X-Scope-OrgID",
	IN_SOURCE(headers)},
    {"timeout", &keys_duration, "10s", "how long one measurement may take", IN_SOURCE(timeout_ms),
	.min = 100, .max = MINUTE_MS},
    END};

static const struct key traces_keys[] = {{"url", &keys_text, NULL,
					     "where OTLP/HTTP in JSON is taken, with its path, "
					     "mostly /v1/traces: https, or http to this "
					     "host's loopback; when not given, none are sent",
					     IN(traces.url), .max = SETTINGS_PATH},
    {"tokenFile", &settings_file, NULL, "file with a bearer token; read again for every request",
	IN(traces.token_file), .max = SETTINGS_PATH},
    {"headers", &settings_headers, NULL, "sent with every request", IN(traces.headers)},
    {"caFile", &settings_file, NULL, "PEM file to verify it by; when not given: the system's",
	IN(traces.ca_file), .max = SETTINGS_PATH},
    {"timeout", &keys_duration, "10s", "how long one request may take", IN(traces.timeout_ms),
	.min = 100, .max = MINUTE_MS},
    END};

/* YAML makes a number of 1000, and people mean the user of that number. */
static void
parse_user(const struct key *key, const json_t *value, void *slot, struct keys_at *at)
{
	if (json_is_integer(value) && json_integer_value(value) >= 0)
		str_print(slot, (size_t)key->max, "%lld", (long long)json_integer_value(value));
	else
		keys_text.parse(key, value, slot, at);
}

static const struct key_type user_type = {.name = "user's name or number", .parse = parse_user};

const char *const settings_roles[] = {"viewer", "deployer", "approver", "admin", NULL};

static const struct key access_keys[] = {
    {"user", &user_type, NULL, "a user of this host, on the Unix socket", IN_ACCESS(user),
	.max = KEYS_LABEL},
    {"certificate", &keys_text, NULL,
	"a name in a verified client certificate, such as spiffe://example.org/ci; * stands for "
	"any "
	"characters",
	IN_ACCESS(certificate), .max = 101},
    {"role", &keys_choice, NULL,
	"viewer looks; deployer releases and aborts; approver approves and aborts; admin does all, "
	"changes apps, and, over all namespaces and apps, manages tokens",
	IN_ACCESS(role), .choices = settings_roles, .required = true},
    {"namespaces", &keys_globs, "[\"*\"]", "whose apps; * stands for any characters",
	IN_ACCESS(namespaces)},
    {"apps", &keys_globs, "[\"*\"]", "which apps there", IN_ACCESS(apps)}, END};

const struct key settings_keys[] = {
    {"listen", &keys_object, NULL, "where people and programs come in", .inside = listen_keys,
	.required = true},
    {"access", &keys_list, "[]",
	"who may do what; none: whoever may open the Unix socket is admin; with a list, on the "
	"socket root and airisd's own user are admin, and everybody else has what is listed; the "
	"token of listen.tokenFile is admin, other tokens have their own role",
	.max = SETTINGS_ACCESS, .inside = access_keys, .add = add_access},
    {"oidc", &keys_list, "[]",
	"CI systems that vouch for their pipelines by OpenID Connect: these show a token of theirs "
	"and get one of ours for it, and store no secret",
	.max = SETTINGS_ISSUERS, .inside = settings_issuer_keys, .add = add_issuer},
    {"store", &keys_object, "{}", "what must not be lost", .inside = store_keys},
    {"log", &keys_object, "{}", "what it says on stderr", .inside = log_keys},
    {"mesh", &keys_object, "{}", "what is known of the service mesh", .inside = mesh_keys},
    {"metrics", &keys_object, "{}", "what GET /metrics shows", .inside = metrics_keys},
    {"audit", &keys_object, "{}", "who did what, in a chain of hashes", .inside = audit_keys},
    {"limits", &keys_object, "{}", "bounds of the REST API", .inside = limit_keys},
    {"clusters", &keys_list, "[]", "Kubernetes clusters; apps name one", .max = SETTINGS_CLUSTERS,
	.inside = cluster_keys, .add = add_cluster},
    {"prometheus", &keys_list, "[]", "data sources of gates; apps name one, never a URL",
	.max = SETTINGS_SOURCES, .inside = source_keys, .add = add_source},
    {"webhooks", &keys_list, "[]",
	"who is told of what happens to rollouts; airisctl webhook list shows how that goes",
	.max = SETTINGS_WEBHOOKS, .inside = settings_webhook_keys, .add = add_webhook},
    {"traces", &keys_object, "{}",
	"each rollout as a trace: its stages, and in these what was written to the cluster",
	.inside = traces_keys},
    END};

bool
settings_is_live(const char *path)
{
	static const char *const live[] = {"log.level", "log.format", "mesh.settle", "metrics.apps",
	    "prometheus", "listen.tokenFile", "listen.tls.certificateFile", "listen.tls.keyFile",
	    "listen.tls.clientCaFile", "listen.tls.clientCertificate", "access", "oidc",
	    "webhooks"};
	for (size_t i = 0; i < sizeof(live) / sizeof(live[0]); i++)
		if (strcmp(path, live[i]) == 0)
			return true;
	return str_starts(path, "traces.");
}

json_t *
settings_urls_json(const void *slot)
{
	const struct settings_url *urls = slot;
	json_t *list = json_array();
	for (int i = 0; i < SETTINGS_ISTIODS && urls[i].url[0] != '\0'; i++)
		json_array_append_new(list, json_string(urls[i].url));
	if (json_array_size(list) == 0) {
		json_decref(list);
		return NULL;
	}
	return list;
}

json_t *
settings_headers_json(const void *slot)
{
	char *const *headers = slot;
	json_t *object = json_object();
	for (int i = 0; headers[i] != NULL; i++) {
		char *name = mem_strdup(headers[i]);
		char *colon = strchr(name, ':');
		*colon = '\0';
		json_object_set_new(object, name, json_string(colon + 2));
		free(name);
	}
	if (json_object_size(object) == 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

const char *
settings_items(const struct key *key, const void *record, size_t *size, int *count)
{
	const struct settings *settings = record;
	if (key->inside == settings_rule_keys) {
		const struct settings_issuer *issuer = record;
		*size = sizeof(issuer->rules[0]);
		*count = issuer->rule_count;
		return (const char *)issuer->rules;
	}
	if (key->inside == access_keys) {
		*size = sizeof(settings->access[0]);
		*count = settings->access_count;
		return (const char *)settings->access;
	}
	if (key->inside == settings_issuer_keys) {
		*size = sizeof(settings->issuers[0]);
		*count = settings->issuer_count;
		return (const char *)settings->issuers;
	}
	if (key->inside == settings_webhook_keys) {
		*size = sizeof(settings->webhooks[0]);
		*count = settings->webhook_count;
		return (const char *)settings->webhooks;
	}
	bool clusters = key->inside == cluster_keys;
	*size = clusters ? sizeof(settings->clusters[0]) : sizeof(settings->sources[0]);
	*count = clusters ? settings->cluster_count : settings->source_count;
	return clusters ? (const char *)settings->clusters : (const char *)settings->sources;
}
