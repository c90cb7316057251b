/* Credentials: files that are replaced, plugins that behave and that do not. */
#include "unit.h"
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/str.h"
#include "cluster/credentials.h"
#include "cluster/exec_plugin.h"
#include "kube_fake.h"

static struct loop *loop;
static char *folder, *script;
static struct kubeconfig config;
static int answers;
static char output[256], failure[1024];

static void
on_plugin(void *ctx, const char *text, size_t length, const char *error)
{
	(void)ctx;
	(void)length;
	answers++;
	str_copy(output, sizeof output, text);
	str_copy(failure, sizeof failure, error ? error : "");
}

static bool
answered(void)
{
	return answers > 0;
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	until_forget();
	folder = make_folder();
	answers = 0;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	kubeconfig_done(&config);
	loop_free(loop);
	if (script)
		unlink(script);
	free(script);
	script = NULL;
	rmdir(folder);
	free(folder);
	return 0;
}

static struct exec_plugin *
start(const char *text, int64_t timeout_ms)
{
	struct exec_plugin *plugin;
	struct err e;

	script = write_file(folder, "plugin", text);
	chmod(script, 0700);
	config.server = mem_strdup("https://h");
	config.exec.command = mem_strdup(script);
	config.exec.api_version = mem_strdup("client.authentication.k8s.io/v1");
	config.exec.cluster_info = true;
	config.exec.variables = mem_array(2, sizeof(char *));
	config.exec.variables[0] = mem_strdup("EXTRA=own");
	config.exec.arguments = mem_array(2, sizeof(char *));
	config.exec.arguments[0] = mem_strdup("a b; exit 9");
	plugin = exec_plugin_start(loop, &config, "PEM", timeout_ms, on_plugin, NULL, &e);
	assert_non_null(plugin);
	assert_int_equal(answers, 0);
	return plugin;
}

static void
test_surroundings(void **state)
{
	(void)state;
	start("#!/bin/sh\n"
	      "[ \"$1\" = 'a b; exit 9' ] && [ \"$EXTRA\" = own ] || exit 1\n"
	      "[ -z \"$(cat)\" ] || exit 2\n"
	      "[ \"$(ls /proc/self/fd | wc -l)\" -le 4 ] || exit 3\n"
	      "case $KUBERNETES_EXEC_INFO in\n"
	      "*'\"server\":\"https://h\"'*'\"certificate-authority-data\":\"UEVN\"'*) ;;\n"
	      "*) exit 4 ;;\nesac\n"
	      "printf out; echo err >&2\n",
	    5000);
	assert_true(run_until(loop, answered, 10000));
	assert_string_equal(failure, "");
	assert_string_equal(output, "out");
}

static void
test_failure_says_why(void **state)
{
	(void)state;
	start("#!/bin/sh\necho first >&2\necho 'login expired' >&2\nexit 7\n", 5000);
	assert_true(run_until(loop, answered, 10000));
	assert_non_null(strstr(failure, "/plugin: ended with 7: login expired"));
}

static void
test_timeout(void **state)
{
	int64_t began = clock_mono_ms();

	(void)state;
	start("#!/bin/sh\nsleep 60 & sleep 60\n", 100);
	assert_true(run_until(loop, answered, 10000));
	assert_non_null(strstr(failure, "did not end within 100ms and was killed"));
	assert_true(clock_mono_ms() - began < 5000);
}

static void
test_endless_output(void **state)
{
	(void)state;
	start("#!/bin/sh\nexec yes\n", 20000);
	assert_true(run_until(loop, answered, 10000));
	assert_non_null(strstr(failure, "printed more than 1 MiB"));
}

/* A child that keeps the output open does not keep us waiting. */
static void
test_left_behind_child(void **state)
{
	int64_t began = clock_mono_ms();

	(void)state;
	start("#!/bin/sh\nsleep 3 &\nprintf done\n", 20000);
	assert_true(run_until(loop, answered, 10000));
	assert_string_equal(failure, "");
	assert_string_equal(output, "done");
	assert_true(clock_mono_ms() - began < 2500);
}

static void
test_cancel(void **state)
{
	(void)state;
	exec_plugin_cancel(start("#!/bin/sh\nsleep 60\n", 20000));
	run_until(loop, never, 20);
	assert_int_equal(answers, 0);
}

static const char *
parse(const char *text, struct exec_credential *to)
{
	static struct err e;

	e.text[0] = '\0';
	(void)!exec_credential_parse(text, strlen(text), to, &e);
	return e.text;
}

