/* fields: metadata.managedFields, that is who last set which field. A set of fields is a tree
 * in FieldsV1 form; a leaf is an empty object. In a CRD every list is one leaf; in a built-in
 * kind lists with a merge key are entered item by item. */
#ifndef SIM_FIELDS_H
#define SIM_FIELDS_H

#include "kinds.h"

#include <jansson.h>

struct writer {
	const char *manager, *operation; /* "Update" or "Apply" */
	const char *subresource;	 /* or NULL */
	const char *api_version;
};

/* Every field that an object sets, without what the server sets. New reference. */
json_t *fields_of(const struct kind *k, const json_t *object);
/* The fields of next that are new or differ in old. New reference, perhaps empty. */
json_t *fields_diff(const struct kind *k, const json_t *old, const json_t *next);
void fields_add(json_t *set, const json_t *plus);
void fields_take(json_t *set, const json_t *minus);
/* FieldsV1 name of a list item: k:{"name":"c"}; the caller frees. NULL if it is atomic. */
char *fields_item(const struct kind *k, const char *field, const json_t *list, const json_t *item);

/* The managedFields after a writer changed old into next. old is NULL for a creation; applied
 * is the set of an Apply and NULL for an Update. New reference. */
json_t *fields_managed(const struct kind *k, const json_t *old, const json_t *next,
    const struct writer *w, json_t *applied);

#endif
