/* Who is told of what happens. Part of settings.h. */
#ifndef SETTINGS_WEBHOOKS_H
#define SETTINGS_WEBHOOKS_H

#include "base/glob.h"

#define SETTINGS_WEBHOOKS 16
#define SETTINGS_WEBHOOK_HEADERS 16

struct settings_webhook {
	char name[KEYS_LABEL], url[1024];
	char secret_file[1024], ca_file[1024]; /* "" : none */
	int format;			       /* index into settings_formats */
	unsigned events;		       /* a bit for each of settings_notices */
	struct globs namespaces, apps;
	char *headers[SETTINGS_WEBHOOK_HEADERS + 1]; /* "Name: value", owned, NULL-terminated */
	int64_t timeout_ms;
};
extern const char *const settings_formats[], *const settings_notices[]; /* end with NULL */

#endif
