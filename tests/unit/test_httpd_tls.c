/* The server over TLS: what it shows, whom it believes, how it takes new files, and that nobody can
 * make it spin, stall or wait for ever. */
#include "tls_lab.h"

#include "http/httpd_tls.h"

static struct pair ca, other_ca, server, client, stranger;
static struct httpd_tls_settings files;

static int
make_all(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(tls_folder));
	ca = make_pair((struct wanted){.name = "ca"});
	other_ca = make_pair((struct wanted){.name = "other"});
	server = make_pair((struct wanted){
	    .name = "server", .alternative = "IP:127.0.0.1", .usage = "serverAuth"});
	client = make_pair((struct wanted){.name = "client",
	    .alternative = "DNS:ci.test,URI:spiffe://ci/deploy,URI:spiffe://second,email:c@ci.test",
	    .usage = "clientAuth",
	    .by = &ca});
	stranger = make_pair((struct wanted){.name = "stranger",
	    .alternative = "URI:spiffe://evil",
	    .usage = "clientAuth",
	    .by = &other_ca});
	return 0;
}

static const char *const names[] = {"crt", "key", "ca"};

static int
remove_all(void **state)
{
	(void)state;
	free_pair(&ca);
	free_pair(&other_ca);
	free_pair(&server);
	free_pair(&client);
	free_pair(&stranger);
	return rmdir(tls_folder);
}

static int
setup(void **state)
{
	(void)state;
	save_crt(&server, "crt");
	save_key(&server, "key", NULL);
	save_crt(&ca, "ca");
	files = (struct httpd_tls_settings){.certificate_file = mem_strdup(tls_path("crt")),
	    .key_file = mem_strdup(tls_path("key"))};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (served.httpd != NULL)
		serve_no_more();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		tls_remove(names[i]);
	free((void *)(uintptr_t)files.certificate_file);
	free((void *)(uintptr_t)files.key_file);
	free((void *)(uintptr_t)files.client_ca_file);
	return 0;
}

enum clients { NOBODY, OPTIONAL, REQUIRED };

static void
serve_tls(struct httpd_limits limits, enum clients clients)
{
	struct errlist errors;
	struct err e = {""};

	errlist_init(&errors);
	lab_open();
	served = (struct served){0};
	served.httpd = httpd_new(lab.loop, &limits, handle, on_gone, &served);
	files.client_ca_file = clients != NOBODY ? mem_strdup(tls_path("ca")) : NULL;
	files.client_required = clients == REQUIRED;
	assert_int_equal(httpd_tls(served.httpd, &files, &errors), 0);
	assert_int_equal(httpd_listen_tcp(served.httpd, "127.0.0.1:0", &served.port, &e), 0);
	errlist_done(&errors);
}

static int one = 1, none;

/* --- what it speaks --- */

static void
test_versions(void **state)
{
	static const int good[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static const int bad[] = {TLS1_VERSION, TLS1_1_VERSION};
	struct guest *guest;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	for (size_t i = 0; i < 2; i++) {
		guest = guest_new(NULL, good[i]);
		assert_true(guest_shakes(guest));
		assert_int_equal(SSL_version(guest->ssl), good[i]);
		guest_send(guest, GET("/hello"), strlen(GET("/hello")));
		assert_true(guest_expect(guest, "GET|/hello|"));
		guest_free(guest);
		guest = guest_new(NULL, bad[i]);
		assert_false(guest_shakes(guest));
		guest_free(guest);
	}
	assert_int_equal(served.handled, 2);
	assert_true(str_starts(served.peer, "127.0.0.1:"));
	assert_string_equal(served.certificate, "");
}

/* No forward secrecy, no authentication of the bytes: no. */
static void
test_ciphers(void **state)
{
	static const struct {
		const char *name;
		bool good;
	} ciphers[] = {{"ECDHE-ECDSA-AES128-GCM-SHA256", true},
	    {"ECDHE-ECDSA-CHACHA20-POLY1305", true}, {"ECDHE-ECDSA-AES128-SHA", false},
	    {"ECDHE-ECDSA-AES256-SHA384", false}, {"AES128-GCM-SHA256", false}};

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		struct guest *guest = guest_new(NULL, TLS1_2_VERSION);

		assert_int_equal(SSL_set_cipher_list(guest->ssl, ciphers[i].name), 1);
		if (guest_shakes(guest) != ciphers[i].good)
			fail_msg("%s", ciphers[i].name);
		guest_free(guest);
	}
}