static void
test_parse(void **state)
{
	struct exec_credential got = {0};

	(void)state;
	assert_string_equal(parse("{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\","
				  "\"expirationTimestamp\":\"2026-01-31T08:00:00.5+02:00\"}}",
				&got),
	    "");
	assert_string_equal(got.token, "t");
	assert_true(got.expires_ms == INT64_C(1769839200000));
	exec_credential_done(&got);
#define REFUSED(text, expected) assert_non_null(strstr(parse(text, &got), expected))
	REFUSED("secret-but-no-json", "is not an ExecCredential in JSON");
	assert_null(strstr(parse("secret-but-no-json", &got), "secret"));
	REFUSED("{\"kind\":\"X\"}", "kind is \"X\"; allowed is ExecCredential");
	REFUSED("{\"kind\":\"ExecCredential\"}", "has neither a token");
	REFUSED("{\"kind\":\"ExecCredential\",\"status\":{\"clientKeyData\":\"k\"}}",
	    "only one of clientCertificateData, clientKeyData");
	REFUSED("{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t\","
		"\"expirationTimestamp\":\"soon\"}}",
	    "expirationTimestamp: found \"soon\"");
	assert_null(got.token);
}

/* --- in use --- */

static void
on_ready(void *ctx)
{
	(void)ctx;
	answers++;
}

static struct credentials *
with_token(const char *text, struct err *e)
{
	script = write_file(folder, "token", text);
	config.context = mem_strdup("c");
	config.token.file = mem_strdup(script);
	return credentials_new(loop, &config, on_ready, NULL, e);
}

static void
test_token_file(void **state)
{
	struct credentials_access access;
	struct credentials *credentials;
	uint64_t generation;
	struct err e;

	(void)state;
	credentials = with_token("abc\r\n", &e);
	assert_non_null(credentials);
	assert_int_equal(credentials_get(credentials, &access), CREDENTIALS_READY);
	assert_string_equal(access.authorization, "Authorization: Bearer abc");
	generation = access.generation;
	free(write_file(folder, "token", "def"));
	assert_true(credentials_refused(credentials, generation));
	assert_int_equal(credentials_get(credentials, &access), CREDENTIALS_READY);
	assert_string_equal(access.authorization, "Authorization: Bearer def");
	assert_true(access.generation != generation);
	/* Garbage and absence change nothing. */
	free(write_file(folder, "token", "two\nlines"));
	assert_true(credentials_refused(credentials, access.generation));
	assert_int_equal(credentials_get(credentials, &access), CREDENTIALS_READY);
	assert_string_equal(access.authorization, "Authorization: Bearer def");
	credentials_free(credentials);
}

static void
test_bad_files(void **state)
{
	struct err e;

	(void)state;
	assert_null(with_token("bad token", &e));
	assert_non_null(strstr(e.text, "/token: has spaces"));
	assert_null(strstr(e.text, "bad token"));
	config.ca.file = mem_strdup(script);
	assert_null(credentials_new(loop, &config, on_ready, NULL, &e));
	assert_non_null(strstr(e.text, "/token: is not PEM"));
	unlink(script);
	assert_null(credentials_new(loop, &config, on_ready, NULL, &e));
	assert_non_null(strstr(e.text, "cannot be opened"));
}

/* Used until a minute before it expires, and after that while a new one is fetched. */
static void
test_plugin_expiry(void **state)
{
	struct credentials_access access;
	struct credentials *credentials;
	char soon[40], *text;
	struct err e;

	(void)state;
	str_time_text(clock_wall_ms() + 30 * 1000, soon, sizeof soon);
	text = str_format("#!/bin/sh\nprintf '{\"kind\":\"ExecCredential\",\"status\":{\"token\":"
			  "\"t%%d\",\"expirationTimestamp\":\"%s\"}}' $$\n",
	    soon);
	script = write_file(folder, "plugin", text);
	free(text);
	chmod(script, 0700);
	config.context = mem_strdup("c");
	config.exec.command = mem_strdup(script);
	config.exec.api_version = mem_strdup("client.authentication.k8s.io/v1");
	credentials = credentials_new(loop, &config, on_ready, NULL, &e);
	assert_int_equal(credentials_get(credentials, &access), CREDENTIALS_WAIT);
	assert_true(run_until(loop, answered, 10000));
	assert_int_equal(credentials_get(credentials, &access), CREDENTIALS_READY);
	text = mem_strdup(access.authorization);
	assert_true(str_starts(text, "Authorization: Bearer t"));
	answers = 0; /* that get has started the next run already */
	assert_true(run_until(loop, answered, 10000));
	assert_int_equal(credentials_get(credentials, &access), CREDENTIALS_READY);
	assert_string_not_equal(text, access.authorization);
	free(text);
	credentials_free(credentials);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_surroundings),
	    TEST(test_failure_says_why),
	    TEST(test_timeout),
	    TEST(test_endless_output),
	    TEST(test_left_behind_child),
	    TEST(test_cancel),
	    TEST(test_parse),
	    TEST(test_token_file),
	    TEST(test_bad_files),
	    TEST(test_plugin_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
