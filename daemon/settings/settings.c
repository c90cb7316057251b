/* Reading airisd.yaml. */
#include "settings/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/yaml.h"
#include "settings/file.h"
#include "settings/table.h"

#define FILE_MAX ((size_t)1 << 20)

static char *
read_whole(const char *path, size_t *length, struct err *e)
{
	FILE *file = fopen(path, "re");
	if (file == NULL) {
		err_set(e, "cannot be opened: %s", strerror(errno));
		return NULL;
	}
	char *text = mem_alloc(FILE_MAX + 1);
	*length = fread(text, 1, FILE_MAX + 1, file);
	bool bad = ferror(file) != 0, big = *length > FILE_MAX;
	fclose(file);
	if (!bad && !big)
		return text;
	free(text);
	err_set(e, bad ? "cannot be read" : "is larger than 1 MiB; settings are a small file");
	return NULL;
}

static int
duplicate(const struct settings *settings, bool sources)
{
	int count = sources ? settings->source_count : settings->cluster_count;
	for (int i = 1; i < count; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(sources ? settings->sources[i].name : settings->clusters[i].name,
				sources ? settings->sources[j].name : settings->clusters[j].name) ==
			    0)
				return i;
	return -1;
}

static void
check_duplicates(const struct settings *settings, struct errlist *errors)
{
	char path[64];
	int i = duplicate(settings, false);
	if (i > 0) {
		str_print(path, sizeof(path), "clusters[%d].name", i);
		errlist_add(errors, path,
		    "\"%s\" stands there twice; every cluster has its own name",
		    settings->clusters[i].name);
	}
	i = duplicate(settings, true);
	if (i > 0) {
		str_print(path, sizeof(path), "prometheus[%d].name", i);
		errlist_add(errors, path,
		    "\"%s\" stands there twice; every source has its own name",
		    settings->sources[i].name);
	}
}

static void
check_istiod(const struct settings_istiod *istiod, int cluster, struct errlist *errors)
{
	char path[64];
	str_print(path, sizeof(path), "clusters[%d].istiod", cluster);
	if (istiod->urls[0].url[0] == '\0' && !istiod->discover &&
	    (istiod->token_file[0] != '\0' || istiod->service_account[0] != '\0'))
		errlist_add(errors, path,
		    "has a token but nobody to show it to: give urls, or discover: true");
}

static void
check_access(const struct settings_access *access, int number, struct errlist *errors)
{
	char path[64];
	str_print(path, sizeof(path), "access[%d]", number);
	if (access->user[0] == '\0' && access->certificate[0] == '\0')
		errlist_add(errors, path, "does not say who: give user, or certificate, or both");
}

static bool
has_source(const struct settings *settings, const char *name)
{
	int i = 0;
	while (i < settings->source_count && strcmp(settings->sources[i].name, name) != 0)
		i++;
	return i < settings->source_count;
}

static void
check_observe(const struct settings *settings, int cluster, struct errlist *errors)
{
	const struct settings_cluster *at = &settings->clusters[cluster];
	char path[64];
	str_print(path, sizeof(path), "clusters[%d].observe", cluster);
	if (at->observe[0] != '\0' && !has_source(settings, at->observe))
		errlist_add(errors, path,
		    "no source of prometheus is called \"%s\"; name one that has the requests of "
		    "this cluster's mesh",
		    at->observe);
}

static void
check_tls(const struct settings *settings, struct errlist *errors)
{
	const struct settings_tls *tls = &settings->tls;
	bool certificate = tls->certificate_file[0] != '\0', key = tls->key_file[0] != '\0';
	if (certificate != key)
		errlist_add(errors, "listen.tls",
		    "certificateFile and keyFile go together; %s is missing",
		    certificate ? "keyFile" : "certificateFile");
	if (certificate && settings->tcp[0] == '\0')
		errlist_add(errors, "listen.tls", "is for listen.tcp, and that is not given");
	if (tls->client_ca_file[0] != '\0' && !certificate)
		errlist_add(errors, "listen.tls.clientCaFile",
		    "takes certificateFile and keyFile: clients show theirs over TLS only");
	if (tls->client_required != 0 && tls->client_ca_file[0] == '\0')
		errlist_add(errors, "listen.tls.clientCertificate",
		    "required takes a clientCaFile to verify them by");
}

