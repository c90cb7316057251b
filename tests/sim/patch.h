/* patch: the three ways to change a tree by a document. None changes what it is given; each
 * returns a new tree that may share parts with it, owned by the caller. */
#ifndef SIM_PATCH_H
#define SIM_PATCH_H

#include <jansson.h>

/* RFC 7386. */
json_t *patch_merge(json_t *target, json_t *patch);
/* RFC 6902. NULL if an operation is malformed or fails (also a test); *malformed says which. */
json_t *patch_json(json_t *target, json_t *ops, int *malformed);
/* Kubernetes' strategic merge: lists with a merge key (below) are merged item by item, with
 * $patch, $deleteFromPrimitiveList, $retainKeys and $setElementOrder understood. */
json_t *patch_strategic(json_t *target, json_t *patch);

/* The key that identifies an item of a list called field in a built-in kind ("name" for
 * containers), judged by its first item as well; NULL if such lists are atomic. */
const char *list_merge_key(const char *field, const json_t *list);
/* Index of the item whose key has this value, or -1. */
int list_find(const json_t *list, const char *key, const json_t *value);

#endif
