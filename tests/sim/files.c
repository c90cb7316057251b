/* files: see files.h. */
#include "files.h"

#include "util.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Through a name of its own and a rename, so that a reader never sees half of it. */
static int
put(const char *dir, const char *name, const char *text, mode_t mode)
{
	char *path = xfmt("%s/%s", dir, name), *tmp = xfmt("%s/%s.tmp", dir, name);
	FILE *f = fopen(tmp, "w");
	int rc = -1;

	if (f != NULL) {
		fchmod(fileno(f), mode);
		rc = fputs(text, f) < 0 ? -1 : 0;
		if (fclose(f) != 0 || (rc == 0 && rename(tmp, path) != 0))
			rc = -1;
	}
	if (rc < 0)
		fprintf(stderr, "airis-sim: cannot write %s\n", path);
	free(path);
	free(tmp);
	return rc;
}

static char *
kubeconfig(int port, const char *token, const char *how, bool tls)
{
	return xfmt("apiVersion: v1\n"
		    "kind: Config\n"
		    "current-context: lab\n"
		    "clusters: [{name: lab, cluster: {server: \"%s://127.0.0.1:%d\"%s}}]\n"
		    "users: [{name: admin, user: {token: %s}}]\n"
		    "contexts: [{name: lab, context: {cluster: lab, user: admin, namespace: "
		    "default}}]\n",
	    tls ? "https" : "http", port, how, token != NULL ? token : "any");
}

static char *
ready_text(const char *dir, const struct files *f)
{
	struct buf b = {0};

	buf_fmt(&b, "KUBECONFIG=%s/kubeconfig\nMETRICS=127.0.0.1:%d\n", dir, f->metrics_port);
	if (f->istiod_port != 0)
		buf_fmt(&b, "ISTIOD=127.0.0.1:%d\n", f->istiod_port);
	buf_fmt(&b, "APISERVER=%s://127.0.0.1:%d\n", f->cert != NULL ? "https" : "http", f->port);
	return b.p;
}

int
files_write(const char *dir, const struct files *f)
{
	bool tls = f->cert != NULL;
	char *verify = xfmt(", certificate-authority: %s/apiserver.crt", dir);
	char *text =
	    kubeconfig(f->port, f->token, tls ? ", insecure-skip-tls-verify: true" : "", tls);
	char *safe = kubeconfig(f->port, f->token, verify, tls), *ready = ready_text(dir, f);
	char pid[24];
	int rc;

	snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	rc = put(dir, "kubeconfig", text, 0600);
	if (tls && rc == 0)
		rc = put(dir, "apiserver.crt", f->cert, 0644);
	if (tls && rc == 0)
		rc = put(dir, "kubeconfig-ca", safe, 0600);
	if (rc == 0)
		rc = put(dir, "apiserver.pid", pid, 0644);
	if (rc == 0)
		rc = put(dir, "ready", ready, 0644);
	if (rc == 0) {
		fputs(ready, stdout);
		fflush(stdout);
	}
	free(verify);
	free(text);
	free(safe);
	free(ready);
	return rc;
}

void
files_remove(const char *dir)
{
	char *path = xfmt("%s/ready", dir);

	unlink(path);
	free(path);
}

static char *
to_text(const gnutls_datum_t *d)
{
	char *s = xalloc(d->size + 1);

	return memcpy(s, d->data, d->size);
}

int
tls_make(char **cert, char **key)
{
	static const unsigned char loopback[4] = {127, 0, 0, 1}, serial[1] = {1};
	gnutls_datum_t c = {0}, k = {0};
	gnutls_x509_privkey_t priv;
	gnutls_x509_crt_t crt;
	int rc;

	gnutls_x509_privkey_init(&priv);
	gnutls_x509_crt_init(&crt);
	rc = gnutls_x509_privkey_generate(
	    priv, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, serial, sizeof(serial));
	gnutls_x509_crt_set_activation_time(crt, time(NULL) - 3600);
	gnutls_x509_crt_set_expiration_time(crt, time(NULL) + 30 * 86400);
	gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, "airis-sim", 9);
	gnutls_x509_crt_set_subject_alt_name(
	    crt, GNUTLS_SAN_IPADDRESS, loopback, sizeof(loopback), GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_subject_alt_name(
	    crt, GNUTLS_SAN_DNSNAME, "localhost", 9, GNUTLS_FSAN_APPEND);
	gnutls_x509_crt_set_basic_constraints(crt, 1, -1);
	gnutls_x509_crt_set_key(crt, priv);
	if (rc == 0)
		rc = gnutls_x509_crt_sign2(crt, crt, priv, GNUTLS_DIG_SHA256, 0);
	if (rc == 0)
		rc = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &c);
	if (rc == 0)
		rc = gnutls_x509_privkey_export2(priv, GNUTLS_X509_FMT_PEM, &k);
	if (rc == 0) {
		*cert = to_text(&c);
		*key = to_text(&k);
	}
	gnutls_free(c.data);
	gnutls_free(k.data);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(priv);
	return rc == 0 ? 0 : -1;
}