static void
check_traces(const struct settings_traces *traces, struct errlist *errors)
{
	if (traces->url[0] == '\0' && (traces->token_file[0] != '\0' ||
					  traces->headers[0] != NULL || traces->ca_file[0] != '\0'))
		errlist_add(errors, "traces.url", "is missing: nothing is sent anywhere; give one");
}

/* What no single key can know. */
static void
check_whole(struct settings *settings, struct errlist *errors)
{
	char *end;
	if (settings->socket[0] == '\0' && settings->tcp[0] == '\0')
		errlist_add(errors, "listen",
		    "neither socket nor tcp is given: nobody could reach the daemon; give one");
	check_tls(settings, errors);
	check_traces(&settings->traces, errors);
	if (settings->tcp[0] != '\0' && settings->token_file[0] == '\0' &&
	    settings->tls.client_ca_file[0] == '\0')
		errlist_add(errors, "listen.tokenFile",
		    "is missing: TCP is guarded by a bearer token; name a file that holds it (mode "
		    "0600), or use listen.socket alone");
	settings->mode = (unsigned)strtoul(settings->socket_mode, &end, 8);
	if (*end != '\0' || settings->mode > 0777 || settings->mode == 0)
		errlist_add(errors, "listen.socketMode",
		    "expected: octal file permissions such as \"0660\"; found: \"%s\"",
		    settings->socket_mode);
	for (int i = 0; i < settings->cluster_count; i++) {
		const struct settings_cluster *cluster = &settings->clusters[i];
		check_istiod(&cluster->istiod, i, errors);
		check_observe(settings, i, errors);
		char path[64];
		str_print(path, sizeof(path), "clusters[%d].kubeconfig", i);
		if (cluster->in_cluster && cluster->kubeconfig[0] != '\0')
			errlist_add(
			    errors, path, "goes not with inCluster: true; say which one it is");
	}
	for (int i = 0; i < settings->access_count; i++)
		check_access(&settings->access[i], i, errors);
	check_duplicates(settings, errors);
}

static void
read_tree(const json_t *tree, struct settings *settings, struct errlist *errors)
{
	struct keys_at at = {.errors = errors};
	if (json_is_object(tree))
		keys_read(settings_keys, tree, settings, &at);
	else
		errlist_add(errors, "", "expected: keys such as \"listen:\" and \"clusters:\"");
	if (errors->count == 0)
		check_whole(settings, errors);
}

struct settings *
settings_parse(const char *text, size_t length,
    void (*check)(const struct settings *settings, struct errlist *errors), struct errlist *errors)
{
	struct settings *settings = mem_alloc(sizeof(*settings));
	struct yaml_lines *lines = NULL;
	json_t *tree = NULL;
	struct err e;
	if (yaml_parse(text, length, &tree, &lines, &e) < 0)
		errlist_add(errors, "", "%s", e.text);
	else
		read_tree(tree, settings, errors);
	if (errors->count == 0)
		check(settings, errors);
	if (lines != NULL)
		yaml_locate(lines, errors);
	yaml_lines_free(lines);
	json_decref(tree);
	if (errors->count == 0)
		return settings;
	settings_free(settings);
	return NULL;
}

struct settings *
settings_read(const char *path,
    void (*check)(const struct settings *settings, struct errlist *errors), struct errlist *errors)
{
	struct err e;
	size_t length;
	char *text = read_whole(path, &length, &e);
	struct settings *settings = NULL;
	if (text == NULL)
		errlist_add(errors, "", "%s", e.text);
	else
		settings = settings_parse(text, length, check, errors);
	free(text);
	return settings;
}

static void
free_headers(char **headers)
{
	for (; *headers != NULL; headers++)
		free(*headers);
}

void
settings_free(struct settings *settings)
{
	if (settings == NULL)
		return;
	for (int i = 0; i < settings->source_count; i++)
		free_headers(settings->sources[i].headers);
	for (int i = 0; i < settings->webhook_count; i++)
		free_headers(settings->webhooks[i].headers);
	free_headers(settings->traces.headers);
	free(settings);
}

char *
settings_reference(void)
{
	struct str text;
	str_init(&text, 0);
	keys_reference(settings_keys, "", &text);
	return str_take(&text);
}

