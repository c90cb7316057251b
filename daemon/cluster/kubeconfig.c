/* From a set of kubeconfig files, or from a pod's service account, to the one cluster and user that
 * will be used. What we cannot honour (auth-provider, as-user-extra) is refused, not ignored: else
 * requests would be made with other rights than the file says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/jsonx.h"
#include "base/str.h"
#include "cluster/kubeconfig_place.h"

enum { GROUPS_MAX = 20 };

static void
wipe_text(char *text)
{
	if (text)
		mem_wipe(text, strlen(text));
	free(text);
}

static void
free_texts(char **texts)
{
	for (char **at = texts; at && *at; at++)
		wipe_text(*at);
	free(texts);
}

static void
text_done(struct kubeconfig_text *text)
{
	wipe_text(text->data);
	free(text->file);
}

void
kubeconfig_done(struct kubeconfig *config)
{
	free(config->context);
	free(config->namespace);
	free(config->server);
	free(config->server_name);
	wipe_text(config->proxy);
	text_done(&config->ca);
	text_done(&config->cert);
	text_done(&config->key);
	text_done(&config->token);
	free(config->username);
	wipe_text(config->password);
	free_texts(config->impersonate);
	free(config->exec.command);
	free_texts(config->exec.arguments);
	free_texts(config->exec.variables);
	free(config->exec.api_version);
	free(config->exec.hint);
	*config = (struct kubeconfig){0};
}

/* --- the cluster --- */

static int
check_url(const struct kubeconfig_place *place, const char *key, const char *url,
    const char *const *schemes, struct err *e)
{
	const char *rest = NULL;
	struct str allowed;

	str_init(&allowed, 100);
	for (; *schemes; schemes++) {
		str_addf(&allowed, "%s%s", allowed.length ? ", " : "", *schemes);
		if (str_starts(url, *schemes))
			rest = url + strlen(*schemes);
	}
	if (!rest || !*rest || *rest == '/')
		err_set(e, "found \"%.100s\"; allowed is a URL with a host that starts with %s",
		    strchr(url, '@') ? "..." : url, str_text(&allowed));
	str_done(&allowed);
	return rest && *rest && *rest != '/' ? 0 : kubeconfig_locate(place, key, e);
}

static int
take_server(const struct kubeconfig_place *place, struct kubeconfig *to, struct err *e)
{
	static const char *const schemes[] = {"https://", "http://", NULL};
	size_t length;

	if (kubeconfig_text(place, "server", &to->server, e) < 0)
		return -1;
	if (!to->server) {
		err_set(e, "is missing; it is the URL of the API server, https://HOST:PORT");
		return kubeconfig_locate(place, "server", e);
	}
	if (strpbrk(to->server, "?#@ ")) {
		err_set(e, "has a user, query, fragment or space; allowed is "
			   "https://HOST[:PORT][/PATH]");
		return kubeconfig_locate(place, "server", e);
	}
	for (length = strlen(to->server); length > 8 && to->server[length - 1] == '/'; length--)
		to->server[length - 1] = '\0';
	return check_url(place, "server", to->server, schemes, e);
}

static int
take_cluster(const struct kubeconfig_place *place, struct kubeconfig *to, struct err *e)
{
	static const char *const schemes[] = {"http://", "https://", "socks5://", NULL};

	if (take_server(place, to, e) < 0 ||
	    kubeconfig_text(place, "tls-server-name", &to->server_name, e) < 0 ||
	    kubeconfig_text(place, "proxy-url", &to->proxy, e) < 0 ||
	    kubeconfig_flag(place, "insecure-skip-tls-verify", &to->insecure, e) < 0 ||
	    kubeconfig_pem(place, "certificate-authority", &to->ca, e) < 0)
		return -1;
	if (to->proxy && check_url(place, "proxy-url", to->proxy, schemes, e) < 0)
		return -1;
	if (!to->insecure || (!to->ca.data && !to->ca.file))
		return 0;
	err_set(e, "is true, but a certificate-authority is given too; remove one of them");
	return kubeconfig_locate(place, "insecure-skip-tls-verify", e);
}

/* --- the user --- */

static int
take_variables(const struct kubeconfig_place *place, char ***to, struct err *e)
{
	json_t *list = json_object_get(place->value, "env"), *item;
	size_t i;

	if (!list || json_is_null(list))
		return 0;
	*to = mem_array(json_array_size(list) + 1, sizeof **to);
	json_array_foreach(list, i, item)
	{
		const char *name = jsonx_text(item, "name"), *value = jsonx_text(item, "value");

		if (!name || !*name || strchr(name, '=') || !value) {
			err_set(e, "entry %zu is not {name: NAME, value: TEXT}", i + 1);
			return kubeconfig_locate(place, "env", e);
		}
		(*to)[i] = str_format("%s=%s", name, value);
	}
	if (json_is_array(list))
		return 0;
	err_set(e, "is not a list of {name: NAME, value: TEXT}");
	return kubeconfig_locate(place, "env", e);
}

