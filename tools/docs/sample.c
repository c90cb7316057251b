/* The sample of airisd.yaml. Always true: it is taken as it is, and also when what is commented out
 * is not. Text for people has one blank behind its #, all else none or more. */
#include "docs.h"

#include <stdlib.h>
#include <string.h>
#include "base/log.h"

enum { WIDTH = 96 };

/* What is shown for a key that has no default. */
static const struct {
	const char *path, *value;
} examples[] = {
    {"listen.socket", "/run/airis/airisd.sock"},
    {"listen.tcp", "127.0.0.1:8484"},
    {"listen.tls.certificateFile", "/etc/airis/tls/airisd.pem"},
    {"listen.tls.keyFile", "/etc/airis/tls/airisd.key"},
    {"listen.tls.clientCaFile", "/etc/airis/tls/clients-ca.pem"},
    {"listen.tokenFile", "/etc/airis/token"},
    {"access[].user", "deploy"},
    {"access[].certificate", "spiffe://example.org/ci/*"},
    {"access[].role", "deployer"},
    {"oidc[].name", "github"},
    {"oidc[].issuer", "https://token.actions.githubusercontent.com"},
    {"oidc[].audience", "https://airis.example.org"},
    {"oidc[].keys", "https://token.actions.githubusercontent.com/.well-known/jwks"},
    {"oidc[].caFile", "/etc/airis/ci-ca.pem"},
    {"oidc[].rules[].claims", "{repository_id: \"74\", ref: refs/heads/main}"},
    {"oidc[].rules[].role", "deployer"},
    {"oidc[].rules[].namespaces", "[shop]"},
    {"audit.signKeyFile", "/etc/airis/audit-key.pem"},
    {"clusters[].name", "default"},
    {"clusters[].kubeconfig", "/etc/airis/kubeconfig"},
    {"clusters[].context", "production"},
    {"clusters[].istiod.urls", "[http://istiod.example:15014]"},
    {"clusters[].istiod.tokenFile", "/etc/airis/istiod-token"},
    {"clusters[].istiod.serviceAccount", "airisd-mesh"},
    {"clusters[].observe", "default"},
    {"prometheus[].url", "http://prometheus.example:9090"},
    {"prometheus[].caFile", "/etc/airis/prometheus-ca.pem"},
    {"prometheus[].username", "airisd"},
    {"prometheus[].passwordFile", "/etc/airis/prometheus-password"},
    {"prometheus[].tokenFile", "/etc/airis/prometheus-token"},
    {"prometheus[].headers", "{X-Scope-OrgID: airis-mon}"},
    {"webhooks[].name", "chat"},
    {"webhooks[].url", "https://hooks.example.org/airis"},
    {"webhooks[].secretFile", "/etc/airis/chat-secret"},
    {"webhooks[].headers", "{X-Team: shop}"},
    {"webhooks[].caFile", "/etc/airis/chat-ca.pem"},
    {"traces.url", "http://127.0.0.1:4318/v1/traces"},
    {"traces.tokenFile", "/etc/airis/traces-token"},
    {"traces.headers", "{X-Scope-OrgID: airis-mon}"},
    {"traces.caFile", "/etc/airis/traces-ca.pem"},
};

/* Neither required nor with a default, yet wanted by nearly everybody. */
static const char *const wanted[] = {
    "listen.socket", "access[].user", "clusters[].kubeconfig", "webhooks[].secretFile"};

struct place {
	const char *prefix; /* of the path */
	int indent;
	bool all;    /* comment nothing out */
	bool inside; /* of a list that is commented out */
	struct str *to;
};

static const char *
example(const char *path)
{
	for (size_t i = 0; i < sizeof(examples) / sizeof(examples[0]); i++)
		if (strcmp(examples[i].path, path) == 0)
			return examples[i].value;
	log_fatal("%s has no default: give it an example in tools/docs/sample.c", path);
}

static void
start_line(const struct place *at, bool comment)
{
	if (at->inside && !at->all)
		str_add(at->to, "#");
	str_addf(at->to, "%*s", at->indent, "");
	if (comment && !at->all)
		str_add(at->to, "#");
}

