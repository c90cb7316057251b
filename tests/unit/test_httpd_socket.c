/* Where the server listens: addresses, the Unix socket's file, and who is at its other end. */
#include "test_httpd_lab.h"

#include <sys/stat.h>
#include <sys/un.h>

static char folder[] = "/tmp/airis-socket-XXXXXX";
static char path[sizeof(folder) + 16];

static int
setup(void **state)
{
	(void)state;
	(void)str_copy(folder, sizeof(folder), "/tmp/airis-socket-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_true(str_print(path, sizeof(path), "%s/s", folder));
	serve((struct httpd_limits){0});
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	serve_no_more();
	(void)unlink(path);
	return rmdir(folder);
}

static int
unix_connect(void)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(str_copy(where.sun_path, sizeof(where.sun_path), path));
	if (connect(fd, (struct sockaddr *)&where, sizeof(where)) < 0) {
		(void)close(fd);
		return -1;
	}
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* A socket's file that nobody listens on. */
static void
leave_stale(void)
{
	struct sockaddr_un where = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(str_copy(where.sun_path, sizeof(where.sun_path), path));
	assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	assert_int_equal(listen(fd, 1), 0);
	(void)close(fd);
}

static void
test_both_doors(void **state)
{
	struct raw local = {0}, *remote;
	struct err e = {""};
	struct stat found;
	char peer[64];

	(void)state;
	assert_int_equal(httpd_listen_unix(served.httpd, path, 0640, &e), 0);
	assert_int_equal(lstat(path, &found), 0);
	assert_true(S_ISSOCK(found.st_mode));
	assert_int_equal(found.st_mode & 0777, 0640);
	local.fd = unix_connect();
	raw_send(local.fd, GET("/by-file"));
	assert_true(raw_expect(&local, "GET|/by-file|"));
	assert_true(served.local);
	assert_true(
	    str_print(peer, sizeof(peer), "uid=%u pid=%d", (unsigned)getuid(), (int)getpid()));
	assert_string_equal(served.peer, peer);
	remote = raw_ask(GET("/by-port"));
	assert_true(raw_expect(remote, "GET|/by-port|"));
	assert_false(served.local);
	assert_int_equal(httpd_connections(served.httpd), 2);
	/* Late answers and hanging up work there too. */
	local.length = 0;
	raw_send(local.fd, GET("/late"));
	assert_true(lab_until(served_waiting, &(int){1}));
	(void)close(local.fd);
	assert_true(lab_until(served_gone, &(int){1}));
	raw_end(remote);
}

static void
test_stale_socket_is_removed(void **state)
{
	struct err e = {""};
	int fd;

	(void)state;
	leave_stale();
	assert_int_equal(unix_connect(), -1);
	assert_int_equal(httpd_listen_unix(served.httpd, path, 0600, &e), 0);
	fd = unix_connect();
	assert_true(fd >= 0);
	(void)close(fd);
}

static void
test_live_socket_is_refused(void **state)
{
	struct httpd *second = httpd_new(lab.loop, NULL, handle, NULL, &served);
	struct err e = {""};
	int fd;

	(void)state;
	assert_int_equal(httpd_listen_unix(served.httpd, path, 0600, &e), 0);
	assert_int_equal(httpd_listen_unix(second, path, 0600, &e), -1);
	assert_non_null(strstr(e.text, path));
	assert_non_null(strstr(e.text, "listens"));
	httpd_free(second);
	fd = unix_connect(); /* and it is left alone */
	assert_true(fd >= 0);
	(void)close(fd);
}

static void
test_other_files_are_never_removed(void **state)
{
	struct err e = {""};
	struct stat found;
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(httpd_listen_unix(served.httpd, path, 0600, &e), -1);
	assert_non_null(strstr(e.text, "no socket"));
	assert_int_equal(lstat(path, &found), 0);
	assert_true(S_ISREG(found.st_mode));
}

/* The file goes with the server, but not when somebody has put another one there. */
static void
test_file_goes_with_the_server(void **state)
{
	struct httpd *other = httpd_new(lab.loop, NULL, handle, NULL, &served);
	struct err e = {""};
	struct stat found;

	(void)state;
	assert_int_equal(httpd_listen_unix(other, path, 0600, &e), 0);
	httpd_free(other);
	assert_int_equal(lstat(path, &found), -1);
	other = httpd_new(lab.loop, NULL, handle, NULL, &served);
	assert_int_equal(httpd_listen_unix(other, path, 0600, &e), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("elsewhere", path), 0);
	httpd_free(other);
	assert_int_equal(lstat(path, &found), 0);
}

static void
test_bad_paths(void **state)
{
	struct err e = {""};
	char lengthy[200];

	(void)state;
	memset(lengthy, 'x', sizeof(lengthy) - 1);
	lengthy[0] = '/';
	lengthy[sizeof(lengthy) - 1] = '\0';
	assert_int_equal(httpd_listen_unix(served.httpd, lengthy, 0600, &e), -1);
	assert_non_null(strstr(e.text, "107"));
	assert_int_equal(httpd_listen_unix(served.httpd, "", 0600, &e), -1);
	assert_int_equal(httpd_listen_unix(served.httpd, "/nowhere/at/all", 0600, &e), -1);
	assert_non_null(strstr(e.text, "/nowhere/at/all"));
}

static void
test_addresses(void **state)
{
	static const char *const bad[] = {"", "8080", ":8080", "127.0.0.1",
	    "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "localhost:0", "::1:80",
	    "[::1]", "[]:80", "[::1:80", "300.0.0.1:80"};
	struct err e = {""};
	char address[64];
	int port = -7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (httpd_listen_tcp(served.httpd, bad[i], &port, &e) != -1)
			fail_msg("\"%s\" was taken", bad[i]);
		assert_non_null(strstr(e.text, "127.0.0.1:8080"));
		assert_int_equal(port, -7);
	}
	assert_true(str_print(address, sizeof(address), "127.0.0.1:%d", served.port));
	assert_int_equal(httpd_listen_tcp(served.httpd, address, &port, &e), -1);
	assert_non_null(strstr(e.text, "another port"));
	assert_int_equal(port, -7);
}