static int
check_exec(const struct kubeconfig_place *place, struct kubeconfig_exec *to, struct err *e)
{
	static const char group[] = "client.authentication.k8s.io/";
	const char *mode = jsonx_text(place->value, "interactiveMode");

	if (!to->command) {
		err_set(e, "is missing; it names the program that prints an ExecCredential");
		return kubeconfig_locate(place, "command", e);
	}
	if (!to->api_version || !str_starts(to->api_version, group) ||
	    (strcmp(to->api_version + strlen(group), "v1") != 0 &&
		strcmp(to->api_version + strlen(group), "v1beta1") != 0)) {
		err_set(e, "found \"%s\"; allowed are %sv1 and %sv1beta1",
		    to->api_version ? to->api_version : "", group, group);
		return kubeconfig_locate(place, "apiVersion", e);
	}
	if (!str_equal(mode, "Always"))
		return 0;
	err_set(e, "is Always, but airisd has nobody to type something in; allowed are Never and "
		   "IfAvailable");
	return kubeconfig_locate(place, "interactiveMode", e);
}

static int
take_exec(
    const struct kubeconfig_place *place, bool allowed, struct kubeconfig_exec *to, struct err *e)
{
	const char *slash;
	char *path = NULL;

	if (!allowed) {
		err_set(e, "names a program to be run for credentials; airisd runs it only if the "
			   "cluster's settings say that exec is allowed");
		return kubeconfig_locate(place, "", e);
	}
	if (kubeconfig_text(place, "command", &to->command, e) < 0 ||
	    kubeconfig_text(place, "apiVersion", &to->api_version, e) < 0 ||
	    kubeconfig_text(place, "installHint", &to->hint, e) < 0 ||
	    kubeconfig_flag(place, "provideClusterInfo", &to->cluster_info, e) < 0 ||
	    kubeconfig_texts(place, "args", &to->arguments, e) < 0 ||
	    take_variables(place, &to->variables, e) < 0 || check_exec(place, to, e) < 0)
		return -1;
	slash = strchr(to->command, '/');
	if (!slash || slash == to->command)
		return 0;
	if (kubeconfig_path(place, "command", &path, e) < 0)
		return -1;
	free(to->command);
	to->command = path;
	return 0;
}

static int
take_impersonation(const struct kubeconfig_place *place, struct kubeconfig *to, struct err *e)
{
	char *user = NULL, *uid = NULL, **groups = NULL;
	size_t count = 0, used = 0;
	int result = -1;

	if (json_object_size(json_object_get(place->value, "as-user-extra"))) {
		err_set(e, "is not supported; remove it, or let a user of its own have the rights");
		return kubeconfig_locate(place, "as-user-extra", e);
	}
	if (kubeconfig_text(place, "as", &user, e) < 0 ||
	    kubeconfig_text(place, "as-uid", &uid, e) < 0 ||
	    kubeconfig_texts(place, "as-groups", &groups, e) < 0)
		goto out;
	result = 0;
	if (!user)
		goto out;
	while (groups && groups[count])
		count++;
	if (count > GROUPS_MAX) {
		err_set(e, "has %zu entries; allowed are %d", count, GROUPS_MAX);
		result = kubeconfig_locate(place, "as-groups", e);
		goto out;
	}
	to->impersonate = mem_array(count + 3, sizeof *to->impersonate);
	to->impersonate[used++] = str_format("Impersonate-User: %s", user);
	if (uid)
		to->impersonate[used++] = str_format("Impersonate-Uid: %s", uid);
	for (size_t i = 0; i < count; i++)
		to->impersonate[used++] = str_format("Impersonate-Group: %s", groups[i]);
out:
	free(user);
	free(uid);
	free_texts(groups);
	return result;
}

static int
take_user(
    const struct kubeconfig_place *place, bool exec_allowed, struct kubeconfig *to, struct err *e)
{
	struct kubeconfig_place exec;
	bool cert, key;
	int found;

	if (json_object_get(place->value, "auth-provider")) {
		err_set(e, "is gone since Kubernetes 1.26; use exec with the provider's plugin");
		return kubeconfig_locate(place, "auth-provider", e);
	}
	if (kubeconfig_pem(place, "client-certificate", &to->cert, e) < 0 ||
	    kubeconfig_pem(place, "client-key", &to->key, e) < 0 ||
	    kubeconfig_text(place, "token", &to->token.data, e) < 0 ||
	    kubeconfig_path(place, "tokenFile", &to->token.file, e) < 0 ||
	    kubeconfig_text(place, "username", &to->username, e) < 0 ||
	    kubeconfig_text(place, "password", &to->password, e) < 0 ||
	    take_impersonation(place, to, e) < 0)
		return -1;
	found = kubeconfig_inner(place, "exec", &exec, e);
	if (found < 0 || (found && take_exec(&exec, exec_allowed, &to->exec, e) < 0))
		return -1;
	cert = to->cert.data || to->cert.file;
	key = to->key.data || to->key.file;
	if (cert == key)
		return 0;
	err_set(e, "is given without a %s; both are needed",
	    cert ? "client-key" : "client-certificate");
	return kubeconfig_locate(place, cert ? "client-certificate" : "client-key", e);
}