static void
test_protocols_by_alpn(void **state)
{
	static const unsigned char h2[] = "\x02h2", both[] = "\x02h2\x08http/1.1";
	const unsigned char *chosen;
	unsigned length;
	struct guest *guest;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_new(NULL, 0);
	SSL_set_alpn_protos(guest->ssl, both, sizeof(both) - 1);
	assert_true(guest_shakes(guest));
	SSL_get0_alpn_selected(guest->ssl, &chosen, &length);
	assert_int_equal(length, 8);
	assert_memory_equal(chosen, "http/1.1", 8);
	guest_free(guest);
	guest = guest_new(NULL, 0);
	SSL_set_alpn_protos(guest->ssl, h2, sizeof(h2) - 1);
	assert_false(guest_shakes(guest));
	guest_free(guest);
}

static void
test_plain_http_is_hung_up_on(void **state)
{
	struct raw *raw;
	int64_t began = clock_mono_ms();

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	raw = raw_ask(GET("/hello"));
	assert_true(raw_expect(raw, NULL));
	assert_true(clock_mono_ms() - began < 5000); /* at once, not by a deadline */
	assert_int_equal(served.handled, 0);
	raw_end(raw);
}

static void
test_renegotiation_is_refused(void **state)
{
	struct guest *guest;
	int64_t began = clock_mono_ms();

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_new(NULL, TLS1_2_VERSION);
	assert_true(guest_shakes(guest));
	assert_int_equal(SSL_renegotiate(guest->ssl), 1);
	(void)SSL_do_handshake(guest->ssl);
	assert_true(guest_expect(guest, NULL));
	assert_true(lab_until(served_connections, &none));
	assert_true(clock_mono_ms() - began < 5000); /* and not by a deadline */
	guest_free(guest);
}

/* A session that is taken up again would skip the look at the client's certificate. */
static void
test_no_session_is_resumed(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};

	(void)state;
	serve_tls((struct httpd_limits){0}, OPTIONAL);
	for (size_t i = 0; i < 2; i++) {
		struct guest *first = guest_new(&client, versions[i]), *second;
		SSL_SESSION *session;

		assert_true(guest_shakes(first));
		guest_send(first, GET("/x"), strlen(GET("/x")));
		assert_true(guest_expect(first, "GET|/x|"));
		session = SSL_get1_session(first->ssl);
		second = guest_new(NULL, versions[i]);
		(void)SSL_set_session(second->ssl, session);
		assert_true(guest_shakes(second));
		assert_int_equal(SSL_session_reused(second->ssl), 0);
		SSL_SESSION_free(session);
		guest_free(first);
		guest_free(second);
	}
}

/* --- whom it believes --- */

static void
expect_name(const struct pair *own, const char *name)
{
	struct guest *guest = guest_ask(own, GET("/who"));
	char peer[160];

	assert_true(guest_expect(guest, "GET|/who|"));
	assert_string_equal(served.certificate, name);
	str_print(peer, sizeof(peer), "certificate %s 127.0.0.1:", name);
	assert_true(str_starts(served.peer, name[0] != '\0' ? peer : "127.0.0.1:"));
	guest_free(guest);
}

