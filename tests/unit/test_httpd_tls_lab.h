/* A server over TLS for each test, with files that the test may change, and who asks it. */
#ifndef TESTS_UNIT_TEST_HTTPD_TLS_LAB_H
#define TESTS_UNIT_TEST_HTTPD_TLS_LAB_H

#include "tls_lab.h"

static struct pair ca, other_ca, server, client, stranger;
static struct httpd_tls_settings files;

static unused int
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

static unused int
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

static unused int
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

static unused int
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

static unused void
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

static unused int one = 1, none;

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