/* --- the context --- */

static int
choose(const struct kubeconfig_set *set, const char *context, bool exec_allowed,
    struct kubeconfig *to, struct err *e)
{
	struct kubeconfig_place named, cluster, user;
	char *cluster_name = NULL, *user_name = NULL;
	int result = -1;

	if (kubeconfig_find(set, KUBECONFIG_CONTEXTS, context, &named, e) < 0)
		return -1;
	to->context = mem_strdup(context);
	if (kubeconfig_text(&named, "namespace", &to->namespace, e) < 0 ||
	    kubeconfig_text(&named, "cluster", &cluster_name, e) < 0 ||
	    kubeconfig_text(&named, "user", &user_name, e) < 0)
		goto out;
	if (!to->namespace)
		to->namespace = mem_strdup("default");
	if (!cluster_name) {
		err_set(e, "is missing; it names an entry of clusters");
		kubeconfig_locate(&named, "cluster", e);
		goto out;
	}
	if (kubeconfig_find(set, KUBECONFIG_CLUSTERS, cluster_name, &cluster, e) < 0 ||
	    take_cluster(&cluster, to, e) < 0)
		goto out;
	/* No user: anonymous, as kubectl does. */
	if (user_name && (kubeconfig_find(set, KUBECONFIG_USERS, user_name, &user, e) < 0 ||
			     take_user(&user, exec_allowed, to, e) < 0))
		goto out;
	result = 0;
out:
	free(cluster_name);
	free(user_name);
	return result;
}

int
kubeconfig_set_choose(const struct kubeconfig_set *set, const char *context, bool exec_allowed,
    struct kubeconfig *to, struct err *e)
{
	struct kubeconfig chosen = {0};

	if (!context || !*context)
		context = kubeconfig_current(set);
	if (!*context &&
	    kubeconfig_find(set, KUBECONFIG_CONTEXTS, "", &(struct kubeconfig_place){0}, e) < 0)
		return err_wrap(e, "no context was chosen and there is no current-context");
	if (choose(set, context, exec_allowed, &chosen, e) < 0) {
		kubeconfig_done(&chosen);
		return -1;
	}
	*to = chosen;
	return 0;
}

/* 1 added, 0 skipped because it is missing and may be, -1. */
static int
add_file(struct kubeconfig_set *set, const char *file, bool may_miss, struct err *e)
{
	char *text;
	size_t length;
	int result;

	if (may_miss && access(file, F_OK) < 0 && errno == ENOENT)
		return 0;
	text = kubeconfig_read_file(file, &length, e);
	if (!text)
		return -1;
	result = kubeconfig_set_add(set, text, length, file, e) < 0 ? -1 : 1;
	mem_wipe(text, length);
	free(text);
	return result;
}

int
kubeconfig_load(
    const char *files, const char *context, bool exec_allowed, struct kubeconfig *to, struct err *e)
{
	struct kubeconfig_set *set = kubeconfig_set_new();
	bool several = strchr(files, ':') != NULL;
	const char *from = files;
	int added = 0, result = 0;

	while (result >= 0 && *from) {
		size_t length = strcspn(from, ":");
		char *file = mem_strndup(from, length);

		if (length)
			result = add_file(set, file, several, e);
		added += result > 0;
		from += length + (from[length] == ':');
		free(file);
	}
	if (result >= 0 && !added)
		result = err_set(e, "kubeconfig \"%s\": none of these files exists", files);
	if (result >= 0)
		result = kubeconfig_set_choose(set, context, exec_allowed, to, e);
	kubeconfig_set_free(set);
	return result < 0 ? -1 : 0;
}

int
kubeconfig_in_cluster(const char *folder, struct kubeconfig *to, struct err *e)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST");
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool v6 = host && strchr(host, ':');
	char *path, *ns;

	if (!host || !*host || !port || !*port)
		return err_set(e, "in-cluster credentials: KUBERNETES_SERVICE_HOST and "
				  "KUBERNETES_SERVICE_PORT are not both set; they are in a pod. "
				  "Outside of one, give a kubeconfig");
	path = str_format("%s/namespace", folder);
	ns = kubeconfig_read_file(path, NULL, e);
	free(path);
	if (ns)
		ns[strcspn(ns, "\r\n")] = '\0';
	if (!ns || !*ns) {
		free(ns);
		ns = mem_strdup("default");
	}
	*to = (struct kubeconfig){
	    .context = mem_strdup("in-cluster"),
	    .namespace = ns,
	    .server = str_format(v6 ? "https://[%s]:%s" : "https://%s:%s", host, port),
	    .ca.file = str_format("%s/ca.crt", folder),
	    .token.file = str_format("%s/token", folder),
	};
	return 0;
}
