/* jx: short ways to read and copy JSON. Objects of the store are shared and never changed, so
 * whoever changes something copies the way to it first (jx_own). */
#ifndef SIM_JX_H
#define SIM_JX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The value at a dotted path ("spec.template.spec"), borrowed; NULL if there is none. */
json_t *jx_at(const json_t *o, const char *path);
/* The same as text, or NULL; as integer, or what is given. */
const char *jx_str(const json_t *o, const char *path);
int64_t jx_int(const json_t *o, const char *path, int64_t otherwise);
/* A number, or a percentage ("25%") of something, rounded up or down; 0 if it is neither. */
int64_t jx_share(const json_t *v, int64_t of, bool up);
bool jx_bool(const json_t *o, const char *path);
/* An annotation or a label, or NULL. */
const char *jx_annotation(const json_t *o, const char *name);
/* Replaces child key of an owned parent by a shallow copy (an empty object if there is none
 * or it is no object) and returns it: it may now be changed. */
json_t *jx_own(json_t *parent, const char *key);
/* The same along a dotted path, from an owned root. */
json_t *jx_own_path(json_t *root, const char *path);
/* Replaces a list of an owned parent by a copy in which each object is an own copy too, and
 * returns it; NULL if there is no list. */
json_t *jx_own_list(json_t *parent, const char *key);
void jx_set_str(json_t *o, const char *key, const char *value);
void jx_set_int(json_t *o, const char *key, int64_t value);
/* Sets an integer, or removes the key where it is 0, as omitempty does. */
void jx_set_count(json_t *o, const char *key, int64_t value);
/* Compact text, keys in order of insertion; the caller frees. */
char *jx_dump(const json_t *o, size_t *len);

#endif
