/* Inside of settings: the table of keys. */
#ifndef SETTINGS_TABLE_H
#define SETTINGS_TABLE_H

#include "settings/settings.h"

extern const struct key settings_keys[];
extern const struct key settings_issuer_keys[], settings_rule_keys[];
extern const struct key settings_webhook_keys[];
extern const struct key_type settings_events;  /* slot: unsigned, a bit for each */
extern const struct key_type settings_claims;  /* slot: struct settings_pins */
extern const struct key_type settings_headers; /* slot: char *[SETTINGS_HEADERS + 1] */
extern const struct key_type settings_urls;    /* slot: struct settings_url[SETTINGS_ISTIODS] */

bool settings_is_live(const char *path);	 /* SIGHUP takes it over */
json_t *settings_headers_json(const void *slot); /* NULL: none */
json_t *settings_urls_json(const void *slot);
json_t *settings_claims_json(const void *slot);
json_t *settings_events_json(const void *slot);
/* The items of a list: the first one, how large each is, how many. */
const char *settings_items(const struct key *key, const void *record, size_t *size, int *count);

#endif
