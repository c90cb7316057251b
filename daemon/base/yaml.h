/* YAML into JSON values, with the lines where they stood. YAML 1.2 core types (`no` stays text);
 * refused: duplicate keys, aliases, tags, several documents, depth over 64, over 1 MiB, bad UTF-8.
 * JSON is YAML too, so one door serves both. */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <jansson.h>
#include "base/err.h"

struct yaml_lines; /* path -> line */

/* On success *value (a new reference) and *lines (free it; lines may be NULL if not wanted). */
must_check int yaml_parse(
    const char *text, size_t length, json_t **value, struct yaml_lines **lines, struct err *e);
int yaml_line(
    const struct yaml_lines *lines, const char *path); /* nearest enclosing path; 0 unknown */
void yaml_lines_free(struct yaml_lines *lines);
/* Fills in the line of each error from its path. */
void yaml_locate(const struct yaml_lines *lines, struct errlist *list);
/* Block style, quoted where needed; owned by the caller. */
char *yaml_dump(const json_t *value);

#endif
