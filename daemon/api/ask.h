/* What was asked: query and body of a request, checked. Where a function returns false, the request
 * was answered with what is wrong and what is allowed. */
#ifndef API_ASK_H
#define API_ASK_H

#include "api/api_room.h"
#include "base/keys.h"
#include "base/yaml.h"

/* Only these names (separated by blanks) are in the query, each once. */
bool api_ask_query(struct call *call, const char *allowed);
/* Absent values leave what is there. */
bool api_ask_limit(struct call *call, int *limit);
bool api_ask_number(struct call *call, const char *name, int64_t *number);
bool api_ask_flag(struct call *call, const char *name, bool *flag);
/* A JSON object by the route's table of keys. */
bool api_ask_body(struct call *call, void *record);
/* JSON or YAML, with the lines where things stand; both are the caller's. */
bool api_ask_document(struct call *call, json_t **document, struct yaml_lines **lines);

extern const struct key_type api_key_free;  /* char[max]: may be empty or have several lines */
extern const struct key_type api_key_image; /* char[APP_IMAGE] */

#endif