static void
expect_name_of(const char *alternative, const char *name)
{
	struct pair made = make_pair((struct wanted){
	    .name = "admin", .alternative = alternative, .usage = "clientAuth", .by = &ca});

	expect_name(&made, name);
	free_pair(&made);
}

static void
test_who_it_is(void **state)
{
	char long_part[HTTPD_NAME] = "", written[256];

	(void)state;
	serve_tls((struct httpd_limits){0}, OPTIONAL);
	expect_name(NULL, "");
	expect_name(&client, "spiffe://ci/deploy");
	expect_name_of("email:c@ci.test,DNS:ci.test", "ci.test");
	expect_name_of("IP:10.0.0.1,email:c@ci.test", "c@ci.test");
	expect_name_of("IP:10.0.0.1", "");	      /* and the CN is not looked at */
	expect_name_of("DNS:spiffe://ci/deploy", ""); /* one kind looks like another */
	expect_name_of("DNS:two words", "");
	memset(long_part, 'a', HTTPD_NAME - strlen("spiffe://"));
	str_print(written, sizeof(written), "URI:spiffe://%s,DNS:ci.test", long_part);
	*strchr(written, ',') = '\0';
	expect_name_of(written, written + strlen("URI:"));
	str_print(written, sizeof(written), "URI:spiffe://%sa,DNS:ci.test", long_part);
	expect_name_of(written, ""); /* too long, and nothing else is taken in its place */
}

static void
expect_refused(const struct pair *own, int version, const char *reason)
{
	struct guest *guest = guest_new(own, version);
	int handled = served.handled;

	if (guest_shakes(guest))
		assert_true(guest_expect(guest, NULL));
	if (strstr(guest->reason, reason) == NULL)
		fail_msg("\"%s\" instead of \"%s\"", guest->reason, reason);
	assert_int_equal(served.handled, handled);
	guest_free(guest);
}

static void
refuse_one(struct wanted wanted, const char *reason)
{
	struct pair made = make_pair(wanted);

	expect_refused(&made, TLS1_2_VERSION, reason);
	expect_refused(&made, TLS1_3_VERSION, reason);
	free_pair(&made);
}

static void
test_bad_client_certificates(void **state)
{
	(void)state;
	serve_tls((struct httpd_limits){0}, OPTIONAL);
	expect_refused(&stranger, TLS1_2_VERSION, "unknown ca");
	expect_refused(&stranger, TLS1_3_VERSION, "unknown ca");
	refuse_one((struct wanted){.name = "x",
		       .alternative = "DNS:x",
		       .usage = "clientAuth",
		       .from_s = -2 * DAY_S,
		       .until_s = -DAY_S,
		       .by = &ca},
	    "certificate expired");
	refuse_one(
	    (struct wanted){.name = "x", .alternative = "DNS:x", .usage = "serverAuth", .by = &ca},
	    "unsupported certificate");
	/* Signed by the client, which is no CA. */
	refuse_one(
	    (struct wanted){
		.name = "x", .alternative = "DNS:x", .usage = "clientAuth", .by = &client},
	    "alert");
	refuse_one((struct wanted){.name = "x", .alternative = "DNS:x", .usage = "clientAuth"},
	    "unknown ca");
}

static void
test_a_certificate_may_be_required(void **state)
{
	(void)state;
	serve_tls((struct httpd_limits){0}, REQUIRED);
	expect_refused(NULL, TLS1_2_VERSION, "certificate required");
	expect_refused(NULL, TLS1_3_VERSION, "certificate required");
	expect_name(&client, "spiffe://ci/deploy");
}

static void
take_now(int expected)
{
	struct errlist errors;

	errlist_init(&errors);
	assert_int_equal(httpd_tls(served.httpd, &files, &errors), expected);
	assert_int_equal(errors.count == 0, expected == 0);
	errlist_done(&errors);
}