static void
add_words(const struct place *at, const char *text)
{
	size_t column = WIDTH + 1;

	while (*text != '\0') {
		size_t length = strcspn(text, " ");

		if (column + 1 + length > WIDTH) {
			if (column != WIDTH + 1)
				str_add(at->to, "\n");
			start_line(at, false);
			str_add(at->to, "#");
			column = (size_t)at->indent + 2;
		}
		str_add(at->to, " ");
		str_add_bytes(at->to, text, length);
		column += 1 + length;
		text += length + (text[length] == ' ');
	}
	str_add(at->to, "\n");
}

/* The help, and what is allowed where that says more than the example does. */
static void
add_help(const struct place *at, const struct key *key)
{
	struct str text;

	str_init(&text, 0);
	str_add(&text, key->help);
	if (key->choices != NULL || key->type == &keys_int || key->type == &keys_duration ||
	    key->type == &keys_list) {
		str_add(&text, " (");
		keys_allowed(key, &text);
		str_add(&text, ")");
	}
	if (key->required)
		str_add(&text, "; required");
	add_words(at, str_text(&text));
	str_done(&text);
}

static bool
is_shown(const struct key *key, const char *path)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strcmp(wanted[i], path) == 0)
			return true;
	return key->required || key->otherwise != NULL;
}

/* 0660 would be another number without quotes. */
static bool
needs_quotes(const struct key *key, const char *value)
{
	return key->type == &keys_text && strspn(value, "0123456789") == strlen(value);
}

static void
add_value(const struct place *at, const struct key *key, const char *path)
{
	const char *value = key->otherwise != NULL ? key->otherwise : example(path);
	const char *quote = needs_quotes(key, value) ? "\"" : "";

	start_line(at, !is_shown(key, path));
	str_addf(at->to, "%s: %s%s%s\n", key->name, quote, value, quote);
}

static void add_table(const struct key *table, const struct place *at);

static void
add_object(const struct place *at, const struct key *key, const char *path)
{
	char *prefix = str_format("%s.", path);
	struct place below = *at;

	below.prefix = prefix;
	below.indent += 2;
	start_line(at, false);
	str_addf(at->to, "%s:\n", key->name);
	add_table(key->inside, &below);
	free(prefix);
}

static void
add_list(const struct place *at, const struct key *key, const char *path)
{
	char *prefix = str_format("%s[].", path);
	struct place below = *at;

	below.prefix = prefix;
	below.indent += 4;
	below.inside = true;
	start_line(
	    &(struct place){.indent = at->indent, .all = at->all, .inside = true, .to = at->to},
	    false);
	str_addf(at->to, "%s:\n", key->name);
	start_line(
	    &(struct place){.indent = at->indent + 2, .all = at->all, .inside = true, .to = at->to},
	    false);
	str_add(at->to, "-\n");
	add_table(key->inside, &below);
	free(prefix);
}

static void
add_key(const struct place *at, const struct key *key)
{
	char *path = str_format("%s%s", at->prefix, key->name);

	add_help(at, key);
	if (key->type == &keys_object)
		add_object(at, key, path);
	else if (key->type == &keys_list)
		add_list(at, key, path);
	else
		add_value(at, key, path);
	free(path);
}

static void
add_table(const struct key *table, const struct place *at)
{
	for (const struct key *key = table; key->name != NULL; key++) {
		if (at->indent == 0)
			str_add(at->to, "\n");
		add_key(at, key);
	}
}

void
docs_sample(const struct key *table, bool all, struct str *to)
{
	const struct place top = {.prefix = "", .all = all, .to = to};

	str_add(to,
	    "# The settings of airisd, each with its default. What has none is commented out and\n"
	    "# shows an example: take the # away (in the lists at the end, from every line).\n"
	    "# `airisd --check --config FILE` says all that is wrong with a file; airisd.yaml(5)\n"
	    "# says more. Written by `make docs` from the table in daemon/settings/table.c.\n");
	add_table(table, &top);
}
