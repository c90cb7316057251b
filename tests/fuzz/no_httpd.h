/* What of http/httpd.h a server without connections has to say. Included by the one file that is
 * the rest of it; the linker then leaves the real one in the archive. */
#ifndef TESTS_FUZZ_NO_HTTPD_H
#define TESTS_FUZZ_NO_HTTPD_H

#include "http/httpd.h"

const char *
httpd_certificate(const struct httpd_request *request)
{
	(void)request;
	return NULL;
}

const char *
httpd_certificate_now(const struct httpd *httpd, uint64_t number)
{
	(void)httpd, (void)number;
	return NULL;
}

int
httpd_tls(struct httpd *httpd, const struct httpd_tls_settings *settings, struct errlist *errors)
{
	(void)httpd, (void)settings, (void)errors;
	return 0;
}

struct httpd_tls_stats
httpd_tls_stats(const struct httpd *httpd)
{
	(void)httpd;
	return (struct httpd_tls_stats){.on = false};
}

int
httpd_pass(struct httpd *httpd, int fd, const char *name, struct err *e)
{
	(void)httpd, (void)fd, (void)name, (void)e;
	return 0;
}

int
httpd_passed_all(const struct httpd *httpd, struct err *e)
{
	(void)httpd, (void)e;
	return 0;
}

int
httpd_connections(const struct httpd *httpd)
{
	(void)httpd;
	return 1;
}

uint64_t
httpd_spins(const struct httpd *httpd)
{
	(void)httpd;
	return 0;
}

#endif