static void
ask_at(const char *host, int port)
{
	struct httpc_pool *pool = httpc_pool_new(lab.loop, 1);
	struct asked *a = mem_alloc(sizeof(*a));
	char url[64];

	assert_true(str_print(url, sizeof(url), "http://%s:%d/there", host, port));
	ask(a, pool, (struct httpc_request){.url = url});
	assert_true(lab_until(asked_is_done, a));
	assert_int_equal(a->outcome, HTTPC_ANSWERED);
	assert_int_equal(a->retry_after_ms, 3000);
	free(a);
	httpc_pool_free(pool);
}

static void
test_ipv6(void **state)
{
	struct err e = {""};
	int port;

	(void)state;
	if (httpd_listen_tcp(served.httpd, "[::1]:0", &port, &e) < 0)
		skip(); /* a machine without IPv6 */
	ask_at("[::1]", port);
	assert_true(str_starts(served.peer, "[::1]:"));
}

/* systemd's sockets of [::] have IPv4 too. */
static void
test_ipv4_by_ipv6(void **state)
{
	struct sockaddr_in6 where = {.sin6_family = AF_INET6};
	socklen_t size = sizeof(where);
	struct err e = {""};
	char address[64];
	int port, off = 0, fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	(void)state;
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	    bind(fd, (struct sockaddr *)&where, size) < 0)
		skip(); /* a machine without IPv6 */
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&where, &size), 0);
	assert_int_equal(httpd_pass(served.httpd, fd, "both", &e), 0);
	assert_true(str_print(address, sizeof(address), "[::]:%u", ntohs(where.sin6_port)));
	assert_int_equal(httpd_listen_tcp(served.httpd, address, &port, &e), 0);
	ask_at("127.0.0.1", port);
	assert_true(str_starts(served.peer, "127.0.0.1:"));
	ask_at("[::1]", port);
	assert_true(str_starts(served.peer, "[::1]:"));
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(test_both_doors),
	    test(test_stale_socket_is_removed),
	    test(test_live_socket_is_refused),
	    test(test_other_files_are_never_removed),
	    test(test_file_goes_with_the_server),
	    test(test_bad_paths),
	    test(test_addresses),
	    test(test_ipv6),
	    test(test_ipv4_by_ipv6),
	};

	return cmocka_run_group_tests_name("httpd_socket", tests, NULL, NULL);
}