static void
need_credentials(
    const struct key *table, const void *record, const char *prefix, struct errlist *errors)
{
	for (const struct key *key = table; key->name != NULL; key++) {
		const char *slot = (const char *)record + key->offset;
		char *path = str_format("%s%s", prefix, key->name), *below;
		size_t size = 0;
		int count = 1;
		if (key->type == &keys_list)
			slot = settings_items(key, record, &size, &count);
		for (int i = 0; key->inside != NULL && i < count; i++) {
			below = size > 0 ? str_format("%s[%d].", path, i) : str_format("%s.", path);
			need_credentials(key->inside, slot + (size_t)i * size, below, errors);
			free(below);
		}
		if ((key->type == &settings_file || key->type == &settings_files) &&
		    strstr(slot, SETTINGS_CREDENTIALS) != NULL)
			errlist_add(errors, path,
			    "names a credential of the unit, and CREDENTIALS_DIRECTORY is not set: "
			    "systemd sets it where the unit has LoadCredential=");
		free(path);
	}
}

void
settings_need_credentials(const struct settings *settings, struct errlist *errors)
{
	need_credentials(settings_keys, settings, "", errors);
}

static json_t *table_json(const struct key *table, const void *record);

static json_t *
list_json(const struct key *key, const void *record)
{
	json_t *list = json_array();
	size_t size;
	int count;
	const char *first = settings_items(key, record, &size, &count);
	for (int i = 0; i < count; i++)
		json_array_append_new(list, table_json(key->inside, first + (size_t)i * size));
	return list;
}

static json_t *
value_json(const struct key *key, const void *record)
{
	const char *slot = (const char *)record + key->offset;
	char text[32];
	if (key->type == &keys_object)
		return table_json(key->inside, slot);
	if (key->type == &keys_list)
		return list_json(key, slot);
	if (key->type == &settings_headers)
		return settings_headers_json(slot);
	if (key->type == &keys_globs)
		return globs_json((const struct globs *)(const void *)slot);
	if (key->type == &settings_urls)
		return settings_urls_json(slot);
	if (key->type == &settings_events)
		return settings_events_json(slot);
	if (key->type == &settings_claims)
		return settings_claims_json(slot);
	if (key->type == &keys_int)
		return json_integer(*(const int *)(const void *)slot);
	if (key->type == &keys_bool)
		return json_boolean(*(const bool *)(const void *)slot);
	if (key->type == &keys_choice)
		return json_string(key->choices[*(const int *)(const void *)slot]);
	if (key->type == &keys_duration) {
		str_duration_text(*(const int64_t *)(const void *)slot, text, sizeof(text));
		return json_string(text);
	}
	return slot[0] == '\0' ? NULL : json_string(slot);
}

static json_t *
table_json(const struct key *table, const void *record)
{
	json_t *object = json_object();
	for (const struct key *key = table; key->name != NULL; key++) {
		json_t *value = value_json(key, record);
		if (value != NULL)
			json_object_set_new(object, key->name, value);
	}
	return object;
}

char *
settings_print(const struct settings *settings)
{
	json_t *tree = table_json(settings_keys, settings);
	char *text = yaml_dump(tree);
	json_decref(tree);
	return text;
}

static void
compare(const struct key *table, const char *prefix, const json_t *now, const json_t *next,
    struct errlist *sentences)
{
	for (const struct key *key = table; key->name != NULL; key++) {
		const json_t *a = json_object_get(now, key->name);
		const json_t *b = json_object_get(next, key->name);
		char *path = str_format("%s%s", prefix, key->name);
		if (key->type == &keys_object) {
			char *below = str_format("%s.", path);
			compare(key->inside, below, a, b, sentences);
			free(below);
		} else if (a != b && !json_equal(a, b) && !settings_is_live(path))
			errlist_add(
			    sentences, path, "changed, and is taken over only by a restart");
		free(path);
	}
}

void
settings_fixed(const struct settings *now, const struct settings *next, struct errlist *sentences)
{
	json_t *a = table_json(settings_keys, now), *b = table_json(settings_keys, next);
	compare(settings_keys, "", a, b, sentences);
	if ((now->tls.certificate_file[0] == '\0') != (next->tls.certificate_file[0] == '\0'))
		errlist_add(sentences, "listen.tls", "is turned on and off only by a restart");
	json_decref(a);
	json_decref(b);
}
