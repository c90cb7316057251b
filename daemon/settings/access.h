/* Who may do what, as the settings have it. Part of settings/settings.h. */
#ifndef SETTINGS_ACCESS_H
#define SETTINGS_ACCESS_H

#include <stdint.h>
#include "base/glob.h"
#include "base/keys.h"

#define SETTINGS_PATH 1024
#define SETTINGS_ACCESS 32
#define SETTINGS_ISSUERS 8
#define SETTINGS_RULES 16 /* of an issuer */
#define SETTINGS_PINS 8	  /* of a rule */

struct settings_access {       /* user or certificate may be "", not both */
	char user[KEYS_LABEL]; /* of this host: a name, or a number */
	char certificate[256];
	int role; /* index into settings_roles */
	struct globs namespaces, apps;
};
extern const char *const settings_roles[]; /* ends with NULL */

struct settings_pins {
	struct settings_pin {
		char claim[64], value[256];
	} items[SETTINGS_PINS];
	int count;
};
struct settings_rule {
	struct settings_pins pins;
	int role; /* index into settings_roles */
	struct globs namespaces, apps;
};
struct settings_issuer { /* of tokens, by OpenID Connect */
	char name[KEYS_LABEL], url[256], audience[128];
	char keys[256], ca_file[SETTINGS_PATH]; /* "" : not given */
	int64_t life_ms;
	struct settings_rule rules[SETTINGS_RULES];
	int rule_count;
};

#endif
