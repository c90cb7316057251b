/* Getters for JSON of others: by dotted path, with a type, never a crash. Paths step through
 * objects by key and arrays by number: "spec.template.spec.containers.0.image". A key that
 * contains dots is written with a backslash before each. */
#ifndef BASE_JSONX_H
#define BASE_JSONX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

json_t *jsonx_at(const json_t *root, const char *path);                 /* borrowed; NULL: not there */
const char *jsonx_text(const json_t *root, const char *path);           /* NULL: not there or no string */
const char *jsonx_text_or(const json_t *root, const char *path, const char *otherwise);
int64_t jsonx_int(const json_t *root, const char *path, int64_t otherwise);
double jsonx_real(const json_t *root, const char *path, double otherwise);
bool jsonx_bool(const json_t *root, const char *path, bool otherwise);
/* Parses at most limit bytes, refuses duplicate keys, trailing text and depth over 64. */
must_check json_t *jsonx_parse(const char *bytes, size_t length, size_t limit, struct err *e);
char *jsonx_dump(const json_t *value); /* compact, order kept; owned by the caller */

#endif
