/* Getters for JSON of others: by dotted path, with a type, never a crash. Paths step through
 * objects by key and arrays by number: "spec.template.spec.containers.0.image". A key that
 * contains dots is written with a backslash before each. "" is the root. */
#ifndef BASE_JSONX_H
#define BASE_JSONX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

json_t *jsonx_at(const json_t *root, const char *path);	      /* borrowed; NULL: not there */
const char *jsonx_text(const json_t *root, const char *path); /* NULL: not there or no string */
const char *jsonx_text_or(const json_t *root, const char *path, const char *otherwise);
/* A real without a fraction counts as an int; jsonx_real takes both. */
int64_t jsonx_int(const json_t *root, const char *path, int64_t otherwise);
/* A whole number from 0 to INT_MAX; anything else is not there. */
int jsonx_count(const json_t *root, const char *path, int otherwise);
double jsonx_real(const json_t *root, const char *path, double otherwise);
bool jsonx_bool(const json_t *root, const char *path, bool otherwise);
/* Parses at most limit bytes, refuses duplicate keys, trailing text and depth over 64. */
must_check json_t *jsonx_parse(const char *bytes, size_t length, size_t limit, struct err *e);
json_t *jsonx_time(int64_t wall_ms); /* RFC 3339, UTC, ms; null for 0. New reference */
/* Compact, order kept, numbers in their shortest exact form; owned by the caller. NULL: "null". */
char *jsonx_dump(const json_t *value);
void jsonx_add(struct str *to, const json_t *value); /* the same, at the end of a string */
void jsonx_add_text(struct str *to, const char *text, size_t length); /* quoted and escaped */
void jsonx_add_real(struct str *to, double value); /* always with a '.' or an 'e' */

#endif
