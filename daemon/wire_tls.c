/* Always true: what is in force, the files in use and what the settings show are of one piece. */
#include "wire_tls.h"

#include <string.h>
#include "base/log.h"

static struct httpd_tls_settings
from_settings(const struct settings_tls *tls)
{
	return (struct httpd_tls_settings){.certificate_file = tls->certificate_file,
	    .key_file = tls->key_file,
	    .client_ca_file = tls->client_ca_file,
	    .client_required = tls->client_required != 0};
}

static bool
is_on(const struct settings *settings)
{
	return settings->tls.certificate_file[0] != '\0';
}

static bool
is_known(const struct settings_tls *tls)
{
	return strstr(tls->certificate_file, "${") == NULL && strstr(tls->key_file, "${") == NULL &&
	       strstr(tls->client_ca_file, "${") == NULL;
}

static void
add_all(const struct errlist *found, struct errlist *errors)
{
	char path[64];
	for (size_t i = 0; i < found->count; i++) {
		str_print(path, sizeof(path), "listen.tls.%s", found->items[i].path);
		errlist_add(errors, path, "%s", found->items[i].text);
	}
}

void
wire_tls_check(const struct settings *settings, bool any_time, struct errlist *errors)
{
	struct httpd_tls_settings tls = from_settings(&settings->tls);
	struct errlist found;
	tls.any_time = any_time;
	if (!is_on(settings) || !is_known(&settings->tls))
		return;
	errlist_init(&found);
	httpd_tls_check(&tls, &found);
	add_all(&found, errors);
	errlist_done(&found);
}

int
wire_tls_start(struct api *api, const struct settings *settings, struct err *e)
{
	struct httpd_tls_settings tls = from_settings(&settings->tls);
	struct errlist found;
	if (!is_on(settings))
		return 0;
	tls.any_time = true;
	errlist_init(&found);
	int rc = api_tls(api, &tls, &found);
	if (rc < 0)
		err_set(e, "listen.tls.%s: %s", found.items[0].path, found.items[0].text);
	errlist_done(&found);
	return rc;
}

void
wire_tls_reload(struct api *api, struct settings *now, const struct settings *next)
{
	struct httpd_tls_settings tls = from_settings(&next->tls);
	struct errlist found;
	if (!is_on(now) || !is_on(next))
		return;
	errlist_init(&found);
	if (api_tls(api, &tls, &found) == 0) {
		now->tls = next->tls;
		log_info("airisd", "%s and its key were read again", now->tls.certificate_file);
	}
	for (size_t i = 0; i < found.count; i++)
		log_error("airisd",
		    "listen.tls.%s: %s; the certificate, key and client CA in use stay",
		    found.items[i].path, found.items[i].text);
	errlist_done(&found);
}
