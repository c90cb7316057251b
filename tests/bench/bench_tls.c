/* What TLS costs: the server of http/ in a process of its own, plain and with TLS, and a client
 * that asks by OpenSSL. Requests on connections that stand, whole handshakes, and the memory of
 * connections that are silent. Rates are for a second of the server's CPU time, so that they do not
 * depend on how many cores client and server have. */
#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/str.h"
#include "http/httpd.h"

enum { REQUESTS = 30000, LINES = 16, HANDSHAKES = 1500, IDLE = 200 };

static char folder[] = "/tmp/airis-bench-XXXXXX";
static char crt_path[64], key_path[64];

static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static void
save(const char *path, X509 *crt, EVP_PKEY *key)
{
	FILE *file = fopen(path, "we");

	if (file == NULL || fchmod(fileno(file), 0600) < 0)
		die(path);
	if (crt != NULL)
		PEM_write_X509(file, crt);
	else
		PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
}

static void
make_certificate(EVP_PKEY *key)
{
	X509 *crt = X509_new();

	ASN1_INTEGER_set(X509_get_serialNumber(crt), 1);
	X509_set_version(crt, 2);
	X509_gmtime_adj(X509_getm_notBefore(crt), -60);
	X509_gmtime_adj(X509_getm_notAfter(crt), 30L * 24 * 3600);
	X509_set_pubkey(crt, key);
	X509_sign(crt, key, EVP_sha256());
	save(crt_path, crt, NULL);
	save(key_path, NULL, key);
	X509_free(crt);
	EVP_PKEY_free(key);
}

/* --- the server --- */

static struct httpd *httpd;