static void
ask_again(struct guest *guest, const char *path)
{
	char text[128], needle[64];

	str_print(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	str_print(needle, sizeof(needle), "GET|%s|", path);
	guest_send(guest, text, strlen(text));
	assert_true(guest_expect(guest, needle));
}

/* A connection that stands goes on, but not as who it was. */
static void
test_a_replaced_ca_lets_nobody_go_on(void **state)
{
	struct guest *guest;

	(void)state;
	serve_tls((struct httpd_limits){0}, OPTIONAL);
	guest = guest_ask(&client, GET("/first"));
	assert_true(guest_expect(guest, "GET|/first|"));
	assert_string_equal(served.certificate, "spiffe://ci/deploy");
	save_crt(&other_ca, "ca");
	take_now(0);
	ask_again(guest, "/second");
	assert_string_equal(served.certificate, "");
	assert_true(str_starts(served.peer, "127.0.0.1:"));
	expect_refused(&client, 0, "unknown ca");
	expect_name(&stranger, "spiffe://evil");
	save_crt(&ca, "ca");
	take_now(0);
	ask_again(guest, "/third");
	assert_string_equal(served.certificate, "spiffe://ci/deploy");
	guest_free(guest);
}

/* --- new files --- */

static long
serial_shown(void)
{
	struct guest *guest = guest_new(NULL, 0);
	X509 *shown;
	long serial;

	assert_true(guest_shakes(guest));
	shown = SSL_get1_peer_certificate(guest->ssl);
	serial = ASN1_INTEGER_get(X509_get0_serialNumber(shown));
	X509_free(shown);
	guest_free(guest);
	return serial;
}

static long
serial_of(const struct pair *pair)
{
	return ASN1_INTEGER_get(X509_get0_serialNumber(pair->crt));
}

static bool
is_loaded(void *ctx)
{
	return httpd_tls_stats(served.httpd).loaded == *(uint64_t *)ctx;
}

static bool
is_refused(void *ctx)
{
	return httpd_tls_stats(served.httpd).refused == *(bool *)ctx;
}

/* By themselves, and a stream that is open does not notice. */
static void
test_changed_files_are_taken(void **state)
{
	struct pair next = make_pair(
	    (struct wanted){.name = "next", .alternative = "IP:127.0.0.1", .until_s = 9 * DAY_S});
	struct guest *stream;
	uint64_t twice = 2;
	bool refused = true;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	stream = guest_ask(NULL, GET("/stream"));
	assert_true(guest_expect(stream, "\r\n\r\n"));
	assert_int_equal(serial_shown(), serial_of(&server));
	save_crt(&next, "crt");
	save_key(&next, "key", NULL);
	assert_int_equal(chmod(tls_path("key"), 0644), 0);
	assert_true(lab_until(is_refused, &refused));
	assert_int_equal(serial_shown(), serial_of(&server));
	assert_int_equal(httpd_tls_stats(served.httpd).loaded, 1);
	/* A mode alone is a change, too. */
	assert_int_equal(chmod(tls_path("key"), 0640), 0);
	assert_true(lab_until(is_loaded, &twice));
	assert_false(httpd_tls_stats(served.httpd).refused);
	assert_int_equal(serial_shown(), serial_of(&next));
	assert_in_range(httpd_tls_stats(served.httpd).not_after_s - clock_wall_ms() / 1000,
	    9 * DAY_S - 100, 9 * DAY_S + 100);
	assert_true(httpd_stream_send(served.httpd, served.numbers[0], "still here", 10));
	assert_true(guest_expect(stream, "still here"));
	assert_int_equal(served.gone_count, 0);
	guest_free(stream);
	free_pair(&next);
}

/* --- files that are wrong --- */

static void
expect_error(const char *key, const char *text)
{
	struct errlist errors;
	bool found = false;

	errlist_init(&errors);
	httpd_tls_check(&files, &errors);
	for (size_t i = 0; i < errors.count; i++)
		found |= str_equal(errors.items[i].path, key) &&
			 strstr(errors.items[i].text, text) != NULL;
	if (!found)
		fail_msg("no \"%s\" for %s; the first of %zu: %s", text, key, errors.count,
		    errors.count > 0 ? errors.items[0].text : "");
	errlist_done(&errors);
}

static void
expect_error_of(struct wanted wanted, const char *text)
{
	struct pair made = make_pair(wanted);

	save_crt(&made, "crt");
	save_key(&made, "key", NULL);
	expect_error("certificateFile", text);
	free_pair(&made);
}

static void
test_wrong_certificates(void **state)
{
	(void)state;
	expect_error_of(
	    (struct wanted){
		.name = "x", .alternative = "DNS:x", .from_s = -2 * DAY_S, .until_s = -60},
	    "certificate 1 in it expired at 20");
	expect_error_of((struct wanted){.name = "x", .alternative = "DNS:x", .from_s = 3600},
	    "is this host's clock right?");
	expect_error_of((struct wanted){.name = "x", .alternative = "DNS:x", .usage = "clientAuth"},
	    "not for servers");
	tls_write("crt", "", 0644);
	expect_error("certificateFile", "no certificate in PEM form");
	tls_write("crt", "nonsense\n", 0644);
	expect_error("certificateFile", "no certificate in PEM form");
	tls_remove("crt");
	expect_error("certificateFile", "No such file");
	assert_int_equal(mkdir(tls_path("crt"), 0700), 0);
	expect_error("certificateFile", "is a folder");
	assert_int_equal(rmdir(tls_path("crt")), 0);
}

static void
test_wrong_keys(void **state)
{
	(void)state;
	save_key(&client, "key", NULL);
	expect_error("keyFile", "is not the key of the first certificate in /tmp/");
	save_key(&server, "key", "secret");
	expect_error("keyFile", "is encrypted");
	tls_write("key", "nonsense\n", 0600);
	expect_error("keyFile", "no private key in PEM form");
	save_key(&server, "key", NULL);
	assert_int_equal(chmod(tls_path("key"), 0604), 0);
	expect_error("keyFile", "every user of this host can read");
	/* All that is wrong is said at once. */
	tls_remove("crt");
	expect_error("keyFile", "every user of this host can read");
	expect_error("certificateFile", "No such file");
}

static void
test_wrong_client_cas(void **state)
{
	struct pair old =
	    make_pair((struct wanted){.name = "old", .from_s = -2 * DAY_S, .until_s = -60});

	(void)state;
	files.client_ca_file = mem_strdup(tls_path("ca"));
	save_crt(&old, "ca");
	expect_error("clientCaFile", "all 1 certificates in it have expired");
	tls_write("ca", "nonsense\n", 0644);
	expect_error("clientCaFile", "no certificate in PEM form");
	free_pair(&old);
}

static void
test_the_end_comes_near(void **state)
{
	char *text;

	(void)state;
	assert_null(httpd_tls_ending(15 * DAY_S, 0));
	text = httpd_tls_ending(13 * DAY_S + 5, 0);
	assert_non_null(strstr(text, "expires at 1970-01-14T00:00:05.000Z, in 13 days"));
	free(text);
	text = httpd_tls_ending(1000, 1000);
	assert_non_null(strstr(text, "expired at 1970-01-01T00:16:40.000Z"));
	free(text);
}

/* --- who means harm, or is slow --- */

enum { MANY = 200 };

/* The first bytes of a handshake and then nothing make libmicrohttpd say "at once" for ever. */
static void
test_half_a_handshake(void **state)
{
	static const char hello[] = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
	struct raw *raw[8];
	struct guest *guest;
	int64_t cpu;

	(void)state;
	serve_tls((struct httpd_limits){.header_deadline_ms = 800}, NOBODY);
	for (size_t i = 0; i < 8; i++) {
		raw[i] = mem_alloc(sizeof(*raw[i]));
		raw[i]->fd = raw_connect(served.port);
		assert_int_equal(
		    send(raw[i]->fd, hello, sizeof(hello) - 1, MSG_NOSIGNAL), sizeof(hello) - 1);
	}
	lab_for(100);
	cpu = lab_cpu_ms();
	lab_for(300);
	assert_true(lab_cpu_ms() - cpu < 100);
	guest = guest_ask(NULL, GET("/meanwhile"));
	assert_true(guest_expect(guest, "GET|/meanwhile|"));
	guest_free(guest);
	for (size_t i = 0; i < 8; i++) {
		assert_true(raw_expect(raw[i], NULL)); /* the deadline of a header cuts it */
		raw_end(raw[i]);
	}
	assert_true(lab_until(served_connections, &none));
}

static bool
all_answered(void *ctx)
{
	struct guest **guests = ctx;
	int done = 0;

	for (int i = 0; i < MANY; i++) {
		if (!guests[i]->shaken && guest_ready(guests[i]))
			guest_send(guests[i], GET("/many"), strlen(GET("/many")));
		guests[i]->needle = "GET|/many|";
		done += guests[i]->shaken && guest_pull(guests[i]) && !guests[i]->closed;
	}
	return done == MANY;
}

/* Two hundred at once are all served, and then cost nothing while they are silent. */
static void
test_many_at_once_and_idle(void **state)
{
	struct guest *guests[MANY];
	int64_t cpu;

	(void)state;
	serve_tls((struct httpd_limits){.max_connections = MANY + 10}, NOBODY);
	for (int i = 0; i < MANY; i++)
		guests[i] = guest_new(NULL, 0);
	assert_true(lab_until(all_answered, guests));
	assert_int_equal(httpd_connections(served.httpd), MANY);
	lab_for(50);
	cpu = lab_cpu_ms();
	lab_for(500);
	assert_true(lab_cpu_ms() - cpu < 150);
	for (int i = 0; i < MANY; i++)
		guest_free(guests[i]);
}

/* Bytes that GnuTLS has already taken from the socket: no event tells of them. */
static void
test_what_waits_in_the_record_is_read(void **state)
{
	static const char both[] = GET("/late") GET("/after") GET("/last");
	struct guest *guest;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_ask(NULL, both);
	assert_true(lab_until(served_waiting, &one));
	lab_for(50);
	assert_int_equal(served.handled, 1);
	httpd_answer(served.httpd, served.numbers[0], 200, NULL, NULL, "late", 4);
	assert_true(guest_expect(guest, "GET|/last|"));
	assert_int_equal(served.handled, 3);
	guest_free(guest);
}

static void
test_a_body_in_large_and_in_tiny_records(void **state)
{
	enum { SIZE = 200000 };
	static char body[SIZE + 128];
	size_t head;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	for (size_t piece = 7; piece <= 16384; piece += 16377) {
		struct guest *guest = guest_new(NULL, 0);
		size_t length = piece == 7 ? 1400 : SIZE;

		str_print(body, sizeof(body),
		    "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", length);
		head = strlen(body);
		memset(body + head, 'b', length);
		assert_true(guest_shakes(guest));
		for (size_t sent = 0; sent < head + length;) {
			size_t left = head + length - sent, now = left < piece ? left : piece;
			int rc = SSL_write(guest->ssl, body + sent, (int)now);

			sent += rc > 0 ? (size_t)rc : 0;
			if (rc <= 0)
				lab_for(2);
		}
		str_print(body, sizeof(body), "POST|/body|%zu:bbb", length);
		assert_true(guest_expect(guest, body));
		guest_free(guest);
	}
}

/* A stream's events arrive one by one, and silence between them costs nothing. */
static void
test_streams(void **state)
{
	struct guest *guest;
	char text[32];
	int64_t cpu;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_ask(NULL, GET("/stream"));
	assert_true(guest_expect(guest, "\r\n\r\n"));
	for (int i = 0; i < 20; i++) {
		str_print(text, sizeof(text), "event %d.", i);
		assert_true(httpd_stream_send(served.httpd, served.numbers[0], text, strlen(text)));
		assert_true(guest_expect(guest, text));
	}
	cpu = lab_cpu_ms();
	lab_for(300);
	assert_true(lab_cpu_ms() - cpu < 100);
	httpd_stream_end(served.httpd, served.numbers[0]);
	assert_true(guest_expect(guest, NULL));
	assert_string_equal(guest->reason, ""); /* by a notice of TLS, not cut */
	guest_free(guest);
}

/* Who changes its keys again and again is hung up on. (In one burst: libmicrohttpd reads on at the
 * next byte only, so then it is the deadline of a header that ends it.) */
static void
test_floods(void **state)
{
	struct guest *guest;
	int64_t cpu = lab_cpu_ms();

	(void)state;
	serve_tls((struct httpd_limits){.header_deadline_ms = 500}, NOBODY);
	for (int pause = 0; pause < 2; pause++) {
		guest = guest_new(NULL, TLS1_3_VERSION);
		assert_true(guest_shakes(guest));
		for (int i = 0; i < 200; i++) {
			(void)SSL_key_update(guest->ssl, SSL_KEY_UPDATE_NOT_REQUESTED);
			if (SSL_do_handshake(guest->ssl) <= 0)
				break;
			lab_for(pause);
		}
		assert_true(guest_expect(guest, NULL));
		guest_free(guest);
	}
	assert_true(lab_cpu_ms() - cpu < 500);
}

/* Also of one that has only said that it sends no more. */
static void
test_hanging_up(void **state)
{
	struct guest *guest;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	guest = guest_ask(NULL, GET("/late"));
	assert_true(lab_until(served_waiting, &one));
	assert_int_equal(SSL_shutdown(guest->ssl), 0);
	assert_int_equal(shutdown(guest->fd, SHUT_WR), 0);
	assert_true(lab_until(served_gone, &one));
	assert_true(lab_until(served_connections, &none));
	guest_free(guest);
}

/* Open requests and streams over TLS end as over plain HTTP. */
static void
test_the_end(void **state)
{
	struct guest *late, *stream;
	int two = 2;

	(void)state;
	serve_tls((struct httpd_limits){0}, NOBODY);
	late = guest_ask(NULL, GET("/late"));
	assert_true(lab_until(served_waiting, &one));
	stream = guest_ask(NULL, GET("/stream"));
	assert_true(lab_until(served_waiting, &two));
	httpd_free(served.httpd);
	served.httpd = NULL;
	assert_true(guest_expect(late, "503"));
	assert_true(guest_expect(stream, NULL));
	assert_string_equal(stream->reason, "");
	guest_free(late);
	guest_free(stream);
	lab_close();
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    test(test_versions),
	    test(test_ciphers),
	    test(test_protocols_by_alpn),
	    test(test_plain_http_is_hung_up_on),
	    test(test_renegotiation_is_refused),
	    test(test_no_session_is_resumed),
	    test(test_who_it_is),
	    test(test_bad_client_certificates),
	    test(test_a_certificate_may_be_required),
	    test(test_a_replaced_ca_lets_nobody_go_on),
	    test(test_changed_files_are_taken),
	    test(test_wrong_certificates),
	    test(test_wrong_keys),
	    test(test_wrong_client_cas),
	    test(test_the_end_comes_near),
	    test(test_half_a_handshake),
	    test(test_many_at_once_and_idle),
	    test(test_what_waits_in_the_record_is_read),
	    test(test_a_body_in_large_and_in_tiny_records),
	    test(test_streams),
	    test(test_floods),
	    test(test_hanging_up),
	    test(test_the_end),
	};

	return cmocka_run_group_tests_name("httpd_tls", tests, make_all, remove_all);
}
