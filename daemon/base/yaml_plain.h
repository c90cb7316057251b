/* The types of unquoted YAML scalars, YAML 1.2 core schema; shared by reader and writer. */
#ifndef BASE_YAML_PLAIN_H
#define BASE_YAML_PLAIN_H

#include <jansson.h>
#include "base/err.h"

/* A new reference: null, boolean, integer, real or, for everything else, string. NULL and an
 * error for what JSON cannot hold: infinity, not-a-number, integers beyond 64 bits. The text is
 * valid UTF-8. */
json_t *yaml_plain(const char *text, struct err *e);

#endif
