/* Kubeconfig files: merging, choosing, paths, and errors that say where and what is allowed. */
#include "unit.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/str.h"
#include "cluster/kubeconfig.h"
#include "kube_fake.h"

#define CONTEXT "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n"
#define CLUSTER "clusters: [{name: k, cluster: {server: 'https://h:6443/'}}]\n"

/* Of one file; "" on success. */
static struct err error;
static struct kubeconfig config;

static const char *
choose(const char *text, const char *context)
{
	struct kubeconfig_set *set = kubeconfig_set_new();

	error.text[0] = '\0';
	kubeconfig_done(&config);
	if (kubeconfig_set_add(set, text, strlen(text), "/etc/airis/config", &error) == 0)
		(void)!kubeconfig_set_choose(set, context, true, &config, &error);
	kubeconfig_set_free(set);
	return error.text;
}

static void
refuses(const char *text, const char *expected)
{
	const char *found = choose(text, NULL);

	if (!strstr(found, expected))
		fail_msg("expected \"%s\" in \"%s\"", expected, found);
	assert_null(config.server);
}

static void
test_everything(void **state)
{
	(void)state;
	assert_string_equal(
	    choose("kind: Config\n" CONTEXT "clusters:\n"
		   "- name: k\n"
		   "  cluster:\n"
		   "    server: https://h:6443/base/\n"
		   "    tls-server-name: real.name\n"
		   "    proxy-url: socks5://p:1080\n"
		   "    certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCg==\n"
		   "users:\n"
		   "- name: u\n"
		   "  user:\n"
		   "    client-certificate: pki/cert.pem\n"
		   "    client-key: /abs/key.pem\n"
		   "    tokenFile: ../token\n"
		   "    token: now\n"
		   "    username: me\n"
		   "    password: pw\n"
		   "    as: someone\n"
		   "    as-groups: [a, b]\n",
		NULL),
	    "");
	assert_string_equal(config.server, "https://h:6443/base");
	assert_string_equal(config.server_name, "real.name");
	assert_string_equal(config.proxy, "socks5://p:1080");
	assert_string_equal(config.ca.data, "-----BEGIN CERTIFICATE-----\n");
	assert_string_equal(config.cert.file, "/etc/airis/pki/cert.pem");
	assert_string_equal(config.key.file, "/abs/key.pem");
	assert_string_equal(config.token.file, "/etc/airis/../token");
	assert_string_equal(config.token.data, "now");
	assert_string_equal(config.username, "me");
	assert_string_equal(config.impersonate[0], "Impersonate-User: someone");
	assert_string_equal(config.impersonate[2], "Impersonate-Group: b");
	assert_null(config.impersonate[3]);
	assert_string_equal(config.namespace, "default");
	kubeconfig_done(&config);
}

static void
test_contexts(void **state)
{
	static const char two[] =
	    CLUSTER "contexts:\n- {name: a, context: {cluster: k, namespace: na}}\n"
		    "- {name: b, context: {cluster: k, user: nobody}}\n";

	(void)state;
	assert_string_equal(choose(two, "a"), "");
	assert_string_equal(config.namespace, "na");
	assert_non_null(strstr(choose(two, "c"), "no context is named \"c\"; there are: a, b"));
	assert_non_null(strstr(choose(two, "b"), "no user is named \"nobody\"; there are: none"));
	refuses(two, "no context was chosen and there is no current-context");
}

static void
test_errors(void **state)
{
	(void)state;
	refuses("[1, 2]", "/etc/airis/config: is not a kubeconfig");
	refuses("a: [", "/etc/airis/config");
	refuses("clusters: 7", "line 1: clusters: is not a list");
	refuses("clusters:\n- 7\n", "line 2: clusters[0]: is not a mapping");
	refuses("clusters:\n- {cluster: {}}\n", "clusters[0]: has no name");
	refuses("clusters:\n- {name: x}\n", "clusters[0]: has no cluster");
	refuses(CONTEXT "clusters: [{name: k, cluster: {}}]\n",
	    "clusters[0].cluster.server: is missing");
	refuses(CONTEXT "clusters: [{name: k, cluster: {server: 'ftp://x'}}]\n",
	    "found \"ftp://x\"; allowed is a URL with a host that starts with https://, http://");
	refuses(
	    CONTEXT "clusters: [{name: k, cluster: {server: 'https://'}}]\n", "allowed is a URL");
	refuses(
	    CONTEXT "clusters: [{name: k, cluster: {server: 'https://u:p@h'}}]\n", "has a user");
	refuses(CONTEXT "clusters: [{name: k, cluster: {server: 'https://h', "
			"insecure-skip-tls-verify: true, certificate-authority: x}}]\n",
	    "insecure-skip-tls-verify: is true, but a certificate-authority is given too");
	refuses(CONTEXT "clusters: [{name: k, cluster: {server: 'https://h', "
			"insecure-skip-tls-verify: 'yes'}}]\n",
	    "found a text; allowed is true or false");
	refuses(CONTEXT CLUSTER "users:\n- name: u\n  user:\n    token: 12345\n",
	    "line 7: users[0].user.token: found a number; allowed is a text");
	refuses(CONTEXT CLUSTER "users: [{name: u, user: {client-certificate-data: '%%%%'}}]\n",
	    "users[0].user.client-certificate-data: found text that is not base64");
	refuses(CONTEXT CLUSTER "users: [{name: u, user: {client-certificate-data: aGk=}}]\n",
	    "the decoded text is not PEM");
	refuses(CONTEXT CLUSTER "users: [{name: u, user: {client-certificate: x}}]\n",
	    "client-certificate: is given without a client-key");
	refuses(CONTEXT CLUSTER "users: [{name: u, user: {auth-provider: {name: gcp}}}]\n",
	    "auth-provider: is gone since Kubernetes 1.26; use exec");
	refuses(CONTEXT CLUSTER "users: [{name: u, user: {as: x, as-user-extra: {k: [v]}}}]\n",
	    "as-user-extra: is not supported");
}

