/* The client over TLS, against `openssl s_server` with certificates that are made here and now. */
#include "test_http_lab.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

static char folder[] = "/tmp/airis-tls-XXXXXX";
static struct httpc_pool *pool;
static struct asked a;

static pid_t server; /* killed by teardown, also when a test fails */

static char *
in_folder(const char *name)
{
	static char paths[16][128];
	static int next;
	char *path = paths[next++ % 16];

	assert_true(str_print(path, sizeof(paths[0]), "%s/%s", folder, name));
	return path;
}

static char *
read_pem(const char *name)
{
	static char texts[4][8192];
	static int next;
	char *text = texts[next++ % 4];
	FILE *file = fopen(in_folder(name), "r");
	size_t count;

	assert_non_null(file);
	count = fread(text, 1, sizeof(texts[0]) - 1, file);
	text[count] = '\0';
	(void)fclose(file);
	assert_true(count > 0);
	return text;
}

/* Its output goes to out (-1: nowhere), so that a test's own is not disturbed. */
static pid_t
run_openssl(char *const argv[], int out)
{
	posix_spawn_file_actions_t actions;
	pid_t pid;

	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&actions, out, 1);
	assert_int_equal(posix_spawnp(&pid, "openssl", &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void
make_certificate(const char *names, char *cert, char *key)
{
	char *argv[] = {"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
	    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=lab", "-addext",
	    (char *)(uintptr_t)names, "-keyout", in_folder(key), "-out", in_folder(cert), NULL};
	int status;

	assert_int_equal(waitpid(run_openssl(argv, -1), &status, 0) > 0 ? status : -1, 0);
}

/* The first line says "ACCEPT 127.0.0.1:PORT"; it comes once the socket listens. */
static int
read_port(int fd)
{
	char text[512] = "";
	size_t length = 0;
	const char *at;
	ssize_t got;
	int64_t port;

	while ((at = strstr(text, "ACCEPT 127.0.0.1:")) == NULL || strchr(at, '\n') == NULL) {
		got = read(fd, text + length, sizeof(text) - 1 - length);
		assert_true(got > 0);
		length += (size_t)got;
		text[length] = '\0';
	}
	*strchr(at, '\n') = '\0';
	assert_int_equal(str_number(strrchr(at, ':') + 1, 1, 65535, &port), 0);
	return (int)port;
}

enum kind {
	PLAIN,
	ASKS_FOR_CLIENT, /* and refuses who shows no certificate */
	TWO_NAMES	 /* the good certificate is for who asks for lab.test */
};

/* Returns the port. */
static int
start_server(enum kind kind)
{
	char *argv[] = {"openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert",
	    in_folder("cert"), "-key", in_folder("key"), NULL, NULL, NULL, NULL, NULL, NULL, NULL};
	char *client[] = {"-Verify", "1", "-verify_return_error", "-CAfile", in_folder("client")};
	char *names[] = {
	    "-servername", "lab.test", "-cert2", in_folder("cert"), "-key2", in_folder("key")};
	int ends[2], port;

	if (kind == ASKS_FOR_CLIENT)
		memcpy(&argv[9], client, sizeof(client));
	if (kind == TWO_NAMES) {
		argv[6] = in_folder("other");
		argv[8] = in_folder("other-key");
		memcpy(&argv[9], names, sizeof(names));
	}
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	server = run_openssl(argv, ends[1]);
	(void)close(ends[1]);
	port = read_port(ends[0]);
	(void)close(ends[0]);
	return port;
}

static int
make_all(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	make_certificate("subjectAltName=DNS:lab.test,IP:127.0.0.1", "cert", "key");
	make_certificate("subjectAltName=DNS:only.test", "other", "other-key");
	make_certificate("extendedKeyUsage=clientAuth", "client", "client-key");
	return 0;
}

static int
remove_all(void **state)
{
	static const char *const names[] = {
	    "cert", "key", "other", "other-key", "client", "client-key"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		(void)unlink(in_folder(names[i]));
	return rmdir(folder);
}

static int
setup(void **state)
{
	(void)state;
	lab_open();
	pool = httpc_pool_new(lab.loop, 4);
	a = (struct asked){0};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	httpc_pool_free(pool);
	lab_close();
	if (server > 0) {
		(void)kill(server, SIGKILL);
		(void)waitpid(server, NULL, 0);
	}
	server = 0;
	return 0;
}

static void
ask_tls(int port, const char *host, struct httpc_tls tls)
{
	char url[128];

	assert_true(str_print(url, sizeof(url), "https://%s:%d/", host, port));
	ask(&a, pool, (struct httpc_request){.url = url, .tls = tls, .http2 = true});
	assert_true(lab_until(asked_is_done, &a));
}

static void
test_good_and_bad_ca(void **state)
{
	int port = start_server(PLAIN);

	(void)state;
	ask_tls(port, "127.0.0.1", (struct httpc_tls){.ca_pem = read_pem("cert")});
	assert_string_equal(a.error, "");
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	assert_int_equal(a.status, 200);
	/* another CA, and the system's: the connection that stands is not used either */
	ask_tls(port, "127.0.0.1", (struct httpc_tls){.ca_pem = read_pem("other")});
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_non_null(strstr(a.error, "certificate"));
	ask_tls(port, "127.0.0.1", (struct httpc_tls){0});
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	ask_tls(port, "127.0.0.1", (struct httpc_tls){.insecure = true});
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
}

static void
test_broken_pem_is_not_sent(void **state)
{
	int port = start_server(PLAIN);

	(void)state;
	ask_tls(port, "127.0.0.1", (struct httpc_tls){.ca_pem = "nonsense"});
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	ask_tls(port, "127.0.0.1",
	    (struct httpc_tls){
		.ca_pem = read_pem("cert"), .cert_pem = "nonsense", .key_pem = "nonsense"});
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
	assert_true(a.error[0] != '\0');
}

/* The name is verified and asked for; the address stays the URL's. */
static void
test_server_name(void **state)
{
	int port = start_server(TWO_NAMES);
	char *ca = read_pem("cert");

	(void)state;
	ask_tls(port, "127.0.0.1", (struct httpc_tls){.ca_pem = ca, .server_name = "lab.test"});
	assert_string_equal(a.error, "");
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
	ask_tls(port, "127.0.0.1", (struct httpc_tls){.ca_pem = ca, .server_name = "other.test"});
	assert_int_equal(a.outcome, HTTPC_NOT_SENT);
}

static void
test_client_certificate(void **state)
{
	int port = start_server(ASKS_FOR_CLIENT);
	char *ca = read_pem("cert");

	(void)state;
	ask_tls(port, "127.0.0.1", (struct httpc_tls){.ca_pem = ca});
	assert_true(a.outcome == HTTPC_UNKNOWN || a.outcome == HTTPC_NOT_SENT);
	ask_tls(port, "127.0.0.1",
	    (struct httpc_tls){
		.ca_pem = ca, .cert_pem = read_pem("client"), .key_pem = read_pem("client-key")});
	assert_string_equal(a.error, "");
	assert_int_equal(a.outcome, HTTPC_ANSWERED);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(test_good_and_bad_ca),
	    test(test_broken_pem_is_not_sent),
	    test(test_server_name),
	    test(test_client_certificate),
	};

	return cmocka_run_group_tests_name("httpc_tls", tests, make_all, remove_all);
}
