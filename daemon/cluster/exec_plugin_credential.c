/* What a credential plugin prints: an ExecCredential. Its values never come into an error. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/jsonx.h"
#include "cluster/exec_plugin.h"

enum { OUTPUT_MAX = 1024 * 1024 };

void
exec_credential_done(struct exec_credential *credential)
{
	char *texts[] = {credential->token, credential->cert_pem, credential->key_pem};

	for (size_t i = 0; i < 3; i++) {
		if (texts[i])
			mem_wipe(texts[i], strlen(texts[i]));
		free(texts[i]);
	}
	*credential = (struct exec_credential){0};
}

/* RFC 3339, such as 2026-11-22T20:42:42Z or with +02:00. */
static int
parse_time(const char *text, int64_t *ms, struct err *e)
{
	struct tm parts = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &parts);
	long offset;

	if (rest && *rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	if (!rest || (strcmp(rest, "Z") != 0 && !strptime(rest, "%z", &parts)))
		return err_set(e,
		    "status.expirationTimestamp: found \"%.40s\"; allowed is a time "
		    "such as 2026-01-31T08:00:00Z",
		    text);
	offset = strcmp(rest, "Z") ? parts.tm_gmtoff : 0;
	*ms = ((int64_t)timegm(&parts) - offset) * 1000;
	return 0;
}

static int
take(const json_t *root, struct exec_credential *to, struct err *e)
{
	const char *expires = jsonx_text(root, "status.expirationTimestamp");

	if (!str_equal(jsonx_text(root, "kind"), "ExecCredential"))
		return err_set(e, "kind is \"%.60s\"; allowed is ExecCredential",
		    jsonx_text_or(root, "kind", ""));
	if (expires && parse_time(expires, &to->expires_ms, e) < 0)
		return -1;
	to->token = mem_strdup(jsonx_text(root, "status.token"));
	to->cert_pem = mem_strdup(jsonx_text(root, "status.clientCertificateData"));
	to->key_pem = mem_strdup(jsonx_text(root, "status.clientKeyData"));
	if (!to->cert_pem != !to->key_pem)
		return err_set(e, "status has only one of clientCertificateData, clientKeyData");
	if (!to->token && !to->cert_pem)
		return err_set(e, "status has neither a token nor clientCertificateData and "
				  "clientKeyData");
	return 0;
}

int
exec_credential_parse(const char *output, size_t length, struct exec_credential *to, struct err *e)
{
	struct exec_credential taken = {0};
	json_t *root = jsonx_parse(output, length, OUTPUT_MAX, NULL);
	int result;

	if (!root)
		return err_set(e, "what it printed is not an ExecCredential in JSON");
	result = take(root, &taken, e);
	json_decref(root);
	if (result < 0)
		exec_credential_done(&taken);
	else
		*to = taken;
	return result;
}