static void
answer(void *ctx, struct httpd_request *request)
{
	static const char body[] = "{\"phase\":\"progressing\",\"stage\":{\"index\":2,\"name\":"
				   "\"canary 25%\"},\"weight\":{\"written\":25,\"taken\":25}}";
	struct timespec cpu;
	char text[128], memory[64] = "";
	FILE *file;

	(void)ctx;
	if (strcmp(httpd_path(request), "/stats") != 0) {
		httpd_answer(httpd, httpd_number(request), 200, "application/json", NULL, body,
		    sizeof(body) - 1);
		return;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
	file = fopen("/proc/self/statm", "re");
	if (file == NULL || fgets(memory, sizeof(memory), file) == NULL)
		die("statm");
	fclose(file);
	str_print(text, sizeof(text), "stats %lld %ld ",
	    (long long)cpu.tv_sec * 1000000 + cpu.tv_nsec / 1000,
	    strtol(strchr(memory, ' '), NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024));
	httpd_answer(httpd, httpd_number(request), 200, NULL, NULL, text, strlen(text));
}

static void
serve(bool tls, int out)
{
	struct httpd_tls_settings files = {.certificate_file = crt_path, .key_file = key_path};
	struct httpd_limits limits = {.max_connections = IDLE + 10};
	struct loop *loop = loop_new();
	struct errlist errors;
	struct err e;
	int port;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	errlist_init(&errors);
	httpd = httpd_new(loop, &limits, answer, NULL, NULL);
	if (tls && httpd_tls(httpd, &files, &errors) < 0) {
		fprintf(stderr, "%s\n", errors.items[0].text);
		exit(1);
	}
	if (httpd_listen_tcp(httpd, "127.0.0.1:0", &port, &e) < 0 ||
	    write(out, &port, sizeof(port)) != sizeof(port))
		die("listen");
	loop_run(loop);
	exit(0);
}

static pid_t
start(bool tls, int *port)
{
	int ends[2];
	pid_t pid;

	fflush(stdout);
	if (pipe(ends) < 0)
		die("pipe");
	pid = fork();
	if (pid == 0)
		serve(tls, ends[1]);
	if (read(ends[0], port, sizeof(*port)) != sizeof(*port))
		die("the server's port");
	close(ends[0]);
	close(ends[1]);
	return pid;
}

/* --- the client --- */

static SSL_CTX *client;

struct line {
	int fd;
	SSL *ssl;
};

static struct line
call(int port, bool tls)
{
	struct sockaddr_in where = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct line line = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

	if (connect(line.fd, (struct sockaddr *)&where, sizeof(where)) < 0)
		die("connect");
	if (tls) {
		line.ssl = SSL_new(client);
		SSL_set_fd(line.ssl, line.fd);
		if (SSL_connect(line.ssl) != 1)
			die("handshake");
	}
	return line;
}

static void
hang_up(struct line *line)
{
	SSL_free(line->ssl);
	close(line->fd);
}

static void
ask(struct line *line, const char *path)
{
	char text[128];
	int length;

	str_print(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	length = (int)strlen(text);
	if ((line->ssl != NULL ? SSL_write(line->ssl, text, length)
			       : (int)write(line->fd, text, (size_t)length)) != length)
		die("write");
}

/* The whole answer: its head and its body may be two records. */
static void
hear(struct line *line, char *to, size_t room)
{
	size_t length = 0;
	ssize_t got;

	do {
		got = line->ssl != NULL ? SSL_read(line->ssl, to + length, (int)(room - 1 - length))
					: read(line->fd, to + length, room - 1 - length);
		if (got <= 0)
			die("read");
		length += (size_t)got;
		to[length] = '\0';
	} while (strstr(to, "}}") == NULL && strstr(to, "stats ") == NULL);
}

struct stats {
	long long cpu_us;
	long kib;
};

static struct stats
stats_of(int port, bool tls)
{
	struct line line = call(port, tls);
	struct stats stats;
	char text[2048], *at;

	ask(&line, "/stats");
	hear(&line, text, sizeof(text));
	at = strstr(text, "stats ");
	if (at == NULL)
		die("stats");
	stats.cpu_us = strtoll(at + 6, &at, 10);
	stats.kib = strtol(at, NULL, 10);
	hang_up(&line);
	return stats;
}

static double
requests(int port, bool tls)
{
	struct line lines[LINES];
	struct stats before;
	char text[2048];

	for (int i = 0; i < LINES; i++)
		lines[i] = call(port, tls);
	before = stats_of(port, tls);
	for (int n = 0; n < REQUESTS; n += LINES) {
		for (int i = 0; i < LINES; i++)
			ask(&lines[i], "/v1/rollouts/x");
		for (int i = 0; i < LINES; i++)
			hear(&lines[i], text, sizeof(text));
	}
	for (int i = 0; i < LINES; i++)
		hang_up(&lines[i]);
	return REQUESTS * 1e6 / (double)(stats_of(port, tls).cpu_us - before.cpu_us);
}

static double
handshakes(int port)
{
	struct stats before = stats_of(port, true);

	for (int i = 0; i < HANDSHAKES; i++) {
		struct line line = call(port, true);

		hang_up(&line);
	}
	return HANDSHAKES * 1e6 / (double)(stats_of(port, true).cpu_us - before.cpu_us);
}

static double
kib_of_one(int port, bool tls)
{
	struct line lines[IDLE];
	long before = stats_of(port, tls).kib, after;
	char text[2048];

	for (int i = 0; i < IDLE; i++) {
		lines[i] = call(port, tls);
		ask(&lines[i], "/once");
		hear(&lines[i], text, sizeof(text));
	}
	after = stats_of(port, tls).kib;
	for (int i = 0; i < IDLE; i++)
		hang_up(&lines[i]);
	return (double)(after - before) / IDLE;
}

static void
bench(const char *what, bool tls)
{
	int port;
	pid_t pid = start(tls, &port);

	printf("  %-16s %6.1f KiB a silent connection", what, kib_of_one(port, tls));
	printf(", %7.0f requests/s", requests(port, tls));
	if (tls)
		printf(", %5.0f handshakes/s", handshakes(port));
	printf(" of one core\n");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int
main(void)
{
	signal(SIGPIPE, SIG_IGN);
	if (mkdtemp(folder) == NULL)
		die(folder);
	str_print(crt_path, sizeof(crt_path), "%s/crt", folder);
	str_print(key_path, sizeof(key_path), "%s/key", folder);
	client = SSL_CTX_new(TLS_client_method());
	bench("plain", false);
	make_certificate(EVP_EC_gen("P-256"));
	bench("TLS, P-256", true);
	make_certificate(EVP_RSA_gen(2048));
	bench("TLS, RSA 2048", true);
	SSL_CTX_free(client);
	unlink(crt_path);
	unlink(key_path);
	return rmdir(folder);
}