static void
test_base64_padding(void **state)
{
	static const char *const bad[] = {"A", "AAA", "=AAA", "AA=A", "A===", "====", "AAAA="};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		str_print(text, sizeof text,
		    CONTEXT "clusters: [{name: k, cluster: {server: 'https://h', "
			    "certificate-authority-data: '%s'}}]\n",
		    bad[i]);
		refuses(text, "is not base64");
	}
}

static void
test_exec(void **state)
{
	static const char user[] =
	    CONTEXT CLUSTER "users:\n- name: u\n  user:\n    exec:\n"
			    "      apiVersion: client.authentication.k8s.io/v1\n"
			    "      command: bin/login\n"
			    "      args: [get, token]\n"
			    "      env: [{name: A, value: b=c}]\n"
			    "      interactiveMode: IfAvailable\n";
	struct kubeconfig_set *set = kubeconfig_set_new();
	struct kubeconfig none = {0};

	(void)state;
	assert_string_equal(choose(user, NULL), "");
	assert_string_equal(config.exec.command, "/etc/airis/bin/login");
	assert_string_equal(config.exec.arguments[1], "token");
	assert_string_equal(config.exec.variables[0], "A=b=c");
	kubeconfig_done(&config);
	assert_int_equal(kubeconfig_set_add(set, user, sizeof user - 1, "f", &error), 0);
	assert_int_equal(kubeconfig_set_choose(set, NULL, false, &none, &error), -1);
	assert_non_null(strstr(error.text, "users[0].user.exec: names a program to be run"));
	kubeconfig_set_free(set);
#define EXEC(rest) CONTEXT CLUSTER "users: [{name: u, user: {exec: {" rest "}}}]\n"
	refuses(EXEC("apiVersion: client.authentication.k8s.io/v1"), "exec.command: is missing");
	refuses(EXEC("command: x, apiVersion: client.authentication.k8s.io/v1alpha1"),
	    "exec.apiVersion: found \"client.authentication.k8s.io/v1alpha1\"; allowed are");
	refuses(EXEC("command: x, apiVersion: client.authentication.k8s.io/v1, "
		     "interactiveMode: Always"),
	    "interactiveMode: is Always");
	refuses(EXEC("command: x, apiVersion: client.authentication.k8s.io/v1, env: [{name: A}]"),
	    "exec.env: entry 1 is not {name: NAME, value: TEXT}");
	refuses(EXEC("command: x, apiVersion: client.authentication.k8s.io/v1, args: [1]"),
	    "exec.args: found a number; allowed is a list of texts");
}

/* KUBECONFIG=a:b:missing: the first to name something wins, whole. */
static void
test_merge(void **state)
{
	char *folder = make_folder();
	char *a = write_file(folder, "a",
	    "current-context: ''\n"
	    "clusters: [{name: k, cluster: {server: 'https://first'}}]\n");
	char *b = write_file(folder, "b",
	    CONTEXT
	    "clusters: [{name: k, cluster: {server: 'https://second', tls-server-name: n}}]\n"
	    "users: [{name: u, user: {tokenFile: t}}]\n");
	char *list = str_format("%s::%s:%s/missing", a, b, folder);
	char *none = str_format("%s/x:%s/y", folder, folder);
	char *one = str_format("%s/x", folder);

	(void)state;
	assert_int_equal(kubeconfig_load(list, NULL, false, &config, &error), 0);
	assert_string_equal(config.server, "https://first");
	assert_null(config.server_name);
	assert_string_equal(config.token.file + strlen(folder), "/t");
	kubeconfig_done(&config);
	assert_int_equal(kubeconfig_load(none, NULL, false, &config, &error), -1);
	assert_non_null(strstr(error.text, "none of these files exists"));
	assert_int_equal(kubeconfig_load(one, NULL, false, &config, &error), -1);
	assert_non_null(strstr(error.text, "/x: cannot be opened: No such file"));
	assert_int_equal(kubeconfig_load(folder, NULL, false, &config, &error), -1);
	assert_non_null(strstr(error.text, "is not a file"));
	unlink(a);
	unlink(b);
	rmdir(folder);
	free(a);
	free(b);
	free(list);
	free(none);
	free(one);
	free(folder);
}

static void
test_in_cluster(void **state)
{
	(void)state;
	unsetenv("KUBERNETES_SERVICE_HOST");
	assert_int_equal(kubeconfig_in_cluster("/none", &config, &error), -1);
	assert_non_null(strstr(error.text, "KUBERNETES_SERVICE_HOST"));
	setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "443", 1);
	assert_int_equal(kubeconfig_in_cluster("/none", &config, &error), 0);
	assert_string_equal(config.server, "https://[fd00::1]:443");
	assert_string_equal(config.token.file, "/none/token");
	assert_string_equal(config.ca.file, "/none/ca.crt");
	assert_string_equal(config.namespace, "default");
	kubeconfig_done(&config);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_everything),
	    cmocka_unit_test(test_contexts),
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_base64_padding),
	    cmocka_unit_test(test_exec),
	    cmocka_unit_test(test_merge),
	    cmocka_unit_test(test_in_cluster),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
